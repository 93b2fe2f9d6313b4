import { ServiceError } from '../../core/errors.ts';
import { fromHex, toHex } from './hex.ts';
import { show } from './json-read.ts';
import {
  formatDate,
  formatDecimal,
  formatTime,
  formatTimestamp,
  formatUuid,
  parseDate,
  parseDecimal,
  parseTime,
  parseTimestamp,
  parseUuid,
} from './literal-text.ts';
import { formatPrimitiveType } from './type-text.ts';
import type { PrimitiveType, Value } from './types.ts';

export {
  formatDate,
  formatDecimal,
  formatTime,
  formatTimestamp,
  formatUuid,
  parseDate,
  parseDecimal,
  parseTime,
  parseTimestamp,
  parseUuid,
  type TimestampUnit,
} from './literal-text.ts';

/**
 * JSON single-value serialization (table spec, Appendix D). A long beyond 2^53 comes out as bigint, which only a BigInt-safe
 * writer takes; NaN and the infinities, for which JSON has no number, as their names, as Iceberg's Java writer does.
 */
export function valueToJson(type: PrimitiveType, value: Value): unknown {
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'string':
      return value;
    case 'float':
    case 'double':
      return Number.isFinite(value) ? value : String(value);
    case 'long':
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    case 'decimal':
      return formatDecimal(value as bigint, type.scale);
    case 'date':
      return formatDate(value as number);
    case 'time':
      return formatTime(value as bigint);
    case 'timestamp':
    case 'timestamptz':
      return formatTimestamp(value as bigint, 'us', type.kind === 'timestamptz');
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return formatTimestamp(value as bigint, 'ns', type.kind === 'timestamptz_ns');
    case 'uuid':
      return formatUuid(value as Uint8Array);
    case 'fixed':
    case 'binary':
      return toHex(value as Uint8Array);
    case 'unknown':
      return null;
    default:
      return type satisfies never;
  }
}

/**
 * The inverse of {@link valueToJson}; whole numbers may be number or bigint, a zoned timestamp may have any offset. Throws
 * SCHEMA_MISMATCH for JSON that is no value of the type and INVALID_REQUEST for text that cannot be read as one.
 */
export function valueFromJson(type: PrimitiveType, json: unknown): Value {
  switch (type.kind) {
    case 'boolean':
      if (typeof json !== 'boolean') throw mismatch(type, json);
      return json;
    case 'int':
      return wholeFromJson(type, json, 32, Number);
    case 'long':
      return wholeFromJson(type, json, 64, (value) => value);
    case 'float':
    case 'double':
      return floatFromJson(type, json);
    case 'fixed':
    case 'binary':
      return bytesFromJson(type, json);
    case 'unknown':
      throw mismatch(type, json);
    default:
      if (typeof json !== 'string') throw mismatch(type, json);
      return valueFromText(type, json);
  }
}

type TextKind = Exclude<
  PrimitiveType['kind'],
  'boolean' | 'int' | 'long' | 'float' | 'double' | 'fixed' | 'binary' | 'unknown'
>;

function valueFromText(type: Extract<PrimitiveType, { readonly kind: TextKind }>, text: string): Value {
  switch (type.kind) {
    case 'string':
      return text;
    case 'decimal':
      return parseDecimal(text, type.scale, type.precision);
    case 'date':
      return parseDate(text);
    case 'time':
      return parseTime(text);
    case 'timestamp':
    case 'timestamptz':
      return parseTimestamp(text, 'us', type.kind === 'timestamptz');
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return parseTimestamp(text, 'ns', type.kind === 'timestamptz_ns');
    case 'uuid':
      return parseUuid(text);
    default:
      return type satisfies never;
  }
}

function wholeFromJson(type: PrimitiveType, json: unknown, bits: number, convert: (value: bigint) => Value): Value {
  const whole = typeof json === 'bigint' || Number.isSafeInteger(json) ? BigInt(json as number | bigint) : null;
  if (whole === null || BigInt.asIntN(bits, whole) !== whole) throw mismatch(type, json);
  return convert(whole);
}

const namedFloats: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

function floatFromJson(type: PrimitiveType, json: unknown): number {
  const value = typeof json === 'number' ? json : typeof json === 'bigint' ? Number(json) : namedFloats.get(json);
  if (value === undefined) throw mismatch(type, json);
  return type.kind === 'float' ? Math.fround(value) : value;
}

function bytesFromJson(type: Extract<PrimitiveType, { readonly kind: 'fixed' | 'binary' }>, json: unknown): Uint8Array {
  if (typeof json !== 'string' || !/^(?:[0-9a-f]{2})*$/i.test(json)) throw mismatch(type, json);
  const bytes = fromHex(json);
  if (type.kind === 'fixed' && bytes.length !== type.length) throw mismatch(type, json);
  return bytes;
}

function mismatch(type: PrimitiveType, json: unknown): ServiceError {
  return new ServiceError('SCHEMA_MISMATCH', `${show(json)} is not a value of the type ${formatPrimitiveType(type)}`);
}
