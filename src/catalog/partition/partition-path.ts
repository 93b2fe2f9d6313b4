import { civilFromDays, floorDiv, floorMod } from '../schema/calendar.ts';
import { formatDecimal, formatTime, formatTimestamp, formatUuid } from '../schema/literal-text.ts';
import type { PrimitiveType, Schema, Value } from '../schema/types.ts';
import { partitionFieldTypes } from './field-types.ts';
import type { PartitionSpec, Transform } from './types.ts';

const epochYear = 1970;

/**
 * The folder of a partition, `date_month=2001-01/origin=SEA`, as Iceberg's Java library names it: values as people read them,
 * names and values escaped as in URL forms, null as `null`. One value per field of the spec; empty for an unpartitioned spec.
 * Only a name for people: readers go by the manifest.
 */
export function partitionPath(
  spec: PartitionSpec,
  schemas: Schema | readonly Schema[],
  values: readonly (Value | null)[],
): string {
  const types = partitionFieldTypes(spec, schemas);
  return spec.fields
    .map(
      (field, at) =>
        `${urlEncode(field.name)}=${urlEncode(humanValue(field.transform, types[at]!, values[at] ?? null))}`,
    )
    .join('/');
}

/** A partition value as people read it: `2001-01` of a month, base64 of bytes, `null`. */
export function humanValue(transform: Transform, type: PrimitiveType, value: Value | null): string {
  if (value === null) return 'null';
  switch (transform.kind) {
    case 'year':
      return year(epochYear + Number(value));
    case 'month':
      return `${year(epochYear + Math.floor(Number(value) / 12))}-${two(1 + (((Number(value) % 12) + 12) % 12))}`;
    case 'hour':
      return `${day(Math.floor(Number(value) / 24))}-${two(((Number(value) % 24) + 24) % 24)}`;
    default:
      return humanOfType(type, value);
  }
}

function humanOfType(type: PrimitiveType, value: Value): string {
  if (value instanceof Uint8Array)
    return type.kind === 'uuid' ? formatUuid(value) : Buffer.from(value).toString('base64');
  switch (type.kind) {
    case 'date':
      return day(Number(value));
    case 'time':
      return shortTime(value as bigint);
    case 'timestamp':
    case 'timestamptz':
      return withoutZeros(formatTimestamp(value as bigint, 'us', false)) + zone(type.kind === 'timestamptz');
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return withoutZeros(formatTimestamp(value as bigint, 'ns', false)) + zone(type.kind === 'timestamptz_ns');
    case 'decimal':
      return formatDecimal(value as bigint, type.scale);
    case 'float':
    case 'double':
      return humanFloat(type.kind, value as number);
    default:
      return String(value);
  }
}

/** Java's `LocalTime`: seconds only where there are any, the fraction in groups of three digits. */
function shortTime(micros: bigint): string {
  const [clock = '', fraction = ''] = formatTime(floorMod(micros, 86_400_000_000n)).split('.');
  if (fraction !== '000000') return `${clock}.${fraction.endsWith('000') ? fraction.slice(0, 3) : fraction}`;
  return floorDiv(micros, 1_000_000n) % 60n === 0n ? clock.slice(0, 5) : clock;
}

function humanFloat(kind: 'float' | 'double', value: number): string {
  if (Number.isInteger(value)) return `${Object.is(value, -0) ? '-0' : value}${Math.abs(value) < 1e21 ? '.0' : ''}`;
  if (kind === 'double' || !Number.isFinite(value)) return String(value);
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

function day(days: number): string {
  const civil = civilFromDays(days);
  return `${year(civil.year)}-${two(civil.month)}-${two(civil.day)}`;
}

/** Four digits at least, the sign among them. */
function year(value: number): string {
  return value < 0 ? `-${(-value).toString().padStart(3, '0')}` : value.toString().padStart(4, '0');
}

const two = (value: number): string => value.toString().padStart(2, '0');
const zone = (zoned: boolean): string => (zoned ? '+00:00' : '');
const withoutZeros = (text: string): string => text.replace(/\.?0+$/, '');

/** `application/x-www-form-urlencoded`, as `java.net.URLEncoder` does it. */
function urlEncode(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll('%20', '+')
    .replaceAll(/[!'()~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
