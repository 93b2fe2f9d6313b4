import type { NestedField, Schema, Type } from '../../../src/catalog/schema/types.ts';
import { type FieldId, fieldId } from '../../../src/core/ids.ts';

export function optional(id: number, name: string, type: Type | PlainKind): NestedField {
  return { id: fieldId(id), name, required: false, type: asType(type) };
}

export function required(id: number, name: string, type: Type | PlainKind): NestedField {
  return { ...optional(id, name, type), required: true };
}

export const struct = (...fields: NestedField[]): Type => ({ kind: 'struct', fields });
export const list = (element: number, type: Type | PlainKind): Type => ({
  kind: 'list',
  element: optional(element, 'element', type),
});
export const map = (key: number, value: number, keyType: Type | PlainKind, valueType: Type | PlainKind): Type => ({
  kind: 'map',
  key: required(key, 'key', keyType),
  value: optional(value, 'value', valueType),
});

export function schemaOf(fields: NestedField[], identifierFieldIds: number[] = []): Schema {
  return { schemaId: 0, fields, identifierFieldIds: identifierFieldIds.map((id): FieldId => fieldId(id)) };
}

type PlainKind = Exclude<Type['kind'], 'struct' | 'list' | 'map' | 'decimal' | 'fixed'>;

const asType = (type: Type | PlainKind): Type => (typeof type === 'string' ? { kind: type } : type);
