import { ServiceError } from '../../core/errors.ts';
import type { AvroType } from '../avro/schema.ts';
import type { PartitionSpec } from '../partition/types.ts';
import { parseUuid } from '../schema/literal-text.ts';
import { formatPrimitiveType } from '../schema/type-text.ts';
import type { PrimitiveType, Value } from '../schema/types.ts';
import { decodeUnscaled, encodeUnscaled } from '../schema/value.ts';

/** The Avro record of a spec's partition tuple (table spec, Appendix A, "Avro"); `types` are those of `partitionFieldTypes`. */
export function partitionSchema(spec: PartitionSpec, types: readonly PrimitiveType[]): object {
  const fields = spec.fields.map((field, at) => ({
    name: avroName(field.name),
    type: ['null', avroTypeOf(types[at]!, field.fieldId)],
    default: null,
    'field-id': field.fieldId,
  }));
  return { type: 'record', name: 'r102', fields };
}

/** A field's name as Avro allows it: Iceberg's Java library replaces the same way, so that names agree between writers. */
export function avroName(name: string): string {
  return [...name]
    .map((char, at) => {
      if (/[A-Za-z_]/.test(char) || (at > 0 && /[0-9]/.test(char))) return char;
      if (/[0-9]/.test(char)) return `_${char}`;
      return Array.from(
        { length: char.length },
        (_, unit) => `_x${char.charCodeAt(unit).toString(16).toUpperCase()}`,
      ).join('');
    })
    .join('');
}

/** Named types carry the partition field's id, because Avro lets a name be defined only once. */
function avroTypeOf(type: PrimitiveType, fieldId: number): unknown {
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'string':
      return type.kind;
    case 'binary':
      return 'bytes';
    case 'date':
      return { type: 'int', logicalType: 'date' };
    case 'time':
      return { type: 'long', logicalType: 'time-micros' };
    case 'timestamp':
    case 'timestamptz':
      return { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': type.kind === 'timestamptz' };
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return { type: 'long', logicalType: 'timestamp-nanos', 'adjust-to-utc': type.kind === 'timestamptz_ns' };
    case 'decimal': {
      const { precision, scale } = type;
      const name = `decimal_${precision}_${scale}_f${fieldId}`;
      return { type: 'fixed', size: decimalBytes(precision), name, logicalType: 'decimal', precision, scale };
    }
    case 'uuid':
      return { type: 'fixed', size: 16, name: `uuid_f${fieldId}`, logicalType: 'uuid' };
    case 'fixed':
      return { type: 'fixed', size: type.length, name: `fixed_${type.length}_f${fieldId}` };
    case 'unknown':
      // Only nulls are ever written under it: `partitionToAvro` refuses the rest.
      return 'int';
    default:
      return type satisfies never;
  }
}

/** Bytes of the smallest two's complement that holds every decimal of a precision. */
function decimalBytes(precision: number): number {
  return encodeUnscaled(10n ** BigInt(precision) - 1n).length;
}

/** One partition value as `avsc` encodes it under {@link partitionSchema}. */
export function partitionToAvro(type: PrimitiveType, value: Value | null): unknown {
  if (value === null) return null;
  switch (type.kind) {
    case 'decimal': {
      if (typeof value !== 'bigint') break;
      const bytes = Buffer.alloc(decimalBytes(type.precision), value < 0n ? 0xff : 0);
      const unscaled = encodeUnscaled(value);
      if (unscaled.length > bytes.length) break;
      bytes.set(unscaled, bytes.length - unscaled.length);
      return bytes;
    }
    case 'unknown':
      throw new ServiceError(
        'UNSUPPORTED_FEATURE',
        'a manifest cannot be rewritten whose partition transform or source column is not known',
      );
    default:
      return value instanceof Uint8Array ? Buffer.from(value) : value;
  }
  throw new ServiceError('SCHEMA_MISMATCH', `a partition value is not a ${formatPrimitiveType(type)}`);
}

/**
 * A decoded Avro value as the spec's type has it in memory. The writer's type may be narrower, from before the column was widened,
 * and for an `unknown` type it alone decides. Throws CORRUPT_FILE where the two do not go together.
 */
export function partitionFromAvro(type: PrimitiveType, written: AvroType, value: unknown): Value | null {
  if (value === null) return null;
  switch (type.kind) {
    case 'boolean':
      if (typeof value === 'boolean') return value;
      break;
    case 'int':
    case 'date':
      if (typeof value === 'number') return value;
      if (typeof value === 'bigint' && BigInt.asIntN(32, value) === value) return Number(value);
      break;
    case 'float':
    case 'double':
      if (typeof value === 'number') return value;
      break;
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      if (typeof value === 'bigint') return value;
      if (typeof value === 'number') return fromNarrower(type, written, value);
      break;
    case 'decimal':
      if (value instanceof Uint8Array && value.length > 0) return decodeUnscaled(value);
      break;
    case 'string':
      if (typeof value === 'string') return value;
      break;
    case 'uuid':
      if (value instanceof Uint8Array && value.length === 16) return value;
      if (typeof value === 'string') return uuidFrom(value);
      break;
    case 'fixed':
    case 'binary':
      if (value instanceof Uint8Array) return value;
      break;
    case 'unknown':
      return unknownFromAvro(written, value);
    default:
      return type satisfies never;
  }
  throw wrongValue(type);
}

/** An int of a column that is a long now, a date of one that is a timestamp now (table spec, "Schema Evolution"). */
function fromNarrower(type: PrimitiveType, written: AvroType, value: number): bigint {
  if (type.kind === 'long') return BigInt(value);
  if (written.logical === 'date' && type.kind === 'timestamp') return BigInt(value) * 86_400_000_000n;
  if (written.logical === 'date' && type.kind === 'timestamp_ns') return BigInt(value) * 86_400_000_000_000n;
  throw wrongValue(type);
}

function unknownFromAvro(written: AvroType, value: unknown): Value {
  if (written.logical === 'decimal' && value instanceof Uint8Array && value.length > 0) return decodeUnscaled(value);
  if (value instanceof Uint8Array || ['boolean', 'number', 'bigint', 'string'].includes(typeof value))
    return value as Value;
  throw wrongValue({ kind: 'unknown' });
}

function uuidFrom(text: string): Uint8Array {
  try {
    return parseUuid(text);
  } catch (cause) {
    throw new ServiceError('CORRUPT_FILE', 'a manifest holds a partition value that is no uuid', { cause });
  }
}

const wrongValue = (type: PrimitiveType): ServiceError =>
  new ServiceError('CORRUPT_FILE', `a manifest holds a partition value that is no ${formatPrimitiveType(type)}`);
