import { createHash, randomUUID } from 'node:crypto';
import type { DataFile, FileMetrics } from '../catalog/manifest/types.ts';
import { partitionPath } from '../catalog/partition/spec.ts';
import type { PartitionSpec } from '../catalog/partition/types.ts';
import type { Schema, Value } from '../catalog/schema/types.ts';
import { ServiceError } from '../core/errors.ts';
import type { FieldId } from '../core/ids.ts';
import type { Limits } from '../core/limits.ts';
import type { Batch, Column } from '../scan/arrow/column.ts';
import { columnBytes } from '../scan/arrow/kernels/bytes.ts';
import { sliceColumn } from '../scan/arrow/kernels/slice.ts';
import { takeColumn } from '../scan/arrow/kernels/take.ts';
import { joinLocation } from '../storage/locations.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { createParquetEncoder, type ParquetEncoder } from './parquet/encode.ts';
import { metricsModes } from './parquet/metrics.ts';
import { parquetWriterOptions, rowGroupBytesMax } from './parquet/writer-options.ts';
import { type PartitionRows, partitionRows } from './partition-rows.ts';

export interface FanOutOptions {
  readonly objects: ObjectStore;
  /** The table's location. */
  readonly location: string;
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  readonly properties: ReadonlyMap<string, string>;
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

/** Writes batches into data files, one partition each. */
export interface FanOut {
  /** The batch's columns are the schema's. */
  write(batch: Batch): Promise<void>;
  /** Closes all files; in the order in which they were opened. */
  finish(): Promise<DataFile[]>;
  /** Removes every file that was written, finished or not; what cannot be removed is left to the clean-up. Never throws. */
  abort(): Promise<void>;
}

/** One partition's rows on their way into a file. */
interface Lane {
  readonly key: string;
  readonly values: readonly (Value | null)[];
  encoder: ParquetEncoder;
  path: string;
  buffered: Batch[];
  bufferedRows: number;
  bufferedBytes: number;
  /** Arrow bytes that went into the file. */
  sentBytes: number;
}

/**
 * Spreads rows over partitions within two bounds: at most `openPartitionsMax` files are open, and at most `putBytesMax` bytes wait
 * in memory. Where either is reached, the fullest partition is written out, so that unsorted input costs files, never memory.
 */
export function createFanOut(options: FanOutOptions): FanOut {
  const { objects, location, schema, spec, properties, limits, signal } = options;
  const lanes = new Map<string, Lane>();
  const finished: DataFile[] = [];
  const modes = metricsModes(schema, properties);
  const writer = parquetWriterOptions(properties, modes.values(), schema);
  const nullable = new Set<FieldId>();
  const writeId = randomUUID();
  let bufferedBytes = 0;
  let filesOpened = 0;

  const open = (values: Lane['values'], key: string): Lane => {
    if (filesOpened >= limits.putFilesMax) {
      throw new ServiceError(
        'LIMIT_EXCEEDED',
        `the rows fall into more than ${limits.putFilesMax} files: sort them by partition, or partition less finely`,
      );
    }
    const folder = spec.fields.length === 0 ? '' : `${folderOf(partitionPath(spec, schema, values))}/`;
    const name = `data/${folder}${String(filesOpened++).padStart(5, '0')}-${writeId}.parquet`;
    const path = joinLocation(location, name);
    const encoder = createParquetEncoder({ schema, objects, location: path, writer, modes, nullable, limits, signal });
    const lane: Lane = { key, values, encoder, path, buffered: [], bufferedRows: 0, bufferedBytes: 0, sentBytes: 0 };
    lanes.set(key, lane);
    return lane;
  };

  const reckon = (lane: Lane, rows: number, bytes: number): void => {
    lane.bufferedRows += rows;
    lane.bufferedBytes += bytes;
    bufferedBytes += bytes;
  };

  /** Sends a partition's rows on as one row group: whole pages where there are enough for one, or all of them. */
  const drain = async (lane: Lane, all: boolean): Promise<void> => {
    const rows = all ? lane.bufferedRows : rowGroupRows(lane);
    if (rows === 0) return;
    const [sent, kept] = splitRows(lane.buffered, rows);
    const keptBytes = kept.reduce((sum, batch) => sum + batchBytes(batch), 0);
    lane.sentBytes += lane.bufferedBytes - keptBytes;
    reckon(lane, -rows, keptBytes - lane.bufferedBytes);
    lane.buffered = kept;
    if (!lane.encoder.accepts(sent)) await renew(lane);
    await lane.encoder.write(sent);
  };

  const close = async (lane: Lane): Promise<void> => {
    await drain(lane, true);
    lanes.delete(lane.key);
    await finish(lane);
  };

  /** The file cannot hold what comes next: it ends and another one begins. At most once for each column that turns out to hold nulls. */
  const renew = async (lane: Lane): Promise<void> => {
    await finish(lane);
    const next = open(lane.values, lane.key);
    lane.encoder = next.encoder;
    lane.path = next.path;
    lane.sentBytes = 0;
    lanes.set(lane.key, lane);
  };

  const finish = async (lane: Lane): Promise<void> => {
    const { bytes, rows, metrics, splitOffsets } = await lane.encoder.finish();
    finished.push({
      content: 'data',
      path: lane.path,
      format: 'parquet',
      specId: spec.specId,
      partition: lane.values,
      rows,
      bytes,
      metrics: sortMetrics(metrics),
      splitOffsets,
      sortOrderId: 0,
      rest: new Map(),
    });
  };

  const fullest = (): Lane => {
    let found: Lane | undefined;
    for (const lane of lanes.values()) {
      if (found === undefined || lane.bufferedBytes > found.bufferedBytes) found = lane;
    }
    return found!;
  };

  const add = async (batch: Batch, part: PartitionRows): Promise<void> => {
    const rows = part.rows;
    const own = rows === null ? batch : { ...batch, rows: rows.length, columns: takeAll(batch.columns, rows) };
    if (!lanes.has(part.key) && lanes.size >= limits.openPartitionsMax) await close(fullest());
    const lane = lanes.get(part.key) ?? open(part.values, part.key);
    lane.buffered.push(...piecesOf(own));
    reckon(lane, own.rows, batchBytes(own));
    // Compressed bytes are known late: nothing waits for them while even the rows as they came would not fill the file.
    if (lane.sentBytes + lane.bufferedBytes >= limits.fileBytesTarget) {
      await lane.encoder.settle();
      if (lane.encoder.bytesWritten + lane.bufferedBytes >= limits.fileBytesTarget) {
        await drain(lane, true);
        await lane.encoder.settle();
        if (lane.encoder.bytesWritten >= limits.fileBytesTarget) return close(lane);
      }
    }
    while (isRowGroup(lane)) await drain(lane, false);
  };

  /** Whole pages of about as many bytes as a row group has; all rows where they do not fill a page. */
  const rowGroupRows = ({ bufferedBytes: bytes, bufferedRows: rows }: Lane): number => {
    const { pageRows, rowGroupBytes } = writer;
    if (rows < pageRows) return rows;
    const pages = Math.ceil((rows * Math.min(1, rowGroupBytes / bytes)) / pageRows);
    return Math.min(pages, Math.floor(rows / pageRows)) * pageRows;
  };

  const isRowGroup = ({ bufferedBytes: bytes, bufferedRows: rows }: Lane): boolean =>
    bytes >= writer.rowGroupBytes && (rows >= writer.pageRows || bytes >= rowGroupBytesMax);

  return {
    async write(batch) {
      for (const part of partitionRows(batch, schema, spec)) await add(batch, part);
      while (bufferedBytes > limits.putBytesMax) await drain(fullest(), false);
    },
    async finish() {
      for (const lane of [...lanes.values()]) await close(lane);
      return finished.sort((a, b) => (fileName(a.path) < fileName(b.path) ? -1 : 1));
    },
    async abort() {
      const open = [...lanes.values()];
      lanes.clear();
      // The caller's signal may be what ended the write; removing its traces must not fail for the same reason.
      const { signal: never } = new AbortController();
      const paths = finished.map((file) => file.path);
      await Promise.allSettled([...open.map((lane) => lane.encoder.abort()), objects.delete(paths, never)]);
    },
  };
}

// File systems take 255 bytes of a name.
const segmentCharsMax = 200;

/** A partition's folder; a value too long for one is cut, and told apart by its hash. The manifest has the value itself. */
const folderOf = (path: string): string =>
  path
    .split('/')
    .map((segment) => {
      if (segment.length <= segmentCharsMax) return segment;
      const hash = createHash('sha256').update(segment).digest('hex').slice(0, 16);
      // An escape that the cut would split goes as a whole.
      return `${segment.slice(0, segmentCharsMax).replace(/%.?$/, '')}-${hash}`;
    })
    .join('/');

/** Starts with the file's number. */
const fileName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

const takeAll = (columns: readonly Column[], rows: Int32Array): Column[] =>
  columns.map((column) => takeColumn(column, rows));

const batchBytes = (batch: Batch): number => batch.columns.reduce((sum, column) => sum + columnBytes(column), 0);

const sliceBatch = (batch: Batch, start: number, end: number): Batch => ({
  ...batch,
  rows: end - start,
  columns: batch.columns.map((column) => sliceColumn(column, start, end)),
});

/** A batch in pieces of which each fits into a row group. */
function piecesOf(batch: Batch): Batch[] {
  const parts = Math.ceil(batchBytes(batch) / rowGroupBytesMax);
  if (parts <= 1) return batch.rows === 0 ? [] : [batch];
  const rowsEach = Math.ceil(batch.rows / parts);
  return Array.from({ length: Math.ceil(batch.rows / rowsEach) }, (_, at) =>
    sliceBatch(batch, at * rowsEach, Math.min(batch.rows, (at + 1) * rowsEach)),
  );
}

/** The first `rows` rows, and those behind them. */
function splitRows(batches: readonly Batch[], rows: number): [sent: Batch[], kept: Batch[]] {
  let left = rows;
  for (const [at, batch] of batches.entries()) {
    if (batch.rows > left) {
      const sent = batches.slice(0, at);
      if (left > 0) sent.push(sliceBatch(batch, 0, left));
      return [sent, [sliceBatch(batch, left, batch.rows), ...batches.slice(at + 1)]];
    }
    left -= batch.rows;
  }
  return [[...batches], []];
}

/** Statistics in the order of field ids, so that equal files have equal manifests. */
function sortMetrics(metrics: FileMetrics): FileMetrics {
  const sorted = <V>(map: ReadonlyMap<FieldId, V>): ReadonlyMap<FieldId, V> =>
    new Map([...map].sort(([a], [b]) => a - b));
  return {
    columnBytes: sorted(metrics.columnBytes),
    valueCounts: sorted(metrics.valueCounts),
    nullCounts: sorted(metrics.nullCounts),
    nanCounts: sorted(metrics.nanCounts),
    lowerBounds: sorted(metrics.lowerBounds),
    upperBounds: sorted(metrics.upperBounds),
  };
}
