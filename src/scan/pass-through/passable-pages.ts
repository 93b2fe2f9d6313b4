import type { ArrowType, StoredColumn } from '../arrow/column.ts';
import { naturalType } from '../parquet/leaf-type.ts';
import type { ColumnChunk } from '../parquet/metadata.ts';
import type { DataPage } from '../parquet/pages.ts';
import type { ParquetLeaf } from '../parquet/schema.ts';
import { isZstdFrame } from './zstd-frame.ts';

const plainEncoding = 0;

/**
 * The bytes of one value where a leaf's stored values are, byte for byte, the Arrow values of a top-level column of type `to`; null
 * where they are not: nested or repeated leaves, texts, booleans, integers of 8 and 16 bits (stored as 32), decimals (stored shorter
 * or big-endian), and columns whose type was promoted since the file was written.
 */
export function storedWidth(leaf: ParquetLeaf, to: ArrowType): number | null {
  if (leaf.chain.length !== 1 || leaf.repetition === 'repeated') return null;
  const natural = naturalType(leaf);
  switch (to.kind) {
    case 'int':
      return natural.kind === 'int' && natural.signed === to.signed && natural.bits === to.bits && to.bits >= 32
        ? to.bits / 8
        : null;
    case 'float':
      return natural.kind === 'float' && natural.bits === to.bits && to.bits >= 32 ? to.bits / 8 : null;
    case 'date':
      return natural.kind === 'date' && natural.unit === to.unit ? 4 : null;
    case 'time':
      return natural.kind === 'time' && natural.unit === to.unit ? (to.unit === 'ms' || to.unit === 's' ? 4 : 8) : null;
    case 'timestamp':
      // The zone is the table's to say; the values are UTC in both.
      return leaf.physical === 'int64' && natural.kind === 'timestamp' && natural.unit === to.unit ? 8 : null;
    case 'fixed-size-binary':
      return leaf.physical === 'fixed' && natural.kind === 'fixed-size-binary' && leaf.typeLength === to.byteWidth
        ? to.byteWidth
        : null;
    default:
      return null;
  }
}

/**
 * A data page as a column that goes to the wire as it lies in the file, where it is what an Arrow IPC buffer compressed with ZSTD
 * carries (Arrow columnar format, "Compression"): PLAIN values, as many bytes as rows times `width`, no nulls, no levels among them
 * (a v2 page, or a v1 page of a required column), one zstd frame, or, in a v2 page of a zstd chunk, bytes stored as they are.
 * Null for every other page.
 */
export function storedPage(
  page: DataPage,
  leaf: ParquetLeaf,
  chunk: Pick<ColumnChunk, 'codec'>,
  type: ArrowType,
  width: number,
): StoredColumn | null {
  if (chunk.codec !== 'zstd' || page.encoding !== plainEncoding) return null;
  const bytes = page.values * width;
  if (bytes === 0) return null;
  const column = (frame: Uint8Array, compressed: boolean): StoredColumn => ({
    kind: 'stored',
    type,
    length: page.values,
    bytes,
    frame,
    compressed,
  });
  if (page.kind === 'v1') {
    // The levels of an optional column stand inside of the frame, before the values.
    if (leaf.repetition !== 'required' || page.uncompressedBytes !== bytes) return null;
    return isZstdFrame(page.body, bytes) ? column(page.body, true) : null;
  }
  const levels = page.definitionBytes + page.repetitionBytes;
  if (page.nulls !== 0 || page.rows !== page.values || page.uncompressedBytes - levels !== bytes) return null;
  const values = page.body.subarray(levels);
  if (!page.compressed) return values.length === bytes ? column(values, false) : null;
  return isZstdFrame(values, bytes) ? column(values, true) : null;
}
