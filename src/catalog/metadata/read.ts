import { createHash } from 'node:crypto';
import { snapshotId, type TableUuid, tableUuid } from '../../core/ids.ts';
import { defaultLimits } from '../../core/limits.ts';
import { parseSortOrder, unsorted } from '../partition/sort-order.ts';
import { firstPartitionFieldId, parsePartitionSpec } from '../partition/spec.ts';
import type { PartitionSpec, SortOrder } from '../partition/types.ts';
import { parseSchema } from '../schema/json.ts';
import type { Schema } from '../schema/types.ts';
import { parseJson } from './big-json.ts';
import { JsonMembers } from './json-members.ts';
import { parseMetadataLogEntry, parseSnapshot, parseSnapshotLogEntry, parseSnapshotRef } from './snapshot-json.ts';
import type { Snapshot, SnapshotRef, TableMetadata } from './types.ts';

export const mainBranch = 'main';
/** Partition field ids start above this (table spec, "Partition Specs"). */
export const lastPartitionIdInitial = firstPartitionFieldId - 1;

const knownMembers = new Set([
  'format-version',
  'table-uuid',
  'location',
  'last-sequence-number',
  'last-updated-ms',
  'last-column-id',
  'schema',
  'schemas',
  'current-schema-id',
  'partition-spec',
  'partition-specs',
  'default-spec-id',
  'last-partition-id',
  'sort-orders',
  'default-sort-order-id',
  'properties',
  'current-snapshot-id',
  'snapshots',
  'snapshot-log',
  'metadata-log',
  'refs',
  'next-row-id',
]);

/**
 * The text of a metadata.json of format version 1, 2 or 3 (table spec, "Table Metadata Fields"). What older writers left out is
 * filled in as the specification says; members that Headrace does not know are kept in `rest`. Throws CORRUPT_FILE, naming the
 * member.
 */
export function parseTableMetadata(text: string, charsMax: number = defaultLimits.metadataBytesMax): TableMetadata {
  const json = new JsonMembers(parseJson(text, { charsMax, code: 'CORRUPT_FILE' }), 'CORRUPT_FILE', 'table metadata');
  const formatVersion = readFormatVersion(json);
  const schemas = readSchemas(json, formatVersion);
  const specs = readSpecs(json, formatVersion);
  const orders = readSortOrders(json, formatVersion);
  const snapshots = json.eachOr('snapshots').map(parseSnapshot);
  const currentSnapshotId = readCurrentSnapshotId(json);
  const location = json.string('location');
  const metadata: TableMetadata = {
    formatVersion,
    tableUuid: readUuid(json, formatVersion, location),
    location: location.replace(/(?<=.)\/+$/, ''),
    lastSequenceNumber: formatVersion === 1 ? 0n : json.long('last-sequence-number'),
    lastUpdatedMs: json.count('last-updated-ms'),
    lastColumnId: json.int('last-column-id'),
    ...schemas,
    ...specs,
    ...orders,
    properties: json.stringMap('properties'),
    currentSnapshotId,
    snapshots,
    snapshotLog: json.eachOr('snapshot-log').map(parseSnapshotLogEntry),
    metadataLog: json.eachOr('metadata-log').map(parseMetadataLogEntry),
    refs: readRefs(json, currentSnapshotId),
    nextRowId: formatVersion >= 3 ? json.long('next-row-id') : null,
    rest: json.rest(knownMembers),
  };
  checkReferences(json, metadata);
  return metadata;
}

function readFormatVersion(json: JsonMembers): 1 | 2 | 3 {
  const version = json.int('format-version');
  if (version !== 1 && version !== 2 && version !== 3) {
    throw json.wrong('format-version', `is ${version}; Headrace reads 1, 2 and 3`);
  }
  return version;
}

/** v1 writers may have left the uuid out; one that every reader of the same table computes stands in for it. */
function readUuid(json: JsonMembers, formatVersion: number, location: string): TableUuid {
  if (formatVersion > 1 || json.has('table-uuid')) {
    const uuid = json.string('table-uuid');
    if (uuid === '') throw json.wrong('table-uuid', 'is empty');
    return tableUuid(uuid);
  }
  const digits = createHash('sha256').update(location).digest('hex');
  return tableUuid(
    `${digits.slice(0, 8)}-${digits.slice(8, 12)}-8${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20, 32)}`,
  );
}

function readSchemas(json: JsonMembers, formatVersion: number): Pick<TableMetadata, 'schemas' | 'currentSchemaId'> {
  if (formatVersion === 1 && !json.has('schemas')) {
    const schema = readSchema(json, json.members('schema').whole(), 'schema');
    return { schemas: [schema], currentSchemaId: schema.schemaId };
  }
  const schemas = json.array('schemas').map((schema, index) => readSchema(json, schema, `schemas[${index}]`));
  return { schemas, currentSchemaId: json.int('current-schema-id') };
}

const readSchema = (json: JsonMembers, schema: unknown, place: string): Schema =>
  json.within(place, () => parseSchema(schema));

function readSpecs(
  json: JsonMembers,
  formatVersion: number,
): Pick<TableMetadata, 'partitionSpecs' | 'defaultSpecId' | 'lastPartitionId'> {
  const listed = formatVersion > 1 || json.has('partition-specs');
  const specs = listed
    ? json.array('partition-specs').map((spec, index) => readSpec(json, spec, `partition-specs[${index}]`))
    : [readSpec(json, json.array('partition-spec'), 'partition-spec')];
  const highest = specs
    .flatMap((spec) => spec.fields.map((field) => field.fieldId))
    .reduce((most, id) => Math.max(most, id), lastPartitionIdInitial);
  return {
    partitionSpecs: specs,
    defaultSpecId: listed ? json.int('default-spec-id') : 0,
    lastPartitionId: formatVersion > 1 ? json.int('last-partition-id') : json.intOr('last-partition-id', highest),
  };
}

const readSpec = (json: JsonMembers, spec: unknown, place: string): PartitionSpec =>
  json.within(place, () => parsePartitionSpec(spec));

function readSortOrders(
  json: JsonMembers,
  formatVersion: number,
): Pick<TableMetadata, 'sortOrders' | 'defaultSortOrderId'> {
  if (!json.has('sort-orders') && (formatVersion === 1 || !json.has('default-sort-order-id'))) {
    return { sortOrders: [unsorted], defaultSortOrderId: unsorted.orderId };
  }
  const listed = json
    .array('sort-orders')
    .map((order, index) => json.within(`sort-orders[${index}]`, () => parseSortOrder(order)));
  const sortOrders = listed.length > 0 ? listed : [unsorted];
  return { sortOrders, defaultSortOrderId: json.intOr('default-sort-order-id', unsorted.orderId) };
}

/** Java writes -1 while a table is empty. */
function readCurrentSnapshotId(json: JsonMembers): TableMetadata['currentSnapshotId'] {
  const id = json.longOr('current-snapshot-id', -1n);
  return id === -1n ? null : snapshotId(id);
}

/** The current snapshot is always the head of `main`, also where a writer knew no refs (table spec, "Snapshot References"). */
function readRefs(json: JsonMembers, current: TableMetadata['currentSnapshotId']): Map<string, SnapshotRef> {
  const refs = new Map<string, SnapshotRef>();
  if (json.has('refs')) {
    const members = json.members('refs');
    for (const [name, ref] of Object.entries(members.whole())) refs.set(name, parseSnapshotRef(members.at(ref, name)));
  }
  if (current !== null && !refs.has(mainBranch)) refs.set(mainBranch, branchAt(current));
  return refs;
}

/** A branch without retention settings of its own. */
export const branchAt = (id: SnapshotRef['snapshotId']): SnapshotRef => ({
  snapshotId: id,
  type: 'branch',
  minSnapshotsToKeep: null,
  maxSnapshotAgeMs: null,
  maxRefAgeMs: null,
});

function checkReferences(json: JsonMembers, metadata: TableMetadata): void {
  checkListed(json, 'current-schema-id', metadata.currentSchemaId, ids(json, 'schemas', metadata.schemas, schemaIdOf));
  checkListed(
    json,
    'default-spec-id',
    metadata.defaultSpecId,
    ids(json, 'partition-specs', metadata.partitionSpecs, specIdOf),
  );
  // The unsorted order is implied where a writer left it out of the list.
  const orders = ids(json, 'sort-orders', metadata.sortOrders, orderIdOf).add(unsorted.orderId);
  checkListed(json, 'default-sort-order-id', metadata.defaultSortOrderId, orders);
  const snapshots = ids(json, 'snapshots', metadata.snapshots, snapshotIdOf);
  if (metadata.currentSnapshotId !== null)
    checkListed(json, 'current-snapshot-id', metadata.currentSnapshotId, snapshots);
  for (const [name, ref] of metadata.refs) checkListed(json, `refs.${name}.snapshot-id`, ref.snapshotId, snapshots);
  const main = metadata.refs.get(mainBranch);
  if (main !== undefined && (main.snapshotId !== metadata.currentSnapshotId || main.type !== 'branch')) {
    throw json.wrong('refs.main', 'must be a branch at current-snapshot-id');
  }
  const ahead = metadata.snapshots.find((snapshot) => snapshot.sequenceNumber > metadata.lastSequenceNumber);
  if (ahead !== undefined && metadata.formatVersion > 1) {
    throw json.wrong('last-sequence-number', `is below the sequence number of snapshot ${ahead.snapshotId}`);
  }
}

const schemaIdOf = (schema: Schema): number => schema.schemaId;
const specIdOf = (spec: PartitionSpec): number => spec.specId;
const orderIdOf = (order: SortOrder): number => order.orderId;
const snapshotIdOf = (snapshot: Snapshot): bigint => snapshot.snapshotId;

function ids<Entry, Id>(
  json: JsonMembers,
  name: string,
  entries: readonly Entry[],
  idOf: (entry: Entry) => Id,
): Set<Id> {
  const seen = new Set<Id>();
  for (const entry of entries) {
    const id = idOf(entry);
    if (seen.has(id)) throw json.wrong(name, `has two entries with id ${id}`);
    seen.add(id);
  }
  return seen;
}

function checkListed<Id>(json: JsonMembers, name: string, id: Id, listed: ReadonlySet<Id>): void {
  if (!listed.has(id)) throw json.wrong(name, `is ${id}, which the metadata does not list`);
}
