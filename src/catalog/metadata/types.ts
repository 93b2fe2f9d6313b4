import type { SnapshotId, TableUuid } from '../../core/ids.ts';
import type { PartitionSpec, SortOrder } from '../partition/types.ts';
import type { Schema } from '../schema/types.ts';

/** A table's metadata (table spec, "Table Metadata Fields"), v1 already read as v2 would say it. */
export interface TableMetadata {
  readonly formatVersion: 1 | 2 | 3;
  readonly tableUuid: TableUuid;
  /** Without a trailing slash. */
  readonly location: string;
  readonly lastSequenceNumber: bigint;
  readonly lastUpdatedMs: number;
  readonly lastColumnId: number;
  readonly currentSchemaId: number;
  readonly schemas: readonly Schema[];
  readonly defaultSpecId: number;
  readonly partitionSpecs: readonly PartitionSpec[];
  readonly lastPartitionId: number;
  readonly defaultSortOrderId: number;
  readonly sortOrders: readonly SortOrder[];
  readonly properties: ReadonlyMap<string, string>;
  /** Null while the table is empty (also where v1 writers said -1). */
  readonly currentSnapshotId: SnapshotId | null;
  readonly snapshots: readonly Snapshot[];
  readonly snapshotLog: readonly SnapshotLogEntry[];
  readonly metadataLog: readonly MetadataLogEntry[];
  readonly refs: ReadonlyMap<string, SnapshotRef>;
  /** v3 row lineage. */
  readonly nextRowId: bigint | null;
  /** Members that Headrace does not interpret (statistics, encryption keys, future ones), written back as they came. */
  readonly rest: ReadonlyMap<string, unknown>;
}

export interface Snapshot {
  readonly snapshotId: SnapshotId;
  readonly parentSnapshotId: SnapshotId | null;
  readonly sequenceNumber: bigint;
  readonly timestampMs: number;
  /** Null only for v1 snapshots that list `manifests` inline. */
  readonly manifestList: string | null;
  readonly manifests: readonly string[];
  readonly summary: ReadonlyMap<string, string>;
  readonly schemaId: number | null;
  readonly firstRowId: bigint | null;
  readonly rest: ReadonlyMap<string, unknown>;
}

export interface SnapshotRef {
  readonly snapshotId: SnapshotId;
  readonly type: 'branch' | 'tag';
  readonly minSnapshotsToKeep: number | null;
  readonly maxSnapshotAgeMs: number | null;
  readonly maxRefAgeMs: number | null;
}

export interface SnapshotLogEntry {
  readonly timestampMs: number;
  readonly snapshotId: SnapshotId;
}

export interface MetadataLogEntry {
  readonly timestampMs: number;
  readonly metadataFile: string;
}
