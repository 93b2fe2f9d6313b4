import { ServiceError } from '../../core/errors.ts';
import type { SnapshotId, TableUuid } from '../../core/ids.ts';
import type { PartitionSpec, SortOrder } from '../partition/types.ts';
import type { Schema } from '../schema/types.ts';
import { lastPartitionIdInitial } from './read.ts';
import type { Snapshot, SnapshotLogEntry, SnapshotRef, TableMetadata } from './types.ts';

/** Lists in `rest` that updates change, each with the member that identifies an entry. */
const keyedMembers = {
  statistics: 'snapshot-id',
  'partition-statistics': 'snapshot-id',
  'encryption-keys': 'key-id',
} as const;
export type KeyedMember = keyof typeof keyedMembers;

/** Table metadata under change: private to one `applyUpdates`, never shared. */
export interface Draft {
  readonly base: TableMetadata | null;
  readonly nowMs: number;
  changed: boolean;
  formatVersion: 1 | 2 | 3;
  tableUuid: TableUuid | null;
  location: string | null;
  lastSequenceNumber: bigint;
  lastColumnId: number;
  /** -1 until a new table's first schema, spec or order is chosen. */
  currentSchemaId: number;
  defaultSpecId: number;
  defaultSortOrderId: number;
  lastPartitionId: number;
  readonly schemas: Map<number, Schema>;
  readonly specs: Map<number, PartitionSpec>;
  readonly sortOrders: Map<number, SortOrder>;
  readonly properties: Map<string, string>;
  readonly snapshots: Map<SnapshotId, Snapshot>;
  readonly refs: Map<string, SnapshotRef>;
  readonly snapshotLog: SnapshotLogEntry[];
  currentSnapshotId: SnapshotId | null;
  /** What -1 refers to. */
  lastAddedSchemaId: number | null;
  lastAddedSpecId: number | null;
  lastAddedSortOrderId: number | null;
  readonly addedSnapshots: Set<SnapshotId>;
  /** Added snapshots that `main` pointed to at some time in this commit. */
  readonly addedToMain: Set<SnapshotId>;
  /** Removed snapshots whose refs and statistics are not removed yet. */
  readonly removedSnapshots: SnapshotId[];
  snapshotsRemoved: boolean;
  schemasRemoved: boolean;
  /** Lists of `rest` by the text of their key, indexed when first touched. */
  readonly keyed: Map<KeyedMember, Map<string, readonly unknown[]>>;
}

export function openDraft(base: TableMetadata | null, nowMs: number): Draft {
  return {
    base,
    nowMs,
    changed: false,
    formatVersion: base?.formatVersion ?? 2,
    tableUuid: base?.tableUuid ?? null,
    location: base?.location ?? null,
    lastSequenceNumber: base?.lastSequenceNumber ?? 0n,
    lastColumnId: base?.lastColumnId ?? 0,
    currentSchemaId: base?.currentSchemaId ?? -1,
    defaultSpecId: base?.defaultSpecId ?? -1,
    defaultSortOrderId: base?.defaultSortOrderId ?? -1,
    lastPartitionId: base?.lastPartitionId ?? lastPartitionIdInitial,
    schemas: new Map(base?.schemas.map((schema) => [schema.schemaId, schema])),
    specs: new Map(base?.partitionSpecs.map((spec) => [spec.specId, spec])),
    sortOrders: new Map(base?.sortOrders.map((order) => [order.orderId, order])),
    properties: new Map(base?.properties),
    snapshots: new Map(base?.snapshots.map((snapshot) => [snapshot.snapshotId, snapshot])),
    refs: new Map(base?.refs),
    snapshotLog: [...(base?.snapshotLog ?? [])],
    currentSnapshotId: base?.currentSnapshotId ?? null,
    lastAddedSchemaId: null,
    lastAddedSpecId: null,
    lastAddedSortOrderId: null,
    addedSnapshots: new Set(),
    addedToMain: new Set(),
    removedSnapshots: [],
    snapshotsRemoved: false,
    schemasRemoved: false,
    keyed: new Map(),
  };
}

/** A list of `rest` as a map that may be changed; `restOf` writes it back. */
export function keyedEntries(draft: Draft, member: KeyedMember): Map<string, readonly unknown[]> {
  const known = draft.keyed.get(member);
  if (known !== undefined) return known;
  const entries = new Map<string, readonly unknown[]>();
  const listed = draft.base?.rest.get(member);
  for (const entry of Array.isArray(listed) ? (listed as unknown[]) : []) {
    const key = String((entry as Record<string, unknown> | null)?.[keyedMembers[member]]);
    entries.set(key, [...(entries.get(key) ?? []), entry]);
  }
  draft.keyed.set(member, entries);
  return entries;
}

/** The base's unknown members with the changed lists in their place; a list that became empty is left out. */
export function restOf(draft: Draft): ReadonlyMap<string, unknown> {
  const rest = new Map(draft.base?.rest);
  for (const [member, entries] of draft.keyed) {
    if (entries.size === 0) rest.delete(member);
    else rest.set(member, [...entries.values()].flat());
  }
  return rest;
}

export const invalid = (text: string): ServiceError => new ServiceError('INVALID_REQUEST', text);
