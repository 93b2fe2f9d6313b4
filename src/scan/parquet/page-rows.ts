import { ServiceError } from '../../core/errors.ts';
import { decompress } from './decompress.ts';
import type { Codec } from './metadata.ts';
import type { DataPage } from './pages.ts';
import { type ParquetLeaf, repetitionLevelMax } from './schema.ts';
import { decodeSnappyPrefix } from './snappy.ts';

/** The rows that begin in a data page, and whether its first value begins one rather than going on with the page before. */
export interface PageRows {
  readonly rows: number;
  readonly startsRow: boolean;
}

const rleEncoding = 3;
const lengthBytes = 4;

const corrupt = (problem: string, cause?: unknown): ServiceError =>
  new ServiceError('CORRUPT_FILE', `the repetition levels of a Parquet page are damaged: ${problem}`, { cause });

/**
 * Counts a page's rows by its repetition levels, where the header leaves them open: in a v1 page of a column below a list, whose
 * rows may go on in the next page. Null for levels in the deprecated bit-packed encoding.
 */
export function countPageRows(page: DataPage, leaf: ParquetLeaf, codec: Codec): PageRows | null {
  if (page.kind === 'v2') return { rows: page.rows, startsRow: true };
  if (page.rows !== null) return { rows: page.rows, startsRow: true };
  if (page.repetitionEncoding !== rleEncoding) return null;
  const bitWidth = 32 - Math.clz32(repetitionLevelMax(leaf));
  return countZeros(repetitionLevels(page, codec), bitWidth, page.values);
}

/** The page's levels, without the length before them. */
function repetitionLevels(page: DataPage, codec: Codec): Uint8Array {
  if (page.uncompressedBytes < lengthBytes) throw corrupt('they are missing');
  // Of snappy, which most files use, the levels alone are decompressed.
  const plain = codec === 'snappy' ? null : decompress(codec, page.body, page.uncompressedBytes);
  const prefix = (bytes: number): Uint8Array => plain?.subarray(0, bytes) ?? snappyPrefix(page.body, bytes);
  const head = prefix(lengthBytes);
  const length = new DataView(head.buffer, head.byteOffset).getUint32(0, true);
  if (length > page.uncompressedBytes - lengthBytes) throw corrupt('they run past the end of the page');
  return prefix(lengthBytes + length).subarray(lengthBytes);
}

function snappyPrefix(body: Uint8Array, bytes: number): Uint8Array {
  try {
    return decodeSnappyPrefix(body, bytes);
  } catch (cause) {
    throw corrupt('they cannot be decompressed', cause);
  }
}

/** Zeros among `values` levels in the hybrid of runs and bit-packed groups (parquet-format, Encodings.md, "RLE"). */
function countZeros(levels: Uint8Array, bitWidth: number, values: number): PageRows {
  let at = 0;
  let seen = 0;
  let rows = 0;
  let startsRow = true;
  const byte = (): number => {
    if (at >= levels.length) throw corrupt('they end early');
    return levels[at++]!;
  };
  while (seen < values) {
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      if (shift > 28) throw corrupt('a run is too long');
      const part = byte();
      head += (part & 0x7f) * 2 ** shift;
      if (part < 0x80) break;
    }
    const count = Math.floor(head / 2);
    if (head % 2 === 0) {
      const level = byte() + (bitWidth > 8 ? byte() << 8 : 0);
      const run = Math.min(count, values - seen);
      if (seen === 0) startsRow = level === 0;
      if (level === 0) rows += run;
      if (run === 0) throw corrupt('a run is empty');
      seen += run;
      continue;
    }
    const packed = Math.min(count * 8, values - seen);
    if (packed === 0) throw corrupt('a run is empty');
    const bytes = count * bitWidth;
    if (bytes > levels.length - at) throw corrupt('they end early');
    for (let value = 0; value < packed; value++) {
      const level = bitsAt(levels, at * 8 + value * bitWidth, bitWidth);
      if (seen === 0 && value === 0) startsRow = level === 0;
      if (level === 0) rows++;
    }
    at += bytes;
    seen += packed;
  }
  return { rows, startsRow };
}

function bitsAt(bytes: Uint8Array, bit: number, width: number): number {
  let value = 0;
  for (let at = 0; at < width; at++) value |= ((bytes[(bit + at) >> 3]! >> ((bit + at) & 7)) & 1) << at;
  return value;
}
