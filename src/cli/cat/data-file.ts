import { resolve } from 'node:path';
import { throwIfCancelled } from '../../core/cancellation.ts';
import { isServiceError, ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import type { Batch } from '../../scan/arrow/column.ts';
import { isIpcFile } from '../../scan/arrow/ipc-file.ts';
import { type IpcContents, openIpcFile, openIpcStream } from '../../scan/arrow/ipc-read.ts';
import { avroToBatches } from '../../scan/avro/read.ts';
import { parquetToBatches } from '../../scan/parquet/cat.ts';
import { fileLocation } from '../../storage/locations.ts';
import type { ObjectStore } from '../../storage/object-store.ts';

export type DataFormat = 'parquet' | 'arrow' | 'avro';

export interface DataFileOptions {
  /** Null: as the file's first bytes say. */
  readonly format: DataFormat | null;
  readonly objects: ObjectStore;
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

const magicBytes = 8;
const pieceBytes = 4 << 20;

/**
 * Opens one file with the scan's own readers. Errors name the file. Throws NOT_FOUND, INVALID_REQUEST where its format cannot be told,
 * CORRUPT_FILE, UNSUPPORTED_FEATURE and LIMIT_EXCEEDED, all of which the batches may also throw.
 */
export async function openDataFile(path: string, options: DataFileOptions): Promise<IpcContents> {
  try {
    const contents = await open(fileLocation(resolve(path)), options);
    return { schema: contents.schema, batches: naming(path, contents.batches) };
  } catch (error) {
    throw named(path, error);
  }
}

/** What a file's first bytes say it is; null where they say nothing. */
export function formatOf(bytes: Uint8Array): DataFormat | null {
  const text = Buffer.from(bytes).toString('latin1');
  if (text.startsWith('PAR1') || text.startsWith('PARE')) return 'parquet';
  if (text.startsWith('Obj\x01')) return 'avro';
  return isIpcFile(bytes) || text.startsWith('\xff\xff\xff\xff') ? 'arrow' : null;
}

async function open(location: string, { format, objects, limits, signal }: DataFileOptions): Promise<IpcContents> {
  const { bytes, identity } = await objects.stat(location, signal);
  const magic = await objects.read(location, { start: 0, end: Math.min(bytes, magicBytes) }, signal, identity);
  switch (format ?? formatOf(magic)) {
    case 'parquet':
      return parquetToBatches({ objects, location, limits, signal });
    case 'avro': {
      const { schema, batches } = avroToBatches(
        await objects.readAll(location, limits.wholeFileBytesMax, signal),
        limits,
      );
      return { schema, batches: interruptible(batches, signal) };
    }
    case 'arrow': {
      if (isIpcFile(magic)) {
        const file = await objects.readAll(location, limits.wholeFileBytesMax, signal);
        return openIpcFile(file, limits, 'CORRUPT_FILE');
      }
      const pieces = readPieces(objects, location, { bytes, identity }, signal);
      return await openIpcStream(pieces, limits, 'CORRUPT_FILE');
    }
    case null:
      throw new ServiceError(
        'INVALID_REQUEST',
        'its first bytes are not those of Parquet, Arrow or Avro: say what it is with --format',
      );
  }
}

export async function* readPieces(
  objects: ObjectStore,
  location: string,
  { bytes, identity }: { readonly bytes: number; readonly identity: string },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes; start += pieceBytes) {
    yield await objects.read(location, { start, end: Math.min(bytes, start + pieceBytes) }, signal, identity);
  }
}

async function* interruptible(batches: Iterable<Batch>, signal: AbortSignal): AsyncGenerator<Batch> {
  for (const batch of batches) {
    throwIfCancelled(signal);
    yield batch;
  }
}

async function* naming(path: string, batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
  try {
    yield* batches;
  } catch (error) {
    throw named(path, error);
  }
}

/** The error with the file's name before it; readers do not know it. */
export function named(path: string, error: unknown): unknown {
  if (!isServiceError(error) || error.code === 'CANCELLED') return error;
  const message = error.code === 'NOT_FOUND' ? 'there is no such file' : error.message;
  return new ServiceError(error.code, `${path}: ${message}`, { cause: error });
}
