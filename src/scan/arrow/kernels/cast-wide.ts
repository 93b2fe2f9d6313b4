import { ServiceError } from '../../../core/errors.ts';
import type { FixedColumn } from '../column.ts';
import { bitAt } from './bitmap.ts';
import { withValues, wordsOf } from './typed-views.ts';

const wordRange = 4294967296;
const millisPerDay = 86_400_000;

/** 64-bit values times 1,000 or 1,000,000, as two 32-bit words each; a result beyond 64 bits is SCHEMA_MISMATCH. */
export function scaleLongs(column: FixedColumn, factor: number): FixedColumn {
  const words = wordsOf(column.values);
  const scaled = new Int32Array(column.length * 2);
  for (let row = 0; row < column.length; row++) {
    // Both products stay below 2^53: a word is below 2^32 and the factor at most 10^6.
    const low = (words[row << 1]! >>> 0) * factor;
    const carry = Math.floor(low / wordRange);
    const high = words[(row << 1) | 1]! * factor + carry;
    if ((high < -0x80000000 || high > 0x7fffffff) && isValidRow(column, row)) throw tooFar(row);
    scaled[row << 1] = low - carry * wordRange;
    scaled[(row << 1) | 1] = high;
  }
  return withValues(column, scaled, 8);
}

/** date64 (milliseconds) to date32 (days), rounding down; a date beyond 32 bits of days is SCHEMA_MISMATCH. */
export function millisToDays(column: FixedColumn): FixedColumn {
  const words = wordsOf(column.values);
  const days = new Int32Array(column.length);
  for (let row = 0; row < column.length; row++) {
    // Dates beyond 2^53 milliseconds (from the year 285,428 on) would lose digits as a double: refused.
    const millis = words[(row << 1) | 1]! * wordRange + (words[row << 1]! >>> 0);
    if (Math.abs(millis) > Number.MAX_SAFE_INTEGER && isValidRow(column, row)) throw tooFar(row);
    days[row] = Math.floor(millis / millisPerDay);
  }
  return withValues(column, days, 4);
}

/** Two's complement numbers of 4, 8, 16 or 32 bytes, sign-extended to more words. */
export function widenDecimal(column: FixedColumn, width: number): FixedColumn {
  if (width === column.width) return column;
  const from = column.width >> 2;
  const to = width >> 2;
  const words = wordsOf(column.values);
  const wide = new Int32Array(column.length * to);
  for (let row = 0; row < column.length; row++) {
    const sign = words[row * from + from - 1]! >> 31;
    for (let word = 0; word < to; word++) wide[row * to + word] = word < from ? words[row * from + word]! : sign;
  }
  return withValues(column, wide, width);
}

const isValidRow = (column: FixedColumn, row: number): boolean =>
  column.validity === null || bitAt(column.validity, row) === 1;

const tooFar = (row: number): ServiceError =>
  new ServiceError('SCHEMA_MISMATCH', `row ${row}: the date or timestamp is too far from 1970 for the table's type`);
