import { ServiceError } from '../../core/errors.ts';
import { civilFromDays, daysFromCivil, floorDiv, floorMod } from './calendar.ts';
import { fromHex, toHex } from './hex.ts';
import { show } from './json-read.ts';

export type TimestampUnit = 'us' | 'ns';

const literalCharsMax = 100;
const exponentMax = 200;
const microsPerDay = 86_400_000_000n;
const nanosPerDay = 86_400_000_000_000n;
const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;

// ISO 8601: four digits of year, or a sign and up to seven, as years before 0000 and after 9999 are written.
const datePattern = /^(\d{4}|[+-]\d{4,7})-(\d{2})-(\d{2})$/;
const timePattern = /^(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?$/;
const zonePattern = /(?:[zZ]|([+-])(\d{2}):?(\d{2}))$/;

/**
 * Reads `2020-01-31` as days from 1970-01-01. Years beyond 0000 to 9999 carry a sign (`-0044-03-15`, `+12000-01-01`). Throws
 * INVALID_REQUEST for text of another form, a day that does not exist and one beyond 32 bits.
 */
export function parseDate(text: string): number {
  const match = datePattern.exec(bounded(text, 'date'));
  const days =
    match === null ? null : daysFromCivil({ year: Number(match[1]), month: Number(match[2]), day: Number(match[3]) });
  if (days === null || (days | 0) !== days) throw bad(text, 'a date', '2020-01-31');
  return days;
}

/** Reads `22:31:08.123456` (seconds and fraction may be left out) as microseconds from midnight. Throws INVALID_REQUEST. */
export function parseTime(text: string): bigint {
  const nanos = nanosOfDay(bounded(text, 'time'));
  if (nanos === null || nanos % 1000n !== 0n) throw bad(text, 'a time of at most microseconds', '22:31:08.123456');
  return nanos / 1000n;
}

/**
 * Reads `2020-01-31T22:31:08.123456` (or a space for the T) as microseconds or nanoseconds from 1970-01-01T00:00:00. With
 * `zoned` a zone must follow (`Z`, `+01:00`), without it none may: either reading of the other would be a guess. A date alone is
 * its midnight, and only without a zone. Throws INVALID_REQUEST, also for a fraction finer than the unit and for instants beyond
 * 64 bits.
 */
export function parseTimestamp(text: string, unit: TimestampUnit, zoned: boolean): bigint {
  const example = zoned ? '2020-01-31T22:31:08.123456Z' : '2020-01-31T22:31:08.123456';
  const wanted = `a timestamp ${zoned ? 'with' : 'without'} a zone`;
  const [datePart = '', timePart] = bounded(text, 'timestamp').split(/[Tt ]/, 2);
  if (datePart.length + (timePart === undefined ? 0 : timePart.length + 1) !== text.length)
    throw bad(text, wanted, example);
  const zone = timePart === undefined ? null : zonePattern.exec(timePart);
  if ((zone !== null) !== zoned) throw bad(text, wanted, example);
  const nanos = timePart === undefined ? 0n : nanosOfDay(timePart.slice(0, zone?.index ?? timePart.length));
  const offset = zone === null ? 0n : zoneNanos(zone);
  if (nanos === null || offset === null) throw bad(text, wanted, example);
  const total = BigInt(parseDate(datePart)) * nanosPerDay + nanos - offset;
  if (unit === 'us' && total % 1000n !== 0n) throw bad(text, 'a timestamp of at most microseconds', example);
  const value = unit === 'us' ? total / 1000n : total;
  if (value < int64Min || value > int64Max)
    throw bad(text, `within 64 bits of ${unit === 'us' ? 'micro' : 'nano'}seconds`, example);
  return value;
}

/**
 * Reads `-12.50` or `1.25e3` as the unscaled integer of a decimal of that scale. Throws INVALID_REQUEST for other text, for
 * digits beyond the scale that are not zero, and for more digits than the precision.
 */
export function parseDecimal(text: string, scale: number, precision = 38): bigint {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/.exec(bounded(text, 'decimal'));
  const digits = match === null ? '' : `${match[2] ?? ''}${match[3] ?? ''}`;
  const exponent = Number(match?.[4] ?? 0);
  if (match === null || digits === '' || Math.abs(exponent) > exponentMax) throw bad(text, 'a decimal', '12.50');
  const shift = scale + exponent - (match[3] ?? '').length;
  const magnitude = BigInt(digits);
  const factor = 10n ** BigInt(Math.abs(shift));
  if (shift < 0 && magnitude % factor !== 0n)
    throw bad(text, `a decimal with at most ${scale} digits after the point`, '12.50');
  const unscaled = shift < 0 ? magnitude / factor : magnitude * factor;
  if (unscaled >= 10n ** BigInt(precision)) throw bad(text, `a decimal(${precision}, ${scale})`, '12.50');
  return match[1] === '-' ? -unscaled : unscaled;
}

/** Reads a UUID with its hyphens, any case, as 16 bytes. Throws INVALID_REQUEST. */
export function parseUuid(text: string): Uint8Array {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    throw bad(text, 'a uuid', 'f79c3e09-677c-4bbd-a479-3f349cb785e7');
  }
  return fromHex(text.replaceAll('-', ''));
}

/** `2020-01-31`; years beyond 0000 to 9999 carry a sign. */
export function formatDate(days: number): string {
  const { year, month, day } = civilFromDays(days);
  const sign = year < 0 ? '-' : year > 9999 ? '+' : '';
  return `${sign}${pad(Math.abs(year), 4)}-${pad(month, 2)}-${pad(day, 2)}`;
}

/** `22:31:08.123456`, always with all six digits. */
export const formatTime = (micros: bigint): string => clock(micros, 'us');

/** `2020-01-31T22:31:08.123456`, always with all six or nine digits, and `+00:00` when zoned. */
export function formatTimestamp(value: bigint, unit: TimestampUnit, zoned: boolean): string {
  const perDay = unit === 'us' ? microsPerDay : nanosPerDay;
  const date = formatDate(Number(floorDiv(value, perDay)));
  return `${date}T${clock(floorMod(value, perDay), unit)}${zoned ? '+00:00' : ''}`;
}

/** Plain notation with exactly `scale` digits after the point. */
export function formatDecimal(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  return `${unscaled < 0n ? '-' : ''}${whole}${scale === 0 ? '' : `.${digits.slice(-scale)}`}`;
}

export function formatUuid(bytes: Uint8Array): string {
  const hex = toHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function nanosOfDay(text: string): bigint | null {
  const match = timePattern.exec(text);
  if (match === null) return null;
  const [hour, minute, second] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  if (hour > 23 || minute > 59 || second > 59) return null;
  const fraction = BigInt((match[4] ?? '').padEnd(9, '0'));
  return BigInt(hour * 3600 + minute * 60 + second) * 1_000_000_000n + fraction;
}

/** An offset of at most 18 hours, as ISO 8601 libraries allow. */
function zoneNanos(zone: RegExpExecArray): bigint | null {
  if (zone[1] === undefined) return 0n;
  const [hours, minutes] = [Number(zone[2]), Number(zone[3])];
  if (minutes > 59 || hours * 60 + minutes > 18 * 60) return null;
  const nanos = BigInt(hours * 60 + minutes) * 60_000_000_000n;
  return zone[1] === '-' ? -nanos : nanos;
}

function clock(ofDay: bigint, unit: TimestampUnit): string {
  const perSecond = unit === 'us' ? 1_000_000n : 1_000_000_000n;
  const seconds = Number(ofDay / perSecond);
  const fraction = (ofDay % perSecond).toString().padStart(unit === 'us' ? 6 : 9, '0');
  return `${pad(Math.floor(seconds / 3600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}.${fraction}`;
}

const pad = (value: number, width: number): string => value.toString().padStart(width, '0');

function bounded(text: string, what: string): string {
  if (text.length > literalCharsMax) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `a ${what} has at most ${literalCharsMax} characters, not ${text.length}`,
    );
  }
  return text;
}

function bad(text: string, wanted: string, example: string): ServiceError {
  return new ServiceError('INVALID_REQUEST', `${show(text)} is not ${wanted}: write it as ${example}`);
}
