import type { FieldId } from '../../core/ids.ts';

/** Iceberg's partition transforms (table spec, "Partition Transforms"). */
export type Transform =
  | { readonly kind: 'identity' | 'void' | 'year' | 'month' | 'day' | 'hour' }
  | { readonly kind: 'bucket'; readonly buckets: number }
  | { readonly kind: 'truncate'; readonly width: number }
  /** One that a later specification added: kept in metadata, never used to prune or to write. */
  | { readonly kind: 'unknown'; readonly text: string };

export interface PartitionField {
  readonly sourceId: FieldId;
  /** v3's `source-ids` where there are several (the transform is then `unknown`): kept as they came and never pruned by. */
  readonly sourceIds?: readonly FieldId[];
  /** Partition field ids start at 1000 and are unique over all specs of a table. */
  readonly fieldId: number;
  readonly name: string;
  readonly transform: Transform;
}

export interface PartitionSpec {
  readonly specId: number;
  readonly fields: readonly PartitionField[];
}

export interface SortField {
  readonly sourceId: FieldId;
  readonly sourceIds?: readonly FieldId[];
  readonly transform: Transform;
  readonly direction: 'asc' | 'desc';
  readonly nullOrder: 'nulls-first' | 'nulls-last';
}

export interface SortOrder {
  readonly orderId: number;
  readonly fields: readonly SortField[];
}
