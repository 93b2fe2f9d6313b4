import type { AvroField, AvroType } from '../../catalog/avro/schema.ts';
import { type ColumnPath, formatColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import { type ArrowField, type ArrowType, fieldIdKey } from '../arrow/column.ts';
import { extensionMetadataKey, extensionNameKey } from '../arrow/iceberg.ts';

/** What an Avro field becomes: the Arrow field, and how its values are read. */
export interface AvroColumn {
  readonly field: ArrowField;
  /** The type of the values that are not null. */
  readonly avro: AvroType;
  /** How many branches the field's union has, 0 where it is none: each value then begins with the index of its branch. */
  readonly branches: 0 | 1 | 2;
  /** The union's branch that is null; -1 where there is none. */
  readonly nullBranch: number;
  readonly children: readonly AvroColumn[];
}

/**
 * The Arrow column of an Avro field. A logical type that Avro says readers may ignore (an impossible decimal, `duration`, which needs
 * Arrow's intervals) reads as its underlying type. Throws UNSUPPORTED_FEATURE, naming the column, for a union other than of null
 * and one type.
 */
export function avroColumn({ name, fieldId, type }: AvroField, parent: ColumnPath = []): AvroColumn {
  const path = [...parent, name];
  const { avro, branches, nullBranch } = withoutNull(type, path);
  const { type: arrow, extension, children } = arrowTypeOf(avro, path);
  const metadata = new Map<string, string>();
  if (fieldId !== null) metadata.set(fieldIdKey, `${fieldId}`);
  if (extension !== null) {
    metadata.set(extensionNameKey, extension);
    metadata.set(extensionMetadataKey, '');
  }
  const nullable = nullBranch >= 0 || avro.kind === 'null';
  return { field: { name, type: arrow, nullable, metadata }, avro, branches, nullBranch, children };
}

interface Mapped {
  readonly type: ArrowType;
  readonly extension: string | null;
  readonly children: readonly AvroColumn[];
}

const plain = (type: ArrowType): Mapped => ({ type, extension: null, children: [] });

function withoutNull(type: AvroType, path: ColumnPath): Pick<AvroColumn, 'avro' | 'branches' | 'nullBranch'> {
  if (type.kind !== 'union') return { avro: type, branches: 0, nullBranch: -1 };
  const nullBranch = type.branches.findIndex((branch) => branch.kind === 'null');
  const others = type.branches.filter((branch) => branch.kind !== 'null');
  if (others.length > 1 || type.branches.length > 2) {
    throw new ServiceError(
      'UNSUPPORTED_FEATURE',
      `${formatColumnPath(path)}: Avro unions are read only of null and one other type`,
    );
  }
  return { avro: others[0] ?? type.branches[0]!, branches: type.branches.length === 1 ? 1 : 2, nullBranch };
}

function arrowTypeOf(avro: AvroType, path: ColumnPath): Mapped {
  switch (avro.kind) {
    case 'null':
      return plain({ kind: 'null' });
    case 'boolean':
      return plain({ kind: 'bool' });
    case 'int':
      return plain(intType(avro.logical));
    case 'long':
      return plain(longType(avro));
    case 'float':
      return plain({ kind: 'float', bits: 32 });
    case 'double':
      return plain({ kind: 'float', bits: 64 });
    case 'bytes':
      return plain(decimalType(avro, Number.POSITIVE_INFINITY) ?? { kind: 'binary' });
    case 'fixed':
      if (avro.logical === 'uuid' && avro.size === 16) return uuid;
      return plain(decimalType(avro, avro.size) ?? { kind: 'fixed-size-binary', byteWidth: avro.size });
    case 'string':
      return avro.logical === 'uuid' ? uuid : plain({ kind: 'utf8' });
    case 'enum':
      return plain({ kind: 'utf8' });
    case 'array': {
      const element = avroColumn({ name: 'element', fieldId: idOf(avro, 'element-id'), type: avro.items }, path);
      return { type: { kind: 'list', element: element.field }, extension: null, children: [element] };
    }
    case 'map': {
      const key = avroColumn({ name: 'key', fieldId: idOf(avro, 'key-id'), type: mapKey }, path);
      const value = avroColumn({ name: 'value', fieldId: idOf(avro, 'value-id'), type: avro.values }, path);
      const type: ArrowType = { kind: 'map', key: key.field, value: value.field, keysSorted: false };
      return { type, extension: null, children: [key, value] };
    }
    case 'record': {
      const children = avro.fields.map((field) => avroColumn(field, path));
      return { type: { kind: 'struct', fields: children.map(({ field }) => field) }, extension: null, children };
    }
    default:
      throw new ServiceError('UNSUPPORTED_FEATURE', `${formatColumnPath(path)}: an Avro union holds a union`);
  }
}

const uuid: Mapped = { type: { kind: 'fixed-size-binary', byteWidth: 16 }, extension: 'arrow.uuid', children: [] };
const mapKey: AvroType = { kind: 'string', minBytes: 1, nodes: 1, depth: 1, logical: null, attributes: {} };

function intType(logical: string | null): ArrowType {
  if (logical === 'date') return { kind: 'date', unit: 'day' };
  if (logical === 'time-millis') return { kind: 'time', unit: 'ms' };
  return { kind: 'int', bits: 32, signed: true };
}

const timestampUnits = { millis: 'ms', micros: 'us', nanos: 'ns' } as const;

/** `timestamp-…` are instants, `local-timestamp-…` are not; Iceberg says the same by `adjust-to-utc`. */
function longType({ logical, attributes }: AvroType): ArrowType {
  if (logical === 'time-micros') return { kind: 'time', unit: 'us' };
  const match = /^(local-)?timestamp-(millis|micros|nanos)$/.exec(logical ?? '');
  if (match === null) return { kind: 'int', bits: 64, signed: true };
  const local = match[1] !== undefined || attributes['adjust-to-utc'] === false;
  return {
    kind: 'timestamp',
    unit: timestampUnits[match[2] as keyof typeof timestampUnits],
    timezone: local ? null : 'UTC',
  };
}

/** Null where the annotation is not a decimal that Arrow has, or more digits than the bytes hold. */
function decimalType({ logical, attributes }: AvroType, bytes: number): ArrowType | null {
  if (logical !== 'decimal') return null;
  const { precision, scale = 0 } = attributes;
  if (!isCount(precision) || !isCount(scale) || precision < 1 || scale > precision) return null;
  const digits = Math.floor(Math.log10(2) * (8 * bytes - 1));
  if (precision > 76 || precision > digits) return null;
  return { kind: 'decimal', precision, scale, bits: precision > 38 ? 256 : 128 };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function idOf({ attributes }: AvroType, name: string): number | null {
  const id = attributes[name];
  return isCount(id) ? id : null;
}
