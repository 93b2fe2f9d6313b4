import type { Column } from '../../arrow/column.ts';
import { bitmapBytes } from '../../arrow/kernels/bitmap.ts';
import type { RowRange } from '../row-set.ts';
import type { ChunkPages, OpenPage } from './chunk-pages.ts';
import { checkUnfolded, damaged } from './damaged.ts';
import { readWindow, type WindowPart } from './window.ts';

interface Cursor {
  /** Place of the page among the data pages. */
  readonly at: number;
  readonly page: OpenPage;
  /** Rows of the page that are behind us. */
  row: number;
}

/**
 * Reads a leaf that repeats nowhere and has at most one definition level: a row is a value or a null, and page headers say how many
 * rows they hold. Nulls are told by a bitmap, which is what a level of one bit already is.
 */
export function flatReader(pages: ChunkPages, held: RowRange, nullable: boolean): (rows: RowRange) => Column {
  const starts: number[] = [held.start];
  for (const page of pages.data) starts.push(starts[starts.length - 1]! + page.values);
  const end = starts[starts.length - 1]!;
  if (end !== held.end)
    throw damaged(`its pages hold ${end - held.start} rows where ${held.end - held.start} are declared`);
  let cursor: Cursor | null = null;
  /** Pages that are done with once the window is read. */
  const passed: OpenPage[] = [];

  /** The page at hand, opened, its rows before `row` passed over. */
  const moveTo = (at: number, row: number): Cursor => {
    if (cursor === null || cursor.at !== at || cursor.row > row) {
      if (cursor !== null) passed.push(cursor.page);
      cursor = { at, page: pages.open(pages.data[at]!), row: 0 };
    }
    skipRows(cursor.page, row - cursor.row);
    cursor.row = row;
    return cursor;
  };

  return ({ start, end: rowsEnd }) => {
    const rows = rowsEnd - start;
    checkUnfolded(rows / 8, pages.window.bytesMax);
    const validity = nullable ? new Uint8Array(bitmapBytes(rows)) : null;
    const parts: WindowPart[] = [];
    let valid = 0;
    for (let at = pageOf(starts, start); at < pages.data.length && starts[at]! < rowsEnd; at++) {
      const first = Math.max(start, starts[at]!);
      const last = Math.min(rowsEnd, starts[at + 1]!);
      if (first >= last) continue;
      const here = moveTo(at, first - starts[at]!);
      const { definition, values } = here.page;
      const count =
        validity === null || definition === null
          ? last - first
          : definition.bits(validity, first - start, last - first);
      here.row += last - first;
      parts.push({ page: values, count });
      valid += count;
    }
    const place = { rows, valid, validity: valid === rows ? null : validity };
    const column = readWindow(parts, place, pages.window);
    if (cursor !== null && cursor.row >= pages.data[cursor.at]!.values) {
      passed.push(cursor.page);
      cursor = null;
    }
    for (const page of passed.splice(0)) page.close();
    return column;
  };
}

/** The last page that begins at or before a row. */
function pageOf(starts: readonly number[], row: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}

function skipRows(page: OpenPage, rows: number): void {
  if (rows === 0) return;
  let values = rows;
  if (page.definition !== null) {
    const bits = new Uint8Array(bitmapBytes(rows));
    values = page.definition.bits(bits, 0, rows);
  }
  page.values.values.skip(values);
}
