import { setImmediate } from 'node:timers/promises';
import type { Schema } from '../catalog/schema/types.ts';
import { throwIfCancelled } from '../core/cancellation.ts';
import type { Limits } from '../core/limits.ts';
import type { Column } from './arrow/column.ts';
import { columnBytes } from './arrow/kernels/bytes.ts';
import { concatColumns } from './arrow/kernels/concat.ts';
import { sliceColumn } from './arrow/kernels/slice.ts';
import { takeColumn } from './arrow/kernels/take.ts';
import { type BoundFilter, referencedFields } from './filter/bind.ts';
import { evaluateFilter, selectedRows } from './filter/evaluate.ts';
import type { LeafRows } from './parquet/leaf-rows.ts';
import { projectedLeaves, projectFile } from './parquet/project.ts';
import { assembleRows, type FileProjection } from './parquet/read.ts';
import { openFeed, type RowGroupFeed } from './parquet/row-group-feed.ts';
import { countRows, type RowRange } from './parquet/row-set.ts';
import type { ParquetLeaf } from './parquet/schema.ts';
import { pruneToLeaves } from './projection.ts';
import type { ReadRoom } from './read-ahead.ts';
import { type FileContext, type ReadableGroup, type RowGroupRun, readableGroups } from './row-groups.ts';
import { leafColumn } from './shape.ts';

export interface StretchContext extends FileContext {
  /** Decides which rows are wanted, on raw values; null = all. */
  readonly filter: BoundFilter | null;
  /** The part of `read` that is wanted of rows that pass. */
  readonly wanted: Schema;
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
  /** The wanted columns of rows [start, end) of the stretch; ranges that ascend decode each page once. */
  read(start: number, end: number): readonly Column[];
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
/** What a fetch takes of the room at the least, so that however small stretches are, there are not many of them. */
const takenBytesMin = 64 * 1024;
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

/** The row group's leaves: those that the filter needs and those that are wanted of rows that pass. */
interface Leaves {
  readonly filter: FilterLeaves | null;
  readonly wanted: FileProjection;
  readonly wantedLeaves: readonly ParquetLeaf[];
}

interface FilterLeaves {
  readonly filter: BoundFilter;
  readonly schema: Schema;
  readonly projection: FileProjection;
  readonly leaves: readonly ParquetLeaf[];
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
  const leaves = leavesOf(context, readable);
  const rowBytes = decodedBytes(feed, leaves.wantedLeaves);
  const windowRows = context.windowRows(rowBytes);
  for (const rows of cutStretches(readable.rows, stretchRows(context, feed, leaves))) {
    throwIfCancelled(signal);
    const found = await readStretch(context, feed, leaves, rows, windowRows, room, signal);
    feed.release(rows[rows.length - 1]!.end);
    if (found === null) continue;
    yield stretchOf(readable.at, feed.group.startRow, rowBytes, leaves, found);
  }
}

function leavesOf({ read, wanted, nameMapping, filter: rowsOf }: StretchContext, { file }: ReadableGroup): Leaves {
  const projection = projectFile(file, wanted, wanted.fields, nameMapping);
  const shared = { wanted: projection, wantedLeaves: projectedLeaves(projection) };
  if (rowsOf === null || rowsOf.kind === 'true') return { ...shared, filter: null };
  const schema = pruneToLeaves(read, referencedFields(rowsOf));
  const filtered = projectFile(file, schema, schema.fields, nameMapping);
  const filter = { filter: rowsOf, schema, projection: filtered, leaves: projectedLeaves(filtered) };
  return { ...shared, filter };
}

/** Rows whose encoded columns, and whose decoded filter columns, stay within the target. */
function stretchRows({ limits }: StretchContext, feed: RowGroupFeed, { filter, wantedLeaves }: Leaves): number {
  const { rows } = feed.group;
  const all = new Set([...wantedLeaves, ...(filter?.leaves ?? [])]);
  const encoded = feed.bytesOf(all) / rows;
  const decoded = filter === null ? 0 : decodedBytes(feed, filter.leaves);
  const fitting = Math.floor(limits.stretchBytesTarget / Math.max(encoded, decoded, 1 / rows));
  const most = Math.max(stretchRowsMin, Math.min(stretchRowsMax, fitting));
  return rows <= most * stretchSlack ? rows : most - (most % 64);
}

const decodedBytes = ({ group }: RowGroupFeed, leaves: readonly ParquetLeaf[]): number =>
  leaves.reduce((sum, leaf) => sum + group.chunks[leaf.index]!.uncompressedBytes, 0) / Math.max(1, group.rows);

/** Cuts ranges into lists of at most `rowsMax` rows each. */
function cutStretches(ranges: readonly RowRange[], rowsMax: number): RowRange[][] {
  const stretches: RowRange[][] = [];
  let left = 0;
  for (const range of ranges) {
    for (let start = range.start; start < range.end; ) {
      if (left === 0) {
        stretches.push([]);
        left = rowsMax;
      }
      const end = Math.min(range.end, start + left);
      stretches[stretches.length - 1]!.push({ start, end });
      left -= end - start;
      start = end;
    }
  }
  return stretches;
}

/** What was fetched and decided for one stretch. */
interface ReadRows {
  /** The rows that passed; one range where all did and are neighbours. */
  readonly rows: RowRange | Int32Array;
  readonly leaves: ReadonlyMap<number, LeafRows>;
  /** Leaves that the filter had decoded, at the rows that passed. */
  readonly decoded: ReadonlyMap<number, Column>;
  release(): void;
}

/** Null where no row passed. */
async function readStretch(
  context: StretchContext,
  feed: RowGroupFeed,
  { filter, wantedLeaves }: Leaves,
  ranges: readonly RowRange[],
  windowRows: number,
  room: ReadRoom,
  signal: AbortSignal,
): Promise<ReadRows | null> {
  const total = countRows(ranges);
  let taken = 0;
  let bytesRead = 0;
  const held = new Map<number, LeafRows>();
  const fetch = async (leaves: readonly ParquetLeaf[], rows: readonly RowRange[] | Int32Array, share: number) => {
    const guess = Math.max(takenBytesMin, Math.ceil((feed.bytesOf(leaves) * share) / feed.group.rows));
    await room.take(guess);
    taken += guess;
    const fetched = await feed.fetch(leaves, rows, windowRows, signal);
    const more = Math.max(takenBytesMin, fetched.bytesHeld) - guess;
    room.give(-more);
    taken += more;
    bytesRead += fetched.bytesRead;
    for (const [index, leaf] of fetched.leaves) held.set(index, leaf);
  };
  const done = (rows: ReadRows['rows'], decoded: ReadRows['decoded']): ReadRows => {
    context.onRead?.(bytesRead, total);
    return { rows, leaves: held, decoded, release: () => room.give(taken) };
  };
  try {
    if (filter === null) {
      await fetch(wantedLeaves, ranges, total);
      return done(ranges.length === 1 ? ranges[0]! : allRows(ranges), new Map());
    }
    const rest = wantedLeaves.filter((leaf) => !filter.leaves.includes(leaf));
    const { passed } = context;
    const isEager = passed.of > 0 && passed.passed > passed.of * eagerShare;
    await fetch(isEager ? [...filter.leaves, ...rest] : filter.leaves, ranges, total);
    const { rows, decoded } = evaluate(filter, ranges, held);
    // Evaluating does not await: between stretches everybody else has a turn.
    await setImmediate();
    note(passed, total, rows.length);
    for (const leaf of filter.leaves) held.delete(leaf.index);
    if (rows.length === 0) {
      context.onRead?.(bytesRead, total);
      room.give(taken);
      return null;
    }
    const kept = new Map([...decoded].filter(([index]) => wantedLeaves.some((leaf) => leaf.index === index)));
    const keptBytes = [...kept.values()].reduce((sum, column) => sum + columnBytes(column), 0);
    room.give(-keptBytes);
    taken += keptBytes;
    const isAll = rows.length === total && ranges.length === 1;
    if (!isEager && rest.length > 0) await fetch(rest, isAll ? ranges : rows, isAll ? total : rows.length);
    return done(isAll ? ranges[0]! : rows, kept);
  } catch (error) {
    room.give(taken);
    throw error;
  }
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

/** The rows where the filter is true, and the filter's leaves there. */
function evaluate(
  { filter, schema, projection, leaves }: FilterLeaves,
  ranges: readonly RowRange[],
  held: ReadonlyMap<number, LeafRows>,
): { readonly rows: Int32Array; readonly decoded: ReadonlyMap<number, Column> } {
  const found = ranges.map((range) => {
    const rows = range.end - range.start;
    const read = new Map(leaves.map((leaf) => [leaf.index, held.get(leaf.index)!.read(range)]));
    const columns = assembleRows(projection, rows, (leaf) => read.get(leaf.index)!);
    const selected = selectedRows(evaluateFilter(filter, (id) => leafColumn(schema, columns, id)!, rows));
    return { read, selected, start: range.start, isAll: selected.length === rows };
  });
  const rows = new Int32Array(found.reduce((sum, { selected }) => sum + selected.length, 0));
  let at = 0;
  for (const { selected, start } of found) {
    for (let row = 0; row < selected.length; row++) rows[at++] = selected[row]! + start;
  }
  const some = found.filter(({ selected }) => selected.length > 0);
  if (some.length === 0) return { rows, decoded: new Map() };
  const decoded = leaves.map(({ index }): [number, Column] => {
    const parts = some.map(({ read, selected, isAll }) =>
      isAll ? read.get(index)! : takeColumn(read.get(index)!, selected),
    );
    return [index, concatColumns(parts)];
  });
  return { rows, decoded: new Map(decoded) };
}

function stretchOf(file: number, startRow: number, rowBytes: number, leaves: Leaves, found: ReadRows): Stretch {
  const { rows, decoded } = found;
  const count = rows instanceof Int32Array ? rows.length : rows.end - rows.start;
  /** The rows of the row group that [start, end) of the stretch are. */
  const some = (start: number, end: number): RowRange | Int32Array => {
    if (!(rows instanceof Int32Array)) return { start: rows.start + start, end: rows.start + end };
    const [first, last] = [rows[start]!, rows[end - 1]!];
    return last - first + 1 === end - start ? { start: first, end: last + 1 } : rows.subarray(start, end);
  };
  return {
    file,
    rows: count,
    rowBytes,
    read(start, end) {
      const wanted = some(start, end);
      return assembleRows(leaves.wanted, end - start, ({ index }) => {
        const known = decoded.get(index);
        if (known !== undefined) return sliceColumn(known, start, end);
        const leaf = found.leaves.get(index)!;
        return wanted instanceof Int32Array ? leaf.take(wanted) : leaf.read(wanted);
      });
    },
    storedAt(start, end) {
      const wanted = some(start, end);
      return wanted instanceof Int32Array ? wanted.map((row) => startRow + row) : startRow + wanted.start;
    },
    release: found.release,
  };
}
