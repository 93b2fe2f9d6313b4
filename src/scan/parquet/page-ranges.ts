import type { FileMetrics } from '../../catalog/manifest/types.ts';
import { boundConversion } from './bounds.ts';
import type { ParquetFile } from './footer.ts';
import type { ColumnChunk } from './metadata.ts';
import { type ColumnIndex, type PagePlace, parseColumnIndex, parseOffsetIndex } from './page-index.ts';
import { fetchRanges } from './ranges.ts';
import type { RowRange } from './row-set.ts';
import { type ParquetLeaf, repetitionLevelMax } from './schema.ts';
import { emptyMetrics, type FieldOfLeaf, isTypeOrdered, type LeafMapping } from './statistics.ts';

export interface PageRangesOptions {
  readonly file: ParquetFile;
  readonly rowGroup: number;
  /** The leaves that the filter looks at. */
  readonly mapping: LeafMapping;
  /** Whether rows of such metrics may match: called once per run of rows between page boundaries of any leaf. */
  readonly mayMatch: (metrics: FileMetrics, rows: number) => boolean;
  readonly signal: AbortSignal;
}

interface IndexedLeaf {
  readonly field: FieldOfLeaf;
  readonly leaf: ParquetLeaf;
  readonly pages: readonly PagePlace[];
  readonly index: ColumnIndex;
}

export interface PageRanges {
  /** Ascending and apart from each other. */
  readonly ranges: readonly RowRange[];
  /** Where the pages of the leaves lie whose indexes were read. */
  readonly places: ReadonlyMap<ParquetLeaf, readonly PagePlace[]>;
  readonly bytesRead: number;
}

/**
 * The rows of a row group that may match by its page index; all rows where no mapped leaf has one. Reads the indexes of the mapped
 * leaves only. Throws CORRUPT_FILE, CANCELLED, and what the store throws.
 */
export async function pageRanges(options: PageRangesOptions): Promise<PageRanges> {
  const { file, mapping, signal } = options;
  const group = file.metadata.rowGroups[options.rowGroup];
  if (group === undefined || group.rows === 0) return { ranges: [], places: new Map(), bytesRead: 0 };
  const candidates = [...mapping].filter(([leaf]) => {
    const chunk = group.chunks[leaf.index]!;
    // Below a list a row holds many values, so that no statement about values is one about rows.
    if (repetitionLevelMax(leaf) > 0 || !isTypeOrdered(file.metadata, leaf)) return false;
    return chunk.unreadable === null && chunk.columnIndex !== null && chunk.offsetIndex !== null;
  });
  if (candidates.length === 0) return { ranges: [{ start: 0, end: group.rows }], places: new Map(), bytesRead: 0 };
  const chunks = candidates.map(([leaf]): ColumnChunk => group.chunks[leaf.index]!);
  const ranges = chunks.flatMap((chunk) => [chunk.columnIndex!, chunk.offsetIndex!]);
  const { parts, bytesRead } = await fetchRanges(file, ranges, signal);
  const leaves = candidates.map(([leaf, field], at): IndexedLeaf => {
    const pages = parseOffsetIndex(parts[2 * at + 1]!, chunks[at]!, group.rows);
    return { leaf, field, pages, index: parseColumnIndex(parts[2 * at]!, pages.length) };
  });
  return {
    ranges: matchingRanges(leaves, group.rows, options.mayMatch),
    places: new Map(leaves.map(({ leaf, pages }) => [leaf, pages])),
    bytesRead,
  };
}

function matchingRanges(
  leaves: readonly IndexedLeaf[],
  rows: number,
  mayMatch: (metrics: FileMetrics, rows: number) => boolean,
): RowRange[] {
  const starts = new Set<number>([0]);
  for (const { pages } of leaves) for (const page of pages) if (page.startRow < rows) starts.add(page.startRow);
  const ascending = [...starts].sort((a, b) => a - b);
  const cursors = leaves.map(() => 0);
  const ranges: { start: number; end: number }[] = [];
  for (const [at, start] of ascending.entries()) {
    const end = ascending[at + 1] ?? rows;
    const metrics = emptyMetrics();
    for (const [place, leaf] of leaves.entries()) {
      while (leaf.pages[cursors[place]!] !== undefined && leaf.pages[cursors[place]!]!.endRow <= start)
        cursors[place]!++;
      addPage(metrics, leaf, cursors[place]!, end - start);
    }
    if (!mayMatch(metrics, end - start)) continue;
    const last = ranges[ranges.length - 1];
    if (last !== undefined && last.end === start) last.end = end;
    else ranges.push({ start, end });
  }
  return ranges;
}

/** What a page says of a run of its rows: its bounds hold, its count of nulls only where it is none or all. */
function addPage(metrics: ReturnType<typeof emptyMetrics>, leaf: IndexedLeaf, at: number, rows: number): void {
  const page = leaf.pages[at];
  if (page === undefined) return;
  const { fieldId, type } = leaf.field;
  const { index } = leaf;
  metrics.valueCounts.set(fieldId, rows);
  if (index.nullPages[at] === true) {
    metrics.nullCounts.set(fieldId, rows);
    return;
  }
  const nulls = index.nullCounts?.[at];
  if (nulls === 0) metrics.nullCounts.set(fieldId, 0);
  else if (nulls !== undefined && page.endRow - page.startRow === rows && nulls < rows)
    metrics.nullCounts.set(fieldId, nulls);
  const convert = boundConversion(leaf.leaf, type);
  const lower = convert?.(index.minValues[at]!, 'lower') ?? null;
  const upper = convert?.(index.maxValues[at]!, 'upper') ?? null;
  if (lower !== null) metrics.lowerBounds.set(fieldId, lower);
  if (upper !== null) metrics.upperBounds.set(fieldId, upper);
}
