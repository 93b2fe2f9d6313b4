import { ServiceError } from '../../core/errors.ts';
import type { Column } from '../arrow/column.ts';
import { concatColumns } from '../arrow/kernels/concat.ts';
import { takeColumn } from '../arrow/kernels/take.ts';
import type { LeafReader } from './decode-leaf.ts';
import type { PagePlace } from './page-index.ts';
import type { DataPage } from './pages.ts';
import type { RowRange } from './row-set.ts';

/** One leaf's values by the rows of its row group, as far as they are at hand. */
export interface LeafRows {
  /** Neighbouring rows, in the leaf's chain (`openLeaf`). */
  read(rows: RowRange): Column;
  /** Single rows, ascending; at least one. */
  take(rows: Int32Array): Column;
  /** The data pages with the rows that they hold, where pages of the leaf hold whole rows; else null. Nothing is decoded for them. */
  pages(): readonly PlacedPage[] | null;
}

/** A data page and its rows of the row group. */
export interface PlacedPage extends RowRange {
  readonly page: DataPage;
}

/** Where more than one row of so many is wanted, all of them are decoded and the wanted ones gathered. */
const denseShare = 4;
/** A reader without `take` is asked for rows apart from each other where so many lie between them: more than most pages hold. */
const gapRowsMin = 4_096;
/** Rows that are decoded together for gathering. */
const gatherRowsMax = 65_536;

/** Rows [start, end) of the row group stand `shift` lower in the reader. */
interface Section extends RowRange {
  readonly shift: number;
}

/** Rows of the row group over a reader that counts the rows of some pages alone. */
export function leafRows(reader: LeafReader, places: readonly PagePlace[]): LeafRows {
  const sections = sectionsOf(places);
  return {
    read(rows) {
      const section = sections.find(({ start, end }) => start <= rows.start && rows.end <= end);
      if (section === undefined) throw notFetched();
      return reader.read({ start: rows.start - section.shift, end: rows.end - section.shift });
    },
    take(rows) {
      const wanted = shifted(rows, sections);
      const [first, last] = [wanted[0]!, wanted[wanted.length - 1]!];
      const span = last - first + 1;
      if (span === wanted.length) return reader.read({ start: first, end: last + 1 });
      if (reader.take !== undefined && wanted.length * denseShare < span) return reader.take(wanted);
      return gather(reader, wanted);
    },
    pages: () => (reader.pages === null ? null : placed(reader.pages, sections)),
  };
}

function placed(pages: readonly DataPage[], sections: readonly Section[]): PlacedPage[] {
  let start = 0;
  let at = 0;
  return pages.map((page) => {
    while (at < sections.length - 1 && sections[at]!.end - sections[at]!.shift <= start) at++;
    const { shift } = sections[at]!;
    const first = start;
    start += page.values;
    return { page, start: first + shift, end: start + shift };
  });
}

function sectionsOf(places: readonly PagePlace[]): Section[] {
  const sections: { start: number; end: number; shift: number }[] = [];
  let before = 0;
  for (const { startRow, endRow } of places) {
    const last = sections[sections.length - 1];
    if (last !== undefined && last.end === startRow) last.end = endRow;
    else sections.push({ start: startRow, end: endRow, shift: startRow - before });
    before += endRow - startRow;
  }
  return sections;
}

function shifted(rows: Int32Array, sections: readonly Section[]): Int32Array {
  const [only] = sections;
  if (sections.length === 1 && only!.shift === 0) return rows;
  const out = new Int32Array(rows.length);
  let at = 0;
  for (let row = 0; row < rows.length; row++) {
    const wanted = rows[row]!;
    while (at < sections.length && sections[at]!.end <= wanted) at++;
    if (at === sections.length || sections[at]!.start > wanted) throw notFetched();
    out[row] = wanted - sections[at]!.shift;
  }
  return out;
}

function gather(reader: LeafReader, rows: Int32Array): Column {
  const columns: Column[] = [];
  for (let from = 0; from < rows.length; ) {
    const start = rows[from]!;
    let to = from + 1;
    while (to < rows.length && rows[to]! - rows[to - 1]! < gapRowsMin && rows[to]! - start < gatherRowsMax) to++;
    const end = rows[to - 1]! + 1;
    const read = reader.read({ start, end });
    const some = from === 0 && to === rows.length ? rows : rows.subarray(from, to);
    columns.push(
      end - start === to - from ? read : takeColumn(read, start === 0 ? some : some.map((row) => row - start)),
    );
    from = to;
  }
  return concatColumns(columns);
}

const notFetched = (): ServiceError => new ServiceError('INTERNAL', 'rows of a Parquet column were not fetched');
