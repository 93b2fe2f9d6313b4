import { ServiceError } from '../../core/errors.ts';
import type { FieldId } from '../../core/ids.ts';
import type { NestedField, Schema, Type } from './types.ts';

export type MoveTarget = { readonly kind: 'first' } | { readonly kind: 'before' | 'after'; readonly id: FieldId };

export interface Move {
  readonly id: FieldId;
  readonly to: MoveTarget;
}

/** What changes, by field id; a struct is named by the id of the field that has it as its type, null = the top level. */
export interface Edits {
  readonly dropped: Set<FieldId>;
  /** Fields as they will be, but for what lies below them. */
  readonly updated: Map<FieldId, NestedField>;
  readonly added: Set<FieldId>;
  readonly addedTo: Map<FieldId | null, readonly NestedField[]>;
  readonly moves: Map<FieldId | null, readonly Move[]>;
}

export const emptyEdits = (): Edits => ({
  dropped: new Set(),
  updated: new Map(),
  added: new Set(),
  addedTo: new Map(),
  moves: new Map(),
});

/** The schema with all edits applied: drops and updates, then adds, then moves in order. */
export function applyEdits(schema: Schema, edits: Edits): Schema {
  return { ...schema, fields: editFields(schema.fields, null, edits) };
}

function editFields(fields: readonly NestedField[], structId: FieldId | null, edits: Edits): NestedField[] {
  const kept = fields.filter((field) => !edits.dropped.has(field.id)).map((field) => editField(field, edits));
  const all = [...kept, ...(edits.addedTo.get(structId) ?? [])];
  if (all.length === 0 && fields.length > 0) {
    throw new ServiceError(
      'SCHEMA_MISMATCH',
      'cannot drop every column of a struct or table: drop the struct or table itself',
    );
  }
  return (edits.moves.get(structId) ?? []).reduce(moveField, all);
}

function editField(field: NestedField, edits: Edits): NestedField {
  const updated = edits.updated.get(field.id) ?? field;
  return { ...updated, type: editType(updated.type, field.id, edits) };
}

function editType(type: Type, id: FieldId, edits: Edits): Type {
  switch (type.kind) {
    case 'struct':
      return { kind: 'struct', fields: editFields(type.fields, id, edits) };
    case 'list':
      return { kind: 'list', element: editField(type.element, edits) };
    case 'map':
      return { kind: 'map', key: type.key, value: editField(type.value, edits) };
    default:
      return type;
  }
}

function moveField(fields: readonly NestedField[], move: Move): NestedField[] {
  const moved = fields.find((field) => field.id === move.id)!;
  const others = fields.filter((field) => field !== moved);
  if (move.to.kind === 'first') return [moved, ...others];
  const { kind, id } = move.to;
  const at = others.findIndex((field) => field.id === id);
  return others.toSpliced(kind === 'before' ? at : at + 1, 0, moved);
}
