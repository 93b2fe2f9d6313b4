import { ServiceError } from '../../core/errors.ts';
import type { FixedColumn, TimeUnit } from '../arrow/column.ts';
import { bitAt } from '../arrow/kernels/bitmap.ts';
import { withValues, wordsOf } from '../arrow/kernels/typed-views.ts';

const wordRange = 4294967296;

const isValidRow = (column: FixedColumn, row: number): boolean =>
  column.validity === null || bitAt(column.validity, row) === 1;

/** Signed 32-bit values times a factor below 2^37, as 64-bit values: products stay exact only below 2^53 and are split above. */
export function scaleTimes(column: FixedColumn, factor: number): FixedColumn {
  const values = wordsOf(column.values);
  const scaled = new Int32Array(column.length * 2);
  const low = factor % 65536;
  const high = (factor - low) / 65536;
  for (let row = 0; row < column.length; row++) {
    // value × factor = value × high × 2^16 + value × low, each product below 2^53.
    const upper = values[row]! * high;
    const shifted = (upper % 65536) * 65536;
    const sum = shifted + values[row]! * low;
    const carry = Math.floor(sum / wordRange);
    const top = Math.trunc(upper / 65536) + carry;
    if ((top < -0x80000000 || top > 0x7fffffff) && isValidRow(column, row)) throw tooFar(row);
    scaled[row << 1] = sum - carry * wordRange;
    scaled[(row << 1) | 1] = top;
  }
  return withValues(column, scaled, 8);
}

/** 64-bit values divided by a factor below 2^21; a remainder would be lost and is SCHEMA_MISMATCH. */
export function divideLongs(column: FixedColumn, factor: number): FixedColumn {
  const values = wordsOf(column.values);
  const divided = new Int32Array(column.length * 2);
  for (let row = 0; row < column.length; row++) {
    const high = values[(row << 1) | 1]!;
    const top = Math.floor(high / factor);
    const rest = (high - top * factor) * wordRange + (values[row << 1]! >>> 0);
    const bottom = Math.floor(rest / factor);
    if (bottom * factor !== rest && isValidRow(column, row)) {
      throw new ServiceError(
        'SCHEMA_MISMATCH',
        `row ${row}: a time in nanoseconds does not fall on a microsecond, which is all that the table's type holds`,
      );
    }
    divided[row << 1] = bottom;
    divided[(row << 1) | 1] = top;
  }
  return withValues(column, divided, 8);
}

const unixEpochJulianDay = 2_440_588;
const secondsPerDay = 86_400;
const unitsPerSecond: Record<TimeUnit, number> = { s: 1, ms: 1e3, us: 1e6, ns: 1e9 };

/**
 * INT96 timestamps: nanoseconds of the day as 64 bits, then the Julian day as 32 bits, little-endian. Fractions of the wanted unit
 * are cut off towards the past; an instant beyond 64 bits is SCHEMA_MISMATCH.
 */
export function int96ToTimestamps(column: FixedColumn, unit: TimeUnit): FixedColumn {
  const { values, length } = column;
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  const perSecond = unitsPerSecond[unit];
  const out = new Int32Array(length * 2);
  for (let row = 0; row < length; row++) {
    if (!isValidRow(column, row)) continue;
    const at = row * 12;
    // Within a day, nanoseconds stay far below 2^53.
    const nanos = view.getInt32(at + 4, true) * wordRange + view.getUint32(at, true);
    const days = view.getUint32(at + 8, true) - unixEpochJulianDay;
    const within = Math.floor(nanos / (1e9 / perSecond));
    putDayAndRest(out, row, days * secondsPerDay, perSecond, within);
  }
  return withValues(column, out, 8);
}

/** Writes seconds × perSecond + rest as two words, without a product beyond 2^53. */
function putDayAndRest(out: Int32Array, row: number, seconds: number, perSecond: number, rest: number): void {
  const restHigh = Math.floor(rest / wordRange);
  const secondsHigh = Math.floor(seconds / 65536);
  // seconds = secondsHigh × 2^16 + secondsLow, so that each product below stays exact.
  const upper = secondsHigh * perSecond;
  const lower = (seconds - secondsHigh * 65536) * perSecond + (rest - restHigh * wordRange);
  const upperHigh = Math.floor(upper / 65536);
  const sum = (upper - upperHigh * 65536) * 65536 + lower;
  const carry = Math.floor(sum / wordRange);
  const high = upperHigh + carry + restHigh;
  if (high < -0x80000000 || high > 0x7fffffff) throw tooFar(row);
  out[row << 1] = sum - carry * wordRange;
  out[(row << 1) | 1] = high;
}

const tooFar = (row: number): ServiceError =>
  new ServiceError('SCHEMA_MISMATCH', `row ${row}: the date or timestamp is too far from 1970 for the table's type`);
