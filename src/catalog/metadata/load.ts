import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { parseTableMetadata } from './read.ts';
import type { TableMetadata } from './types.ts';

const gunzipBytes = promisify(gunzip);

export interface LoadedMetadata {
  readonly metadata: TableMetadata;
  /** Bytes of the text: a cache's measure of the parsed value. */
  readonly bytes: number;
}

/**
 * Reads and parses one metadata.json. Gzip is known by its magic bytes, since writers name such files `.gz.metadata.json` or
 * `.metadata.json.gz`. Throws CORRUPT_FILE, LIMIT_EXCEEDED, or what the object store throws.
 */
export async function loadTableMetadata(
  objects: ObjectStore,
  location: string,
  limits: Pick<Limits, 'metadataBytesMax'>,
  signal: AbortSignal,
): Promise<LoadedMetadata> {
  const stored = await objects.readAll(location, limits.metadataBytesMax, signal);
  const bytes = stored[0] === 0x1f && stored[1] === 0x8b ? await inflate(stored, limits.metadataBytesMax) : stored;
  return { metadata: parseTableMetadata(decode(bytes), limits.metadataBytesMax), bytes: bytes.length };
}

async function inflate(bytes: Uint8Array, maxOutputLength: number): Promise<Uint8Array> {
  try {
    return await gunzipBytes(bytes, { maxOutputLength });
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
      ? new ServiceError('LIMIT_EXCEEDED', `table metadata inflates to more than ${maxOutputLength} bytes`, { cause })
      : new ServiceError('CORRUPT_FILE', 'table metadata is not valid gzip', { cause });
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ServiceError('CORRUPT_FILE', 'table metadata is not valid UTF-8', { cause });
  }
}
