import type { TableIdentifier } from '../../core/identifier.ts';
import type { SnapshotId } from '../../core/ids.ts';
import type { PartitionField, SortOrder } from '../partition/types.ts';
import type { Schema } from '../schema/types.ts';
import type { JsonObject } from './json-members.ts';
import type { Snapshot, SnapshotRef } from './types.ts';

/** Iceberg REST's CommitTableRequest, parsed. The identifier is null where the route already names the table. */
export interface CommitRequest {
  readonly identifier: TableIdentifier | null;
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
}

/** What must hold of the table that a commit meets; `kind` is the request's `type`. */
export type TableRequirement =
  | { readonly kind: 'assert-create' }
  | { readonly kind: 'assert-table-uuid'; readonly uuid: string }
  /** Null: the ref must not exist. */
  | { readonly kind: 'assert-ref-snapshot-id'; readonly ref: string; readonly snapshotId: SnapshotId | null }
  | { readonly kind: 'assert-last-assigned-field-id'; readonly lastAssignedFieldId: number }
  | { readonly kind: 'assert-current-schema-id'; readonly currentSchemaId: number }
  | { readonly kind: 'assert-last-assigned-partition-id'; readonly lastAssignedPartitionId: number }
  | { readonly kind: 'assert-default-spec-id'; readonly defaultSpecId: number }
  | { readonly kind: 'assert-default-sort-order-id'; readonly defaultSortOrderId: number };

/** A spec whose fields may wait for their ids. Its own id is assigned by the catalog in any case. */
export interface UnboundPartitionSpec {
  readonly fields: readonly UnboundPartitionField[];
}
export type UnboundPartitionField = Omit<PartitionField, 'fieldId'> & { readonly fieldId: number | null };

/** One change of a table; `kind` is the request's `action`. An id of -1 means the last one added in the same commit. */
export type TableUpdate =
  | { readonly kind: 'assign-uuid'; readonly uuid: string }
  | { readonly kind: 'upgrade-format-version'; readonly formatVersion: number }
  | { readonly kind: 'add-schema'; readonly schema: Schema }
  | { readonly kind: 'set-current-schema'; readonly schemaId: number }
  | { readonly kind: 'add-spec'; readonly spec: UnboundPartitionSpec }
  | { readonly kind: 'set-default-spec'; readonly specId: number }
  | { readonly kind: 'add-sort-order'; readonly sortOrder: SortOrder }
  | { readonly kind: 'set-default-sort-order'; readonly sortOrderId: number }
  | { readonly kind: 'add-snapshot'; readonly snapshot: Snapshot }
  | { readonly kind: 'set-snapshot-ref'; readonly name: string; readonly ref: SnapshotRef }
  | { readonly kind: 'remove-snapshots'; readonly snapshotIds: readonly SnapshotId[] }
  | { readonly kind: 'remove-snapshot-ref'; readonly name: string }
  | { readonly kind: 'set-location'; readonly location: string }
  | { readonly kind: 'set-properties'; readonly updates: ReadonlyMap<string, string> }
  | { readonly kind: 'remove-properties'; readonly removals: readonly string[] }
  | { readonly kind: 'set-statistics'; readonly snapshotId: SnapshotId; readonly statistics: JsonObject }
  | { readonly kind: 'remove-statistics'; readonly snapshotId: SnapshotId }
  | { readonly kind: 'set-partition-statistics'; readonly snapshotId: SnapshotId; readonly statistics: JsonObject }
  | { readonly kind: 'remove-partition-statistics'; readonly snapshotId: SnapshotId }
  | { readonly kind: 'remove-partition-specs'; readonly specIds: readonly number[] }
  | { readonly kind: 'remove-schemas'; readonly schemaIds: readonly number[] }
  | { readonly kind: 'add-encryption-key'; readonly keyId: string; readonly key: JsonObject }
  | { readonly kind: 'remove-encryption-key'; readonly keyId: string };

/** Stands for the schema, spec or sort order that the same commit added last. */
export const lastAdded = -1;
