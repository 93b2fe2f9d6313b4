import type { Snapshot, TableMetadata } from '../catalog/metadata/types.ts';
import { indexSchema } from '../catalog/schema/lookup.ts';
import type { NameMapping } from '../catalog/schema/name-mapping.ts';
import type { NestedField, Schema } from '../catalog/schema/types.ts';
import type { TableDecision } from '../core/access.ts';
import { throwIfCancelled } from '../core/cancellation.ts';
import type { ColumnPath } from '../core/column-path.ts';
import { ServiceError } from '../core/errors.ts';
import type { Expression } from '../core/expression.ts';
import type { FieldId, SnapshotId } from '../core/ids.ts';
import type { Limits } from '../core/limits.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { ArrowSchema } from './arrow/column.ts';
import { arrowSchemaOf } from './arrow/iceberg.ts';
import type { ColumnCache } from './cache/cache.ts';
import { FileList, placeOf, WholeFiles } from './file-list.ts';
import { type BoundFilter, bindFilter, bindRowFilter, conjunction, referencedFields } from './filter/bind.ts';
import type { FooterCache } from './footers.ts';
import { leafIds, projectColumns, pruneToLeaves } from './projection.ts';
import { planningPace } from './prune/manifest-store.ts';
import { planFiles } from './prune/plan-files.ts';
import { objectBytes, type PlannedFiles } from './prune/planned-files.ts';
import { prunablePart } from './prune/prunable.ts';
import type { ReadPool } from './read-pool.ts';
import { type FileContext, nameMappingOf, planRowGroups, type RowGroupRun, type ScanFile } from './row-groups.ts';
import type { Sequence } from './sequence.ts';
import { cutShards, type Position, type ShardRange } from './shards.ts';
import { visibleSchema } from './visible-schema.ts';

/** What policy says about the rows and columns of a scan. */
export type ScanAccess = Pick<TableDecision, 'columns' | 'rowFilter' | 'restricted'>;

export interface ScanInput {
  readonly metadata: TableMetadata;
  /** Null for a table that has no snapshot yet: a plan of no rows. */
  readonly snapshot: Snapshot | null;
  /** The schema that the snapshot is read with. */
  readonly schema: Schema;
  readonly columns: readonly ColumnPath[] | null;
  readonly filter: Expression | null;
  readonly limit: number | null;
  readonly access: ScanAccess;
}

export interface ScanServices {
  readonly objects: ObjectStore;
  readonly footers: FooterCache;
  readonly limits: Limits;
  /** Decoded columns that streams share; absent = each decodes its own. */
  readonly cache?: ColumnCache | null;
  /** Bounds what the streams of a thread hold together; absent = each for itself. */
  readonly pool?: ReadPool;
  /** Told of each read's bytes and rows, for the metrics. */
  readonly onRead?: (bytes: number, rows: number) => void;
}

/** What executing a scan needs of its plan. */
export interface ScanWork {
  readonly nameMapping: NameMapping | null;
  readonly schemas: ScanSchemas;
  /** On raw values; null = every row is admitted. */
  readonly rowFilter: BoundFilter | null;
  /** On values as the caller sees them; null = every row passes. */
  readonly clientFilter: BoundFilter | null;
  /** What both filters say of raw values, for statistics of row groups and pages; null = nothing can be skipped. */
  readonly pruneFilter: BoundFilter | null;
  readonly access: Pick<ScanAccess, 'columns' | 'restricted'>;
  readonly files: Sequence<ScanFile>;
  /** The row groups that may hold a row, in order; whole files where there were too many to look into each. */
  readonly runs: Iterable<RowGroupRun>;
}

/** A scan decided: plain data that can be printed, compared, cached, and executed by anybody who holds the same files. */
export interface ScanPlan extends ScanWork {
  readonly snapshotId: SnapshotId | null;
  /** Why the policy's row filter could not be bound, and admits no row: for the log alone, since it may name hidden columns. */
  readonly rowFilterProblem: ServiceError | null;
  readonly access: ScanAccess;
  readonly limit: number | null;
  readonly runs: Sequence<RowGroupRun>;
  readonly counts: PlanCounts;
  /** Rows of all runs together. */
  readonly rows: number;
  /** Bytes of the runs up to and including each. */
  readonly bytesEnds: Float64Array;
  /** About the bytes that the plan takes in memory, for caches. */
  readonly memory: number;
}

export interface ScanSchemas {
  /** What is read from files: the leaves of the output and of both filters, raw types. */
  readonly read: Schema;
  /** What is read, as the caller may see it. */
  readonly visible: Schema;
  /** What is sent. */
  readonly output: Schema;
  readonly arrow: ArrowSchema;
}

export interface PlanCounts {
  readonly files: number;
  readonly filesPruned: number;
  readonly rowGroups: number;
  readonly rowGroupsPruned: number;
}

/**
 * Plans a scan: decides what is visible, binds the filters in the order of enforcement, and prunes files and row groups. Only
 * raw, visible columns of the caller's filter and the row filter itself may prune.
 *
 * @throws UNKNOWN_COLUMN, INVALID_FILTER, INVALID_REQUEST, UNSUPPORTED_FEATURE (row-level deletes, v3 defaults), CORRUPT_FILE.
 */
export async function planScan(input: ScanInput, services: ScanServices, signal: AbortSignal): Promise<ScanPlan> {
  const { metadata, snapshot, schema, access } = input;
  refuseRowLineage(input);
  const visible = visibleSchema(schema, access.columns);
  const output = projectColumns(visible, input.columns);
  const everywhere = withDroppedFields(schema, metadata.schemas);
  const bound = access.rowFilter === null ? null : bindRowFilter(access.rowFilter, [everywhere]);
  const rowFilter = bound?.filter ?? null;
  const clientFilter = input.filter === null ? null : bindFilter(input.filter, visible, () => true);
  const leaves = new Set([...leafIds(output), ...fieldsOf(rowFilter), ...fieldsOf(clientFilter)]);
  const read = pruneToLeaves(everywhere, leaves);
  const schemas = { read, visible: visibleSchema(read, access.columns), output, arrow: arrowSchemaOf(output) };
  const pruneFilter = both(rowFilter, clientFilter && prunablePart(clientFilter, (id) => isRaw(access, id)));
  const plan = {
    snapshotId: snapshot?.snapshotId ?? null,
    nameMapping: nameMappingOf(metadata),
    schemas,
    rowFilter,
    rowFilterProblem: bound?.problem ?? null,
    clientFilter,
    pruneFilter,
    access,
    limit: input.limit,
  };
  if (snapshot === null) {
    const counts = { files: 0, filesPruned: 0, rowGroups: 0, rowGroupsPruned: 0 };
    return { ...plan, files: [], runs: [], counts, rows: 0, bytesEnds: new Float64Array(0), memory: planBytes };
  }
  const { objects, limits } = services;
  const found = await planFiles({
    metadata,
    snapshot,
    schema: everywhere,
    filter: pruneFilter,
    objects,
    limits,
    signal,
  });
  const decided = await decideRuns(found.files, { ...plan, read, footers: services.footers }, limits, signal);
  const { pruned, ...kept } = decided;
  const counts = {
    files: kept.files.length,
    filesPruned: found.filesPruned,
    rowGroups: kept.runs.length,
    rowGroupsPruned: pruned,
  };
  return { ...plan, ...kept, counts };
}

// What a plan and a row group of it take in memory.
const planBytes = 4_096;
const runBytes = 104;

/** The files and runs that a plan keeps, with about what they take in memory. */
async function decideRuns(
  found: PlannedFiles,
  context: Omit<FileContext, 'files'>,
  limits: Pick<Limits, 'planFootersMax'>,
  signal: AbortSignal,
): Promise<Pick<ScanPlan, 'files' | 'runs' | 'memory' | 'rows' | 'bytesEnds'> & { readonly pruned: number }> {
  const many = found.length > limits.planFootersMax;
  const { files, memory } = many ? found.kept() : { files: found.slice(), memory: objectBytes * found.length };
  if (files instanceof FileList) {
    const runs = new WholeFiles(files);
    const sizes = await sizesOfWhole(files, signal);
    return { files, runs, pruned: 0, memory: planBytes + memory + 8 * runs.length, ...sizes };
  }
  const { runs, pruned } = await planRowGroups({ ...context, files }, limits.planFootersMax, signal);
  return { files, runs, pruned, memory: planBytes + memory + runBytes * runs.length, ...sizesOf(runs) };
}

type Sizes = Pick<ScanPlan, 'rows' | 'bytesEnds'>;

function sizesOf(runs: Sequence<RowGroupRun>): Sizes {
  const bytesEnds = new Float64Array(runs.length);
  let [rows, bytes, at] = [0, 0, 0];
  for (const run of runs) {
    rows += run.rows;
    bytes += run.bytes;
    bytesEnds[at++] = bytes;
  }
  return { rows, bytesEnds };
}

/** The same of files read whole, without making their runs. */
async function sizesOfWhole(files: FileList, signal: AbortSignal): Promise<Sizes> {
  const bytesEnds = new Float64Array(files.length);
  let [rows, bytes, to] = [0, 0, 0];
  for (const segment of files.segments) {
    for (let at = 0; at < segment.count; at++) {
      const place = placeOf(segment, at);
      rows += segment.columns.rows[place]!;
      bytes += segment.columns.bytes[place]!;
      bytesEnds[to++] = bytes;
    }
    if (!planningPace.isDue) continue;
    await planningPace.giveWay();
    throwIfCancelled(signal);
  }
  return { rows, bytesEnds };
}

/** v3's metadata columns (table spec, "Row Lineage"). */
const lineageColumns = new Set(['_row_id', '_last_updated_sequence_number']);

function refuseRowLineage({ columns, metadata }: ScanInput): void {
  const wanted = metadata.formatVersion < 3 ? undefined : columns?.find(([name]) => lineageColumns.has(name!));
  if (wanted === undefined) return;
  throw new ServiceError('UNSUPPORTED_FEATURE', `${wanted[0]}: the row lineage of version 3 tables is not read yet`);
}

const isRaw = (access: ScanAccess, id: FieldId): boolean => access.columns.get(id)?.kind === 'raw';

const fieldsOf = (filter: BoundFilter | null): Iterable<FieldId> => (filter === null ? [] : referencedFields(filter));

function both(a: BoundFilter | null, b: BoundFilter | null): BoundFilter | null {
  if (a === null || b === null) return a ?? b;
  return conjunction([a, b]);
}

/**
 * The schema with the top-level fields that other schemas of the table have and this one lacks: a row filter binds to a field for
 * ever, also where the schema that is read has dropped it or does not have it yet.
 */
function withDroppedFields(schema: Schema, schemas: readonly Schema[]): Schema {
  const known = indexSchema(schema).byId;
  const dropped = new Map<FieldId, NestedField>();
  for (const other of schemas) {
    for (const field of other.fields) {
      if (!known.has(field.id)) dropped.set(field.id, optional(field));
    }
  }
  return dropped.size === 0 ? schema : { ...schema, fields: [...schema.fields, ...dropped.values()] };
}

/** A dropped field may be missing from any file, and its name may have been given to another field since. */
const optional = (field: NestedField): NestedField => ({
  ...field,
  name: `${field.name} (field ${field.id})`,
  required: false,
});

/**
 * The plan cut into exactly `shards` ranges of about equal bytes. A limit on unfiltered rows cuts rows off the end; on filtered
 * rows nobody can tell in advance where it falls, so the first range streams all and the others are empty.
 */
export function shardPlan(plan: ScanPlan, shards: number): ShardRange[] {
  const end: Position = { file: plan.files.length, row: 0 };
  const filtered = plan.rowFilter !== null || plan.clientFilter !== null;
  if (plan.limit === null || (!filtered && plan.limit >= plan.rows)) return cutShards(plan, shards, end);
  if (!filtered) return limitedShards(plan, plan.limit, shards);
  return Array.from({ length: shards }, (_, shard) => ({ start: shard === 0 ? { file: 0, row: 0 } : end, end }));
}

/** Cuts the first `limit` rows, which are fewer than there are. */
function limitedShards({ runs, bytesEnds }: ScanPlan, limit: number, shards: number): ShardRange[] {
  if (limit === 0) {
    const none = { file: 0, row: 0 };
    return cutShards({ runs: [], bytesEnds: new Float64Array(0) }, shards, none);
  }
  let [at, left] = [0, limit];
  let last = runs.at(0)!;
  for (; last.rows < left; last = runs.at(at)!) {
    left -= last.rows;
    at++;
  }
  const bytes = Math.ceil((last.bytes * left) / last.rows);
  const ends = bytesEnds.slice(0, at + 1);
  ends[at] = (at === 0 ? 0 : ends[at - 1]!) + bytes;
  const cut = { ...last, rows: left, bytes };
  const first = { at: (index: number) => (index === at ? cut : runs.at(index)) };
  return cutShards({ runs: first, bytesEnds: ends }, shards, { file: last.file, row: last.startRow + left });
}

/** Rows that the plan yields, where no filter makes that unknowable. */
export function exactRows(plan: ScanPlan): number | null {
  if (plan.rowFilter !== null || plan.clientFilter !== null) return null;
  return plan.limit === null ? plan.rows : Math.min(plan.rows, plan.limit);
}
