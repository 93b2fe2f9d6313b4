import { assignFreshIds } from '../../catalog/schema/assign-ids.ts';
import { isPromotion } from '../../catalog/schema/evolve.ts';
import { describeType, sameType } from '../../catalog/schema/type-text.ts';
import { isPrimitive, type NestedField, type Schema, type Type } from '../../catalog/schema/types.ts';
import { type ColumnPath, formatColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import { fieldId } from '../../core/ids.ts';
import { widestOf } from '../csv/infer.ts';

/** The columns of one file; those that were inferred yield to those that a file states. */
export interface FileColumns {
  readonly path: string;
  readonly fields: readonly NestedField[];
  readonly inferred: boolean;
}

/**
 * One schema that holds the columns of all files: by name, in the order in which they come, of the wider type where one widens to the
 * other. A column that some file lacks is optional. Throws SCHEMA_MISMATCH naming column and file.
 */
export function unifyColumns(files: readonly FileColumns[]): Schema {
  const merged = new Map<string, { field: NestedField; inferred: boolean; seen: number }>();
  for (const { path, fields, inferred } of files) {
    for (const field of fields) {
      const known = merged.get(field.name);
      if (known === undefined) {
        merged.set(field.name, { field, inferred, seen: 1 });
        continue;
      }
      known.seen++;
      known.field = mergeFields(known, { field, inferred }, path);
      known.inferred &&= inferred;
    }
  }
  const fields = [...merged.values()].map(({ field, seen }) => ({
    ...field,
    id: fieldId(0),
    required: field.required && seen === files.length,
  }));
  return assignFreshIds({ schemaId: 0, fields: numbered(fields), identifierFieldIds: [] }).schema;
}

interface Given {
  readonly field: NestedField;
  readonly inferred: boolean;
}

function mergeFields(a: Given, b: Given, path: string): NestedField {
  const required = a.field.required && b.field.required;
  const [left, right] = [a.field.type, b.field.type];
  const name = [a.field.name];
  if (a.inferred && b.inferred && isPrimitive(left) && isPrimitive(right)) {
    return { ...a.field, required, type: widestOf(left, right) };
  }
  if (a.inferred !== b.inferred) return { ...(a.inferred ? b.field : a.field), required };
  return { ...a.field, required, type: mergeTypes(left, right, name, path) };
}

function mergeTypes(a: Type, b: Type, at: ColumnPath, path: string): Type {
  if (isPrimitive(a) && isPrimitive(b)) {
    if (sameType(a, b) || isPromotion(b, a)) return a;
    if (isPromotion(a, b)) return b;
  }
  const merge = (left: NestedField, right: NestedField): NestedField => ({
    ...left,
    required: left.required && right.required,
    type: mergeTypes(left.type, right.type, [...at, left.name], path),
  });
  if (a.kind === 'list' && b.kind === 'list') return { kind: 'list', element: merge(a.element, b.element) };
  if (a.kind === 'map' && b.kind === 'map')
    return { kind: 'map', key: merge(a.key, b.key), value: merge(a.value, b.value) };
  if (a.kind === 'struct' && b.kind === 'struct')
    return { kind: 'struct', fields: mergeStructs(a.fields, b.fields, merge) };
  throw new ServiceError(
    'SCHEMA_MISMATCH',
    `${path}: column ${formatColumnPath(at)} is ${describeType(b)} here and ${describeType(a)} in a file before it`,
  );
}

function mergeStructs(
  a: readonly NestedField[],
  b: readonly NestedField[],
  merge: (left: NestedField, right: NestedField) => NestedField,
): NestedField[] {
  const right = new Map(b.map((field) => [field.name, field]));
  const left = new Set(a.map((field) => field.name));
  return [
    ...a.map((field) => {
      const other = right.get(field.name);
      return other === undefined ? { ...field, required: false } : merge(field, other);
    }),
    ...b.filter((field) => !left.has(field.name)).map((field) => ({ ...field, required: false })),
  ];
}

/** Ids that differ from each other, as whoever gives the final ones expects; files count theirs on their own. */
function numbered(fields: readonly NestedField[]): NestedField[] {
  let last = 0;
  const field = (one: NestedField): NestedField => ({ ...one, id: fieldId(++last), type: type(one.type) });
  const type = (one: Type): Type => {
    switch (one.kind) {
      case 'struct':
        return { kind: 'struct', fields: one.fields.map(field) };
      case 'list':
        return { kind: 'list', element: field(one.element) };
      case 'map':
        return { kind: 'map', key: field(one.key), value: field(one.value) };
      default:
        return one;
    }
  };
  return fields.map(field);
}
