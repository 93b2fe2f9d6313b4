import type { ArrowType, Column } from '../arrow/column.ts';
import { columnBytes } from '../arrow/kernels/bytes.ts';
import { concatColumns } from '../arrow/kernels/concat.ts';
import { hydrate } from '../arrow/kernels/hydrate.ts';
import { sliceColumn } from '../arrow/kernels/slice.ts';
import { takeColumn } from '../arrow/kernels/take.ts';
import type { ColumnRows } from '../column-rows.ts';
import { firstFrom } from '../parquet/row-set.ts';
import type { CacheOpening } from './cache.ts';
import { type PackedColumn, packColumn, type SharedColumn, sharedColumn } from './column-layout.ts';

/** What is larger is decoded again each time: few words in a dictionary may stand for any amount of text. */
const segmentBytesMax = 16 << 20;

export interface CachedRowsOptions {
  readonly opening: CacheOpening;
  /** The column's place in the question that was asked. */
  readonly column: number;
  readonly type: ArrowType;
  readonly segmentRows: number;
  /** Rows of the row group. */
  readonly groupRows: number;
  /** Null where the cache has all that will be asked for. */
  readonly decoded: ColumnRows | null;
  /** The same for all columns that are read together. */
  readonly split: (rows: Int32Array) => readonly SegmentRows[];
}

/** Single rows that lie in one segment. */
export interface SegmentRows {
  readonly segment: number;
  /** Counted from the row group's first. */
  readonly some: Int32Array;
  /** Counted from the segment's first. */
  readonly within: Int32Array;
}

/** Splits ascending rows by segments; once for all columns that are asked for the same array of rows, one after another. */
export function segmentSplitter(segmentRows: number): (rows: Int32Array) => readonly SegmentRows[] {
  let last: { readonly rows: Int32Array; readonly parts: readonly SegmentRows[] } | null = null;
  return (rows) => {
    if (last?.rows !== rows) last = { rows, parts: splitRows(rows, segmentRows) };
    return last.parts;
  };
}

function splitRows(rows: Int32Array, segmentRows: number): SegmentRows[] {
  const parts: SegmentRows[] = [];
  for (let from = 0; from < rows.length; ) {
    const segment = Math.floor(rows[from]! / segmentRows);
    const first = segment * segmentRows;
    const to = firstFrom(rows, first + segmentRows);
    const some = rows.subarray(from, to);
    parts.push({ segment, some, within: first === 0 ? some : shifted(some, first) });
    from = to;
  }
  return parts;
}

function shifted(rows: Int32Array, by: number): Int32Array {
  const out = new Int32Array(rows.length);
  for (let at = 0; at < rows.length; at++) out[at] = rows[at]! - by;
  return out;
}

/**
 * A column of which the cache has segments, and takes some. What is held is sliced, what is leased is decoded whole and put, and anything
 * else is decoded as far as it is asked for. Shared values are views, never copies, of what every other stream reads.
 */
export function cachedRows(options: CachedRowsOptions): ColumnRows {
  const { opening, column, type, segmentRows, groupRows, decoded, split } = options;
  /** The segment that was read last: rows ascend, and each is decoded once. */
  let current: { readonly segment: number; readonly values: SharedColumn } | null = null;
  let repeats = true;

  /** The whole segment; null where it is to be decoded in parts. `cutRows`: how many of its rows are read at a time. */
  const segmentOf = (segment: number, cutRows: number): SharedColumn | null => {
    if (current?.segment === segment) return current.values;
    const packed = opening.held(column, segment);
    const values = packed === null ? make(segment, cutRows) : sharedColumn(packed, type);
    if (values !== null) current = { segment, values };
    return values;
  };
  const make = (segment: number, cutRows: number): SharedColumn | null => {
    if (!opening.isLeased(column, segment)) {
      repeats = false;
      return null;
    }
    const start = segment * segmentRows;
    const values = decoded!.read({ start, end: Math.min(groupRows, start + segmentRows) });
    const packed = pack(values, cutRows);
    if (packed === null) {
      repeats = false;
      opening.release(column, segment);
      return { whole: () => values, slice: (from, to) => sliceColumn(values, from, to) };
    }
    opening.put(column, segment, packed);
    return sharedColumn(packed, type);
  };

  return {
    pages: () => null,
    get repeats() {
      return repeats;
    },
    read({ start, end }) {
      const parts: Column[] = [];
      for (let from = start; from < end; ) {
        const segment = Math.floor(from / segmentRows);
        const first = segment * segmentRows;
        const to = Math.min(end, first + segmentRows);
        const values = segmentOf(segment, from === first ? to - from : segmentRows);
        parts.push(values === null ? decoded!.read({ start: from, end: to }) : values.slice(from - first, to - first));
        from = to;
      }
      return concatColumns(parts);
    },
    take(rows) {
      const parts = split(rows).map(({ segment, some, within }) => {
        const values = segmentOf(segment, segmentRows);
        return values === null ? decoded!.take(some) : takeColumn(values.whole(), within);
      });
      return concatColumns(parts);
    },
  };
}

/** The form in which columns are kept: as the wire carries them, so that sending them again costs nothing. */
function pack(values: Column, cutRows: number): PackedColumn | null {
  if (columnBytes(values) > segmentBytesMax) return null;
  return packColumn(hydrate(values), cutRows, segmentBytesMax);
}
