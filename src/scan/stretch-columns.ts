import type { ArrowField } from './arrow/column.ts';
import type { CacheOpening, ColumnCache } from './cache/cache.ts';
import { cachedRows, segmentSplitter } from './cache/cached-rows.ts';
import { chunkKey, columnRowBytes, segmentRowsOf } from './cache/column-keys.ts';
import type { WantedColumn } from './cache/messages.ts';
import { type ColumnRows, decodedRows } from './column-rows.ts';
import { type ColumnPlan, planLeaves } from './parquet/column-plan.ts';
import type { ParquetFile } from './parquet/footer.ts';
import type { LeafRows } from './parquet/leaf-rows.ts';
import type { RowGroupFeed } from './parquet/row-group-feed.ts';
import { clipRanges, countRows, firstFrom, hull, meets, type RowRange, type RowSet } from './parquet/row-set.ts';
import type { ParquetLeaf } from './parquet/schema.ts';
import type { ReadRoom } from './read-ahead.ts';

/** A column that is wanted, and how it is made of the file's leaves. */
export interface PlannedColumn {
  readonly field: ArrowField;
  readonly plan: ColumnPlan;
}

/** What reading the columns of one row group takes. */
export interface ColumnSource {
  readonly file: ParquetFile;
  readonly rowGroup: number;
  readonly feed: RowGroupFeed;
  readonly cache: ColumnCache | null;
  /** Rows that will be asked for at a time. */
  readonly windowRows: number;
  readonly signal: AbortSignal;
}

/** What a fetch takes of the room at the least, so that however small stretches are, there are not many of them. */
const takenBytesMin = 64 * 1024;

/** What one stretch holds: room for bytes, and leases to decode. Disposing gives both back. */
export class StretchHold implements Disposable {
  bytesRead = 0;
  readonly #room: ReadRoom;
  readonly #openings: { readonly opening: CacheOpening; readonly segmentRows: number }[] = [];
  #taken = 0;

  constructor(room: ReadRoom) {
    this.#room = room;
  }

  /** Waits for room for about so many bytes; {@link StretchHold.correct} then tells how many they are. */
  async take(bytes: number): Promise<number> {
    const guess = Math.max(takenBytesMin, bytes);
    await this.#room.take(guess);
    this.#taken += guess;
    return guess;
  }

  correct(guess: number, bytes: number): void {
    this.add(Math.max(takenBytesMin, bytes) - guess);
  }

  /** Room without waiting: for what turns out larger than was thought. */
  add(bytes: number): void {
    this.#room.give(-bytes);
    this.#taken += bytes;
  }

  keep(opening: CacheOpening, segmentRows: number): void {
    this.#openings.push({ opening, segmentRows });
  }

  /** To be awaited right before rows of the row group are read: settles who decodes what of them. Null where nothing is to be settled. */
  prepare({ start, end }: RowRange): Promise<void> | null {
    const waits = this.#openings.flatMap(({ opening, segmentRows }) => {
      const wait = opening.prepare(Math.floor(start / segmentRows), Math.ceil(end / segmentRows));
      return wait === null ? [] : [wait];
    });
    return waits.length === 0 ? null : Promise.all(waits).then(() => undefined);
  }

  [Symbol.dispose](): void {
    for (const { opening } of this.#openings) opening[Symbol.dispose]();
    this.#room.give(this.#taken);
    this.#taken = 0;
  }
}

/**
 * Columns of some rows, each from the cache as far as it has them, and else from the file's bytes, which are fetched here. `whole`: the
 * rows will all be read, so that what is missing may as well be kept for others. Throws what `RowGroupFeed.fetch` throws.
 */
export async function openColumns(
  source: ColumnSource,
  columns: readonly PlannedColumn[],
  rows: RowSet,
  whole: boolean,
  hold: StretchHold,
): Promise<ColumnRows[]> {
  const { feed, cache } = source;
  const leaves = columns.flatMap(({ plan }) => planLeaves(plan));
  const guess = await hold.take(Math.ceil((feed.bytesOf(new Set(leaves)) * countRows(rows)) / feed.group.rows));
  if (cache === null) {
    const fetched = await fetchLeaves(source, [{ leaves, rows }], hold);
    hold.correct(guess, fetched.bytesHeld);
    return columns.map(({ plan }) => decodedRows(plan, fetched.leaves));
  }
  return openCached(source, cache, columns, rows, whole, guess, hold);
}

async function openCached(
  source: ColumnSource,
  cache: ColumnCache,
  columns: readonly PlannedColumn[],
  rows: RowSet,
  whole: boolean,
  guess: number,
  hold: StretchHold,
): Promise<ColumnRows[]> {
  const { file, rowGroup, feed, signal } = source;
  const { group } = feed;
  const segmentRows = segmentRowsOf(group, file.metadata.schema.leaves);
  const segments = segmentsOf(rows, whole, segmentRows, group.rows);
  const stored = columns.filter(({ plan }) => plan.kind !== 'null');
  const wanted = stored.map(({ plan, field }): WantedColumn => {
    const segmentBytes = Math.ceil(columnRowBytes(group, plan) * Math.min(segmentRows, group.rows));
    return { ...segments, chunk: chunkKey(file, rowGroup, plan, field), segmentBytes };
  });
  const opening = await cache.open(wanted, signal);
  hold.keep(opening, segmentRows);
  let sharedBytes = 0;
  const fetches = new Map<string, Fetch>();
  stored.forEach(({ plan }, column) => {
    let [from, to] = [segments.end, segments.first];
    for (let segment = segments.first; segment < segments.end; segment++) {
      const packed = opening.held(column, segment);
      sharedBytes += packed?.byteLength ?? 0;
      if (packed !== null || !meets(rows, segment * segmentRows, (segment + 1) * segmentRows)) continue;
      from = Math.min(from, segment);
      to = segment + 1;
    }
    if (from >= to) return;
    const fetch = fetches.get(`${from} ${to}`) ?? {
      leaves: [],
      rows: clip(rows, from * segmentRows, to * segmentRows),
    };
    fetch.leaves.push(...planLeaves(plan));
    fetches.set(`${from} ${to}`, fetch);
  });
  const fetched = await fetchLeaves(source, [...fetches.values()], hold);
  hold.correct(guess, fetched.bytesHeld + sharedBytes);
  const split = segmentSplitter(segmentRows);
  return columns.map(({ plan, field: { type } }) => {
    const decoded = decodedRows(plan, fetched.leaves);
    const column = stored.findIndex((known) => known.plan === plan);
    if (column < 0) return decoded;
    return cachedRows({ opening, column, type, segmentRows, groupRows: group.rows, decoded, split });
  });
}

/** The segments that rows lie in, and those that they fill. */
function segmentsOf(rows: RowSet, whole: boolean, segmentRows: number, groupRows: number) {
  const { start, end } = hull(rows);
  const all = { first: Math.floor(start / segmentRows), end: Math.ceil(end / segmentRows) };
  if (!whole || rows instanceof Int32Array || rows.length > 1) return { ...all, wholeFirst: 0, wholeEnd: 0 };
  const wholeEnd = end === groupRows ? all.end : Math.floor(end / segmentRows);
  return { ...all, wholeFirst: Math.ceil(start / segmentRows), wholeEnd };
}

function clip(rows: RowSet, start: number, end: number): RowSet {
  if (!(rows instanceof Int32Array)) return clipRanges(rows, start, end);
  return rows.subarray(firstFrom(rows, start), firstFrom(rows, end));
}

interface Fetch {
  readonly leaves: ParquetLeaf[];
  readonly rows: RowSet;
}

async function fetchLeaves(
  { feed, windowRows, signal }: ColumnSource,
  fetches: readonly Fetch[],
  hold: StretchHold,
): Promise<{ readonly leaves: ReadonlyMap<number, LeafRows>; readonly bytesHeld: number }> {
  const leaves = new Map<number, LeafRows>();
  let bytesHeld = 0;
  for (const { leaves: some, rows } of fetches) {
    const fetched = await feed.fetch([...new Set(some)], rows, windowRows, signal);
    for (const [index, leaf] of fetched.leaves) leaves.set(index, leaf);
    bytesHeld += fetched.bytesHeld;
    hold.bytesRead += fetched.bytesRead;
  }
  return { leaves, bytesHeld };
}

/** Rows of the grid on which columns are kept; null without a cache. */
export function gridRows({ cache, file, feed }: ColumnSource): number | null {
  return cache === null ? null : segmentRowsOf(feed.group, file.metadata.schema.leaves);
}
