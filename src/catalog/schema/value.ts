import { ServiceError } from '../../core/errors.ts';
import { toHex } from './hex.ts';
import { formatPrimitiveType } from './type-text.ts';
import type { PrimitiveType, Value } from './types.ts';

export { compareValues, firstCodePoints, truncateLowerBound, truncateUpperBound } from './value-order.ts';

const microsPerDay = 86_400_000_000n;
const nanosPerDay = 86_400_000_000_000n;
/** A decimal of 38 digits needs 16 bytes; foreign writers may pad. */
const decimalBytesMax = 32;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Single-value binary serialization (table spec, Appendix D): the form of bounds in manifests. Throws SCHEMA_MISMATCH for a value
 * that the type does not have. A fixed value may be shorter than its type, since upper and lower bounds are cut.
 */
export function encodeValue(type: PrimitiveType, value: Value): Uint8Array {
  switch (type.kind) {
    case 'boolean':
      return Uint8Array.of(value === true ? 1 : 0);
    case 'int':
    case 'date':
      return fill(4, (view) => view.setInt32(0, int32Of(type, value), true));
    case 'float':
      return fill(4, (view) => view.setFloat32(0, numberOf(type, value), true));
    case 'double':
      return fill(8, (view) => view.setFloat64(0, numberOf(type, value), true));
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return fill(8, (view) => view.setBigInt64(0, int64Of(type, value), true));
    case 'decimal':
      return encodeUnscaled(bigintOf(type, value));
    case 'string':
      if (typeof value !== 'string') throw wrongValue(type);
      return encoder.encode(value);
    case 'uuid':
      if (!(value instanceof Uint8Array) || value.length !== 16) throw wrongValue(type);
      return value;
    case 'fixed':
      if (!(value instanceof Uint8Array) || value.length > type.length) throw wrongValue(type);
      return value;
    case 'binary':
      if (!(value instanceof Uint8Array)) throw wrongValue(type);
      return value;
    case 'unknown':
      throw wrongValue(type);
    default:
      return type satisfies never;
  }
}

/**
 * The inverse of {@link encodeValue}. The type may have been widened since the bytes were written (table spec, "Schema
 * Evolution"): 4 bytes of a long were an int, of a double a float, of a timestamp or timestamp_ns a date; a decimal has any
 * length. Bytes of the result may share the argument's memory. Throws CORRUPT_FILE for bytes that are no value of the type.
 */
export function decodeValue(type: PrimitiveType, bytes: Uint8Array): Value {
  const value = decodeBound(type, bytes);
  if (value === null) {
    throw new ServiceError('CORRUPT_FILE', `${bytes.length} bytes are not a serialized ${formatPrimitiveType(type)}`);
  }
  return value;
}

/** The same, but null for bytes that are no value of the type: a bound that cannot be read bounds nothing. */
export function decodeBound(type: PrimitiveType, bytes: Uint8Array): Value | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type.kind) {
    case 'boolean':
      return bytes.length === 1 ? bytes[0] !== 0 : null;
    case 'int':
    case 'date':
      return bytes.length === 4 ? view.getInt32(0, true) : null;
    case 'float':
      return bytes.length === 4 ? view.getFloat32(0, true) : null;
    case 'double':
      if (bytes.length === 4) return view.getFloat32(0, true);
      return bytes.length === 8 ? view.getFloat64(0, true) : null;
    case 'long':
      if (bytes.length === 4) return BigInt(view.getInt32(0, true));
      return bytes.length === 8 ? view.getBigInt64(0, true) : null;
    case 'timestamp':
    case 'timestamp_ns':
      if (bytes.length === 4)
        return BigInt(view.getInt32(0, true)) * (type.kind === 'timestamp' ? microsPerDay : nanosPerDay);
      return bytes.length === 8 ? view.getBigInt64(0, true) : null;
    case 'time':
    case 'timestamptz':
    case 'timestamptz_ns':
      return bytes.length === 8 ? view.getBigInt64(0, true) : null;
    case 'decimal':
      return bytes.length >= 1 && bytes.length <= decimalBytesMax ? decodeUnscaled(bytes) : null;
    case 'string':
      return decodeUtf8(bytes);
    case 'uuid':
      return bytes.length === 16 ? bytes : null;
    case 'fixed':
      return bytes.length <= type.length ? bytes : null;
    case 'binary':
      return bytes;
    case 'unknown':
      return null;
    default:
      return type satisfies never;
  }
}

/** Two's-complement big-endian in the fewest bytes: decimals in bounds, in bucket hashes and in Avro. */
export function encodeUnscaled(unscaled: bigint): Uint8Array {
  let length = 1;
  while (BigInt.asIntN(8 * length, unscaled) !== unscaled) length++;
  const bytes = new Uint8Array(length);
  let rest = unscaled;
  for (let at = length - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** Reads two's-complement big-endian of any length above 0. */
export function decodeUnscaled(bytes: Uint8Array): bigint {
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${toHex(bytes)}`));
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

function fill(length: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  write(new DataView(bytes.buffer));
  return bytes;
}

function numberOf(type: PrimitiveType, value: Value): number {
  if (typeof value !== 'number') throw wrongValue(type);
  return value;
}

function int32Of(type: PrimitiveType, value: Value): number {
  if (typeof value !== 'number' || (value | 0) !== value) throw wrongValue(type);
  return value;
}

function bigintOf(type: PrimitiveType, value: Value): bigint {
  if (typeof value !== 'bigint') throw wrongValue(type);
  return value;
}

function int64Of(type: PrimitiveType, value: Value): bigint {
  const whole = bigintOf(type, value);
  if (BigInt.asIntN(64, whole) !== whole) throw wrongValue(type);
  return whole;
}

function wrongValue(type: PrimitiveType): ServiceError {
  return new ServiceError('SCHEMA_MISMATCH', `a value does not fit the type ${formatPrimitiveType(type)}`);
}
