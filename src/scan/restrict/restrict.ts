import type { ColumnAccess } from '../../core/access.ts';
import { type FieldId, fieldId } from '../../core/ids.ts';
import { type ArrowField, type Batch, type Column, fieldIdKey, type StructColumn } from '../arrow/column.ts';
import { arrowTypeOf, extensionMetadataKey, extensionNameKey, primitiveTypeOf } from '../arrow/iceberg.ts';
import { intersect } from '../arrow/kernels/bitmap.ts';
import { hydrate } from '../arrow/kernels/hydrate.ts';
import { applyMask } from './apply-mask.ts';
import { type MaskKeys, maskResultType } from './masks.ts';
import { emptyHiddenLists, scrubUnder, withValidity } from './scrub.ts';

interface Restricted {
  readonly field: ArrowField;
  readonly column: Column;
}

interface Rules {
  readonly columns: ReadonlyMap<FieldId, ColumnAccess>;
  readonly keys: MaskKeys;
}

/**
 * What a principal may see of a batch, whose fields carry their ids and whose rows the row filter has already chosen. Leaves
 * decide: one without an entry in `columns` (or without a field id) is gone, and with the last of them its struct or list; a
 * masked one has masked values and may be null, at any depth. A map whose key is not wholly raw is gone as a whole, since masked
 * keys collide. Everything left is scrubbed: no hidden value stays under a null, in a dictionary or beside a list's elements.
 */
export function restrictBatch(batch: Batch, columns: ReadonlyMap<FieldId, ColumnAccess>, keys: MaskKeys): Batch {
  const rules = { columns, keys };
  const kept = batch.schema.fields.flatMap((field, at) => restrictField(field, batch.columns[at]!, null, rules) ?? []);
  return {
    schema: { ...batch.schema, fields: kept.map(({ field }) => field) },
    rows: batch.rows,
    columns: kept.map(({ column }) => column),
  };
}

/** `outer`: the rows (1) that the structs around the field leave, null = all. Null where nothing of the field is visible. */
function restrictField(field: ArrowField, column: Column, outer: Uint8Array | null, rules: Rules): Restricted | null {
  switch (field.type.kind) {
    case 'struct':
      return restrictStruct(field, plainStruct(column), outer, rules);
    case 'list':
      return restrictList(field, field.type.element, hydrateNested(column), outer, rules);
    case 'map':
      return restrictMap(field, hydrateNested(column), outer, rules);
    case 'fixed-size-list':
      return isWhollyRaw(field.type.element, rules)
        ? { field, column: scrubUnder(column, outer, field.nullable) }
        : null;
    default:
      return restrictLeaf(field, column, outer, rules);
  }
}

function accessOf(field: ArrowField, rules: Rules): ColumnAccess | null {
  const id = field.metadata.get(fieldIdKey);
  return id === undefined ? null : (rules.columns.get(fieldId(Number(id))) ?? null);
}

function restrictLeaf(field: ArrowField, column: Column, outer: Uint8Array | null, rules: Rules): Restricted | null {
  const access = accessOf(field, rules);
  if (access === null) return null;
  if (access.kind === 'raw') return { field, column: scrubUnder(column, outer, field.nullable) };
  const type = primitiveTypeOf(field);
  if (type === null) return null;
  const result = maskResultType(access.mask, type);
  const metadata = new Map(field.metadata);
  if (result.kind !== type.kind) {
    metadata.delete(extensionNameKey);
    metadata.delete(extensionMetadataKey);
  }
  const masked = { ...field, type: arrowTypeOf(result), nullable: true, metadata };
  // A parent's nulls are the leaf's own from here on: the mask must not turn the bytes under them into something.
  return { field: masked, column: applyMask(scrubUnder(column, outer, true), type, access.mask, rules.keys) };
}

function restrictStruct(
  field: ArrowField,
  column: StructColumn,
  outer: Uint8Array | null,
  rules: Rules,
): Restricted | null {
  if (field.type.kind !== 'struct') return null;
  const visible = intersect(outer, column.validity, column.length);
  const kept = field.type.fields.flatMap(
    (child, at) => restrictField(child, column.children[at]!, visible, rules) ?? [],
  );
  if (kept.length === 0) return null;
  const type = { ...field.type, fields: kept.map((child) => child.field) };
  const children = kept.map((child) => child.column);
  return { field: { ...field, type }, column: withValidity({ ...column, type, children }, visible, field.nullable) };
}

function restrictList(
  field: ArrowField,
  element: ArrowField,
  column: Column,
  outer: Uint8Array | null,
  rules: Rules,
): Restricted | null {
  if (column.kind !== 'list' || field.type.kind !== 'list') return null;
  const visible = intersect(outer, column.validity, column.length);
  const list = emptyHiddenLists(column, visible);
  const kept = restrictField(element, list.child, null, rules);
  if (kept === null) return null;
  const type = { ...field.type, element: kept.field };
  const held = { ...list, nullCount: column.nullCount, type, child: kept.column };
  return { field: { ...field, type }, column: withValidity(held, visible, field.nullable) };
}

function restrictMap(field: ArrowField, column: Column, outer: Uint8Array | null, rules: Rules): Restricted | null {
  if (column.kind !== 'list' || field.type.kind !== 'map' || !isWhollyRaw(field.type.key, rules)) return null;
  const visible = intersect(outer, column.validity, column.length);
  const list = emptyHiddenLists(column, visible);
  const entries = plainStruct(list.child);
  const key = scrubUnder(entries.children[0]!, null, false);
  const value = restrictField(field.type.value, entries.children[1]!, null, rules);
  if (value === null) return null;
  const type = { ...field.type, value: value.field };
  const child: StructColumn = {
    ...entries,
    type: { kind: 'struct', fields: [type.key, type.value] },
    children: [key, value.column],
  };
  const held = { ...list, nullCount: column.nullCount, type, child };
  return { field: { ...field, type }, column: withValidity(held, visible, field.nullable) };
}

/** Dictionaries of nested values are undone: their leaves must be reached. */
const hydrateNested = (column: Column): Column => (column.kind === 'dictionary' ? hydrate(column) : column);

function plainStruct(column: Column): StructColumn {
  const plain = hydrateNested(column);
  if (plain.kind !== 'struct') throw new TypeError(`a struct is expected, not ${plain.kind}`);
  return plain;
}

function isWhollyRaw(field: ArrowField, rules: Rules): boolean {
  const { type } = field;
  switch (type.kind) {
    case 'struct':
      return type.fields.every((child) => isWhollyRaw(child, rules));
    case 'list':
    case 'fixed-size-list':
      return isWhollyRaw(type.element, rules);
    case 'map':
      return isWhollyRaw(type.key, rules) && isWhollyRaw(type.value, rules);
    default:
      return accessOf(field, rules)?.kind === 'raw';
  }
}
