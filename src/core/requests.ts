import type { ColumnPath } from './column-path.ts';
import type { TableIdentifier } from './identifier.ts';
import type { SnapshotId } from './ids.ts';

/** Which state of a table a request means. */
export type TableVersion =
  | { readonly kind: 'ref'; readonly ref: string }
  | { readonly kind: 'snapshot'; readonly snapshotId: SnapshotId }
  /** Microseconds since the epoch; `text` is what the caller wrote, for messages. */
  | { readonly kind: 'timestamp'; readonly epochMicros: bigint; readonly text: string };

/**
 * A filter as its author wrote it, not yet parsed: text in the SQL-like grammar, or the source text of Iceberg's expression JSON,
 * kept as text so that no digit of a number is lost.
 */
export type FilterSource = { readonly kind: 'text' | 'json'; readonly text: string };

export type Compression = 'none' | 'lz4' | 'zstd';

/** Unverified labels of the training run that reads: for logs and accounting, never an input to a decision. */
export interface RunLabels {
  readonly id: string | null;
  readonly workload: string | null;
  readonly codeVersion: string | null;
}

/** A scan as its caller asked for it. Names are not resolved yet. */
export interface ScanRequest {
  readonly table: TableIdentifier;
  readonly at: TableVersion;
  /** Null = all visible columns. Never empty, no path twice. */
  readonly columns: readonly ColumnPath[] | null;
  readonly filter: FilterSource | null;
  /** Rows at most over all shards; null = all. */
  readonly limit: number | null;
  readonly shards: number;
  /** Rows of a batch at most; null = the server chooses. */
  readonly batchRows: number | null;
  readonly ordered: boolean;
  readonly compression: Compression;
  readonly dictionaries: boolean;
  readonly run: RunLabels | null;
}

export type PutMode = 'create' | 'append' | 'overwrite';

/** A write as its caller asked for it. */
export interface PutRequest {
  readonly table: TableIdentifier;
  readonly mode: PutMode;
  /** Only with `overwrite`; null = all rows are replaced. */
  readonly overwriteFilter: FilterSource | null;
  /** Transforms as text, such as `month(date)`; only with `create`. */
  readonly partitionBy: readonly string[];
  /** Only with `create`; null = the default. */
  readonly formatVersion: number | null;
  readonly branch: string;
  readonly idempotencyKey: string | null;
}
