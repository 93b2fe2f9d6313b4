import type { Table } from '../catalog/catalog-types.ts';
import { currentSchemaOf } from '../catalog/metadata/time-travel.ts';
import type { Snapshot, TableMetadata } from '../catalog/metadata/types.ts';
import type { Schema } from '../catalog/schema/types.ts';
import { ServiceError } from '../core/errors.ts';
import type { Expression } from '../core/expression.ts';
import type { Limits } from '../core/limits.ts';
import type { Batch } from '../scan/arrow/column.ts';
import { arrowSchemaOf } from '../scan/arrow/iceberg.ts';
import { takeColumn } from '../scan/arrow/kernels/take.ts';
import { type BoundFilter, bindFilter } from '../scan/filter/bind.ts';
import { evaluateFilter } from '../scan/filter/evaluate.ts';
import type { FooterCache } from '../scan/footers.ts';
import { planFiles } from '../scan/prune/plan-files.ts';
import type { PlannedFiles } from '../scan/prune/planned-files.ts';
import { unboundedRoom } from '../scan/read-ahead.ts';
import { nameMappingOf, planRowGroups, type ScanFile } from '../scan/row-groups.ts';
import { leafColumn } from '../scan/shape.ts';
import { stretchesOf } from '../scan/stretches.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/** What an overwrite replaces (copy on write): files go as a whole, and rows of theirs that stay are written again. */
export interface Overwrite {
  /** Rows of replaced files that the filter does not match, in the table's schema. */
  survivors(signal: AbortSignal): AsyncIterable<Batch>;
  /**
   * The files that the commit deletes from the table as it is now. COMMIT_CONFLICT where a file that the filter may match was added
   * since the overwrite was planned, or a replaced one is gone: its rows would be missed, or come back.
   */
  deletedIn(table: Table, signal: AbortSignal): Promise<ReadonlySet<string>>;
}

export interface OverwriteServices {
  readonly objects: ObjectStore;
  readonly footers: FooterCache;
  readonly limits: Limits;
}

/** The head of a branch; null where the branch is empty or absent. */
export function branchHead(metadata: TableMetadata, branch: string): Snapshot | null {
  const ref = metadata.refs.get(branch);
  if (ref === undefined) return null;
  if (ref.type === 'tag')
    throw new ServiceError('INVALID_REQUEST', `${JSON.stringify(branch)} is a tag, which cannot be written to`);
  return metadata.snapshots.find(({ snapshotId }) => snapshotId === ref.snapshotId) ?? null;
}

/** Decides which files an overwrite replaces. A null filter replaces every row. */
export async function planOverwrite(
  table: Table,
  branch: string,
  filter: Expression | null,
  services: OverwriteServices,
  signal: AbortSignal,
): Promise<Overwrite> {
  const schema = currentSchemaOf(table.metadata);
  const bound = filter === null ? null : bindFilter(filter, schema, () => true);
  const matched = await matchingFiles(table.metadata, branch, schema, bound, services, signal);
  const replaced = matched?.slice() ?? [];
  const partly = bound === null ? [] : replaced.filter((_, at) => !matched?.mustMatch(at, bound));
  return {
    survivors: (readSignal) => survivingRows(table.metadata, schema, partly, bound, services, readSignal),
    async deletedIn(current, readSignal) {
      const now = await matchingFiles(current.metadata, branch, schema, bound, services, readSignal);
      const paths = new Set(now?.slice().map((file) => file.path));
      // Without a filter everything is replaced, whenever it came; with one, what came later was not looked at.
      if (bound !== null && (paths.size !== replaced.length || replaced.some((file) => !paths.has(file.path)))) {
        throw new ServiceError(
          'COMMIT_CONFLICT',
          'rows that the overwrite filter may match were changed by another writer: try again',
        );
      }
      return paths;
    },
  };
}

async function matchingFiles(
  metadata: TableMetadata,
  branch: string,
  schema: Schema,
  filter: BoundFilter | null,
  { objects, limits }: OverwriteServices,
  signal: AbortSignal,
): Promise<PlannedFiles | null> {
  const snapshot = branchHead(metadata, branch);
  if (snapshot === null) return null;
  return (await planFiles({ metadata, snapshot, schema, filter, objects, limits, signal })).files;
}

async function* survivingRows(
  metadata: TableMetadata,
  schema: Schema,
  files: readonly ScanFile[],
  filter: BoundFilter | null,
  { footers, limits }: OverwriteServices,
  signal: AbortSignal,
): AsyncGenerator<Batch> {
  if (filter === null || files.length === 0) return;
  const nameMapping = nameMappingOf(metadata);
  const context = {
    nameMapping,
    files,
    read: schema,
    wanted: schema,
    filter: null,
    pruneFilter: null,
    footers,
    limits,
    windowRows: () => survivorRows,
    passed: { of: 0, passed: 0 },
  };
  const arrow = arrowSchemaOf(schema);
  const { runs } = await planRowGroups(context, limits.planFootersMax, signal);
  for (const planned of runs) {
    for await (const stretch of stretchesOf(context, planned, unboundedRoom, signal)) {
      for (let start = 0; start < stretch.rows; start += survivorRows) {
        const end = Math.min(stretch.rows, start + survivorRows);
        const columns = stretch.read(start, end);
        const kept = rowsNotTrue(evaluateFilter(filter, (id) => leafColumn(schema, columns, id)!, end - start));
        if (kept.length === 0) continue;
        yield { schema: arrow, rows: kept.length, columns: columns.map((column) => takeColumn(column, kept)) };
      }
    }
  }
}

/** Rows of a replaced file that are looked at together. */
const survivorRows = 65_536;

/** A row for which the filter is unknown stays, as SQL's DELETE would have it. */
function rowsNotTrue(matches: Uint8Array): Int32Array {
  const rows = new Int32Array(matches.length);
  let count = 0;
  for (let row = 0; row < matches.length; row++) if (matches[row] !== 1) rows[count++] = row;
  return rows.subarray(0, count);
}
