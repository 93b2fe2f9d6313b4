import type { FileMetrics } from '../../catalog/manifest/types.ts';
import type { NestedField, Schema } from '../../catalog/schema/types.ts';
import { throwIfCancelled } from '../../core/cancellation.ts';
import { ServiceError } from '../../core/errors.ts';
import type { FieldId } from '../../core/ids.ts';
import type { Batch, Column } from '../../scan/arrow/column.ts';
import { type ParquetLimits, parseMetadata } from '../../scan/parquet/metadata.ts';
import type { ObjectStore, ObjectWriter } from '../../storage/object-store.ts';
import type { EncodedRowGroup } from './encoded-row-group.ts';
import { findNulls, requiredWithoutNulls } from './file-fields.ts';
import { encodeTail, type WrittenRowGroup } from './file-footer.ts';
import { fileMetrics } from './metrics.ts';
import type { MetricsMode } from './metrics-modes.ts';
import { hydrated, packColumns, packedBytes } from './pack.ts';
import { storedColumns, storedFields } from './stored-schema.ts';
import { sharedEncodePool } from './workers/encode-pool.ts';
import type { ParquetWriterOptions } from './writer-options.ts';

export interface ParquetEncoderOptions {
  readonly schema: Schema;
  readonly objects: ObjectStore;
  /** Where the data file goes; nothing must be there. */
  readonly location: string;
  readonly writer: ParquetWriterOptions;
  readonly modes: ReadonlyMap<FieldId, MetricsMode>;
  /** Fields that held nulls so far in this write; the encoder adds those that it meets. Absent: known to this file alone. */
  readonly nullable?: Set<FieldId>;
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
   * Writes the rows of all batches as one row group. Returns once it is on its way: other threads encode, and what a row group runs
   * into is thrown by a later call or by `finish`. The batches' columns are the schema's, in its order and types (`arrowSchemaOf`).
   */
  write(batches: readonly Batch[]): Promise<void>;
  /** Whether the rows fit into the file: a column that it holds as required must not become null. */
  accepts(batches: readonly Batch[]): boolean;
  /** Bytes in the file so far. */
  readonly bytesWritten: number;
  /** Waits until what is on its way is in the file. */
  settle(): Promise<void>;
  /** Ends the file; it is durable and visible when this returns. A file without rows is valid. */
  finish(): Promise<EncodedFile>;
  /** Leaves no trace. */
  abort(): Promise<void>;
}

const magic = Uint8Array.from([0x50, 0x41, 0x52, 0x31]);
const createdBy = 'Headrace version 0.1.0';
/** Row groups of a file of which one looks again whether dictionaries pay; looking costs 6 % of encoding the benchmark table. */
const reviewEvery = 8;

/**
 * Opens a Parquet data file for writing: field ids at every depth, page indexes, pages that clients take as they are where the table
 * allows it. Throws UNSUPPORTED_FEATURE for a schema that Parquet cannot hold; the methods throw CANCELLED and what the store throws.
 */
export function createParquetEncoder(options: ParquetEncoderOptions): ParquetEncoder {
  const { schema, objects, location, writer: writerOptions, modes, limits, signal } = options;
  const stored = storedFields(schema);
  if (stored.length === 0)
    throw new ServiceError('UNSUPPORTED_FEATURE', 'a table without columns cannot be written to Parquet');
  const requiresValues = writerOptions.pageVersion === 'V1';
  const nullable = options.nullable ?? new Set<FieldId>();
  /** As the file has them: decided by the first rows. */
  let fields: readonly NestedField[] | null = null;
  const pool = sharedEncodePool();
  const groups: WrittenRowGroup[] = [];
  const nans = new Map<FieldId, number>();
  let writer: ObjectWriter | null = null;
  let position = 0;
  let plainLeaves: ReadonlySet<number> = new Set();
  let sent = 0;
  let tail: Promise<void> = Promise.resolve();

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

  const appendGroup = async (found: EncodedRowGroup) => {
    const { rows, pages, uncompressedBytes, base, chunks } = found;
    const start = Math.max(position, magic.length);
    for (const part of pages) await append(part);
    plainLeaves = found.plainLeaves;
    for (const [id, count] of found.nans) nans.set(id, (nans.get(id) ?? 0) + count);
    groups.push({ rows, position: start, pageBytes: position - start, uncompressedBytes, base, chunks });
  };

  const settle = async (): Promise<void> => {
    await tail;
    throwIfCancelled(signal);
  };

  const abort = async (): Promise<void> => {
    await tail.catch(() => {});
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

  const columnsOf = (batch: Batch): readonly Column[] => storedColumns(schema.fields, batch.columns);

  const fieldsFor = (batches: readonly Batch[]): readonly NestedField[] => {
    if (fields !== null) return fields;
    for (const batch of batches) findNulls(stored, columnsOf(batch), nullable);
    fields = requiresValues ? requiredWithoutNulls(stored, nullable) : stored;
    return fields;
  };

  const writeGroup = async (batches: readonly Batch[]): Promise<void> => {
    const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
    if (rows === 0) return;
    const isReviewed = sent++ % reviewEvery === 0;
    const group = { fields: fieldsFor(batches), rows, options: writerOptions, limits };
    const turn = await pool.turn();
    try {
      throwIfCancelled(signal);
      const parts = hydrated(batches.map(columnsOf));
      const bytes = packedBytes(parts);
      const columns = packColumns(parts, turn.memory(bytes));
      const encoded = turn.encode({ ...group, columns, plainLeaves: isReviewed ? new Set() : plainLeaves }, bytes);
      // The turn lasts until the pages are in the file: what is encoded and waits takes room too.
      const previous = tail;
      tail = (async () => {
        using _turn = turn;
        const [result] = await Promise.all([encoded, previous]);
        await appendGroup(result);
      })();
      // Whoever comes next finds the failure in `tail`.
      tail.catch(() => {});
    } catch (error) {
      turn[Symbol.dispose]();
      throw error;
    }
  };

  const finishAll = async (): Promise<EncodedFile> => {
    await settle();
    if (position === 0) await append(new Uint8Array(0));
    const dataEnd = position;
    const footerTail = encodeTail(fields ?? stored, groups, dataEnd, createdBy);
    const footer = footerTail.bytes.subarray(footerTail.footerStart);
    const trailer = new Uint8Array(8);
    new DataView(trailer.buffer).setUint32(0, footer.length, true);
    trailer.set(magic, 4);
    await append(footerTail.bytes);
    await append(trailer);
    // What goes into the manifest is what a reader will find in the file.
    const metadata = parseMetadata(footer, dataEnd + footerTail.footerStart, limits);
    const metrics = fileMetrics({ metadata, footer }, schema, modes, nans);
    const { bytes } = await writer!.commit();
    await abort();
    return { bytes, rows: metadata.rows, metrics, splitOffsets: groups.map((group) => group.position) };
  };

  return {
    write: (batches) => orAbort(() => writeGroup(batches)),
    accepts(batches) {
      if (!requiresValues || fields === null) return true;
      const before = nullable.size;
      for (const batch of batches) findNulls(stored, columnsOf(batch), nullable);
      return nullable.size === before || !hasRequiredOf(fields, stored, nullable);
    },
    get bytesWritten() {
      return position;
    },
    settle: () => orAbort(settle),
    finish: () => orAbort(finishAll),
    abort,
  };
}

/** Whether a field that the file requires, though the table does not, is among those that hold nulls. */
const hasRequiredOf = (
  fields: readonly NestedField[],
  stored: readonly NestedField[],
  nullable: ReadonlySet<FieldId>,
): boolean =>
  fields.some((field, at) => {
    const inTable = stored[at]!;
    if (field.required && !inTable.required && nullable.has(field.id)) return true;
    return (
      field.type.kind === 'struct' &&
      inTable.type.kind === 'struct' &&
      hasRequiredOf(field.type.fields, inTable.type.fields, nullable)
    );
  });
