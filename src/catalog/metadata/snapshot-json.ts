import { snapshotId } from '../../core/ids.ts';
import type { JsonMembers } from './json-members.ts';
import type { MetadataLogEntry, Snapshot, SnapshotLogEntry, SnapshotRef } from './types.ts';

const snapshotMembers = new Set([
  'snapshot-id',
  'parent-snapshot-id',
  'sequence-number',
  'timestamp-ms',
  'manifest-list',
  'manifests',
  'summary',
  'schema-id',
  'first-row-id',
]);

/** One snapshot (table spec, "Snapshots"); v1 ones may list `manifests` inline, and their sequence number is 0. */
export function parseSnapshot(json: JsonMembers): Snapshot {
  const manifestList = json.stringOr('manifest-list', null);
  if (manifestList === null && !json.has('manifests')) throw json.wrong('manifest-list', 'is missing');
  const parent = json.longOr('parent-snapshot-id', null);
  return {
    snapshotId: snapshotId(json.long('snapshot-id')),
    // Some v1 writers say -1 where there is no parent.
    parentSnapshotId: parent === null || parent === -1n ? null : snapshotId(parent),
    sequenceNumber: json.longOr('sequence-number', 0n),
    timestampMs: json.count('timestamp-ms'),
    manifestList,
    manifests: manifestList === null ? json.strings('manifests') : [],
    summary: json.stringMap('summary'),
    schemaId: json.intOr('schema-id', null),
    firstRowId: json.longOr('first-row-id', null),
    rest: json.rest(snapshotMembers),
  };
}

/** The inverse of {@link parseSnapshot}; null members are left out. */
export function snapshotToJson(snapshot: Snapshot): Record<string, unknown> {
  return withoutNulls({
    'sequence-number': snapshot.sequenceNumber > 0n ? snapshot.sequenceNumber : null,
    'snapshot-id': snapshot.snapshotId,
    'parent-snapshot-id': snapshot.parentSnapshotId,
    'timestamp-ms': snapshot.timestampMs,
    summary: snapshot.summary.size > 0 ? summaryToJson(snapshot.summary) : null,
    'manifest-list': snapshot.manifestList,
    manifests: snapshot.manifestList === null ? snapshot.manifests : null,
    'schema-id': snapshot.schemaId,
    'first-row-id': snapshot.firstRowId,
    ...Object.fromEntries(snapshot.rest),
  });
}

/** `operation` is required in v2; Java reads a summary without one as an overwrite. */
const summaryToJson = (summary: ReadonlyMap<string, string>): Record<string, string> => ({
  operation: 'overwrite',
  ...Object.fromEntries(summary),
});

/** A branch or tag (table spec, "Snapshot References"). Retention members are milliseconds or counts above 0. */
export function parseSnapshotRef(json: JsonMembers): SnapshotRef {
  const type = json.string('type').toLowerCase();
  if (type !== 'branch' && type !== 'tag') throw json.wrong('type', 'must be branch or tag');
  const ref: SnapshotRef = {
    snapshotId: snapshotId(json.long('snapshot-id')),
    type,
    minSnapshotsToKeep: positive(json, 'min-snapshots-to-keep'),
    maxSnapshotAgeMs: positive(json, 'max-snapshot-age-ms'),
    maxRefAgeMs: positive(json, 'max-ref-age-ms'),
  };
  if (type === 'tag' && (ref.minSnapshotsToKeep !== null || ref.maxSnapshotAgeMs !== null)) {
    throw json.wrong('type', 'is tag, which takes neither min-snapshots-to-keep nor max-snapshot-age-ms');
  }
  return ref;
}

function positive(json: JsonMembers, name: string): number | null {
  const value = json.countOr(name, null);
  if (value !== null && value <= 0) throw json.wrong(name, 'must be greater than 0');
  return value;
}

/** The inverse of {@link parseSnapshotRef}. */
export function snapshotRefToJson(ref: SnapshotRef): Record<string, unknown> {
  return withoutNulls({
    'snapshot-id': ref.snapshotId,
    type: ref.type,
    'min-snapshots-to-keep': ref.minSnapshotsToKeep,
    'max-snapshot-age-ms': ref.maxSnapshotAgeMs,
    'max-ref-age-ms': ref.maxRefAgeMs,
  });
}

export const parseSnapshotLogEntry = (json: JsonMembers): SnapshotLogEntry => ({
  timestampMs: json.count('timestamp-ms'),
  snapshotId: snapshotId(json.long('snapshot-id')),
});

export const snapshotLogEntryToJson = (entry: SnapshotLogEntry): Record<string, unknown> => ({
  'timestamp-ms': entry.timestampMs,
  'snapshot-id': entry.snapshotId,
});

export const parseMetadataLogEntry = (json: JsonMembers): MetadataLogEntry => ({
  timestampMs: json.count('timestamp-ms'),
  metadataFile: json.string('metadata-file'),
});

export const metadataLogEntryToJson = (entry: MetadataLogEntry): Record<string, unknown> => ({
  'timestamp-ms': entry.timestampMs,
  'metadata-file': entry.metadataFile,
});

const withoutNulls = (object: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
