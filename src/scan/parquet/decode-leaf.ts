import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import type { ArrowField, ArrowType, Column } from '../arrow/column.ts';
import { concatColumns } from '../arrow/kernels/concat.ts';
import { nullColumn } from '../arrow/kernels/null-column.ts';
import { sliceColumn } from '../arrow/kernels/slice.ts';
import { readDecodedStream } from './decoded-stream.ts';
import { encodeLeafFile, type LeafPages } from './leaf-file.ts';
import { rawType } from './leaf-type.ts';
import type { ColumnChunk } from './metadata.ts';
import { type DataPage, type Pages, walkPages } from './pages.ts';
import type { ParquetLeaf } from './schema.ts';
import { withParquetWasm } from './wasm.ts';

export type DecodeLimits = Pick<Limits, 'decompressedBytesMax' | 'decoderMemoryBytesMax'>;

/** [start, end) in rows of a row group. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

export interface LeafRequest {
  readonly leaf: ParquetLeaf;
  readonly chunk: ColumnChunk;
  /** The chunk's bytes: all of them, or its dictionary page and a run of data pages. */
  readonly parts: readonly Uint8Array[];
  /** The rows that the data pages in `parts` hold. */
  readonly held: RowRange;
  /** Rows of each data page in `parts`, where the offset index tells. */
  readonly pageRows: readonly number[] | null;
  /** The rows wanted, within `held`. */
  readonly rows: RowRange;
}

/** Decoded bytes that one call into the decoder aims for: its memory holds several times as much. */
const segmentBytesTarget = 16 << 20;

/**
 * One leaf column's values of some rows of a row group, in the leaf's raw type (`rawType`) inside of the bare chain of its parents:
 * a struct with one child per group, a list per repeated node. Synchronous; this is the interface of the page decoder.
 * Throws CORRUPT_FILE, LIMIT_EXCEEDED, UNSUPPORTED_FEATURE.
 */
export function decodeLeaf(request: LeafRequest, limits: DecodeLimits): Column {
  const { leaf, chunk, held, rows } = request;
  const pages = walkPages(request.parts, leaf, chunk, limits.decompressedBytesMax);
  if (rows.start === rows.end) return nullColumn(chainField(leaf, 0).type, 0);
  const segments = cutSegments(request, pages);
  const columns: Column[] = [];
  for (const segment of segments) {
    const whole = decodeSegment({ leaf, codec: chunk.codec, dictionary: pages.dictionary, ...segment }, limits);
    const start = Math.max(0, rows.start - segment.start);
    const end = Math.min(segment.rows, rows.end - segment.start);
    columns.push(sliceColumn(whole, start, end));
  }
  if (columns.length === 0) throw corrupt(`its pages hold none of the rows ${held.start} to ${held.end}`);
  return concatColumns(columns);
}

interface Segment {
  readonly data: readonly DataPage[];
  /** First row, counted from the start of the row group. */
  readonly start: number;
  readonly rows: number;
}

/** The pages that hold wanted rows, cut into runs of bounded size where the pages' row counts are known. */
function cutSegments(request: LeafRequest, pages: Pages): Segment[] {
  const { held, rows, leaf } = request;
  const counts = pages.data.map((page, at) => request.pageRows?.[at] ?? page.rows);
  const heldRows = held.end - held.start;
  if (counts.some((count) => count === null)) return [{ data: pages.data, start: held.start, rows: heldRows }];
  const known = counts as readonly number[];
  const total = known.reduce((sum, count) => sum + count, 0);
  if (total !== heldRows) throw corrupt(`its pages hold ${total} rows where ${heldRows} are declared`);
  const segments: Segment[] = [];
  let data: DataPage[] = [];
  let bytes = 0;
  let start = held.start;
  let end = held.start;
  const close = (): void => {
    if (data.length > 0) segments.push({ data, start, rows: end - start });
    data = [];
    bytes = 0;
    start = end;
  };
  for (const [at, page] of pages.data.entries()) {
    const next = end + known[at]!;
    const wanted = end < rows.end && next > rows.start;
    const size = decodedBytes(leaf, pages, page);
    if (!wanted || bytes + size > segmentBytesTarget) close();
    end = next;
    if (!wanted) {
      start = end;
      continue;
    }
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
  const ipc = withParquetWasm(limits.decoderMemoryBytesMax, 'a Parquet column chunk cannot be decoded', (api) =>
    api.readParquet(file, { batchSize: Math.max(1, pages.rows) }).intoIPCStream(),
  );
  // Each node of the chain is at most a list and a struct.
  const depthMax = 2 * pages.leaf.chain.length + 1;
  const columns = readDecodedStream(ipc, Math.max(pages.rows, values), depthMax).map((batch) => batch.columns[0]!);
  const column = columns.length === 0 ? nullColumn(chainField(pages.leaf, 0).type, 0) : concatColumns(columns);
  if (column.length !== pages.rows)
    throw corrupt(`it decodes to ${column.length} rows where ${pages.rows} are declared`);
  return column;
}

/** The Arrow type of a leaf's bare chain from a depth on: what the decoder hands out. */
function chainField(leaf: ParquetLeaf, depth: number): ArrowField {
  const node = leaf.chain[depth]!;
  const field = (type: ArrowType, nullable: boolean): ArrowField => ({
    name: `n${depth}`,
    type,
    nullable,
    metadata: new Map(),
  });
  const item: ArrowType =
    node.kind === 'leaf' ? rawType(leaf) : { kind: 'struct', fields: [chainField(leaf, depth + 1)] };
  if (node.repetition !== 'repeated') return field(item, node.repetition === 'optional');
  return field({ kind: 'list', element: field(item, false) }, false);
}

const corrupt = (problem: string): ServiceError =>
  new ServiceError('CORRUPT_FILE', `a Parquet column chunk is damaged: ${problem}`);
