import type { NestedField, Schema } from '../catalog/schema/types.ts';
import type { FieldId } from '../core/ids.ts';
import type { Column, NullColumn, StoredColumn, StructColumn } from './arrow/column.ts';

/**
 * Picks the columns of `wanted` out of columns that hold `schema`, by field id at every depth: what was read for a filter alone
 * falls away, and the order becomes the caller's. Buffers are shared, not copied.
 */
export function shapeColumns(schema: Schema, columns: readonly Column[], wanted: Schema): Column[] {
  return wanted.fields.map((field) => {
    const at = schema.fields.findIndex((candidate) => candidate.id === field.id);
    return shapeField(schema.fields[at]!, columns[at]!, field);
  });
}

/** The same of columns of which some are stored pages: those have nothing below them to pick from. */
export function shapeWireColumns(
  schema: Schema,
  columns: readonly (Column | StoredColumn)[],
  wanted: Schema,
): (Column | StoredColumn)[] {
  return wanted.fields.map((field) => {
    const at = schema.fields.findIndex((candidate) => candidate.id === field.id);
    const column = columns[at]!;
    return column.kind === 'stored' ? column : shapeField(schema.fields[at]!, column, field);
  });
}

function shapeField(from: NestedField, column: Column, to: NestedField): Column {
  if (from === to) return column;
  if (from.type.kind === 'struct' && to.type.kind === 'struct' && column.kind === 'struct') {
    return shapeStruct(from.type.fields, column, to.type.fields);
  }
  if (from.type.kind === 'list' && to.type.kind === 'list' && column.kind === 'list') {
    const child = shapeField(from.type.element, column.child, to.type.element);
    return child === column.child ? column : { ...column, type: retype(column, [child]), child };
  }
  if (from.type.kind === 'map' && to.type.kind === 'map' && column.kind === 'list' && column.child.kind === 'struct') {
    const [key, value] = column.child.children as readonly [Column, Column];
    const shaped = shapeField(from.type.value, value, to.type.value);
    if (shaped === value) return column;
    const child = { ...column.child, type: retype(column.child, [key, shaped]), children: [key, shaped] };
    return { ...column, type: retype(column, [key, shaped]), child };
  }
  return column;
}

function shapeStruct(from: readonly NestedField[], column: StructColumn, to: readonly NestedField[]): StructColumn {
  const picks = to.map((field) => from.findIndex((candidate) => candidate.id === field.id));
  const children = picks.map((at, position) => shapeField(from[at]!, column.children[at]!, to[position]!));
  if (column.type.kind !== 'struct') return column;
  const fields = column.type.fields;
  const type = {
    ...column.type,
    fields: picks.map((at, position) => ({ ...fields[at]!, type: children[position]!.type })),
  };
  return { ...column, type, children };
}

/** The type of a container whose children changed. */
function retype(column: Column, children: readonly Column[]): Column['type'] {
  const { type } = column;
  switch (type.kind) {
    case 'list':
      return { ...type, element: { ...type.element, type: children[0]!.type } };
    case 'map':
      return { ...type, value: { ...type.value, type: children[1]!.type } };
    case 'struct':
      return { ...type, fields: type.fields.map((field, at) => ({ ...field, type: children[at]!.type })) };
    default:
      return type;
  }
}

/**
 * A primitive column at any depth of structs, with the nulls of the structs around it folded in; null where the schema does not
 * lead to the field through structs alone.
 */
export function leafColumn(schema: Schema, columns: readonly Column[], fieldId: FieldId): Column | null {
  for (let at = 0; at < schema.fields.length; at++) {
    const found = findLeaf(schema.fields[at]!, columns[at]!, fieldId);
    if (found !== null) return found;
  }
  return null;
}

function findLeaf(field: NestedField, column: Column, fieldId: FieldId): Column | null {
  if (field.id === fieldId) return column;
  if (field.type.kind !== 'struct' || column.kind !== 'struct') return null;
  for (let at = 0; at < field.type.fields.length; at++) {
    const found = findLeaf(field.type.fields[at]!, column.children[at]!, fieldId);
    if (found !== null)
      return column.validity === null || found.kind === 'null' ? found : maskNulls(found, column.validity);
  }
  return null;
}

/** The column with the rows null where a bitmap (1 = valid) says so. */
function maskNulls(column: Exclude<Column, NullColumn>, outer: Uint8Array): Column {
  const bytes = (column.length + 7) >> 3;
  const validity = new Uint8Array(bytes);
  let valid = 0;
  for (let at = 0; at < bytes; at++) validity[at] = outer[at]! & (column.validity?.[at] ?? 0xff);
  for (let row = 0; row < column.length; row++) valid += (validity[row >> 3]! >> (row & 7)) & 1;
  return { ...column, validity, nullCount: column.length - valid };
}
