import { setImmediate } from 'node:timers/promises';
import type { Schema } from '../catalog/schema/types.ts';
import { throwIfCancelled } from '../core/cancellation.ts';
import type { Limits } from '../core/limits.ts';
import type { Column, StoredColumn } from './arrow/column.ts';
import { columnBytes } from './arrow/kernels/bytes.ts';
import { sliceColumn } from './arrow/kernels/slice.ts';
import type { ColumnCache } from './cache/cache.ts';
import { columnSignature } from './cache/column-keys.ts';
import type { ColumnRows } from './column-rows.ts';
import { type BoundFilter, referencedFields } from './filter/bind.ts';
import { projectedLeaves, projectFile } from './parquet/project.ts';
import type { FileProjection } from './parquet/read.ts';
import { openFeed, type RowGroupFeed } from './parquet/row-group-feed.ts';
import { countRows, hull, type RowRange } from './parquet/row-set.ts';
import type { ParquetLeaf } from './parquet/schema.ts';
import { passingRows, type RowFilter } from './passing-rows.ts';
import { pruneToLeaves } from './projection.ts';
import type { ReadRoom } from './read-ahead.ts';
import { type FileContext, type ReadableGroup, type RowGroupRun, readableGroups } from './row-groups.ts';
import { mayPass, type StoredRows, storedPageRows, storedRows } from './stored-rows.ts';
import { type ColumnSource, gridRows, openColumns, type PlannedColumn, StretchHold } from './stretch-columns.ts';

export interface StretchContext extends FileContext {
  /** Decides which rows are wanted, on raw values; null = all. */
  readonly filter: BoundFilter | null;
  /** The part of `read` that is wanted of rows that pass. */
  readonly wanted: Schema;
  /** Where decoded columns are looked for and kept; absent = nowhere. */
  readonly cache?: ColumnCache | null;
  /** Whether pages may go to the wire as they lie: then stretches are cut between them. Absent = no. */
  readonly passes?: boolean;
  readonly limits: Pick<Limits, 'stretchBytesTarget'>;
  /** How many rows the consumer decodes at a time, by a guess at their bytes. */
  readonly windowRows: (rowBytes: number) => number;
  /** What share of rows passed so far; each stretch of the scan adds to it. */
  readonly passed: PassedRows;
  /** Told of what was read and of the rows that it decided, survivors or not. */
  readonly onRead?: (bytes: number, rows: number) => void;
}

/** Rows that were evaluated lately and those that passed. */
export interface PassedRows {
  of: number;
  passed: number;
}

/** Rows that pass the filter, neighbours in their row group but for those that do not; their columns in memory, encoded. */
export interface Stretch {
  /** Place of the file in the plan. */
  readonly file: number;
  readonly rows: number;
  /** Bytes of a row, decompressed but still encoded: dictionaries make decoded ones larger. */
  readonly rowBytes: number;
  /** Where rows that are best read at once from `start` on end: at most `rowsMax` of them. */
  windowEnd(start: number, rowsMax: number): number;
  /** To be awaited right before rows [start, end) are read, where it is not null: settles which stream decodes what several want. */
  prepare(start: number, end: number): Promise<void> | null;
  /** The wanted columns of rows [start, end) of the stretch; ranges that ascend decode each page once. */
  read(start: number, end: number): readonly Column[];
  /** The rows from `start` on that can be sent as their pages lie; null where none begin there. */
  storedFrom(start: number): StoredRows | null;
  /** The wanted columns of such rows: pages as they lie, and the others as `read` gives them. */
  readBeside(stored: StoredRows): readonly (Column | StoredColumn)[];
  /** Where those rows are stored: the first one's row in the file where they are neighbours, else the row of each. */
  storedAt(start: number, end: number): number | Int32Array;
  /** Ends the use of what it holds. */
  release(): void;
}

/** Rows of a stretch at most, however little they take in the file. */
const stretchRowsMax = 262_144;
const stretchRowsMin = 1_024;
/** A row group that is so little larger than a stretch is read as one. */
const stretchSlack = 1.25;
/** Where more rows than this share passed lately, all columns are fetched together with the filter's. */
const eagerShare = 0.5;
/** Rows after which older ones weigh half. */
const recentRows = 1_000_000;

/**
 * The rows of a run that pass the filter, stretch by stretch. The filter's columns are fetched and decoded first; of the others only
 * the pages that hold a row that passed. Takes room for what a stretch holds before it is fetched. Throws CORRUPT_FILE,
 * LIMIT_EXCEEDED, UNSUPPORTED_FEATURE, SCHEMA_MISMATCH, CANCELLED, and what the store throws.
 */
export async function* stretchesOf(
  context: StretchContext,
  run: RowGroupRun,
  room: ReadRoom,
  signal: AbortSignal,
): AsyncGenerator<Stretch> {
  for await (const readable of readableGroups(context, run, signal)) {
    context.onRead?.(readable.bytesRead, 0);
    yield* groupStretches(context, readable, room, signal);
  }
}

/** The row group's columns: those that the filter needs and those that are wanted of rows that pass. */
interface Columns {
  readonly filter: FilterColumns | null;
  readonly wanted: readonly PlannedColumn[];
  readonly wantedLeaves: readonly ParquetLeaf[];
  /** The wanted columns whose pages may be what the wire carries. */
  readonly passing: ReadonlySet<PlannedColumn>;
}

interface FilterColumns extends RowFilter {
  readonly columns: readonly PlannedColumn[];
  readonly leaves: readonly ParquetLeaf[];
  /** For each wanted column, the place of the same one among these; -1 where it is not. */
  readonly placeOf: readonly number[];
}

async function* groupStretches(
  context: StretchContext,
  readable: ReadableGroup,
  room: ReadRoom,
  signal: AbortSignal,
): AsyncGenerator<Stretch> {
  const { file, rowGroup } = readable;
  const feed = openFeed(file, rowGroup);
  for (const [leaf, places] of readable.places) feed.usePlaces(leaf, places);
  const columns = columnsOf(context, readable);
  const rowBytes = decodedBytes(feed, columns.wantedLeaves);
  const windowRows = context.windowRows(rowBytes);
  const source: ColumnSource = { file, rowGroup, feed, cache: context.cache ?? null, windowRows, signal };
  const grid = columns.passing.size > 0 ? storedPageRows : gridRows(source);
  for (const rows of cutStretches(readable.rows, stretchRows(context, feed, columns, grid), grid)) {
    throwIfCancelled(signal);
    const found = await readStretch(context, source, columns, rows, grid, room);
    feed.release(rows[rows.length - 1]!.end);
    if (found === null) continue;
    yield stretchOf(readable.at, source, columns, rowBytes, grid, found);
  }
}

function columnsOf(context: StretchContext, { file, rowGroup }: ReadableGroup): Columns {
  const { read, wanted, nameMapping, filter: rowsOf, passes } = context;
  const projection = projectFile(file, wanted, wanted.fields, nameMapping);
  const columns = plannedColumns(projection);
  const { chunks } = file.metadata.rowGroups[rowGroup]!;
  const passing = new Set(passes === true ? columns.filter((column) => mayPass(column, chunks)) : []);
  const shared = { wanted: columns, wantedLeaves: projectedLeaves(projection), passing };
  if (rowsOf === null || rowsOf.kind === 'true') return { ...shared, filter: null };
  const schema = pruneToLeaves(read, referencedFields(rowsOf));
  const filtered = projectFile(file, schema, schema.fields, nameMapping);
  const known = plannedColumns(filtered);
  const signatures = known.map(({ plan, field }) => columnSignature(plan, field.type));
  const placeOf = columns.map(({ plan, field }) => signatures.indexOf(columnSignature(plan, field.type)));
  const filter = { filter: rowsOf, schema, columns: known, leaves: projectedLeaves(filtered), placeOf };
  return { ...shared, filter };
}

const plannedColumns = ({ fields, columns }: FileProjection): PlannedColumn[] =>
  columns.map((plan, at) => ({ plan, field: fields[at]! }));

/** Rows whose encoded columns, and whose decoded filter columns, stay within the target; at least one segment of the grid. */
function stretchRows(
  { limits }: StretchContext,
  feed: RowGroupFeed,
  { filter, wantedLeaves }: Columns,
  grid: number | null,
): number {
  const { rows } = feed.group;
  const all = new Set([...wantedLeaves, ...(filter?.leaves ?? [])]);
  const encoded = feed.bytesOf(all) / rows;
  const decoded = filter === null ? 0 : decodedBytes(feed, filter.leaves);
  const fitting = Math.floor(limits.stretchBytesTarget / Math.max(encoded, decoded, 1 / rows));
  const most = Math.max(stretchRowsMin, grid ?? 0, Math.min(stretchRowsMax, fitting));
  return rows <= most * stretchSlack ? rows : most - (most % (grid ?? 64));
}

const decodedBytes = ({ group }: RowGroupFeed, leaves: readonly ParquetLeaf[]): number =>
  leaves.reduce((sum, leaf) => sum + group.chunks[leaf.index]!.uncompressedBytes, 0) / Math.max(1, group.rows);

/** Cuts ranges into lists of at most `rowsMax` rows each, between segments of the grid where a list can end there. */
function cutStretches(ranges: readonly RowRange[], rowsMax: number, grid: number | null): RowRange[][] {
  const stretches: RowRange[][] = [];
  let left = 0;
  for (const range of ranges) {
    for (let start = range.start; start < range.end; ) {
      if (left === 0) {
        stretches.push([]);
        left = rowsMax;
      }
      const last = start + left;
      const cut = grid === null || last % grid >= left ? last : last - (last % grid);
      const end = Math.min(range.end, cut);
      stretches[stretches.length - 1]!.push({ start, end });
      left = end === cut ? 0 : left - (end - start);
      start = end;
    }
  }
  return stretches;
}

/** What was fetched and decided for one stretch. */
interface ReadRows {
  /** The rows that passed; one range where all did and are neighbours. */
  readonly rows: RowRange | Int32Array;
  /** Each wanted column by the rows of the row group, or its values at the rows that passed. */
  readonly columns: readonly (ColumnRows | Column)[];
  readonly hold: StretchHold;
}

/** Null where no row passed. */
async function readStretch(
  context: StretchContext,
  source: ColumnSource,
  { filter, wanted, passing }: Columns,
  ranges: readonly RowRange[],
  grid: number | null,
  room: ReadRoom,
): Promise<ReadRows | null> {
  const total = countRows(ranges);
  using resources = new DisposableStack();
  const hold = resources.use(new StretchHold(room));
  const done = (rows: ReadRows['rows'], columns: ReadRows['columns']): ReadRows => {
    context.onRead?.(hold.bytesRead, total);
    resources.move();
    return { rows, columns, hold };
  };
  if (filter === null) {
    const rows = ranges.length === 1 ? ranges[0]! : allRows(ranges);
    return done(rows, await openWanted(source, wanted, passing, ranges, hold));
  }
  const rest = wanted.filter((_, at) => filter.placeOf[at] === -1);
  const { passed } = context;
  const isEager = passed.of > 0 && passed.passed > passed.of * eagerShare;
  const first = isEager ? [...filter.columns, ...rest] : filter.columns;
  const opened = await openColumns(source, first, ranges, true, hold);
  const filterColumns = opened.slice(0, filter.columns.length);
  const isWanted = (place: number): boolean => filter.placeOf.includes(place);
  const { rows, decoded } = await passingRows(filter, filterColumns, isWanted, onGrid(ranges, grid), hold);
  // Evaluating does not await: between stretches everybody else has a turn.
  await setImmediate();
  note(passed, total, rows.length);
  if (rows.length === 0) {
    context.onRead?.(hold.bytesRead, total);
    return null;
  }
  for (const column of decoded) if (column !== null) hold.add(columnBytes(column));
  const isAll = rows.length === total && ranges.length === 1;
  const late = isEager ? opened.slice(filter.columns.length) : [];
  if (!isEager && rest.length > 0) {
    // Where most rows passed so are most pages wanted, and what is decoded may as well be kept for others.
    const isMost = isAll || (source.cache !== null && rows.length > total * eagerShare);
    late.push(...(await openColumns(source, rest, isMost ? ranges : rows, isMost, hold)));
  }
  const columns = filter.placeOf.map((place) =>
    place === -1 ? late.shift()! : (decoded[place] ?? filterColumns[place]!),
  );
  return done(isAll ? ranges[0]! : rows, columns);
}

/** Columns that may pass are read from their pages, whatever the cache has of them: to send those is cheaper still. */
async function openWanted(
  source: ColumnSource,
  wanted: readonly PlannedColumn[],
  passing: ReadonlySet<PlannedColumn>,
  ranges: readonly RowRange[],
  hold: StretchHold,
): Promise<ColumnRows[]> {
  if (passing.size === 0 || source.cache === null) return openColumns(source, wanted, ranges, true, hold);
  const stored = await openColumns({ ...source, cache: null }, [...passing], ranges, true, hold);
  const others = wanted.filter((column) => !passing.has(column));
  const rest = others.length === 0 ? [] : await openColumns(source, others, ranges, true, hold);
  return wanted.map((column) => (passing.has(column) ? stored.shift()! : rest.shift()!));
}

/** The ranges, cut where segments end: whoever reads those by turns copies nothing. */
function onGrid(ranges: readonly RowRange[], grid: number | null): readonly RowRange[] {
  if (grid === null) return ranges;
  return ranges.flatMap((range) => {
    const parts: RowRange[] = [];
    for (let start = range.start; start < range.end; ) {
      const end = Math.min(range.end, start - (start % grid) + grid);
      parts.push({ start, end });
      start = end;
    }
    return parts;
  });
}

function allRows(ranges: readonly RowRange[]): Int32Array {
  const rows = new Int32Array(countRows(ranges));
  let at = 0;
  for (const { start, end } of ranges) for (let row = start; row < end; row++) rows[at++] = row;
  return rows;
}

function note(passed: PassedRows, of: number, count: number): void {
  if (passed.of > recentRows) {
    passed.of /= 2;
    passed.passed /= 2;
  }
  passed.of += of;
  passed.passed += count;
}

function stretchOf(
  file: number,
  { feed: { group } }: ColumnSource,
  { wanted: planned, passing }: Columns,
  rowBytes: number,
  grid: number | null,
  found: ReadRows,
): Stretch {
  const { rows, columns, hold } = found;
  const { startRow } = group;
  const stored =
    passing.size === 0 || rows instanceof Int32Array
      ? []
      : storedRows(planned, passing, columns, group, rows, rowBytes);
  const count = rows instanceof Int32Array ? rows.length : rows.end - rows.start;
  /** The rows of the row group that [start, end) of the stretch are. */
  const some = (start: number, end: number): RowRange | Int32Array => {
    if (!(rows instanceof Int32Array)) return { start: rows.start + start, end: rows.start + end };
    const [first, last] = [rows[start]!, rows[end - 1]!];
    return last - first + 1 === end - start ? { start: first, end: last + 1 } : rows.subarray(start, end);
  };
  /** A way to read the columns there, all of which are asked for the same array of rows. */
  const readerOf = (start: number, end: number): ((column: ColumnRows | Column) => Column) => {
    const wanted = some(start, end);
    return (column) => {
      if ('kind' in column) return sliceColumn(column, start, end);
      return wanted instanceof Int32Array ? column.take(wanted) : column.read(wanted);
    };
  };
  return {
    file,
    rows: count,
    rowBytes,
    windowEnd(start, rowsMax) {
      if (grid === null || rows instanceof Int32Array) return Math.min(count, start + rowsMax);
      const next = stored.find((one) => one.start > start)?.start ?? count;
      return Math.min(next, windowEnd(rows.start + start, rowsMax, grid) - rows.start);
    },
    prepare: (start, end) => hold.prepare(spanOf(some(start, end))),
    read: (start, end) => columns.map(readerOf(start, end)),
    storedFrom: (start) => stored.find((one) => one.start === start) ?? null,
    readBeside({ start, end, columns: pages }) {
      const read = readerOf(start, end);
      return columns.map((column, at) => pages[at] ?? read(column));
    },
    storedAt(start, end) {
      const wanted = some(start, end);
      return wanted instanceof Int32Array ? wanted.map((row) => startRow + row) : startRow + wanted.start;
    },
    release: () => hold[Symbol.dispose](),
  };
}

const spanOf = (rows: RowRange | Int32Array): RowRange => (rows instanceof Int32Array ? hull(rows) : rows);

/** Where a window from `row` on ends: segments are cut into equal parts, so that none is short and each begins at a multiple of 64 rows. */
function windowEnd(row: number, rowsMax: number, grid: number): number {
  const within = row % grid;
  const even = Math.ceil(grid / Math.ceil(grid / rowsMax));
  const step = Math.min(rowsMax, even + (-even & 63));
  return row - within + Math.min(grid, within - (within % step) + step);
}
