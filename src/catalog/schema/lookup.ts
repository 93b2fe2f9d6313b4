import type { ColumnPath } from '../../core/column-path.ts';
import type { FieldId } from '../../core/ids.ts';
import type { NestedField, Schema, Type } from './types.ts';

export interface FieldEntry {
  readonly field: NestedField;
  /** Names from the top-level column down; a list's element is `element`, a map's children `key` and `value`. */
  readonly path: ColumnPath;
  readonly parent: FieldEntry | null;
  /** Any ancestor may be null, so the field may be null even where it is required itself. */
  readonly optionalAncestor: boolean;
  /** Below a list or a map: a row holds any number of its values. */
  readonly inRepeated: boolean;
}

export interface SchemaIndex {
  readonly byId: ReadonlyMap<FieldId, FieldEntry>;
  /** Pre-order: parents before children, siblings in the schema's order. */
  readonly entries: readonly FieldEntry[];
  /** Case-sensitive, whole path. */
  find(path: ColumnPath): FieldEntry | undefined;
}

const indexes = new WeakMap<Schema, SchemaIndex>();

/** Every field of a schema by id and by path. Computed once for a schema object, which must not change afterwards. */
export function indexSchema(schema: Schema): SchemaIndex {
  const known = indexes.get(schema);
  if (known !== undefined) return known;
  const entries: FieldEntry[] = [];
  for (const field of schema.fields) collect(field, null, entries);
  const byId = new Map(entries.map((entry) => [entry.field.id, entry]));
  const byPath = new Map(entries.map((entry) => [pathKey(entry.path), entry]));
  const index: SchemaIndex = { byId, entries, find: (path) => byPath.get(pathKey(path)) };
  indexes.set(schema, index);
  return index;
}

/** The fields directly below a type: a struct's fields, a list's element, a map's key and value. */
export function childrenOf(type: Type): readonly NestedField[] {
  switch (type.kind) {
    case 'struct':
      return type.fields;
    case 'list':
      return [type.element];
    case 'map':
      return [type.key, type.value];
    default:
      return [];
  }
}

/** The highest field id in use, 0 for a schema without fields. */
export function highestFieldId(schema: Schema): number {
  return indexSchema(schema).entries.reduce((highest, { field }) => Math.max(highest, field.id), 0);
}

const pathKey = (path: ColumnPath): string => JSON.stringify(path);

function collect(field: NestedField, parent: FieldEntry | null, into: FieldEntry[]): void {
  const entry: FieldEntry = {
    field,
    path: parent === null ? [field.name] : [...parent.path, field.name],
    parent,
    optionalAncestor: parent !== null && (parent.optionalAncestor || !parent.field.required),
    inRepeated:
      parent !== null && (parent.inRepeated || parent.field.type.kind === 'list' || parent.field.type.kind === 'map'),
  };
  into.push(entry);
  for (const child of childrenOf(field.type)) collect(child, entry, into);
}
