import type { Column } from '../../arrow/column.ts';
import type { RowRange } from '../row-set.ts';
import { definitionLevelMax, repetitionLevelMax } from '../schema.ts';
import type { ChunkPages } from './chunk-pages.ts';
import { checkUnfolded, damaged } from './damaged.ts';
import { countFrom, type Levels, leafRows, nest } from './nested-levels.ts';
import type { PageValues } from './page-values.ts';
import { readWindow, type WindowPart } from './window.ts';

/** A page that is being read, its levels unpacked. */
interface NestedPage extends Omit<Levels, 'values'> {
  readonly values: PageValues;
  close(): void;
}

interface Cursor {
  /** Place of the page among the data pages. */
  at: number;
  /** Null where the page is not opened yet. */
  page: NestedPage | null;
  /** Entries of the page that are behind us. */
  entry: number;
  /** The row, of the row group, that the next entry begins. */
  row: number;
}

/** Entries of one page that belong to the rows at hand. */
interface Run {
  readonly page: NestedPage;
  readonly start: number;
  readonly end: number;
}

/** What is known of each data page before it is opened: its rows where it begins one, else null. */
export type KnownRows = readonly (number | null)[];

/**
 * Reads a leaf with lists above it, or with several levels of nulls. A row is a run of entries, of one page or of several, that ends where
 * an entry's repetition level is 0 again.
 */
export function nestedReader(pages: ChunkPages, held: RowRange, known: KnownRows): (rows: RowRange) => Column {
  const { leaf, data } = pages;
  const defined = definitionLevelMax(leaf);
  let cursor: Cursor = { at: 0, page: null, entry: 0, row: held.start };

  const open = (at: number): NestedPage => {
    const page = data[at]!;
    const entries = page.values;
    checkUnfolded(entries * 2, pages.window.bytesMax);
    const { repetition, definition, values, close } = pages.open(page);
    const unpacked = { entries, repetition: new Uint8Array(repetition === null ? 0 : entries) };
    repetition?.levels(unpacked.repetition, entries, repetitionLevelMax(leaf));
    const levels = new Uint8Array(entries);
    definition?.levels(levels, entries, defined);
    const hasLevels = repetition !== null;
    return { entries, repetition: hasLevels ? unpacked.repetition : null, definition: levels, values, close };
  };

  /** Moves past the entries of `rows` rows; the runs tell where they were. */
  const advance = (rows: number): Run[] => {
    const runs: Run[] = [];
    let begun = 0;
    while (cursor.at < data.length) {
      const beginsRow = cursor.page === null && knownRows(known, cursor.at) !== null;
      if (begun === rows && beginsRow) break;
      cursor.page ??= open(cursor.at);
      const { page, entry: start } = cursor;
      const { repetition } = page;
      let entry = start;
      if (repetition === null) {
        entry = Math.min(page.entries, start + rows - begun);
        begun += entry - start;
      } else {
        for (; entry < page.entries; entry++) {
          if (repetition[entry] !== 0) continue;
          if (begun === rows) break;
          begun++;
        }
      }
      if (entry > start) runs.push({ page, start, end: entry });
      cursor.entry = entry;
      if (entry < page.entries) break;
      cursor.at++;
      cursor.page = null;
      cursor.entry = 0;
    }
    cursor.row += begun;
    return runs;
  };

  const skipTo = (row: number): void => {
    if (row < cursor.row) cursor = { at: 0, page: null, entry: 0, row: held.start };
    for (;;) {
      const rows = cursor.page === null ? knownRows(known, cursor.at) : null;
      if (rows === null || cursor.row + rows > row) break;
      cursor.at++;
      cursor.row += rows;
    }
    if (cursor.row === row) return;
    const runs = advance(row - cursor.row);
    for (const { page, start, end } of runs) {
      page.values.values.skip(countFrom(page.definition.subarray(start, end), end - start, defined));
    }
    closePassed(runs);
  };

  const closePassed = (runs: readonly Run[]): void => {
    for (const { page } of runs) if (page !== cursor.page) page.close();
  };

  return ({ start, end }) => {
    const rows = end - start;
    skipTo(start);
    const runs = advance(rows);
    if (cursor.row !== end) throw damaged(`its pages hold ${cursor.row - held.start} rows where more are declared`);
    let present = 0;
    const parts = runs.map((run): WindowPart => {
      const definition = run.page.definition.subarray(run.start, run.end);
      const count = countFrom(definition, definition.length, defined);
      present += count;
      return { page: run.page.values, count };
    });
    const levels = { ...joinLevels(runs), values: present };
    const values = readWindow(parts, leafRows(levels, leaf, rows), pages.window);
    closePassed(runs);
    return nest(levels, leaf, rows, values);
  };
}

/** Null too where there are no further pages. */
const knownRows = (known: KnownRows, at: number): number | null => known[at] ?? null;

/** The levels of runs one after another: views where one page holds all of them. */
function joinLevels(runs: readonly Run[]): Omit<Levels, 'values'> {
  const entries = runs.reduce((sum, run) => sum + run.end - run.start, 0);
  const repeats = runs.some(({ page }) => page.repetition !== null);
  const [only] = runs;
  if (only !== undefined && runs.length === 1) {
    const { page, start, end } = only;
    const repetition = page.repetition?.subarray(start, end) ?? null;
    return { entries, repetition, definition: page.definition.subarray(start, end) };
  }
  const repetition = repeats ? new Uint8Array(entries) : null;
  const definition = new Uint8Array(entries);
  let at = 0;
  for (const { page, start, end } of runs) {
    if (page.repetition !== null) repetition?.set(page.repetition.subarray(start, end), at);
    definition.set(page.definition.subarray(start, end), at);
    at += end - start;
  }
  return { entries, repetition, definition };
}
