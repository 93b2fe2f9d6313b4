import { ServiceError } from '../../core/errors.ts';
import { tableUuid } from '../../core/ids.ts';
import {
  addSchema,
  addSortOrder,
  addSpec,
  checkDefaults,
  removeSchemas,
  removeSpecs,
  setCurrentSchema,
  setDefaultSortOrder,
  setDefaultSpec,
} from './apply-schemas.ts';
import {
  addSnapshot,
  finishSnapshotLog,
  removeKeyed,
  removeSnapshotRef,
  removeSnapshots,
  setKeyed,
  setSnapshotRef,
  settleRemovals,
} from './apply-snapshots.ts';
import type { TableUpdate } from './commit-types.ts';
import { type Draft, invalid, openDraft, restOf } from './draft.ts';
import type { MetadataLogEntry, TableMetadata } from './types.ts';

export interface ApplyContext {
  readonly nowMs: number;
  /** Where the base was read from: it goes into the new metadata's log. */
  readonly metadataLocation?: string | null;
  /** A new table's uuid, where the updates assign none. */
  readonly newUuid?: string;
}

/** Properties that steer a request and are never stored (Iceberg's reserved properties). */
export const reservedProperties: ReadonlySet<string> = new Set([
  'format-version',
  'uuid',
  'snapshot-count',
  'current-snapshot-id',
  'current-snapshot-summary',
  'current-snapshot-timestamp-ms',
  'current-schema',
  'default-partition-spec',
  'default-sort-order',
]);

const previousVersionsProperty = 'write.metadata.previous-versions-max';
const previousVersionsDefault = 100;
const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * A table's metadata after the updates, in their order, in one pass; `base` is null for a new table. Pure: base and updates stay as
 * they are, and where nothing changes the base itself comes back. Throws INVALID_REQUEST for an update that cannot be applied,
 * COMMIT_CONFLICT for a snapshot that a newer one overtook, UNSUPPORTED_FEATURE for format version 3.
 */
export function applyUpdates(
  base: TableMetadata | null,
  updates: readonly TableUpdate[],
  context: ApplyContext,
): TableMetadata {
  const draft = openDraft(base, context.nowMs);
  for (const update of updates) {
    if (update.kind !== 'remove-snapshots') settleRemovals(draft);
    applyUpdate(draft, update);
  }
  settleRemovals(draft);
  checkWritableFormat(draft.formatVersion);
  if (base !== null && !draft.changed) return base;
  return finish(draft, context);
}

/** The one place that decides which format versions are written. */
function checkWritableFormat(formatVersion: number): void {
  if (formatVersion < 3) return;
  throw new ServiceError(
    'UNSUPPORTED_FEATURE',
    'tables of format version 3 are read, not written; use format version 2',
  );
}

function applyUpdate(draft: Draft, update: TableUpdate): void {
  switch (update.kind) {
    case 'assign-uuid':
      assignUuid(draft, update.uuid);
      break;
    case 'upgrade-format-version':
      upgradeFormatVersion(draft, update.formatVersion);
      break;
    case 'add-schema':
      addSchema(draft, update.schema);
      break;
    case 'set-current-schema':
      setCurrentSchema(draft, update.schemaId);
      break;
    case 'add-spec':
      addSpec(draft, update.spec);
      break;
    case 'set-default-spec':
      setDefaultSpec(draft, update.specId);
      break;
    case 'add-sort-order':
      addSortOrder(draft, update.sortOrder);
      break;
    case 'set-default-sort-order':
      setDefaultSortOrder(draft, update.sortOrderId);
      break;
    case 'add-snapshot':
      addSnapshot(draft, update.snapshot);
      break;
    case 'set-snapshot-ref':
      setSnapshotRef(draft, update.name, update.ref);
      break;
    case 'remove-snapshots':
      removeSnapshots(draft, update.snapshotIds);
      break;
    case 'remove-snapshot-ref':
      removeSnapshotRef(draft, update.name);
      break;
    case 'set-location':
      setLocation(draft, update.location);
      break;
    case 'set-properties':
      setProperties(draft, update.updates);
      break;
    case 'remove-properties':
      for (const name of update.removals) if (draft.properties.delete(name)) draft.changed = true;
      break;
    case 'set-statistics':
      setKeyed(draft, 'statistics', `${update.snapshotId}`, update.statistics);
      break;
    case 'remove-statistics':
      removeKeyed(draft, 'statistics', `${update.snapshotId}`);
      break;
    case 'set-partition-statistics':
      setKeyed(draft, 'partition-statistics', `${update.snapshotId}`, update.statistics);
      break;
    case 'remove-partition-statistics':
      removeKeyed(draft, 'partition-statistics', `${update.snapshotId}`);
      break;
    case 'remove-partition-specs':
      removeSpecs(draft, update.specIds);
      break;
    case 'remove-schemas':
      removeSchemas(draft, update.schemaIds);
      break;
    case 'add-encryption-key':
      setKeyed(draft, 'encryption-keys', update.keyId, update.key);
      break;
    case 'remove-encryption-key':
      removeKeyed(draft, 'encryption-keys', update.keyId);
      break;
    default:
      update satisfies never;
  }
}

/** Policy is bound to the uuid, so a table keeps it for ever. */
function assignUuid(draft: Draft, uuid: string): void {
  if (!uuidPattern.test(uuid)) throw invalid(`${JSON.stringify(uuid.slice(0, 64))} is not a uuid`);
  const assigned = tableUuid(uuid);
  if (assigned === draft.tableUuid) return;
  if (draft.base !== null) throw invalid('the uuid of a table cannot be changed');
  draft.tableUuid = assigned;
  draft.changed = true;
}

function upgradeFormatVersion(draft: Draft, version: number): void {
  if (version !== 1 && version !== 2 && version !== 3) throw invalid(`there is no format version ${version}`);
  if (draft.base !== null && version < draft.formatVersion) {
    throw invalid(`a table of format version ${draft.formatVersion} cannot go back to ${version}`);
  }
  if (version === draft.formatVersion) return;
  draft.formatVersion = version;
  draft.changed = true;
}

function setLocation(draft: Draft, location: string): void {
  const trimmed = location.replace(/(?<=.)\/+$/, '');
  if (trimmed === '') throw invalid('the location is empty');
  if (trimmed === draft.location) return;
  draft.location = trimmed;
  draft.changed = true;
}

function setProperties(draft: Draft, updates: ReadonlyMap<string, string>): void {
  for (const [name, value] of updates) {
    if (reservedProperties.has(name)) throw invalid(`the property ${name} is reserved and cannot be set`);
    if (draft.properties.get(name) === value) continue;
    draft.properties.set(name, value);
    draft.changed = true;
  }
}

function finish(draft: Draft, context: ApplyContext): TableMetadata {
  const uuid = draft.tableUuid ?? (context.newUuid === undefined ? null : tableUuid(context.newUuid));
  if (uuid === null) throw invalid('a new table needs assign-uuid');
  if (draft.location === null) throw invalid('a new table needs set-location');
  if (draft.currentSchemaId < 0) throw invalid('a new table needs add-schema and set-current-schema');
  if (draft.defaultSpecId < 0) throw invalid('a new table needs add-spec and set-default-spec');
  if (draft.defaultSortOrderId < 0) throw invalid('a new table needs add-sort-order and set-default-sort-order');
  checkDefaults(draft);
  if (draft.schemasRemoved) checkSchemasInUse(draft);
  const snapshotLog = finishSnapshotLog(draft);
  return {
    formatVersion: draft.formatVersion,
    tableUuid: uuid,
    location: draft.location,
    lastSequenceNumber: draft.lastSequenceNumber,
    lastUpdatedMs: Math.max(draft.nowMs, draft.base?.lastUpdatedMs ?? 0, snapshotLog.at(-1)?.timestampMs ?? 0),
    lastColumnId: draft.lastColumnId,
    currentSchemaId: draft.currentSchemaId,
    schemas: [...draft.schemas.values()],
    defaultSpecId: draft.defaultSpecId,
    partitionSpecs: [...draft.specs.values()],
    lastPartitionId: draft.lastPartitionId,
    defaultSortOrderId: draft.defaultSortOrderId,
    sortOrders: [...draft.sortOrders.values()],
    properties: draft.properties,
    currentSnapshotId: draft.currentSnapshotId,
    snapshots: [...draft.snapshots.values()],
    snapshotLog,
    metadataLog: nextMetadataLog(draft, context.metadataLocation ?? null),
    refs: draft.refs,
    nextRowId: draft.base?.nextRowId ?? null,
    rest: restOf(draft),
  };
}

/** A snapshot must stay readable by the schema it names. */
function checkSchemasInUse(draft: Draft): void {
  for (const { snapshotId, schemaId } of draft.snapshots.values()) {
    if (schemaId !== null && !draft.schemas.has(schemaId)) {
      throw invalid(`schema ${schemaId} cannot be removed: snapshot ${snapshotId} was written with it`);
    }
  }
}

function nextMetadataLog(draft: Draft, previous: string | null): readonly MetadataLogEntry[] {
  const { base } = draft;
  if (base === null || previous === null) return base?.metadataLog ?? [];
  const wanted = Number(draft.properties.get(previousVersionsProperty) ?? previousVersionsDefault);
  const kept = Number.isInteger(wanted) ? Math.max(1, wanted) : previousVersionsDefault;
  return [...base.metadataLog, { timestampMs: base.lastUpdatedMs, metadataFile: previous }].slice(-kept);
}
