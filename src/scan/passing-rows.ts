import type { Schema } from '../catalog/schema/types.ts';
import type { Column } from './arrow/column.ts';
import { concatColumns } from './arrow/kernels/concat.ts';
import { takeColumn } from './arrow/kernels/take.ts';
import type { ColumnRows } from './column-rows.ts';
import type { BoundFilter } from './filter/bind.ts';
import { evaluateFilter, selectedRows } from './filter/evaluate.ts';
import type { RowRange } from './parquet/row-set.ts';
import { leafColumn } from './shape.ts';
import type { StretchHold } from './stretch-columns.ts';

export interface RowFilter {
  readonly filter: BoundFilter;
  /** Of the columns that it looks at. */
  readonly schema: Schema;
}

interface EvaluatedRange {
  /** The filter's columns. */
  readonly read: readonly Column[];
  /** The rows that passed, from the range's first on. */
  readonly selected: Int32Array;
  readonly start: number;
  readonly isAll: boolean;
}

/**
 * The rows of some ranges where the filter is true, and there those of the filter's columns that are wanted and cannot be read again for
 * nothing; null in the places of others.
 */
export async function passingRows(
  { filter, schema }: RowFilter,
  columns: readonly ColumnRows[],
  isWanted: (place: number) => boolean,
  ranges: readonly RowRange[],
  hold: StretchHold,
): Promise<{ readonly rows: Int32Array; readonly decoded: readonly (Column | null)[] }> {
  const found: EvaluatedRange[] = [];
  for (const range of ranges) {
    await hold.prepare(range);
    const rows = range.end - range.start;
    const read = columns.map((column) => column.read(range));
    const selected = selectedRows(evaluateFilter(filter, (id) => leafColumn(schema, read, id)!, rows));
    found.push({ read, selected, start: range.start, isAll: selected.length === rows });
  }
  const rows = new Int32Array(found.reduce((sum, { selected }) => sum + selected.length, 0));
  let at = 0;
  for (const { selected, start } of found) {
    for (let row = 0; row < selected.length; row++) rows[at++] = selected[row]! + start;
  }
  const some = found.filter(({ selected }) => selected.length > 0);
  if (some.length === 0) return { rows, decoded: [] };
  const decoded = columns.map(({ repeats }, place) => {
    if (repeats || !isWanted(place)) return null;
    const parts = some.map(({ read, selected, isAll }) => (isAll ? read[place]! : takeColumn(read[place]!, selected)));
    return concatColumns(parts);
  });
  return { rows, decoded };
}
