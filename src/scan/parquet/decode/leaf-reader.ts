import type { Column } from '../../arrow/column.ts';
import { concatColumns } from '../../arrow/kernels/concat.ts';
import { nullColumn } from '../../arrow/kernels/null-column.ts';
import { takeColumn } from '../../arrow/kernels/take.ts';
import type { DecodeLimits, LeafReader, LeafSource } from '../leaf-source.ts';
import { chainField } from '../leaf-type.ts';
import type { DataPage, Pages } from '../pages.ts';
import type { RowRange } from '../row-set.ts';
import { definitionLevelMax, type ParquetLeaf, repetitionLevelMax } from '../schema.ts';
import { chunkPages } from './chunk-pages.ts';
import { flatReader } from './flat-reader.ts';
import { flatTake } from './flat-take.ts';
import { type KnownRows, nestedReader } from './nested-reader.ts';
import { readsEncoding } from './page-values.ts';

/** Encodings of levels: runs, and the deprecated bit-packed one. */
const levelEncodings: readonly number[] = [3, 4];

/** Whether this decoder reads all of a chunk's pages: encodings where no writer puts them are left. */
export function canDecode(leaf: ParquetLeaf, pages: Pages): boolean {
  const repeats = repetitionLevelMax(leaf) > 0;
  const nulls = definitionLevelMax(leaf) > 0;
  return pages.data.every((page) => {
    if (!readsEncoding(leaf, page.encoding)) return false;
    if (page.kind === 'v2') return true;
    return (
      (!repeats || levelEncodings.includes(page.repetitionEncoding)) &&
      (!nulls || levelEncodings.includes(page.definitionEncoding))
    );
  });
}

/**
 * Opens a leaf whose pages `canDecode`. Pages are decompressed as their rows are asked for, each once where ranges ascend; a window of
 * rows is decoded straight into buffers of its own. Calls throw CORRUPT_FILE, LIMIT_EXCEEDED, UNSUPPORTED_FEATURE.
 */
export function openDecodedLeaf(source: LeafSource, pages: Pages, limits: DecodeLimits): LeafReader {
  const { leaf, chunk, held } = source;
  const levels = { repetition: repetitionLevelMax(leaf), definition: definitionLevelMax(leaf) };
  // As much is held again while columns are built.
  const bytesMax = Math.floor(limits.decoderMemoryBytesMax / 2);
  const opened = chunkPages(leaf, chunk, pages, levels, bytesMax);
  const isFlat = leaf.chain.length === 1 && levels.repetition === 0;
  const readRows = isFlat
    ? flatReader(opened, held, levels.definition > 0)
    : nestedReader(opened, held, pages.data.map((page, at) => rowsOf(page, source.pageRows?.[at])) satisfies KnownRows);
  const read = (rows: RowRange): Column =>
    rows.start === rows.end ? nullColumn(chainField(leaf, 0).type, 0) : readRows(rows);
  const takeAny = (rows: Int32Array): Column => takeRows(rows, read);
  const take = isFlat ? flatTake(opened, held, levels.definition > 0, takeAny) : takeAny;
  return { read, take, pages: isFlat ? pages.data : null };
}

/** The rows of a page that is known to begin one. */
const rowsOf = (page: DataPage, indexed: number | undefined): number | null => indexed ?? page.rows;

/** Between rows that lie farther apart, values are passed over rather than decoded. */
const gapRowsMax = 256;

function takeRows(rows: Int32Array, read: (rows: RowRange) => Column): Column {
  const columns: Column[] = [];
  for (let from = 0; from < rows.length; ) {
    const start = rows[from]!;
    let to = from + 1;
    while (to < rows.length && rows[to]! - rows[to - 1]! < gapRowsMax) to++;
    const end = rows[to - 1]! + 1;
    const column = read({ start, end });
    const isWhole = end - start === to - from;
    columns.push(
      isWhole
        ? column
        : takeColumn(
            column,
            rows.subarray(from, to).map((row) => row - start),
          ),
    );
    from = to;
  }
  return concatColumns(columns);
}
