import type { NestedField, PrimitiveType, Schema, Type } from '../../catalog/schema/types.ts';
import { formatColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import { fieldId } from '../../core/ids.ts';
import { type ArrowField, type ArrowSchema, type ArrowType, fieldIdKey } from './column.ts';
import { describeType } from './kernels/cast.ts';

export const extensionNameKey = 'ARROW:extension:name';
export const extensionMetadataKey = 'ARROW:extension:metadata';
const uuidExtension = 'arrow.uuid';
const docKey = 'doc';
// PyIceberg 0.12 takes these for UTC and refuses every other zone.
const utcNames: ReadonlySet<string> = new Set(['UTC', '+00:00', 'Etc/UTC', 'Z']);

/**
 * A table's schema as batches carry it: PyIceberg's mapping with utf8, binary and list instead of their large variants. Every
 * field, at any depth, has its id as metadata `PARQUET:field_id`, and its `doc` where it has one.
 */
export function arrowSchemaOf(schema: Schema): ArrowSchema {
  return { fields: schema.fields.map(arrowFieldOf), metadata: new Map() };
}

export function arrowFieldOf(field: NestedField): ArrowField {
  const metadata = new Map([[fieldIdKey, String(field.id)]]);
  if (field.doc !== undefined) metadata.set(docKey, field.doc);
  if (field.type.kind === 'uuid') {
    metadata.set(extensionNameKey, uuidExtension);
    metadata.set(extensionMetadataKey, '');
  }
  return { name: field.name, type: arrowTypeOf(field.type), nullable: !field.required, metadata };
}

export function arrowTypeOf(type: Type): ArrowType {
  switch (type.kind) {
    case 'struct':
      return { kind: 'struct', fields: type.fields.map(arrowFieldOf) };
    case 'list':
      return { kind: 'list', element: { ...arrowFieldOf(type.element), name: 'element' } };
    case 'map': {
      const key = { ...arrowFieldOf(type.key), name: 'key', nullable: false };
      return { kind: 'map', key, value: { ...arrowFieldOf(type.value), name: 'value' }, keysSorted: false };
    }
    default:
      return primitiveArrowType(type);
  }
}

function primitiveArrowType(type: PrimitiveType): ArrowType {
  switch (type.kind) {
    case 'unknown':
      return { kind: 'null' };
    case 'boolean':
      return { kind: 'bool' };
    case 'int':
      return { kind: 'int', bits: 32, signed: true };
    case 'long':
      return { kind: 'int', bits: 64, signed: true };
    case 'float':
      return { kind: 'float', bits: 32 };
    case 'double':
      return { kind: 'float', bits: 64 };
    case 'decimal':
      return { kind: 'decimal', precision: type.precision, scale: type.scale, bits: 128 };
    case 'date':
      return { kind: 'date', unit: 'day' };
    case 'time':
      return { kind: 'time', unit: 'us' };
    case 'timestamp':
      return { kind: 'timestamp', unit: 'us', timezone: null };
    case 'timestamptz':
      return { kind: 'timestamp', unit: 'us', timezone: 'UTC' };
    case 'timestamp_ns':
      return { kind: 'timestamp', unit: 'ns', timezone: null };
    case 'timestamptz_ns':
      return { kind: 'timestamp', unit: 'ns', timezone: 'UTC' };
    case 'string':
      return { kind: 'utf8' };
    case 'uuid':
      return { kind: 'fixed-size-binary', byteWidth: 16 };
    case 'fixed':
      return { kind: 'fixed-size-binary', byteWidth: type.length };
    case 'binary':
      return { kind: 'binary' };
    default:
      return type satisfies never;
  }
}

/**
 * The schema that a table made from these columns gets. Ids are fresh, in PyIceberg's order: the fields of a struct first, then
 * what lies below each. 8 and 16 bit integers become int, uint32 long; second and millisecond timestamps become microseconds;
 * date64 becomes date; fixed-size lists become lists. Throws UNSUPPORTED_FEATURE for nanoseconds below format version 3, and
 * SCHEMA_MISMATCH for Arrow types without a counterpart (uint64, float16, duration, null, …), both with the column's path.
 */
export function icebergSchemaOf(arrow: ArrowSchema, formatVersion: 1 | 2 | 3 = 2): Schema {
  const converter = new Converter(formatVersion);
  return { schemaId: 0, fields: converter.fields(arrow.fields, []), identifierFieldIds: [] };
}

/** The Iceberg type of a field without children, null where it has none; the inverse of {@link arrowFieldOf}. */
export function primitiveTypeOf(field: ArrowField): PrimitiveType | null {
  try {
    return new Converter(3).primitive(field, [field.name]);
  } catch {
    return null;
  }
}

class Converter {
  readonly #formatVersion: number;
  #lastId = 0;

  constructor(formatVersion: number) {
    this.#formatVersion = formatVersion;
  }

  fields(fields: readonly ArrowField[], parent: readonly string[]): NestedField[] {
    const names = new Set<string>();
    for (const { name } of fields) {
      if (names.has(name)) throw refuse([...parent, name], 'the name is there twice');
      names.add(name);
    }
    const ids = fields.map(() => this.#nextId());
    return fields.map((field, at) => this.#field(field, field.name, ids[at]!, parent));
  }

  #field(field: ArrowField, name: string, id: number, parent: readonly string[]): NestedField {
    const doc = field.metadata.get(docKey);
    const type = this.#type(field, [...parent, name]);
    const converted = { id: fieldId(id), name, required: !field.nullable, type };
    return doc === undefined ? converted : { ...converted, doc };
  }

  #type(field: ArrowField, path: readonly string[]): Type {
    const { type } = field;
    switch (type.kind) {
      case 'struct':
        return { kind: 'struct', fields: this.fields(type.fields, path) };
      case 'list':
      case 'fixed-size-list':
        return { kind: 'list', element: this.#field(type.element, 'element', this.#nextId(), path) };
      case 'map': {
        const keyId = this.#nextId();
        const valueId = this.#nextId();
        const key = { ...this.#field(type.key, 'key', keyId, path), required: true };
        return { kind: 'map', key, value: this.#field(type.value, 'value', valueId, path) };
      }
      default:
        return this.primitive(field, path);
    }
  }

  primitive(field: ArrowField, path: readonly string[]): PrimitiveType {
    const { type } = field;
    switch (type.kind) {
      case 'bool':
        return { kind: 'boolean' };
      case 'int':
        if (type.bits === 64 && !type.signed) break;
        return { kind: type.bits === 64 || (type.bits === 32 && !type.signed) ? 'long' : 'int' };
      case 'float':
        if (type.bits === 16) break;
        return { kind: type.bits === 32 ? 'float' : 'double' };
      case 'decimal':
        if (type.bits === 256 || type.scale < 0 || type.scale > type.precision) break;
        return { kind: 'decimal', precision: type.precision, scale: type.scale };
      case 'date':
        return { kind: 'date' };
      case 'time':
        if (type.unit !== 'us') break;
        return { kind: 'time' };
      case 'timestamp':
        return this.#timestamp(type, path);
      case 'utf8':
        return { kind: 'string' };
      case 'binary':
        return { kind: 'binary' };
      case 'fixed-size-binary': {
        const isUuid = type.byteWidth === 16 && field.metadata.get(extensionNameKey) === uuidExtension;
        return isUuid ? { kind: 'uuid' } : { kind: 'fixed', length: type.byteWidth };
      }
      case 'null':
        if (this.#formatVersion < 3) break;
        return { kind: 'unknown' };
      default:
    }
    throw refuse(path, `Arrow's ${describeType(type)} has no counterpart in an Iceberg table`);
  }

  #timestamp(type: Extract<ArrowType, { kind: 'timestamp' }>, path: readonly string[]): PrimitiveType {
    const { timezone } = type;
    if (timezone !== null && !utcNames.has(timezone)) {
      throw refuse(path, `the time zone ${JSON.stringify(timezone)} is not UTC: convert the column to UTC`);
    }
    if (type.unit !== 'ns') return { kind: timezone === null ? 'timestamp' : 'timestamptz' };
    if (this.#formatVersion >= 3) return { kind: timezone === null ? 'timestamp_ns' : 'timestamptz_ns' };
    throw new ServiceError(
      'UNSUPPORTED_FEATURE',
      `column ${formatColumnPath(path)}: nanosecond timestamps need format version 3: convert the column to microseconds`,
    );
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}

const refuse = (path: readonly string[], what: string): ServiceError =>
  new ServiceError('SCHEMA_MISMATCH', `column ${formatColumnPath(path)}: ${what}`);
