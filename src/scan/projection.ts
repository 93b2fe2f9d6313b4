import { indexSchema } from '../catalog/schema/lookup.ts';
import { isPrimitive, type NestedField, type Schema, type Type } from '../catalog/schema/types.ts';
import { type ColumnPath, formatColumnPath } from '../core/column-path.ts';
import { ServiceError } from '../core/errors.ts';
import type { FieldId } from '../core/ids.ts';
import { didYouMean } from '../core/nearest.ts';

/**
 * The part of a (visible) schema that a request names: top-level columns in the order of their first mention, nested fields in
 * the schema's order; null = everything. Throws UNKNOWN_COLUMN, and INVALID_REQUEST where a column is named twice or together
 * with a column that holds it.
 */
export function projectColumns(schema: Schema, paths: readonly ColumnPath[] | null): Schema {
  if (paths === null) return schema;
  const index = indexSchema(schema);
  const wanted = new Set<FieldId>();
  const order = new Set<FieldId>();
  for (const path of paths) {
    const entry = index.find(path);
    if (entry === undefined) throw unknownColumn(path, schema);
    if (wanted.has(entry.field.id)) throw namedTwice(path);
    wanted.add(entry.field.id);
    let top = entry;
    while (top.parent !== null) top = top.parent;
    order.add(top.field.id);
  }
  for (const path of paths) {
    for (let entry = index.find(path)!.parent; entry !== null; entry = entry.parent) {
      if (wanted.has(entry.field.id)) throw namedTwice(path);
    }
  }
  const fields = [...order].map((id) => pruneField(index.byId.get(id)!.field, (field) => wanted.has(field.id))!);
  return { ...schema, fields, identifierFieldIds: [] };
}

/** The subtree of a schema that leads to the given fields, each of them whole, in the schema's order. A map keeps its key. */
export function pruneToLeaves(schema: Schema, leaves: ReadonlySet<FieldId>): Schema {
  const fields = schema.fields.flatMap((field) => pruneField(field, (leaf) => leaves.has(leaf.id)) ?? []);
  return { ...schema, fields, identifierFieldIds: [] };
}

/** The field ids of all primitive fields, in the schema's order. */
export function leafIds(schema: Schema): FieldId[] {
  return indexSchema(schema).entries.flatMap(({ field }) => (isPrimitive(field.type) ? [field.id] : []));
}

function pruneField(field: NestedField, keepsWhole: (field: NestedField) => boolean): NestedField | null {
  if (keepsWhole(field)) return field;
  const type = pruneType(field.type, keepsWhole);
  return type === null ? null : { ...field, type };
}

function pruneType(type: Type, keepsWhole: (field: NestedField) => boolean): Type | null {
  switch (type.kind) {
    case 'struct': {
      const fields = type.fields.flatMap((field) => pruneField(field, keepsWhole) ?? []);
      return fields.length === 0 ? null : { kind: 'struct', fields };
    }
    case 'list': {
      const element = pruneField(type.element, keepsWhole);
      return element === null ? null : { kind: 'list', element };
    }
    case 'map': {
      const value = pruneField(type.value, keepsWhole);
      const key = pruneField(type.key, keepsWhole);
      if (value === null && key === null) return null;
      return { kind: 'map', key: type.key, value: value ?? type.value };
    }
    default:
      return null;
  }
}

export function unknownColumn(path: ColumnPath, visible: Schema): ServiceError {
  const name = formatColumnPath(path);
  const names = indexSchema(visible).entries.map((entry) => formatColumnPath(entry.path));
  return new ServiceError('UNKNOWN_COLUMN', `there is no column ${name}.${didYouMean(name, names)}`);
}

const namedTwice = (path: ColumnPath): ServiceError =>
  new ServiceError(
    'INVALID_REQUEST',
    `columns: ${formatColumnPath(path)} is named twice, or together with a column that holds it`,
  );
