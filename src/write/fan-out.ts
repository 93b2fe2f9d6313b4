import { createHash, randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { DataFile, FileMetrics } from '../catalog/manifest/types.ts';
import { partitionPath } from '../catalog/partition/spec.ts';
import type { PartitionSpec } from '../catalog/partition/types.ts';
import type { Schema, Value } from '../catalog/schema/types.ts';
import { ServiceError } from '../core/errors.ts';
import type { FieldId } from '../core/ids.ts';
import type { Limits } from '../core/limits.ts';
import type { Batch, Column } from '../scan/arrow/column.ts';
import { columnBytes } from '../scan/arrow/kernels/bytes.ts';
import { concatColumns } from '../scan/arrow/kernels/concat.ts';
import { takeColumn } from '../scan/arrow/kernels/take.ts';
import { joinLocation } from '../storage/locations.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { createParquetEncoder, type ParquetEncoder } from './parquet/encode.ts';
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
  readonly encoder: ParquetEncoder;
  readonly path: string;
  buffered: Batch[];
  bufferedBytes: number;
  writtenBytes: number;
}

/**
 * Spreads rows over partitions within two bounds: at most `openPartitionsMax` files are open, and at most `putBytesMax` bytes wait
 * in memory. Where either is reached, the fullest partition is written out, so that unsorted input costs files, never memory.
 */
export function createFanOut(options: FanOutOptions): FanOut {
  const { objects, location, schema, spec, properties, limits, signal } = options;
  const lanes = new Map<string, Lane>();
  const finished: DataFile[] = [];
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
    const encoder = createParquetEncoder({ schema, objects, location: path, properties, limits, signal });
    const lane: Lane = { key, values, encoder, path, buffered: [], bufferedBytes: 0, writtenBytes: 0 };
    lanes.set(key, lane);
    return lane;
  };

  const drain = async (lane: Lane): Promise<void> => {
    if (lane.buffered.length === 0) return;
    const batch = joinBatches(lane.buffered);
    bufferedBytes -= lane.bufferedBytes;
    lane.writtenBytes += lane.bufferedBytes;
    lane.buffered = [];
    lane.bufferedBytes = 0;
    await lane.encoder.write(batch);
    // Encoding does not await: after each row group everybody else has a turn.
    await setImmediate();
  };

  const close = async (lane: Lane): Promise<void> => {
    await drain(lane);
    lanes.delete(lane.key);
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
    const bytes = own.columns.reduce((sum, column) => sum + columnBytes(column), 0);
    lane.buffered.push(own);
    lane.bufferedBytes += bytes;
    bufferedBytes += bytes;
    if (lane.encoder.bytesWritten + lane.bufferedBytes >= limits.fileBytesTarget) {
      await drain(lane);
      if (lane.encoder.bytesWritten >= limits.fileBytesTarget) await close(lane);
    } else if (lane.bufferedBytes >= rowGroupBytes) await drain(lane);
  };

  return {
    async write(batch) {
      for (const part of partitionRows(batch, schema, spec)) await add(batch, part);
      while (bufferedBytes > limits.putBytesMax) await drain(fullest());
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

/** Arrow bytes that one partition gathers before they go into its file. */
const rowGroupBytes = 16 << 20;

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

function joinBatches(batches: readonly Batch[]): Batch {
  const [first] = batches;
  if (batches.length === 1) return first!;
  const columns = first!.columns.map((_, at) => concatColumns(batches.map((batch) => batch.columns[at]!)));
  return { schema: first!.schema, rows: batches.reduce((sum, batch) => sum + batch.rows, 0), columns };
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
