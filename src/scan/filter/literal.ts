import { floorDiv } from '../../catalog/schema/calendar.ts';
import type { PrimitiveType, Value } from '../../catalog/schema/types.ts';
import { parseDate, parseTime, parseTimestamp, parseUuid } from '../../catalog/schema/value-json.ts';
import { isServiceError, ServiceError } from '../../core/errors.ts';
import type { Literal } from '../../core/expression.ts';

/**
 * Where a literal lies among the values of a type: on one of them, strictly between one and the next greater, or beyond all of
 * them. So a comparison with it can be said exactly, whatever digits it has.
 */
export type Placed =
  | { readonly kind: 'exact'; readonly value: Value }
  | { readonly kind: 'between'; readonly below: Value }
  | { readonly kind: 'below-all' | 'above-all' };

const int32Max = 2n ** 31n - 1n;
const int64Max = 2n ** 63n - 1n;
const floatMax = 3.4028234663852886e38;
/** No integer type reaches 10 to this power. */
const magnitudeMax = 60;

/**
 * Places a literal among the values of a column's type. Numbers compared with float and double columns are rounded to the
 * nearest value of the type, as SQL and Iceberg do; all other conversions are exact. A DATE is its midnight (in UTC) for a
 * timestamp column. Null where a literal of this kind does not compare with the type at all; throws INVALID_FILTER where its text
 * cannot be read as a value of it.
 */
export function placeLiteral(literal: Literal, type: PrimitiveType): Placed | null {
  switch (type.kind) {
    case 'boolean':
      return literal.kind === 'boolean' ? exact(literal.value) : null;
    case 'int':
      return placeWhole(numberText(literal), 0, -int32Max - 1n, int32Max, Number);
    case 'long':
      return placeWhole(numberText(literal), 0, -int64Max - 1n, int64Max, (value) => value);
    case 'decimal': {
      const max = 10n ** BigInt(type.precision) - 1n;
      return placeWhole(numberText(literal), type.scale, -max, max, (value) => value);
    }
    case 'float':
    case 'double':
      return placeFloat(numberText(literal), type.kind);
    case 'string':
      return literal.kind === 'string' || isJson(literal) ? exact(literal.value) : null;
    case 'uuid': {
      const text = textOf(literal, 'uuid');
      return text === null ? null : exact(reading(() => parseUuid(text)));
    }
    case 'fixed':
    case 'binary':
      return placeBytes(literal, type);
    case 'date': {
      const text = textOf(literal, 'date');
      return text === null ? null : exact(reading(() => parseDate(text)));
    }
    case 'time': {
      const text = textOf(literal, 'time');
      return text === null ? null : placeTime(text);
    }
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return placeTimestamp(literal, type.kind.endsWith('_ns') ? 'ns' : 'us', type.kind.startsWith('timestamptz'));
    case 'unknown':
      // Such a column holds nulls only, so any literal is as good as another.
      return { kind: 'above-all' };
    default:
      return type satisfies never;
  }
}

const exact = (value: Value): Placed => ({ kind: 'exact', value });
const isJson = (literal: Literal): literal is Literal & { kind: 'typed' } =>
  literal.kind === 'typed' && literal.type === 'json';

function textOf(literal: Literal, type: 'date' | 'time' | 'timestamp' | 'uuid'): string | null {
  if (literal.kind === 'string') return literal.value;
  return literal.kind === 'typed' && (literal.type === type || literal.type === 'json') ? literal.value : null;
}

/** Iceberg's JSON writes decimals as strings, so a JSON filter's string may be a number. */
function numberText(literal: Literal): string | null {
  if (literal.kind === 'number') return literal.text;
  return isJson(literal) && numberPattern.test(literal.value) ? literal.value : null;
}

const numberPattern = /^([+-]?)(?=\.?\d)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/;

function placeWhole(
  text: string | null,
  scale: number,
  min: bigint,
  max: bigint,
  convert: (value: bigint) => Value,
): Placed | null {
  if (text === null) return null;
  const scaled = scaleNumber(text, scale);
  if (scaled === 'below-all' || scaled === 'above-all') return { kind: scaled };
  if (scaled.floor > max) return { kind: 'above-all' };
  if (scaled.floor < min) return { kind: 'below-all' };
  return scaled.exact ? exact(convert(scaled.floor)) : { kind: 'between', below: convert(scaled.floor) };
}

/** The greatest integer not above text × 10^scale, and whether it is equal to it. */
function scaleNumber(
  text: string,
  scale: number,
): { readonly floor: bigint; readonly exact: boolean } | 'below-all' | 'above-all' {
  const match = numberPattern.exec(text);
  if (match === null) throw new ServiceError('INVALID_FILTER', `${JSON.stringify(text.slice(0, 40))} is not a number`);
  const negative = match[1] === '-';
  const written = `${match[2]}${match[3]}`;
  const digits = written.replace(/^0+/, '').replace(/0+$/, '');
  if (digits === '') return { floor: 0n, exact: true };
  const droppedZeros = written.length - written.replace(/0+$/, '').length;
  const exponent = Number(match[4] ?? 0) - match[3]!.length + droppedZeros + scale;
  const magnitude = digits.length + exponent;
  if (magnitude > magnitudeMax) return negative ? 'below-all' : 'above-all';
  if (magnitude < -magnitudeMax) return { floor: negative ? -1n : 0n, exact: false };
  const value = negative ? -BigInt(digits) : BigInt(digits);
  if (exponent >= 0) return { floor: value * 10n ** BigInt(exponent), exact: true };
  const divisor = 10n ** BigInt(-exponent);
  return { floor: floorDiv(value, divisor), exact: value % divisor === 0n };
}

/** A number beyond the greatest finite value lies between that and infinity, which a column may well hold. */
function placeFloat(text: string | null, kind: 'float' | 'double'): Placed | null {
  if (text === null) return null;
  const value = kind === 'float' ? Math.fround(Number(text)) : Number(text);
  const max = kind === 'float' ? floatMax : Number.MAX_VALUE;
  if (value === Number.POSITIVE_INFINITY) return { kind: 'between', below: max };
  if (value === Number.NEGATIVE_INFINITY) return { kind: 'between', below: Number.NEGATIVE_INFINITY };
  return exact(value === 0 ? 0 : value);
}

function placeBytes(literal: Literal, type: PrimitiveType & { kind: 'fixed' | 'binary' }): Placed | null {
  let bytes: Uint8Array;
  if (literal.kind === 'binary') bytes = literal.value;
  else if (isJson(literal) && /^(?:[0-9a-fA-F]{2})*$/.test(literal.value)) {
    bytes = new Uint8Array(Buffer.from(literal.value, 'hex'));
  } else return null;
  if (type.kind === 'fixed' && bytes.length !== type.length) {
    throw new ServiceError(
      'INVALID_FILTER',
      `a literal of ${bytes.length} bytes is compared with values of ${type.length} bytes`,
    );
  }
  return exact(bytes);
}

function placeTime(text: string): Placed {
  const { kept, rest } = splitFraction(text);
  const below = reading(() => parseTime(kept));
  return rest === 0n ? exact(below) : { kind: 'between', below };
}

function placeTimestamp(literal: Literal, unit: 'us' | 'ns', zoned: boolean): Placed | null {
  const isDate = literal.kind === 'typed' && literal.type === 'date';
  const text = isDate ? `${literal.value}T00:00:00${zoned ? 'Z' : ''}` : textOf(literal, 'timestamp');
  if (text === null) return null;
  const { kept, rest } = splitFraction(text);
  const micros = reading(() => parseTimestamp(kept, 'us', zoned));
  if (unit === 'us') return rest === 0n ? exact(micros) : { kind: 'between', below: micros };
  const nanos = micros * 1000n + rest;
  if (nanos > int64Max) return { kind: 'above-all' };
  return nanos < -int64Max - 1n ? { kind: 'below-all' } : exact(nanos);
}

/** Takes the seventh to ninth digit of a second's fraction out of the text, as nanoseconds. */
function splitFraction(text: string): { readonly kept: string; readonly rest: bigint } {
  const match = /(\.\d{6})(\d{1,3})(?=$|[zZ+-])/.exec(text);
  if (match === null) return { kept: text, rest: 0n };
  const kept = text.slice(0, match.index) + match[1] + text.slice(match.index + match[0].length);
  return { kept, rest: BigInt(match[2]!.padEnd(3, '0')) };
}

/** The parsers of literals are shared with requests, whose errors are INVALID_REQUEST. */
function reading<Result>(parse: () => Result): Result {
  try {
    return parse();
  } catch (error) {
    if (isServiceError(error)) throw new ServiceError('INVALID_FILTER', error.message, { cause: error });
    throw error;
  }
}
