import { ServiceError } from '../../core/errors.ts';
import type { ArrowField, Column } from '../arrow/column.ts';
import { assembleColumn, linksOf } from './assemble.ts';
import { type ColumnPlan, planLeaves } from './column-plan.ts';
import type { ParquetFile } from './footer.ts';
import { openFeed } from './row-group-feed.ts';
import type { RowRange } from './row-set.ts';
import type { ParquetLeaf } from './schema.ts';

export type { RowRange } from './row-set.ts';

/** How a file's leaves become the wanted columns: plain data, the same for every row group. */
export interface FileProjection {
  readonly fields: readonly ArrowField[];
  /** One per field. */
  readonly columns: readonly ColumnPlan[];
}

export interface OpenRowGroupOptions {
  readonly file: ParquetFile;
  readonly projection: FileProjection;
  /** Place of the row group in the file. */
  readonly rowGroup: number;
  /** Rows of the group to read; absent = all. Pages outside of it are not read where the file has an offset index. */
  readonly rows?: RowRange;
  /** Rows that `read` will be asked for at a time; absent = all at once. */
  readonly batchRows?: number;
  readonly signal: AbortSignal;
}

export interface RowGroupColumns {
  readonly rows: number;
  /** In the projection's order and types. */
  readonly columns: readonly Column[];
  /** Bytes that were read from the object store. */
  readonly bytesRead: number;
}

/** A row group's chosen columns as they lie in the file, in memory; decoded as they are asked for. Holds no other resource. */
export interface RowGroupReader {
  /** The rows that can be asked for. */
  readonly rows: RowRange;
  /** Bytes that were read from the object store. */
  readonly bytesRead: number;
  /**
   * The columns of some rows, in the projection's order and types. Synchronous, so that a caller with many rows gives way between
   * calls. Ranges that ascend decode each page once. Throws CORRUPT_FILE, LIMIT_EXCEEDED, UNSUPPORTED_FEATURE (LZO),
   * SCHEMA_MISMATCH (a value that the column's type does not hold).
   */
  read(rows: RowRange): readonly Column[];
}

/** All rows asked for at once; otherwise like {@link openRowGroup} and its reader, and throws what they throw. */
export async function readRowGroup(options: Omit<OpenRowGroupOptions, 'batchRows'>): Promise<RowGroupColumns> {
  const { rows, bytesRead, read } = await openRowGroup(options);
  return { rows: rows.end - rows.start, columns: read(rows), bytesRead };
}

/**
 * Reads the bytes of the projected columns of one row group, or of some of its rows: exactly the column chunks of the projection's
 * leaves (pages, for a row range), near ones together. Throws CORRUPT_FILE, LIMIT_EXCEEDED (more than `rowGroupBytesMax`),
 * UNSUPPORTED_FEATURE (encryption), CANCELLED, and what the store throws.
 */
export async function openRowGroup(options: OpenRowGroupOptions): Promise<RowGroupReader> {
  const { file, projection, signal } = options;
  const feed = openFeed(file, options.rowGroup);
  const all = { start: 0, end: feed.group.rows };
  const rows = options.rows ?? all;
  checkWithin(rows, all);
  const leaves = [...new Set(projection.columns.flatMap(planLeaves))];
  const batchRows = options.batchRows ?? Number.POSITIVE_INFINITY;
  const fetched = await feed.fetch(leaves, rows.start === rows.end ? [] : [rows], batchRows, signal);
  return {
    rows,
    bytesRead: fetched.bytesRead,
    read(wanted) {
      checkWithin(wanted, rows);
      // Where no rows were fetched, none of row 0 on can be had.
      const held = rows.start === rows.end ? { start: 0, end: 0 } : wanted;
      return assembleRows(projection, wanted.end - wanted.start, (leaf) => fetched.leaves.get(leaf.index)!.read(held));
    },
  };
}

/** The projection's columns of some rows out of their leaves, each of which is asked for once. */
export function assembleRows(
  projection: FileProjection,
  rows: number,
  columnOf: (leaf: ParquetLeaf) => Column,
): readonly Column[] {
  const leaves = new Set(projection.columns.flatMap(planLeaves));
  const links = new Map([...leaves].map((leaf) => [leaf.index, linksOf(leaf, columnOf(leaf))]));
  return projection.columns.map((plan) => assembleColumn(plan, { rows, links }));
}

function checkWithin(rows: RowRange, all: RowRange): void {
  if (rows.start >= all.start && rows.end <= all.end && rows.start <= rows.end) return;
  throw new ServiceError(
    'INTERNAL',
    `rows ${rows.start} to ${rows.end} lie outside of rows ${all.start} to ${all.end}`,
  );
}
