import { ServiceError } from '../../core/errors.ts';
import type { ArrowType, Column } from '../arrow/column.ts';
import { concatColumns } from '../arrow/kernels/concat.ts';
import { nullColumn } from '../arrow/kernels/null-column.ts';
import { sliceColumn } from '../arrow/kernels/slice.ts';
import { readDecodedStream } from './decoded-stream.ts';
import { encodeLeafFile, type LeafPages } from './leaf-file.ts';
import type { DecodeLimits, LeafReader, LeafSource } from './leaf-source.ts';
import { chainField, rawType } from './leaf-type.ts';
import { countPageRows } from './page-rows.ts';
import type { DataPage, Pages } from './pages.ts';
import type { ParquetLeaf } from './schema.ts';
import { withParquetWasm } from './wasm.ts';

/** Decoded bytes that one call into the decoder aims for: its memory holds several times as much. */
const segmentBytesTarget = 16 << 20;
/**
 * Below so many decoded bytes, and below so many times its dictionary, a segment grows beyond the rows that are asked for at a time: each
 * call has a cost of its own and takes in the whole dictionary again. On the benchmark table, whose chunks hold dictionaries of up to
 * half a megabyte, decoding takes a third of the CPU (14 to 4.5 s per GB of zstd); `bench cold-stream` shows it.
 */
const segmentBytesMin = 1 << 20;
const segmentDictionariesMin = 2;

/**
 * Opens a leaf over parquet-wasm, which reads what the page decoder does not (`canDecode`), with the same result: pages are put
 * into small files of one leaf each (`leaf-file.ts`). Calls throw CORRUPT_FILE, LIMIT_EXCEEDED, UNSUPPORTED_FEATURE.
 */
export function openWasmLeaf(source: LeafSource, pages: Pages, limits: DecodeLimits): LeafReader {
  const { leaf, chunk } = source;
  const segments = source.rows.start === source.rows.end ? [] : cutSegments(source, pages);
  let last: { readonly segment: Segment; readonly column: Column } | null = null;

  const decode = (segment: Segment): Column => {
    if (last?.segment === segment) return last.column;
    const { dictionary } = pages;
    const column = decodeSegment(
      { leaf, codec: chunk.codec, dictionary, data: segment.data, rows: segment.rows },
      limits,
    );
    last = { segment, column };
    return column;
  };

  return {
    pages: null,
    read(rows) {
      if (rows.start === rows.end) return nullColumn(chainField(leaf, 0).type, 0);
      const columns: Column[] = [];
      for (const segment of segments) {
        const start = Math.max(0, rows.start - segment.start);
        const end = Math.min(segment.rows, rows.end - segment.start);
        if (start < end) columns.push(sliceColumn(decode(segment), start, end));
        if (last?.segment === segment && end === segment.rows) last = null;
      }
      const found = columns.reduce((sum, column) => sum + column.length, 0);
      if (found !== rows.end - rows.start)
        throw corrupt(`its pages hold ${found} of the rows ${rows.start} to ${rows.end}`);
      return concatColumns(columns);
    },
  };
}

interface Segment {
  readonly data: readonly DataPage[];
  /** First row, counted from the start of the row group. */
  readonly start: number;
  readonly rows: number;
}

/**
 * The pages that hold wanted rows, cut into runs of bounded size. A cut needs a page that begins a row; where no row counts can be
 * had, all pages are one run.
 */
function cutSegments(source: LeafSource, pages: Pages): Segment[] {
  const { held, rows, leaf, chunk } = source;
  const sizes = pages.data.map((page) => decodedBytes(leaf, pages, page));
  const whole = { data: pages.data, start: held.start, rows: held.end - held.start };
  const isSmall = sizes.reduce((sum, size) => sum + size, 0) <= segmentBytesTarget;
  if (isSmall && source.batchRows >= whole.rows && rows.start === held.start && rows.end === held.end) return [whole];
  const counts = pages.data.map((page, at) => {
    const indexed = source.pageRows?.[at];
    return indexed === undefined ? countPageRows(page, leaf, chunk.codec) : { rows: indexed, startsRow: true };
  });
  if (counts.some((count) => count === null)) return [whole];
  const total = counts.reduce((sum, count) => sum + count!.rows, 0);
  if (total !== whole.rows) throw corrupt(`its pages hold ${total} rows where ${whole.rows} are declared`);
  const worthwhile = Math.max(segmentBytesMin, segmentDictionariesMin * (pages.dictionary?.uncompressedBytes ?? 0));
  const segments: Segment[] = [];
  let data: DataPage[] = [];
  let bytes = 0;
  let start = held.start;
  let end = held.start;
  const close = (): void => {
    if (data.length > 0 && start < rows.end && end > rows.start) segments.push({ data, start, rows: end - start });
    data = [];
    bytes = 0;
    start = end;
  };
  for (const [at, page] of pages.data.entries()) {
    const { rows: pageRows, startsRow } = counts[at]!;
    const size = sizes[at]!;
    const full = bytes + size > segmentBytesTarget || (end - start >= source.batchRows && bytes >= worthwhile);
    const reachesWanted = end <= rows.start && end + pageRows > rows.start;
    if (startsRow && (full || reachesWanted || end >= rows.end)) close();
    end += pageRows;
    data.push(page);
    bytes += size;
  }
  close();
  return segments;
}

/** An estimate: exact for fixed widths, the dictionary's average for text that stands in one. */
function decodedBytes(leaf: ParquetLeaf, pages: Pages, page: DataPage): number {
  const type = rawType(leaf);
  const { dictionary } = pages;
  const width =
    type.kind !== 'binary'
      ? valueWidth(type)
      : dictionary === null
        ? 4
        : 4 + dictionary.uncompressedBytes / Math.max(1, dictionary.values);
  return Math.max(page.uncompressedBytes, page.values * width);
}

function valueWidth(type: ArrowType): number {
  if (type.kind === 'int' || type.kind === 'float') return type.bits / 8;
  return type.kind === 'fixed-size-binary' ? type.byteWidth : 1;
}

const undecodable = { code: 'CORRUPT_FILE', message: 'a Parquet column chunk cannot be decoded' } as const;

function decodeSegment(pages: LeafPages, limits: DecodeLimits): Column {
  const values = pages.data.reduce((sum, page) => sum + page.values, 0);
  const leastBytes = values * (pages.leaf.physical === 'byte-array' ? 4 : valueWidth(rawType(pages.leaf)));
  // A few bytes of run lengths may claim any number of values: what they would take is refused before it is taken.
  if (Math.max(leastBytes, pages.rows) > limits.decoderMemoryBytesMax / 2) {
    throw new ServiceError(
      'LIMIT_EXCEEDED',
      `a run of Parquet pages claims ${values} values in ${pages.rows} rows, more than the decoder's memory of ${limits.decoderMemoryBytesMax} bytes can hold`,
    );
  }
  const file = encodeLeafFile(pages);
  const ipc = withParquetWasm(limits.decoderMemoryBytesMax, undecodable, (api) =>
    api.readParquet(file, { batchSize: Math.max(1, pages.rows) }).intoIPCStream(),
  );
  // Each node of the chain is at most a list and a struct.
  const depthMax = 2 * pages.leaf.chain.length + 1;
  const columns = readDecodedStream(ipc, Math.max(pages.rows, values), depthMax).map((batch) => batch.columns[0]!);
  const column = columns.length === 0 ? nullColumn(chainField(pages.leaf, 0).type, 0) : concatColumns(columns);
  if (column.length !== pages.rows) {
    throw corrupt(`it decodes to ${column.length} rows where ${pages.rows} are declared`);
  }
  return column;
}

const corrupt = (problem: string): ServiceError =>
  new ServiceError('CORRUPT_FILE', `a Parquet column chunk is damaged: ${problem}`);
