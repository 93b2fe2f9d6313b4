import {
  isPrimitive,
  type ListType,
  type MapType,
  type NestedField,
  type Schema,
  type StructType,
  type Type,
} from '../catalog/schema/types.ts';
import type { ColumnAccess } from '../core/access.ts';
import type { FieldId } from '../core/ids.ts';
import { maskResultType } from './restrict/masks.ts';

/**
 * The table as one principal sees it: excluded leaves are gone, so are containers with nothing left; a masked leaf has the type
 * of its masked values and may be null. A map whose key is masked or excluded is gone as a whole, since masked keys collide.
 */
export function visibleSchema(schema: Schema, columns: ReadonlyMap<FieldId, ColumnAccess>): Schema {
  const fields = schema.fields.flatMap((field) => visibleField(field, columns) ?? []);
  const kept = new Set(fields.map((field) => field.id));
  return { ...schema, fields, identifierFieldIds: schema.identifierFieldIds.filter((id) => kept.has(id)) };
}

function visibleField(field: NestedField, columns: ReadonlyMap<FieldId, ColumnAccess>): NestedField | null {
  if (!isPrimitive(field.type)) {
    const type = visibleContainer(field.type, columns);
    return type === null ? null : { ...field, type };
  }
  const access = columns.get(field.id);
  if (access === undefined) return null;
  if (access.kind === 'raw') return field;
  const { initialDefault: _initial, writeDefault: _write, ...rest } = field;
  return { ...rest, type: maskResultType(access.mask, field.type), required: false };
}

function visibleContainer(
  type: StructType | ListType | MapType,
  columns: ReadonlyMap<FieldId, ColumnAccess>,
): Type | null {
  switch (type.kind) {
    case 'struct': {
      const fields = type.fields.flatMap((field) => visibleField(field, columns) ?? []);
      return fields.length === 0 ? null : { kind: 'struct', fields };
    }
    case 'list': {
      const element = visibleField(type.element, columns);
      return element === null ? null : { kind: 'list', element };
    }
    case 'map': {
      const value = visibleField(type.value, columns);
      return value === null || !isWhollyRaw(type.key, columns) ? null : { kind: 'map', key: type.key, value };
    }
    default:
      return type satisfies never;
  }
}

/** Whether every leaf of the field is raw. */
export function isWhollyRaw(field: NestedField, columns: ReadonlyMap<FieldId, ColumnAccess>): boolean {
  const { type } = field;
  switch (type.kind) {
    case 'struct':
      return type.fields.every((child) => isWhollyRaw(child, columns));
    case 'list':
      return isWhollyRaw(type.element, columns);
    case 'map':
      return isWhollyRaw(type.key, columns) && isWhollyRaw(type.value, columns);
    default:
      return columns.get(field.id)?.kind === 'raw';
  }
}
