/** [start, end) in rows of a row group. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

/** Rows of a row group: ranges that ascend and do not touch, or single rows that ascend. Never empty. */
export type RowSet = readonly RowRange[] | Int32Array;

/** The range from the first row to the last. */
export function hull(rows: RowSet): RowRange {
  if (rows instanceof Int32Array) return { start: rows[0]!, end: rows[rows.length - 1]! + 1 };
  return { start: rows[0]!.start, end: rows[rows.length - 1]!.end };
}

/** Whether any of the rows lies in [start, end). */
export function meets(rows: RowSet, start: number, end: number): boolean {
  const first = firstFrom(rows, start);
  if (rows instanceof Int32Array) return first < rows.length && rows[first]! < end;
  return first < rows.length && rows[first]!.start < end;
}

/** The place of the first single row that is `from` or later, or of the first range that ends after it. */
export function firstFrom(rows: RowSet, from: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const before = rows instanceof Int32Array ? rows[middle]! < from : rows[middle]!.end <= from;
    if (before) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The parts of ranges that lie in [start, end). */
export function clipRanges(ranges: readonly RowRange[], start: number, end: number): RowRange[] {
  return ranges.flatMap((range) => {
    const clipped = { start: Math.max(range.start, start), end: Math.min(range.end, end) };
    return clipped.start < clipped.end ? [clipped] : [];
  });
}

export const countRows = (rows: RowSet): number =>
  rows instanceof Int32Array ? rows.length : rows.reduce((sum, range) => sum + range.end - range.start, 0);
