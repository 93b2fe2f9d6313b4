import { isPrimitive, type NestedField, type PrimitiveType, type Schema } from '../../catalog/schema/types.ts';
import { ServiceError } from '../../core/errors.ts';
import type { ArrowField, ArrowSchema, ArrowType, Column } from '../../scan/arrow/column.ts';
import { arrowTypeOf } from '../../scan/arrow/iceberg.ts';
import type { ThriftWriter } from '../../scan/parquet/thrift.ts';

/** What of a table's schema goes into a data file: all but columns of type unknown, which files never hold (table spec, "Parquet"). */
export function storedFields(schema: Schema): readonly NestedField[] {
  return storedOf(schema.fields);
}

function storedOf(fields: readonly NestedField[]): NestedField[] {
  return fields.flatMap((field) => {
    const { type } = field;
    if (type.kind === 'unknown') return [];
    if (type.kind === 'struct') {
      const stored = storedOf(type.fields);
      if (stored.length === 0) throw unstorable(field, 'a struct without fields');
      return [{ ...field, type: { ...type, fields: stored } }];
    }
    if (type.kind === 'list') return [{ ...field, type: { ...type, element: storedInner(type.element) } }];
    if (type.kind === 'map') {
      return [{ ...field, type: { ...type, key: storedInner(type.key), value: storedInner(type.value) } }];
    }
    return [field];
  });
}

function storedInner(field: NestedField): NestedField {
  const [stored] = storedOf([field]);
  if (stored === undefined) throw unstorable(field, 'a list or map of unknown');
  return stored;
}

const unstorable = (field: NestedField, what: string): ServiceError =>
  new ServiceError('UNSUPPORTED_FEATURE', `field ${field.id}: ${what} cannot be written to Parquet`);

/** The columns of `storedFields`, out of those of the whole schema. */
export function storedColumns(fields: readonly NestedField[], columns: readonly Column[]): Column[] {
  return fields.flatMap((field, at) => {
    const column = columns[at]!;
    if (field.type.kind === 'unknown') return [];
    return [storedColumn(field, column)];
  });
}

function storedColumn(field: NestedField, column: Column): Column {
  const { type } = field;
  if (type.kind === 'struct' && column.kind === 'struct') {
    return { ...column, children: storedColumns(type.fields, column.children) };
  }
  if (type.kind === 'list' && column.kind === 'list')
    return { ...column, child: storedColumn(type.element, column.child) };
  if (type.kind === 'map' && column.kind === 'list' && column.child.kind === 'struct') {
    const children = storedColumns([type.key, type.value], column.child.children);
    return { ...column, child: { ...column.child, children } };
  }
  return column;
}

/** The Arrow schema in which rows go to the encoder: no metadata, since ids and logical types are written by us. */
export function encoderSchema(fields: readonly NestedField[]): ArrowSchema {
  return {
    fields: fields.map((field) => bare(field.name, arrowTypeOf(field.type), !field.required)),
    metadata: new Map(),
  };
}

function bare(name: string, type: ArrowType, nullable: boolean): ArrowField {
  return { name, type: bareType(type), nullable, metadata: new Map() };
}

function bareType(type: ArrowType): ArrowType {
  const inner = (field: ArrowField): ArrowField => bare(field.name, field.type, field.nullable);
  switch (type.kind) {
    case 'struct':
      return { ...type, fields: type.fields.map(inner) };
    case 'list':
      return { ...type, element: inner(type.element) };
    case 'map':
      return { ...type, key: inner(type.key), value: inner(type.value) };
    default:
      return type;
  }
}

const repetition = { required: 0, optional: 1, repeated: 2 } as const;
const physical = { boolean: 0, int32: 1, int64: 2, float: 4, double: 5, byteArray: 6, fixed: 7 } as const;

interface Element {
  readonly name: string;
  readonly repetition: number | null;
  readonly children: number | null;
  readonly fieldId: number | null;
  readonly primitive: PrimitiveType | null;
  readonly group: 'list' | 'map' | null;
}

/** The path of every leaf in the stored schema, in the order of its column chunks. */
export function leafPaths(fields: readonly NestedField[]): string[][] {
  return fields.flatMap((field) => pathsBelow(field, [field.name]));
}

function pathsBelow(field: NestedField, path: string[]): string[][] {
  const { type } = field;
  if (isPrimitive(type)) return [path];
  if (type.kind === 'struct') return type.fields.flatMap((child) => pathsBelow(child, [...path, child.name]));
  if (type.kind === 'list') return pathsBelow(type.element, [...path, 'list', 'element']);
  return [type.key, type.value].flatMap((child, at) =>
    pathsBelow(child, [...path, 'key_value', at === 0 ? 'key' : 'value']),
  );
}

/** Writes the footer's schema (field 2 of `FileMetaData`), with a field id on every field of the table (table spec, "Parquet"). */
export function writeSchemaElements(writer: ThriftWriter, fields: readonly NestedField[]): void {
  const root: Element = {
    name: 'table',
    repetition: null,
    children: fields.length,
    fieldId: null,
    primitive: null,
    group: null,
  };
  const elements = [root, ...fields.flatMap((field) => elementsOf(field, field.name))];
  writer.structs(2, elements, (element) => {
    const stored = element.primitive === null ? null : storageOf(element.primitive);
    writer.i32(1, stored?.type ?? null);
    writer.i32(2, stored?.length ?? null);
    writer.i32(3, element.repetition);
    writer.binary(4, element.name);
    writer.i32(5, element.children);
    const converted = element.primitive === null ? null : convertedOf(element.primitive);
    writer.i32(6, element.group === null ? converted : element.group === 'list' ? 3 : 1);
    if (element.primitive?.kind === 'decimal') {
      writer.i32(7, element.primitive.scale);
      writer.i32(8, element.primitive.precision);
    }
    writer.i32(9, element.fieldId);
    if (element.group !== null)
      writer.structField(10, () => writer.structField(element.group === 'list' ? 3 : 2, () => {}));
    else if (element.primitive !== null) writeLogicalType(writer, element.primitive);
  });
}

function elementsOf(field: NestedField, name: string): Element[] {
  const { type } = field;
  const own = {
    name,
    repetition: field.required ? repetition.required : repetition.optional,
    fieldId: field.id,
    primitive: null,
    group: null,
  };
  const wrapper = { repetition: repetition.repeated, fieldId: null, primitive: null, group: null };
  if (isPrimitive(type)) return [{ ...own, children: null, primitive: type }];
  if (type.kind === 'struct') {
    const children = type.fields.flatMap((child) => elementsOf(child, child.name));
    return [{ ...own, children: type.fields.length }, ...children];
  }
  if (type.kind === 'list') {
    const list = { ...own, children: 1, group: 'list' as const };
    return [list, { name: 'list', children: 1, ...wrapper }, ...elementsOf(type.element, 'element')];
  }
  const map = { ...own, children: 1, group: 'map' as const };
  const entries = [...elementsOf({ ...type.key, required: true }, 'key'), ...elementsOf(type.value, 'value')];
  return [map, { name: 'key_value', children: 2, ...wrapper }, ...entries];
}

/** The number of a field's physical type, decimals in the narrowest form, and the bytes of one fixed-length value. */
export function storageOf(type: PrimitiveType): { readonly type: number; readonly length: number | null } {
  switch (type.kind) {
    case 'boolean':
      return { type: physical.boolean, length: null };
    case 'int':
    case 'date':
      return { type: physical.int32, length: null };
    case 'float':
      return { type: physical.float, length: null };
    case 'double':
      return { type: physical.double, length: null };
    case 'decimal':
      if (type.precision <= 9) return { type: physical.int32, length: null };
      if (type.precision <= 18) return { type: physical.int64, length: null };
      return { type: physical.fixed, length: decimalBytes(type.precision) };
    case 'uuid':
      return { type: physical.fixed, length: 16 };
    case 'fixed':
      return { type: physical.fixed, length: type.length };
    case 'string':
    case 'binary':
      return { type: physical.byteArray, length: null };
    case 'unknown':
      throw new ServiceError('INTERNAL', 'a column of type unknown is never stored');
    default:
      return { type: physical.int64, length: null };
  }
}

/** The fewest bytes that hold every number of so many digits (LogicalTypes.md, "DECIMAL"). */
export function decimalBytes(precision: number): number {
  let bytes = 1;
  while (10n ** BigInt(precision) > 1n << BigInt(8 * bytes - 1)) bytes++;
  return bytes;
}

/** The older converted type, for readers that do not know logical types; timestamps without a zone have none. */
function convertedOf(type: PrimitiveType): number | null {
  switch (type.kind) {
    case 'string':
      return 0;
    case 'decimal':
      return 5;
    case 'date':
      return 6;
    case 'timestamptz':
      return 10;
    default:
      return null;
  }
}

/** The members of the unions `LogicalType` and `TimeUnit` that tables have. */
function writeLogicalType(writer: ThriftWriter, type: PrimitiveType): void {
  const id = logicalIds[type.kind];
  if (id === undefined) return;
  writer.structField(10, () => {
    writer.structField(id, () => {
      if (type.kind === 'decimal') {
        writer.i32(1, type.scale);
        writer.i32(2, type.precision);
      } else if (id === timeId || id === timestampId) {
        writer.bool(1, type.kind === 'timestamptz' || type.kind === 'timestamptz_ns');
        const unit = type.kind === 'timestamp_ns' || type.kind === 'timestamptz_ns' ? nanosId : microsId;
        writer.structField(2, () => writer.structField(unit, () => {}));
      }
    });
  });
}

const timeId = 7;
const timestampId = 8;
const microsId = 2;
const nanosId = 3;
const logicalIds: Partial<Record<PrimitiveType['kind'], number>> = {
  string: 1,
  decimal: 5,
  date: 6,
  time: timeId,
  timestamp: timestampId,
  timestamptz: timestampId,
  timestamp_ns: timestampId,
  timestamptz_ns: timestampId,
  uuid: 14,
};
