import type { PrimitiveType } from '../../catalog/schema/types.ts';
import type { FixedColumn } from '../arrow/column.ts';
import { bitAt } from '../arrow/kernels/bitmap.ts';
import { withValues, wordsOf } from '../arrow/kernels/typed-views.ts';
import { firstDayOfMonth, monthsSinceEpoch } from './calendar-days.ts';
import { floorDivide, multiply, numberAt, storeNumber } from './words64.ts';

export type TimePart = 'year' | 'month' | 'day' | 'hour';

/**
 * Dates and timestamps set back to the first instant of their month or year, in UTC, type unchanged. Before 1970 too, that is the
 * earlier end. Nulls stay null and zero.
 */
export function truncateTimes(column: FixedColumn, type: PrimitiveType, to: 'month' | 'year'): FixedColumn {
  const days = daysOf(column, type);
  let from = Number.NaN;
  let start = 0;
  for (let row = 0; row < days.length; row++) {
    if (days[row] !== from) {
      from = days[row]!;
      const months = monthsSinceEpoch(from);
      start = firstDayOfMonth(to === 'month' ? months : Math.floor(months / 12) * 12);
    }
    days[row] = start;
  }
  if (type.kind === 'date') return clearNulls(withValues(column, Int32Array.from(days), 4));
  const words = new Int32Array(column.length * 2);
  for (let row = 0; row < days.length; row++) storeNumber(words, row << 1, days[row]! * 86_400);
  multiply(words, 1_000_000);
  if (type.kind.endsWith('_ns')) multiply(words, 1000);
  return clearNulls(withValues(column, words, 8));
}

/** Days since 1970-01-01 of each row, unspecified for nulls. */
export function daysOf(column: FixedColumn, type: PrimitiveType): Float64Array {
  if (type.kind === 'date') return Float64Array.from(wordsOf(column.values).subarray(0, column.length));
  const words = secondsOf(column, type);
  floorDivide(words, 86_400);
  return Float64Array.from({ length: column.length }, (_, row) => numberAt(words, row << 1));
}

/** Hours since 1970-01-01T00 of each row of a timestamp column. */
export function hoursOf(column: FixedColumn, type: PrimitiveType): Float64Array {
  const words = secondsOf(column, type);
  floorDivide(words, 3600);
  return Float64Array.from({ length: column.length }, (_, row) => numberAt(words, row << 1));
}

function secondsOf(column: FixedColumn, type: PrimitiveType): Int32Array {
  const words = wordsOf(column.values).slice(0, column.length * 2);
  if (type.kind.endsWith('_ns')) floorDivide(words, 1000);
  floorDivide(words, 1_000_000);
  return words;
}

/** Zeros under the nulls of a column whose values are fresh. */
export function clearNulls(column: FixedColumn): FixedColumn {
  const { validity, values, width } = column;
  if (validity === null) return column;
  for (let row = 0; row < column.length; row++) {
    if (bitAt(validity, row) === 0) values.fill(0, row * width, (row + 1) * width);
  }
  return column;
}
