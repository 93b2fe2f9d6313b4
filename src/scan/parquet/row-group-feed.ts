import { ServiceError } from '../../core/errors.ts';
import { ChunkFeed } from './chunk-feed.ts';
import { openLeaf } from './decode-leaf.ts';
import type { ParquetFile } from './footer.ts';
import { type LeafRows, leafRows } from './leaf-rows.ts';
import { type RowGroup, requireReadable } from './metadata.ts';
import { type PagePlace, parseOffsetIndex } from './page-index.ts';
import { fetchRanges } from './ranges.ts';
import { countRows, hull, type RowSet } from './row-set.ts';
import type { ParquetLeaf } from './schema.ts';

/** Leaves of a row group at some rows: encoded bytes in memory, decoded as they are asked for. */
export interface FetchedLeaves {
  readonly leaves: ReadonlyMap<number, LeafRows>;
  /** Bytes that were read from the object store for them. */
  readonly bytesRead: number;
  /** Bytes that they keep in memory. */
  readonly bytesHeld: number;
}

/** One row group's leaves, fetched in any groups of leaves and rows that ascend for each leaf. */
export interface RowGroupFeed {
  readonly group: RowGroup;
  /** Bytes that the leaves' chunks have in the file. */
  bytesOf(leaves: Iterable<ParquetLeaf>): number;
  /** Where the data pages of a leaf lie, known from elsewhere. */
  usePlaces(leaf: ParquetLeaf, places: readonly PagePlace[]): void;
  /**
   * Fetches what holds `rows` and is not at hand yet. `batchRows`: how many will be decoded at a time. Throws
   * CORRUPT_FILE, LIMIT_EXCEEDED, UNSUPPORTED_FEATURE (encryption), CANCELLED, and what the store throws.
   */
  fetch(leaves: readonly ParquetLeaf[], rows: RowSet, batchRows: number, signal: AbortSignal): Promise<FetchedLeaves>;
  /** Lets go of the bytes of rows before `row`; what was fetched before keeps its own. */
  release(row: number): void;
}

/** Below this many bytes of column chunks a part of them is read with the rest rather than ask for the offset index first. */
const selectPagesBytesMin = 256 * 1024;

export function openFeed(file: ParquetFile, rowGroup: number): RowGroupFeed {
  const group = file.metadata.rowGroups[rowGroup];
  if (group === undefined) throw new ServiceError('INTERNAL', `row group ${rowGroup} does not exist`);
  const feeds = new Map<number, ChunkFeed>();
  const feedOf = (leaf: ParquetLeaf): ChunkFeed => {
    let feed = feeds.get(leaf.index);
    if (feed === undefined) {
      const chunk = group.chunks[leaf.index]!;
      requireReadable(chunk);
      feed = new ChunkFeed(leaf, chunk, group.rows, file.limits.decompressedBytesMax);
      feeds.set(leaf.index, feed);
    }
    return feed;
  };
  const bytesOf = (leaves: Iterable<ParquetLeaf>): number => {
    let bytes = 0;
    for (const leaf of leaves) bytes += feedOf(leaf).bytes;
    return bytes;
  };

  const noRows = (leaf: ParquetLeaf): [number, LeafRows] => {
    const none = { start: 0, end: 0 };
    const source = {
      leaf,
      chunk: group.chunks[leaf.index]!,
      parts: [],
      held: none,
      pageRows: null,
      rows: none,
      batchRows: 0,
    };
    return [leaf.index, leafRows(openLeaf(source, file.limits), [{ range: none, startRow: 0, endRow: 0 }])];
  };

  return {
    group,
    bytesOf,
    usePlaces: (leaf, places) => feedOf(leaf).usePlaces(places),
    async fetch(leaves, rows, batchRows, signal) {
      if (countRows(rows) === 0) return { leaves: new Map(leaves.map(noRows)), bytesRead: 0, bytesHeld: 0 };
      const wanted = leaves.map(feedOf);
      let bytesRead = await usePageIndexes(file, group, wanted, rows, signal);
      for (;;) {
        const missing = wanted.flatMap((feed) => feed.missing(rows).map((range) => ({ feed, range })));
        if (missing.length === 0) break;
        const ranges = missing.map(({ range }) => range);
        const { parts, bytesRead: bytes } = await fetchRanges(file, ranges, signal);
        bytesRead += bytes;
        for (const [at, { feed, range }] of missing.entries()) feed.accept(range, parts[at]!);
      }
      let bytesHeld = 0;
      const fetched = wanted.map((feed): [number, LeafRows] => {
        const { source, places } = feed.pages(rows, batchRows);
        bytesHeld += source.parts.reduce((sum, part) => sum + part.length, feed.tailBytes);
        return [feed.leaf.index, leafRows(openLeaf(source, file.limits), places)];
      });
      return { leaves: new Map(fetched), bytesRead, bytesHeld };
    },
    release(row) {
      for (const feed of feeds.values()) feed.release(row);
    },
  };
}

/** Asks for the offset indexes of the chunks of which only a part is wanted, where they have any. */
async function usePageIndexes(
  file: ParquetFile,
  group: RowGroup,
  feeds: readonly ChunkFeed[],
  rows: RowSet,
  signal: AbortSignal,
): Promise<number> {
  const isPart = rows instanceof Int32Array ? rows.length < group.rows : rows.length > 1 || !isAll(rows, group);
  const indexed = feeds.filter((feed) => feed.isFresh && feed.chunk.offsetIndex !== null);
  const bytes = indexed.reduce((sum, feed) => sum + feed.bytes, 0);
  if (!isPart || file.whole !== null || bytes < selectPagesBytesMin) return 0;
  const ranges = indexed.map((feed) => feed.chunk.offsetIndex!);
  const { parts, bytesRead } = await fetchRanges(file, ranges, signal);
  for (const [at, feed] of indexed.entries()) feed.usePlaces(parseOffsetIndex(parts[at]!, feed.chunk, group.rows));
  return bytesRead;
}

function isAll(rows: RowSet, group: RowGroup): boolean {
  const { start, end } = hull(rows);
  return start === 0 && end === group.rows;
}
