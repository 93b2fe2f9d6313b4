import type { Column, StoredColumn } from './arrow/column.ts';
import type { ColumnRows } from './column-rows.ts';
import type { PlacedPage } from './parquet/leaf-rows.ts';
import type { ColumnChunk, RowGroup } from './parquet/metadata.ts';
import type { RowRange } from './parquet/row-set.ts';
import { storedPage, storedWidth } from './pass-through/passable-pages.ts';
import type { PlannedColumn } from './stretch-columns.ts';

/** Neighbouring rows of a stretch of which some columns can be sent as their pages lie. */
export interface StoredRows extends RowRange {
  /** Per wanted column: the page, or null where the column has to be decoded. */
  readonly columns: readonly (StoredColumn | null)[];
}

/** Rows of the pages that Headrace writes: stretches are cut between them. */
export const storedPageRows = 20_000;

/** Below this share of the rows' bytes sending pages as they lie saves less than batches of the pages' size cost. */
const shareMin = 0.25;

/** Whether pages of the column may be what the wire carries, by what the footer says of them. */
export function mayPass({ plan, field }: PlannedColumn, chunks: readonly ColumnChunk[]): boolean {
  if (plan.kind !== 'leaf' || storedWidth(plan.leaf, field.type) === null) return false;
  const { codec, hasDictionary } = chunks[plan.leaf.index]!;
  return codec === 'zstd' && !hasDictionary;
}

/**
 * The rows within `rows` of the row group, counted from its start, that can be sent by pages: those of the column that has most of them,
 * and for each what other columns store in pages of the very same rows.
 */
export function storedRows(
  planned: readonly PlannedColumn[],
  passing: ReadonlySet<PlannedColumn>,
  columns: readonly (ColumnRows | Column)[],
  group: RowGroup,
  rows: RowRange,
  rowBytes: number,
): StoredRows[] {
  const pages = columns.map((column, at) => {
    const known = planned[at]!;
    return passing.has(known) && !('kind' in column) ? passable(known, column.pages() ?? [], group, rows) : nothing;
  });
  const [widest] = [...pages].sort((left, right) => bytesOf(right) - bytesOf(left));
  const found: StoredRows[] = [];
  for (const [start, { length }] of widest ?? []) {
    const stored = pages.map((some) => (some.get(start)?.length === length ? some.get(start)! : null));
    const bytes = stored.reduce((sum, page) => sum + (page?.bytes ?? 0), 0);
    if (bytes < shareMin * rowBytes * length) continue;
    found.push({ start: start - rows.start, end: start - rows.start + length, columns: stored });
  }
  return found;
}

type PagesByStart = ReadonlyMap<number, StoredColumn>;
const nothing: PagesByStart = new Map();

const bytesOf = (pages: PagesByStart): number => [...pages.values()].reduce((sum, { bytes }) => sum + bytes, 0);

function passable(
  { plan, field: { type } }: PlannedColumn,
  pages: readonly PlacedPage[],
  group: RowGroup,
  rows: RowRange,
): PagesByStart {
  const width = plan.kind === 'leaf' ? storedWidth(plan.leaf, type) : null;
  if (plan.kind !== 'leaf' || width === null) return nothing;
  const found = new Map<number, StoredColumn>();
  for (const { page, start, end } of pages) {
    // A page that a range cuts is decoded.
    if (start < rows.start || end > rows.end) continue;
    const stored = storedPage(page, plan.leaf, group.chunks[plan.leaf.index]!, type, width);
    if (stored !== null) found.set(start, stored);
  }
  return found;
}
