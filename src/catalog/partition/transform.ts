import { ServiceError } from '../../core/errors.ts';
import { civilFromDays, floorDiv, floorMod } from '../schema/calendar.ts';
import { show } from '../schema/json-read.ts';
import { formatPrimitiveType } from '../schema/type-text.ts';
import type { PrimitiveType, Value } from '../schema/types.ts';
import { encodeUnscaled, encodeValue, firstCodePoints } from '../schema/value.ts';
import { murmur3 } from './murmur3.ts';
import type { Transform } from './types.ts';

const widthMax = 0x7fffffff;
const epochYear = 1970;
const parameterless = new Set<string>(['identity', 'void', 'year', 'month', 'day', 'hour']);

/**
 * Reads `identity`, `bucket[16]`, `truncate[4]`, `month`, … in any case (table spec, Appendix C). Other text is an `unknown`
 * transform, as v3 asks of readers. Throws INVALID_REQUEST for a parameter that is not 1 to 2^31 - 1.
 */
export function parseTransform(text: string): Transform {
  const name = text.toLowerCase();
  if (parameterless.has(name)) return { kind: name as 'identity' | 'void' | 'year' | 'month' | 'day' | 'hour' };
  const match = /^(bucket|truncate)\[(\d+)\]$/.exec(name);
  if (match === null) return { kind: 'unknown', text };
  const parameter = Number(match[2]);
  if (parameter < 1 || parameter > widthMax) {
    throw new ServiceError('INVALID_REQUEST', `${show(text)}: the parameter must be 1 to ${widthMax}`);
  }
  return match[1] === 'bucket' ? { kind: 'bucket', buckets: parameter } : { kind: 'truncate', width: parameter };
}

export function formatTransform(transform: Transform): string {
  switch (transform.kind) {
    case 'bucket':
      return `bucket[${transform.buckets}]`;
    case 'truncate':
      return `truncate[${transform.width}]`;
    case 'unknown':
      return transform.text;
    default:
      return transform.kind;
  }
}

/**
 * The type of what a transform makes of a source type: `day` gives date, the other parts of time int (table spec, "Partition
 * Transforms"). Throws INVALID_REQUEST where the transform does not apply to the type, UNSUPPORTED_FEATURE where it is unknown.
 */
export function transformResultType(transform: Transform, source: PrimitiveType): PrimitiveType {
  if (transform.kind === 'unknown') throw unknownTransform(transform.text);
  if (!applies(transform, source)) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `${formatTransform(transform)} does not apply to the type ${formatPrimitiveType(source)}`,
    );
  }
  switch (transform.kind) {
    case 'identity':
    case 'void':
    case 'truncate':
      return source;
    case 'day':
      return { kind: 'date' };
    default:
      return { kind: 'int' };
  }
}

/**
 * What a transform makes of a value of the source type; null of null. Times before 1970 round down, to the part of time they lie
 * in. Throws as {@link transformResultType}.
 */
export function applyTransform(transform: Transform, source: PrimitiveType, value: Value | null): Value | null {
  transformResultType(transform, source);
  if (value === null) return null;
  switch (transform.kind) {
    case 'identity':
      return value;
    case 'void':
      return null;
    case 'bucket':
      return (hashValue(source, value) & widthMax) % transform.buckets;
    case 'truncate':
      return truncate(source, value, transform.width);
    case 'year':
      return civilFromDays(daysOf(source, value)).year - epochYear;
    case 'month': {
      const { year, month } = civilFromDays(daysOf(source, value));
      return (year - epochYear) * 12 + month - 1;
    }
    case 'day':
      return daysOf(source, value);
    case 'hour':
      return Number(floorDiv(value as bigint, ticksPerDay(source) / 24n));
    case 'unknown':
      throw unknownTransform(transform.text);
    default:
      return transform satisfies never;
  }
}

/** The 32-bit hash of a value before it is put in a bucket (table spec, Appendix B). */
export function hashValue(source: PrimitiveType, value: Value): number {
  switch (source.kind) {
    case 'int':
    case 'date':
      return hashLong(BigInt(value as number));
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return hashLong(value as bigint);
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return hashLong(floorDiv(value as bigint, 1000n));
    case 'decimal':
      return murmur3(encodeUnscaled(value as bigint));
    default:
      return murmur3(encodeValue(source, value));
  }
}

const hashLong = (value: bigint): number => murmur3(encodeValue({ kind: 'long' }, value));

function applies(transform: Exclude<Transform, { kind: 'unknown' }>, source: PrimitiveType): boolean {
  switch (transform.kind) {
    case 'identity':
    case 'void':
      return true;
    case 'bucket':
      return !['unknown', 'boolean', 'float', 'double'].includes(source.kind);
    case 'truncate':
      return ['int', 'long', 'decimal', 'string', 'binary'].includes(source.kind);
    case 'year':
    case 'month':
    case 'day':
      return source.kind === 'date' || source.kind.startsWith('timestamp');
    case 'hour':
      return source.kind.startsWith('timestamp');
    default:
      return transform satisfies never;
  }
}

function truncate(source: PrimitiveType, value: Value, width: number): Value {
  if (typeof value === 'string') return firstCodePoints(value, width);
  if (value instanceof Uint8Array) return value.subarray(0, width);
  const whole = BigInt(value as number | bigint);
  const floored = whole - floorMod(whole, BigInt(width));
  if (source.kind === 'int') return Number(BigInt.asIntN(32, floored));
  return source.kind === 'long' ? BigInt.asIntN(64, floored) : floored;
}

function daysOf(source: PrimitiveType, value: Value): number {
  return source.kind === 'date' ? (value as number) : Number(floorDiv(value as bigint, ticksPerDay(source)));
}

const ticksPerDay = (source: PrimitiveType): bigint =>
  source.kind.endsWith('_ns') ? 86_400_000_000_000n : 86_400_000_000n;

function unknownTransform(text: string): ServiceError {
  return new ServiceError('UNSUPPORTED_FEATURE', `the partition transform ${show(text)} is not known to Headrace`);
}
