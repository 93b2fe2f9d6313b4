import type { FileMetrics } from '../../catalog/manifest/types.ts';
import type { Schema } from '../../catalog/schema/types.ts';
import { throwIfCancelled } from '../../core/cancellation.ts';
import { ServiceError } from '../../core/errors.ts';
import type { FieldId } from '../../core/ids.ts';
import type { Batch } from '../../scan/arrow/column.ts';
import { columnBytes } from '../../scan/arrow/kernels/bytes.ts';
import { sliceColumn } from '../../scan/arrow/kernels/slice.ts';
import { type ParquetLimits, parseMetadata } from '../../scan/parquet/metadata.ts';
import type { ObjectStore, ObjectWriter } from '../../storage/object-store.ts';
import { encodeRowGroup } from './encode-row-group.ts';
import { encodeTail, type WrittenRowGroup } from './file-footer.ts';
import { fileMetrics, metricsModes } from './metrics.ts';
import { countNans } from './nan-counts.ts';
import { encoderSchema, storedColumns, storedFields } from './stored-schema.ts';
import { parquetWriterOptions } from './writer-options.ts';

export interface ParquetEncoderOptions {
  readonly schema: Schema;
  readonly objects: ObjectStore;
  /** Where the data file goes; nothing must be there. */
  readonly location: string;
  /** The table's properties: codec, page version and sizes, metrics modes. */
  readonly properties: ReadonlyMap<string, string>;
  readonly limits: ParquetLimits;
  readonly signal: AbortSignal;
}

export interface EncodedFile {
  readonly bytes: number;
  readonly rows: number;
  readonly metrics: FileMetrics;
  /** Where each row group begins. */
  readonly splitOffsets: readonly number[];
}

/** Writes one data file. After `finish`, `abort` or an error, which leaves no trace either, it is of no use. */
export interface ParquetEncoder {
  /**
   * Writes the rows as one row group, or several where they are many; nothing is held back, so that who wants large row groups
   * gathers rows first. The batch's columns are the schema's, in its order and types (`arrowSchemaOf`).
   */
  write(batch: Batch): Promise<void>;
  /** Bytes in the file so far. */
  readonly bytesWritten: number;
  /** Ends the file; it is durable and visible when this returns. A file without rows is valid. */
  finish(): Promise<EncodedFile>;
  /** Leaves no trace. */
  abort(): Promise<void>;
}

const magic = Uint8Array.from([0x50, 0x41, 0x52, 0x31]);
const createdBy = 'Headrace version 0.1.0';
/** Arrow bytes of one row group: encoding takes several times as much memory and blocks the thread for as long as it takes. */
const rowGroupBytesMax = 64 << 20;
const rowGroupRowsMax = 1 << 20;

/**
 * Opens a Parquet data file for writing: field ids at every depth, required and optional as in the schema, page indexes, dictionary
 * encoding with PLAIN behind it, zstd unless the table says otherwise. Throws INVALID_REQUEST for a bad table property and
 * UNSUPPORTED_FEATURE for a schema that Parquet cannot hold; the methods throw CANCELLED and what the store throws.
 */
export function createParquetEncoder(options: ParquetEncoderOptions): ParquetEncoder {
  const { schema, objects, location, properties, limits, signal } = options;
  const writerOptions = parquetWriterOptions(properties);
  const modes = metricsModes(schema, properties);
  const fields = storedFields(schema);
  if (fields.length === 0)
    throw new ServiceError('UNSUPPORTED_FEATURE', 'a table without columns cannot be written to Parquet');
  const arrow = encoderSchema(fields);
  const groups: WrittenRowGroup[] = [];
  const nans = new Map<FieldId, number>();
  let writer: ObjectWriter | null = null;
  let position = 0;

  const append = async (bytes: Uint8Array): Promise<void> => {
    throwIfCancelled(signal);
    writer ??= await objects.create(location, signal);
    if (position === 0) {
      position = magic.length;
      await writer.write(magic);
    }
    position += bytes.length;
    await writer.write(bytes);
  };

  const writeGroup = async (batch: Batch): Promise<void> => {
    const columns = storedColumns(schema.fields, batch.columns);
    countNans(fields, columns, nans);
    const group = encodeRowGroup(arrow, { schema: arrow, rows: batch.rows, columns }, writerOptions, limits);
    const start = Math.max(position, magic.length);
    await append(group.pages);
    const { rows, uncompressedBytes, base, chunks } = group;
    groups.push({ rows, position: start, pageBytes: group.pages.length, uncompressedBytes, base, chunks });
  };

  const abort = async (): Promise<void> => {
    const open = writer;
    writer = null;
    await open?.[Symbol.asyncDispose]();
  };

  /** An error leaves nothing behind: the caller need not abort. */
  const orAbort = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      await abort();
      throw error;
    }
  };

  const writeAll = async (batch: Batch): Promise<void> => {
    const bytes = batch.columns.reduce((sum, column) => sum + columnBytes(column), 0);
    const parts = Math.max(Math.ceil(bytes / rowGroupBytesMax), Math.ceil(batch.rows / rowGroupRowsMax));
    const rowsEach = Math.ceil(batch.rows / Math.max(1, parts));
    for (let start = 0; start < batch.rows; start += rowsEach) {
      throwIfCancelled(signal);
      const end = Math.min(batch.rows, start + rowsEach);
      const columns = batch.columns.map((column) => sliceColumn(column, start, end));
      await writeGroup({ ...batch, rows: end - start, columns });
    }
  };

  const finishAll = async (): Promise<EncodedFile> => {
    if (position === 0) await append(new Uint8Array(0));
    const dataEnd = position;
    const tail = encodeTail(fields, groups, dataEnd, createdBy);
    const footer = tail.bytes.subarray(tail.footerStart);
    const trailer = new Uint8Array(8);
    new DataView(trailer.buffer).setUint32(0, footer.length, true);
    trailer.set(magic, 4);
    await append(tail.bytes);
    await append(trailer);
    // What goes into the manifest is what a reader will find in the file.
    const metadata = parseMetadata(footer, dataEnd + tail.footerStart, limits);
    const metrics = fileMetrics({ metadata, footer }, schema, modes, nans);
    const { bytes } = await writer!.commit();
    await abort();
    return { bytes, rows: metadata.rows, metrics, splitOffsets: groups.map((group) => group.position) };
  };

  return {
    write: (batch) => orAbort(() => writeAll(batch)),
    get bytesWritten() {
      return position;
    },
    finish: () => orAbort(finishAll),
    abort,
  };
}
