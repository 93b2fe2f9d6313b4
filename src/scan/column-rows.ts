import type { Column } from './arrow/column.ts';
import { assembleColumn, linksOf } from './parquet/assemble.ts';
import { type ColumnPlan, planLeaves } from './parquet/column-plan.ts';
import type { LeafRows, PlacedPage } from './parquet/leaf-rows.ts';
import type { RowRange } from './parquet/row-set.ts';
import type { ParquetLeaf } from './parquet/schema.ts';

/** One column of a projection by the rows of its row group, as far as they are at hand; what is asked for ascends. */
export interface ColumnRows {
  /** Neighbouring rows; at least one. */
  read(rows: RowRange): Column;
  /** Single rows, ascending; at least one. */
  take(rows: Int32Array): Column;
  /** The pages that hold the column's rows, where they are at hand and hold whole rows; else null. */
  pages(): readonly PlacedPage[] | null;
  /** Whether all that was read so far may be read again, for nothing. */
  readonly repeats: boolean;
}

/** A column that is assembled from its leaves, by their places. */
export function decodedRows(plan: ColumnPlan, leaves: ReadonlyMap<number, LeafRows>): ColumnRows {
  const needed = [...new Set(planLeaves(plan))];
  const assemble = (rows: number, columnOf: (leaf: ParquetLeaf) => Column): Column =>
    assembleColumn(plan, { rows, links: new Map(needed.map((leaf) => [leaf.index, linksOf(leaf, columnOf(leaf))])) });
  return {
    repeats: false,
    pages: () => (plan.kind === 'leaf' ? leaves.get(plan.leaf.index)!.pages() : null),
    read: (rows) => assemble(rows.end - rows.start, ({ index }) => leaves.get(index)!.read(rows)),
    take: (rows) => assemble(rows.length, ({ index }) => leaves.get(index)!.take(rows)),
  };
}
