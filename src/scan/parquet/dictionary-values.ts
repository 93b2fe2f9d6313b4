import { LRUCache } from 'lru-cache';
import type { PrimitiveType } from '../../catalog/schema/types.ts';
import type { Column } from '../arrow/column.ts';
import { arrowTypeOf } from '../arrow/iceberg.ts';
import { columnBytes } from '../arrow/kernels/bytes.ts';
import { openDictionary, physicalWidth } from './decode/page-values.ts';
import type { ParquetFile } from './footer.ts';
import { rawType } from './leaf-type.ts';
import { leafConversion } from './leaf-values.ts';
import type { ColumnChunk } from './metadata.ts';
import { type DictionaryPage, walkPages } from './pages.ts';
import { fetchRanges } from './ranges.ts';
import type { ParquetLeaf } from './schema.ts';

/** The values of chunks that hold nothing but indices, so that a condition which none of them satisfies is known to hold nowhere. */
export interface DictionaryValues {
  /** Each value once, or nearly, as the table's type has it; null where there is no dictionary page after all. Throws CORRUPT_FILE, CANCELLED, and what the store throws. */
  read(
    wanted: WantedDictionary,
    signal: AbortSignal,
  ): Promise<{ readonly values: Column | null; readonly bytesRead: number }>;
}

export interface WantedDictionary {
  readonly file: ParquetFile;
  readonly rowGroup: number;
  readonly leaf: ParquetLeaf;
  readonly type: PrimitiveType;
}

/** Below so many bytes of data pages looking into the dictionary first saves nothing. */
const pagesBytesMin = 64 * 1024;

/** Whether reading a leaf's dictionary alone may save the rest of its chunk. */
export function hasTellingDictionary({ file, rowGroup, leaf, type }: WantedDictionary): boolean {
  const chunk = file.metadata.rowGroups[rowGroup]!.chunks[leaf.index]!;
  if (chunk.unreadable !== null || chunk.onlyDictionary === null || leaf.physical === 'boolean') return false;
  return (
    chunk.range.end - chunk.onlyDictionary.end >= pagesBytesMin && leafConversion(leaf, arrowTypeOf(type)) !== null
  );
}

/** Reads dictionaries and keeps up to `bytesMax` bytes of them. */
export function createDictionaryValues(bytesMax: number): DictionaryValues {
  const kept = new LRUCache<string, Column>({
    maxSize: Math.max(1, bytesMax),
    sizeCalculation: (one) => 256 + columnBytes(one),
  });
  return {
    async read(wanted, signal) {
      const { file, rowGroup, leaf, type } = wanted;
      const to = arrowTypeOf(type);
      const key = JSON.stringify([file.location, file.identity, rowGroup, leaf.index, to]);
      const known = kept.get(key);
      if (known !== undefined) return { values: known, bytesRead: 0 };
      const chunk = file.metadata.rowGroups[rowGroup]!.chunks[leaf.index]!;
      const { parts, bytesRead } = await fetchRanges(file, [chunk.onlyDictionary!], signal);
      const { dictionary } = walkPages(parts, leaf, chunk, file.limits.decompressedBytesMax);
      if (dictionary === null) return { values: null, bytesRead };
      const values = leafConversion(leaf, to)!(dictionaryColumn(leaf, chunk, dictionary));
      kept.set(key, values);
      return { values, bytesRead };
    },
  };
}

function dictionaryColumn(leaf: ParquetLeaf, chunk: ColumnChunk, page: DictionaryPage): Column {
  const base = { type: rawType(leaf), nullCount: 0, validity: null, length: page.values };
  const found = openDictionary(leaf, chunk, page);
  if (found.kind === 'bytes') return { ...base, kind: 'bytes', offsets: found.offsets, values: found.values };
  return { ...base, kind: 'fixed', width: physicalWidth(leaf), values: found.values };
}
