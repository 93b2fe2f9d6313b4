import { ServiceError } from '../../core/errors.ts';
import type { SnapshotId } from '../../core/ids.ts';
import { didYouMean } from '../../core/nearest.ts';
import type { Schema } from '../schema/types.ts';
import { mainBranch } from './read.ts';
import type { Snapshot, TableMetadata } from './types.ts';

/** Which state of a table is meant. A timestamp is milliseconds since the epoch. */
export type At =
  | { readonly kind: 'main' }
  | { readonly kind: 'snapshot'; readonly id: SnapshotId }
  | { readonly kind: 'ref'; readonly name: string }
  | { readonly kind: 'timestamp'; readonly ms: number };

/**
 * The snapshot meant; null only for `main` of a table that has none yet. A timestamp means the snapshot that was current then, by
 * the snapshot log and not by parents (table spec, "Point in Time Reads"). Throws NOT_FOUND, naming the nearest ref.
 */
export function resolveSnapshot(metadata: TableMetadata, at: At): Snapshot | null {
  switch (at.kind) {
    case 'main':
      return metadata.currentSnapshotId === null ? null : find(metadata, metadata.currentSnapshotId);
    case 'snapshot':
      return find(metadata, at.id);
    case 'ref':
      return resolveRef(metadata, at.name);
    case 'timestamp':
      return resolveTimestamp(metadata, at.ms);
    default:
      return at satisfies never;
  }
}

function resolveRef(metadata: TableMetadata, name: string): Snapshot | null {
  const ref = metadata.refs.get(name);
  if (ref !== undefined) return find(metadata, ref.snapshotId);
  if (name === mainBranch) return null;
  throw new ServiceError(
    'NOT_FOUND',
    `the table has no branch or tag ${JSON.stringify(name)}.${didYouMean(name, metadata.refs.keys())}`,
  );
}

function resolveTimestamp(metadata: TableMetadata, ms: number): Snapshot {
  // The log may hold entries a little out of order (writers' clocks differ), so the last one in the list wins.
  const entry = metadata.snapshotLog.findLast(({ timestampMs }) => timestampMs <= ms);
  if (entry !== undefined) return find(metadata, entry.snapshotId);
  const first = metadata.snapshotLog[0];
  throw new ServiceError(
    'NOT_FOUND',
    first === undefined
      ? 'the table has no history to look up a timestamp in'
      : `${isoTime(ms)} is before the table's recorded history, which begins at ${isoTime(first.timestampMs)}`,
  );
}

const isoTime = (ms: number): string => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`);

const snapshotIndexes = new WeakMap<TableMetadata, ReadonlyMap<SnapshotId, Snapshot>>();

/** The table's snapshots by id, indexed once for each metadata object. */
export function snapshotsById(metadata: TableMetadata): ReadonlyMap<SnapshotId, Snapshot> {
  let index = snapshotIndexes.get(metadata);
  if (index === undefined) {
    index = new Map(metadata.snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]));
    snapshotIndexes.set(metadata, index);
  }
  return index;
}

function find(metadata: TableMetadata, id: SnapshotId): Snapshot {
  const snapshot = snapshotsById(metadata).get(id);
  if (snapshot === undefined) {
    throw new ServiceError('NOT_FOUND', `the table has no snapshot ${id}; it may have been expired`);
  }
  return snapshot;
}

/**
 * The schema that a read of `at` shows: `main` and branches read with the table's current schema; a tag, a snapshot id or a
 * timestamp with the snapshot's own (Iceberg's rule for branch reads and time travel).
 */
export function schemaAt(metadata: TableMetadata, at: At, snapshot: Snapshot | null): Schema {
  const branch = at.kind === 'main' || (at.kind === 'ref' && metadata.refs.get(at.name)?.type !== 'tag');
  return branch ? currentSchemaOf(metadata) : schemaOf(metadata, snapshot);
}

/** The snapshot's schema; the current one for null and for a snapshot of a writer that recorded none. */
export function schemaOf(metadata: TableMetadata, snapshot: Snapshot | null): Schema {
  const id = snapshot?.schemaId ?? null;
  if (id === null) return currentSchemaOf(metadata);
  const schema = metadata.schemas.find(({ schemaId }) => schemaId === id);
  if (schema === undefined) {
    throw new ServiceError(
      'CORRUPT_FILE',
      `snapshot ${snapshot!.snapshotId} names the schema ${id}, which the table does not have`,
    );
  }
  return schema;
}

export const currentSchemaOf = (metadata: TableMetadata): Schema =>
  metadata.schemas.find(({ schemaId }) => schemaId === metadata.currentSchemaId)!;
