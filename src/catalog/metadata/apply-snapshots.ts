import { ServiceError } from '../../core/errors.ts';
import type { SnapshotId } from '../../core/ids.ts';
import { type Draft, invalid, type KeyedMember, keyedEntries } from './draft.ts';
import { mainBranch } from './read.ts';
import type { Snapshot, SnapshotLogEntry, SnapshotRef } from './types.ts';

/** Adds a snapshot that no ref points to yet. COMMIT_CONFLICT where its sequence number was taken in the meantime. */
export function addSnapshot(draft: Draft, added: Snapshot): void {
  if (draft.schemas.size === 0 || draft.specs.size === 0 || draft.sortOrders.size === 0) {
    throw invalid('a snapshot needs a schema, a partition spec and a sort order before it');
  }
  const snapshot = draft.formatVersion === 1 ? { ...added, sequenceNumber: 0n } : added;
  const { snapshotId, sequenceNumber, schemaId } = snapshot;
  if (snapshotId < 0n) throw invalid(`the snapshot id ${snapshotId} is negative`);
  if (draft.snapshots.has(snapshotId)) throw invalid(`there is already a snapshot ${snapshotId}`);
  if (schemaId !== null && !draft.schemas.has(schemaId)) {
    throw invalid(`snapshot ${snapshotId} refers to the schema ${schemaId}, which the table does not have`);
  }
  if (draft.formatVersion > 1) {
    if (snapshot.manifestList === null) throw invalid(`snapshot ${snapshotId} has no manifest list`);
    if (sequenceNumber <= draft.lastSequenceNumber && (snapshot.parentSnapshotId !== null || sequenceNumber < 0n)) {
      throw new ServiceError(
        'COMMIT_CONFLICT',
        `snapshot ${snapshotId} has the sequence number ${sequenceNumber}, and the table is already at ${draft.lastSequenceNumber}`,
      );
    }
  }
  if (sequenceNumber > draft.lastSequenceNumber) draft.lastSequenceNumber = sequenceNumber;
  draft.snapshots.set(snapshotId, snapshot);
  draft.addedSnapshots.add(snapshotId);
  draft.changed = true;
}

/** Creates or moves a branch or tag. Moving `main` is logged, at the snapshot's own time where this commit added it. */
export function setSnapshotRef(draft: Draft, name: string, ref: SnapshotRef): void {
  const before = draft.refs.get(name);
  if (before !== undefined && sameRef(before, ref)) return;
  const snapshot = draft.snapshots.get(ref.snapshotId);
  if (snapshot === undefined) {
    throw invalid(
      `${ref.type} ${JSON.stringify(name)} cannot point to snapshot ${ref.snapshotId}, which the table does not have`,
    );
  }
  if (before !== undefined && before.type !== ref.type) {
    throw invalid(`${JSON.stringify(name)} is a ${before.type} and cannot become a ${ref.type}: remove it first`);
  }
  if (name === mainBranch) {
    if (ref.type !== 'branch') throw invalid('main must be a branch');
    if (draft.currentSnapshotId !== ref.snapshotId) logMainMove(draft, snapshot);
    draft.currentSnapshotId = ref.snapshotId;
  }
  draft.refs.set(name, ref);
  draft.changed = true;
}

function logMainMove(draft: Draft, { snapshotId, timestampMs }: Snapshot): void {
  const added = draft.addedSnapshots.has(snapshotId);
  if (added) draft.addedToMain.add(snapshotId);
  const time = added ? timestampMs : draft.nowMs;
  // Readers refuse a log that runs backwards, which a writer with a slow clock would cause.
  const last = draft.snapshotLog.at(-1)?.timestampMs ?? time;
  draft.snapshotLog.push({ timestampMs: Math.max(time, last), snapshotId });
}

const sameRef = (a: SnapshotRef, b: SnapshotRef): boolean =>
  a.snapshotId === b.snapshotId &&
  a.type === b.type &&
  a.minSnapshotsToKeep === b.minSnapshotsToKeep &&
  a.maxSnapshotAgeMs === b.maxSnapshotAgeMs &&
  a.maxRefAgeMs === b.maxRefAgeMs;

export function removeSnapshotRef(draft: Draft, name: string): void {
  if (!draft.refs.delete(name)) return;
  if (name === mainBranch) draft.currentSnapshotId = null;
  draft.changed = true;
}

/** Forgets snapshots; unknown ids are no error. What refers to them follows in {@link settleRemovals}. */
export function removeSnapshots(draft: Draft, ids: readonly SnapshotId[]): void {
  for (const id of ids) {
    if (!draft.snapshots.delete(id)) continue;
    draft.removedSnapshots.push(id);
    draft.changed = draft.snapshotsRemoved = true;
  }
}

/**
 * Removes the refs and statistics of removed snapshots. Called once after each run of `remove-snapshots`, not for each of them:
 * expiring 100,000 snapshots arrives as that many updates.
 */
export function settleRemovals(draft: Draft): void {
  if (draft.removedSnapshots.length === 0) return;
  for (const member of ['statistics', 'partition-statistics'] as const) {
    if (draft.base?.rest.has(member) !== true && !draft.keyed.has(member)) continue;
    const entries = keyedEntries(draft, member);
    for (const id of draft.removedSnapshots) entries.delete(`${id}`);
  }
  for (const [name, ref] of draft.refs) if (!draft.snapshots.has(ref.snapshotId)) removeSnapshotRef(draft, name);
  draft.removedSnapshots.length = 0;
}

/** Sets the one statistics file, partition statistics file or key of its kind and key. */
export function setKeyed(draft: Draft, member: KeyedMember, key: string, entry: unknown): void {
  keyedEntries(draft, member).set(key, [entry]);
  draft.changed = true;
}

export function removeKeyed(draft: Draft, member: KeyedMember, key: string): void {
  if (keyedEntries(draft, member).delete(key)) draft.changed = true;
}

/**
 * The log without snapshots that were current only inside this commit. Where a logged snapshot was removed, the history before it
 * goes too: with it missing, another snapshot would seem to have been current at its time.
 */
export function finishSnapshotLog(draft: Draft): readonly SnapshotLogEntry[] {
  const passing = new Set(draft.addedToMain);
  if (draft.currentSnapshotId !== null) passing.delete(draft.currentSnapshotId);
  if (passing.size === 0 && !draft.snapshotsRemoved) return draft.snapshotLog;
  let log: SnapshotLogEntry[] = [];
  for (const entry of draft.snapshotLog) {
    if (passing.has(entry.snapshotId)) continue;
    if (draft.snapshots.has(entry.snapshotId)) log.push(entry);
    else if (draft.snapshotsRemoved) log = [];
  }
  return log;
}
