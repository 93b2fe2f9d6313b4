import type { FieldId, SnapshotId } from '../../core/ids.ts';
import type { Value } from '../schema/types.ts';

/** One row of a manifest list (table spec, "Manifest Lists"). */
export interface ManifestFile {
  readonly path: string;
  readonly bytes: number;
  readonly specId: number;
  readonly content: 'data' | 'deletes';
  readonly sequenceNumber: bigint;
  readonly minSequenceNumber: bigint;
  readonly addedSnapshotId: SnapshotId;
  /** Null where a v1 writer left the counts out. */
  readonly addedFiles: number | null;
  readonly existingFiles: number | null;
  readonly deletedFiles: number | null;
  readonly addedRows: bigint | null;
  readonly existingRows: bigint | null;
  readonly deletedRows: bigint | null;
  /** One per partition field of the spec; null where the writer left them out. */
  readonly partitions: readonly FieldSummary[] | null;
  readonly firstRowId: bigint | null;
}

export interface FieldSummary {
  readonly containsNull: boolean;
  readonly containsNan: boolean | null;
  /** Single-value serialization of the partition field's type; null where all values are null or NaN. */
  readonly lowerBound: Uint8Array | null;
  readonly upperBound: Uint8Array | null;
}

/** One row of a manifest, sequence numbers already inherited. */
export interface ManifestEntry {
  readonly status: 'existing' | 'added' | 'deleted';
  readonly snapshotId: SnapshotId;
  readonly sequenceNumber: bigint;
  readonly fileSequenceNumber: bigint;
  readonly file: DataFile;
}

export interface DataFile {
  readonly content: 'data' | 'position-deletes' | 'equality-deletes';
  readonly path: string;
  readonly format: 'parquet' | 'avro' | 'orc' | 'puffin';
  readonly specId: number;
  /** One value per field of the spec, in its order; null = the null partition. */
  readonly partition: readonly (Value | null)[];
  readonly rows: number;
  readonly bytes: number;
  readonly metrics: FileMetrics;
  readonly splitOffsets: readonly number[];
  readonly sortOrderId: number | null;
  /** Members that Headrace does not interpret yet (key_metadata, equality_ids, v3 fields …), by their Avro names. */
  readonly rest: ReadonlyMap<string, unknown>;
}

/** Per leaf field id; a field that is absent has no statistics and can never be pruned by. */
export interface FileMetrics {
  readonly columnBytes: ReadonlyMap<FieldId, number>;
  readonly valueCounts: ReadonlyMap<FieldId, number>;
  readonly nullCounts: ReadonlyMap<FieldId, number>;
  readonly nanCounts: ReadonlyMap<FieldId, number>;
  /** Single-value serialization, by the type the field had when the file was written (a bound of 4 bytes on a long was an int). */
  readonly lowerBounds: ReadonlyMap<FieldId, Uint8Array>;
  readonly upperBounds: ReadonlyMap<FieldId, Uint8Array>;
}
