import { sortOrderToJson } from '../partition/sort-order.ts';
import { partitionSpecToJson } from '../partition/spec.ts';
import { schemaToJson } from '../schema/json.ts';
import { stringifyJson } from './big-json.ts';
import type { JsonObject } from './json-members.ts';
import { metadataLogEntryToJson, snapshotLogEntryToJson, snapshotRefToJson, snapshotToJson } from './snapshot-json.ts';
import type { TableMetadata } from './types.ts';

/** The text of a metadata.json, as its format version says (table spec, "Table Metadata Fields"). */
export const serializeTableMetadata = (metadata: TableMetadata): string => stringifyJson(tableMetadataToJson(metadata));

/** The same as a value for JSON; 64-bit ids are bigints, for `stringifyJson`. */
export function tableMetadataToJson(metadata: TableMetadata): Record<string, unknown> {
  const { formatVersion } = metadata;
  return {
    'format-version': formatVersion,
    'table-uuid': metadata.tableUuid,
    location: metadata.location,
    ...(formatVersion > 1 ? { 'last-sequence-number': metadata.lastSequenceNumber } : v1Members(metadata)),
    'last-updated-ms': metadata.lastUpdatedMs,
    'last-column-id': metadata.lastColumnId,
    'current-schema-id': metadata.currentSchemaId,
    schemas: metadata.schemas.map(schemaToJson),
    'default-spec-id': metadata.defaultSpecId,
    'partition-specs': metadata.partitionSpecs.map(partitionSpecToJson),
    'last-partition-id': metadata.lastPartitionId,
    'default-sort-order-id': metadata.defaultSortOrderId,
    'sort-orders': metadata.sortOrders.map(sortOrderToJson),
    properties: Object.fromEntries(metadata.properties),
    'current-snapshot-id': metadata.currentSnapshotId ?? noSnapshot(formatVersion),
    ...(formatVersion >= 3 ? { 'next-row-id': metadata.nextRowId ?? 0n } : {}),
    refs: Object.fromEntries([...metadata.refs].map(([name, ref]) => [name, snapshotRefToJson(ref)])),
    snapshots: metadata.snapshots.map(snapshotToJson),
    'snapshot-log': metadata.snapshotLog.map(snapshotLogEntryToJson),
    'metadata-log': metadata.metadataLog.map(metadataLogEntryToJson),
    ...Object.fromEntries(metadata.rest),
  };
}

/** Readers of v1 and v2 expect -1 for an empty table; v3 allows only null. */
const noSnapshot = (formatVersion: number): number | null => (formatVersion >= 3 ? null : -1);

/** What v1 readers need besides the lists (table spec, "Version 1 compatibility"). */
function v1Members(metadata: TableMetadata): Record<string, unknown> {
  const schema = metadata.schemas.find((entry) => entry.schemaId === metadata.currentSchemaId)!;
  const spec = metadata.partitionSpecs.find((entry) => entry.specId === metadata.defaultSpecId)!;
  return { schema: schemaToJson(schema), 'partition-spec': (partitionSpecToJson(spec) as JsonObject).fields };
}
