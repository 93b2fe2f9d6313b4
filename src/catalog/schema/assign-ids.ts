import { type FieldId, fieldId } from '../../core/ids.ts';
import type { NestedField, Schema, Type } from './types.ts';

export interface FreshSchema {
  readonly schema: Schema;
  /** The highest id given; `firstId - 1` for a schema without fields. */
  readonly lastColumnId: number;
  /** From the old ids to the new. Empty entries never occur: every field has one, provided the old ids were unique. */
  readonly idMap: ReadonlyMap<FieldId, FieldId>;
}

/**
 * Numbers all fields anew, as Iceberg does for a created table: the fields of a struct first, in order, then what lies below
 * each; a map's key and value before what lies below the key. Identifier fields follow their new ids.
 */
export function assignFreshIds(schema: Schema, firstId = 1): FreshSchema {
  let next = firstId;
  const idMap = new Map<FieldId, FieldId>();
  const fields = freshFields(schema.fields, (old) => {
    const id = fieldId(next++);
    idMap.set(old, id);
    return id;
  });
  const identifierFieldIds = schema.identifierFieldIds.map((id) => idMap.get(id)!);
  return { schema: { ...schema, fields, identifierFieldIds }, lastColumnId: next - 1, idMap };
}

/** The same for the fields below one type, ids taken from `nextId`, which sees the old id. */
export function freshType(type: Type, nextId: (old: FieldId) => FieldId): Type {
  switch (type.kind) {
    case 'struct':
      return { kind: 'struct', fields: freshFields(type.fields, nextId) };
    case 'list': {
      const [element] = freshFields([type.element], nextId);
      return { kind: 'list', element: element! };
    }
    case 'map': {
      const [key, value] = freshFields([type.key, type.value], nextId);
      return { kind: 'map', key: key!, value: value! };
    }
    default:
      return type;
  }
}

function freshFields(fields: readonly NestedField[], nextId: (old: FieldId) => FieldId): NestedField[] {
  const ids = fields.map((field) => nextId(field.id));
  return fields.map((field, at) => ({ ...field, id: ids[at]!, type: freshType(field.type, nextId) }));
}
