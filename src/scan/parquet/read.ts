import { ServiceError } from '../../core/errors.ts';
import type { ByteRange } from '../../storage/object-store.ts';
import type { ArrowField, Column } from '../arrow/column.ts';
import { assembleColumn, linksOf } from './assemble.ts';
import { type ColumnPlan, planLeaves } from './column-plan.ts';
import { type LeafSource, openLeaf, type RowRange } from './decode-leaf.ts';
import type { ParquetFile } from './footer.ts';
import { type ColumnChunk, type RowGroup, requireReadable } from './metadata.ts';
import { type PagePlace, parseOffsetIndex } from './page-index.ts';
import { fetchRanges } from './ranges.ts';
import type { ParquetLeaf } from './schema.ts';

export type { RowRange } from './decode-leaf.ts';

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

/** Below this many bytes of column chunks a row range reads them whole rather than ask for the offset index first. */
const selectPagesBytesMin = 256 * 1024;

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
  const group = file.metadata.rowGroups[options.rowGroup];
  if (group === undefined) throw new ServiceError('INTERNAL', `row group ${options.rowGroup} does not exist`);
  const rows = options.rows ?? { start: 0, end: group.rows };
  checkWithin(rows, { start: 0, end: group.rows });
  const leaves = [...new Set(projection.columns.flatMap(planLeaves))];
  for (const leaf of leaves) requireReadable(group.chunks[leaf.index]!);
  const batchRows = options.batchRows ?? Number.POSITIVE_INFINITY;
  const { sources, bytesRead } = await fetchLeaves(file, group, leaves, rows, batchRows, signal);
  const readers = sources.map((source) => ({ leaf: source.leaf, reader: openLeaf(source, file.limits) }));
  return {
    rows,
    bytesRead,
    read(wanted) {
      checkWithin(wanted, rows);
      const links = new Map(readers.map(({ leaf, reader }) => [leaf.index, linksOf(leaf, reader.read(wanted))]));
      const decoded = { rows: wanted.end - wanted.start, links };
      return projection.columns.map((plan) => assembleColumn(plan, decoded));
    },
  };
}

function checkWithin(rows: RowRange, all: RowRange): void {
  if (rows.start >= all.start && rows.end <= all.end && rows.start <= rows.end) return;
  throw new ServiceError(
    'INTERNAL',
    `rows ${rows.start} to ${rows.end} lie outside of rows ${all.start} to ${all.end}`,
  );
}

/** What of a leaf's chunk is read: its byte ranges, in order, and the rows that lie in them. */
interface LeafParts {
  readonly leaf: ParquetLeaf;
  readonly chunk: ColumnChunk;
  readonly ranges: readonly ByteRange[];
  readonly held: RowRange;
  readonly pageRows: readonly number[] | null;
}

async function fetchLeaves(
  file: ParquetFile,
  group: RowGroup,
  leaves: readonly ParquetLeaf[],
  rows: RowRange,
  batchRows: number,
  signal: AbortSignal,
): Promise<{ sources: LeafSource[]; bytesRead: number }> {
  if (rows.start === rows.end) return { sources: leaves.map((leaf) => emptySource(leaf, group)), bytesRead: 0 };
  const chunks = leaves.map((leaf) => group.chunks[leaf.index]!);
  const chunkBytes = chunks.reduce((sum, chunk) => sum + chunk.range.end - chunk.range.start, 0);
  const all = rows.start === 0 && rows.end === group.rows;
  const selects = !all && file.whole === null && chunkBytes >= selectPagesBytesMin;
  const places = selects ? await fetchOffsetIndexes(file, group, chunks, signal) : { indexes: null, bytesRead: 0 };
  const parts = leaves.map((leaf, at): LeafParts => {
    const chunk = chunks[at]!;
    const pages = places.indexes?.[at] ?? null;
    if (pages !== null) return selectPages(leaf, chunk, pages, rows);
    return { leaf, chunk, ranges: [chunk.range], held: { start: 0, end: group.rows }, pageRows: null };
  });
  const fetched = await fetchRanges(
    file,
    parts.flatMap((part) => part.ranges),
    signal,
  );
  let at = 0;
  const sources = parts.map(({ leaf, chunk, ranges, held, pageRows }): LeafSource => {
    const bytes = fetched.parts.slice(at, at + ranges.length);
    at += ranges.length;
    return { leaf, chunk, parts: bytes, held, pageRows, rows, batchRows };
  });
  return { sources, bytesRead: places.bytesRead + fetched.bytesRead };
}

const emptySource = (leaf: ParquetLeaf, group: RowGroup): LeafSource => ({
  leaf,
  chunk: group.chunks[leaf.index]!,
  parts: [],
  held: { start: 0, end: 0 },
  pageRows: null,
  rows: { start: 0, end: 0 },
  batchRows: 0,
});

async function fetchOffsetIndexes(
  file: ParquetFile,
  group: RowGroup,
  chunks: readonly ColumnChunk[],
  signal: AbortSignal,
): Promise<{ indexes: (readonly PagePlace[] | null)[]; bytesRead: number }> {
  const empty = { start: 0, end: 0 };
  const { parts, bytesRead } = await fetchRanges(
    file,
    chunks.map((chunk) => chunk.offsetIndex ?? empty),
    signal,
  );
  const indexes = chunks.map((chunk, at) => {
    if (chunk.offsetIndex === null) return null;
    const pages = parseOffsetIndex(parts[at]!, chunk, group.rows);
    return pages.length === 0 ? null : pages;
  });
  return { indexes, bytesRead };
}

/** The dictionary page, which is all that may lie before the first data page, and the run of data pages that hold wanted rows. */
function selectPages(leaf: ParquetLeaf, chunk: ColumnChunk, pages: readonly PagePlace[], rows: RowRange): LeafParts {
  const wanted = pages.filter((page) => page.startRow < rows.end && page.endRow > rows.start);
  const [first, last] = [wanted[0], wanted[wanted.length - 1]];
  if (first === undefined || last === undefined) {
    throw new ServiceError('CORRUPT_FILE', 'a Parquet offset index is damaged: its pages do not hold all rows');
  }
  const dictionary = { start: chunk.range.start, end: pages[0]!.range.start };
  return {
    leaf,
    chunk,
    ranges: [dictionary, { start: first.range.start, end: last.range.end }],
    held: { start: first.startRow, end: last.endRow },
    pageRows: wanted.map((page) => page.endRow - page.startRow),
  };
}
