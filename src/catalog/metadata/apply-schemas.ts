import { unsorted } from '../partition/sort-order.ts';
import { checkPartitionSpec, firstPartitionFieldId, sameSpec } from '../partition/spec.ts';
import { formatTransform } from '../partition/transform.ts';
import type { PartitionField, PartitionSpec, SortOrder } from '../partition/types.ts';
import { schemaToJson } from '../schema/json.ts';
import { highestFieldId, indexSchema } from '../schema/lookup.ts';
import { isPrimitive, type Schema } from '../schema/types.ts';
import { stringifyJson } from './big-json.ts';
import { lastAdded, type UnboundPartitionSpec } from './commit-types.ts';
import { type Draft, invalid } from './draft.ts';
import { lastPartitionIdInitial } from './read.ts';

/** Adds a schema under the next id, or finds the equal one that is there already. */
export function addSchema(draft: Draft, schema: Schema): void {
  checkSchemaFormat(draft, schema);
  const text = schemaText(schema);
  const same = [...draft.schemas.values()].find((known) => schemaText(known) === text);
  const schemaId = same?.schemaId ?? nextId(draft.schemas.keys(), 0);
  if (same === undefined) {
    draft.schemas.set(schemaId, { ...schema, schemaId });
    draft.changed = true;
  }
  const highest = highestFieldId(schema);
  if (highest > draft.lastColumnId) {
    draft.lastColumnId = highest;
    draft.changed = true;
  }
  draft.lastAddedSchemaId = schemaId;
}

/** The types and defaults that only v3 has (table spec, "Version 3") are refused in older tables. */
function checkSchemaFormat(draft: Draft, schema: Schema): void {
  if (draft.formatVersion >= 3) return;
  for (const { field, path } of indexSchema(schema).entries) {
    const { kind } = field.type;
    if (kind === 'unknown' || kind === 'timestamp_ns' || kind === 'timestamptz_ns') {
      throw invalid(
        `column ${path.join('.')}: the type ${kind} needs format version 3, the table has ${draft.formatVersion}`,
      );
    }
    if (field.initialDefault !== undefined && field.initialDefault !== null) {
      throw invalid(
        `column ${path.join('.')}: a default value needs format version 3, the table has ${draft.formatVersion}`,
      );
    }
  }
}

const schemaText = (schema: Schema): string =>
  stringifyJson({
    ...schemaToJson({
      ...schema,
      schemaId: 0,
      identifierFieldIds: [...schema.identifierFieldIds].sort((a, b) => a - b),
    }),
  });

export function setCurrentSchema(draft: Draft, id: number): void {
  const schemaId = resolve(id, draft.lastAddedSchemaId, draft.schemas, 'schema');
  if (schemaId === draft.currentSchemaId) return;
  draft.currentSchemaId = schemaId;
  draft.changed = true;
}

export function removeSchemas(draft: Draft, ids: readonly number[]): void {
  for (const id of ids) {
    if (id === draft.currentSchemaId) throw invalid(`schema ${id} is the current schema and cannot be removed`);
    if (draft.schemas.delete(id)) draft.changed = draft.schemasRemoved = true;
  }
}

/** Adds a spec under the next id, or finds one with equal fields; fields without an id get one. */
export function addSpec(draft: Draft, unbound: UnboundPartitionSpec): void {
  const wanted: PartitionSpec = { specId: 0, fields: unbound.fields.map((field) => ({ ...field, fieldId: 0 })) };
  const same = [...draft.specs.values()].find((spec) => sameSpec(spec, wanted));
  if (same !== undefined) {
    draft.lastAddedSpecId = same.specId;
    return;
  }
  const spec: PartitionSpec = { specId: nextId(draft.specs.keys(), 0), fields: bindFields(draft, unbound) };
  checkSpec(draft, spec);
  for (const field of spec.fields) draft.lastPartitionId = Math.max(draft.lastPartitionId, field.fieldId);
  draft.specs.set(spec.specId, spec);
  draft.lastAddedSpecId = spec.specId;
  draft.changed = true;
}

/** Equal keys mean the same partition field, whatever its name. */
const fieldKey = (field: Pick<PartitionField, 'sourceId' | 'sourceIds' | 'transform'>): string =>
  `${(field.sourceIds ?? [field.sourceId]).join()} ${formatTransform(field.transform)}`;

/** A field that an earlier spec had keeps its id there (table spec, "Partition Evolution"); a new one gets the next. */
function bindFields(draft: Draft, unbound: UnboundPartitionSpec): PartitionField[] {
  const known = new Map<string, number>();
  if (draft.formatVersion > 1) {
    for (const spec of draft.specs.values()) for (const field of spec.fields) known.set(fieldKey(field), field.fieldId);
  }
  const given = unbound.fields.map((field) => field.fieldId ?? 0);
  let next = draft.formatVersion > 1 ? Math.max(draft.lastPartitionId, ...given) : lastPartitionIdInitial;
  const used = new Set(given);
  return unbound.fields.map((field) => {
    if (field.fieldId !== null) return { ...field, fieldId: field.fieldId };
    const before = known.get(fieldKey(field));
    const fieldId = before !== undefined && !used.has(before) ? before : ++next;
    used.add(fieldId);
    return { ...field, fieldId };
  });
}

function checkSpec(draft: Draft, spec: PartitionSpec): void {
  checkPartitionSpec(spec, currentSchema(draft));
  const owners = new Map<number, string>();
  if (draft.formatVersion > 1) {
    for (const other of draft.specs.values())
      for (const field of other.fields) owners.set(field.fieldId, fieldKey(field));
  }
  for (const [index, field] of spec.fields.entries()) {
    const what = `partition field ${JSON.stringify(field.name)}`;
    if (draft.formatVersion === 1 && field.fieldId !== firstPartitionFieldId + index) {
      throw invalid(`${what}: a table of format version 1 numbers its partition fields from 1000 without gaps`);
    }
    const key = fieldKey(field);
    if ((owners.get(field.fieldId) ?? key) !== key) {
      throw invalid(`${what}: the field id ${field.fieldId} belongs to another partition field of the table`);
    }
    owners.set(field.fieldId, key);
  }
}

function checkSorted(schema: Schema, order: SortOrder): void {
  for (const field of order.fields) {
    const source = indexSchema(schema).byId.get(field.sourceId);
    if (source === undefined)
      throw invalid(`sort order ${order.orderId}: there is no column with id ${field.sourceId}`);
    if (!isPrimitive(source.field.type) || source.inRepeated) {
      throw invalid(`sort order ${order.orderId}: column ${source.path.join('.')} is not a single value in each row`);
    }
  }
}

export function setDefaultSpec(draft: Draft, id: number): void {
  const specId = resolve(id, draft.lastAddedSpecId, draft.specs, 'partition spec');
  if (specId === draft.defaultSpecId) return;
  draft.defaultSpecId = specId;
  draft.changed = true;
}

export function removeSpecs(draft: Draft, ids: readonly number[]): void {
  for (const id of ids) {
    if (id === draft.defaultSpecId) throw invalid(`partition spec ${id} is the default spec and cannot be removed`);
    if (draft.specs.delete(id)) draft.changed = true;
  }
}

/** Adds a sort order under the next id from 1, or finds the equal one; an order without fields is always 0. */
export function addSortOrder(draft: Draft, order: SortOrder): void {
  const text = JSON.stringify(order.fields);
  const same = [...draft.sortOrders.values()].find((known) => JSON.stringify(known.fields) === text);
  const orderId = order.fields.length === 0 ? unsorted.orderId : (same?.orderId ?? nextId(draft.sortOrders.keys(), 1));
  if (!draft.sortOrders.has(orderId)) {
    checkSorted(currentSchema(draft), order);
    draft.sortOrders.set(orderId, { orderId, fields: order.fields });
    draft.changed = true;
  }
  draft.lastAddedSortOrderId = orderId;
}

export function setDefaultSortOrder(draft: Draft, id: number): void {
  const orderId = resolve(id, draft.lastAddedSortOrderId, draft.sortOrders, 'sort order');
  if (orderId === draft.defaultSortOrderId) return;
  draft.defaultSortOrderId = orderId;
  draft.changed = true;
}

export function currentSchema(draft: Draft): Schema {
  const schema = draft.schemas.get(draft.currentSchemaId) ?? draft.schemas.get(draft.lastAddedSchemaId ?? -1);
  if (schema === undefined) throw invalid('a schema must be added and set before what refers to it');
  return schema;
}

/** A column that the default spec or order still reads cannot leave the current schema, nor change to a type they cannot read. */
export function checkDefaults(draft: Draft): void {
  const { base } = draft;
  const schema = currentSchema(draft);
  const schemaChanged = base?.currentSchemaId !== draft.currentSchemaId;
  const spec = draft.specs.get(draft.defaultSpecId);
  if (spec !== undefined && (schemaChanged || base?.defaultSpecId !== spec.specId)) checkPartitionSpec(spec, schema);
  const order = draft.sortOrders.get(draft.defaultSortOrderId);
  if (order !== undefined && (schemaChanged || base?.defaultSortOrderId !== order.orderId)) checkSorted(schema, order);
}

function resolve(id: number, added: number | null, known: ReadonlyMap<number, unknown>, what: string): number {
  if (id === lastAdded) {
    if (added === null) throw invalid(`the commit refers to the ${what} added last, but adds none`);
    return added;
  }
  if (!known.has(id)) throw invalid(`there is no ${what} with id ${id}`);
  return id;
}

function nextId(ids: Iterable<number>, first: number): number {
  let next = first;
  for (const id of ids) next = Math.max(next, id + 1);
  return next;
}
