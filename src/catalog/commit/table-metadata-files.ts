import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { cancellationError, throwIfCancelled } from '../../core/cancellation.ts';
import type { Limits } from '../../core/limits.ts';
import { joinLocation } from '../../storage/locations.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { loadTableMetadata } from '../metadata/load.ts';
import type { TableMetadata } from '../metadata/types.ts';
import { serializeTableMetadata } from '../metadata/write.ts';

const compressionProperty = 'write.metadata.compression-codec';
/** Work that must end even though its caller has gone. */
const unstoppable = new AbortController().signal;

/** Metadata files and the parsed form of recent ones: a metadata.json never changes, so a location names one value for ever. */
export class TableMetadataFiles {
  readonly #objects: ObjectStore;
  readonly #limits: Pick<Limits, 'metadataBytesMax' | 'metadataCacheBytesMax'>;
  readonly #parsed: LRUCache<string, TableMetadata>;
  readonly #loading = new Map<string, Promise<TableMetadata>>();

  constructor(objects: ObjectStore, limits: Pick<Limits, 'metadataBytesMax' | 'metadataCacheBytesMax'>) {
    this.#objects = objects;
    this.#limits = limits;
    this.#parsed = new LRUCache({ maxSize: limits.metadataCacheBytesMax });
  }

  /** Callers that want the same file at once share one load, which none of them can cancel for the others. */
  async load(location: string, signal: AbortSignal): Promise<TableMetadata> {
    throwIfCancelled(signal);
    const known = this.#parsed.get(location);
    if (known !== undefined) return known;
    let loading = this.#loading.get(location);
    if (loading === undefined) {
      loading = this.#load(location).finally(() => this.#loading.delete(location));
      this.#loading.set(location, loading);
    }
    return await orCancelled(loading, signal);
  }

  async #load(location: string): Promise<TableMetadata> {
    const { metadata, bytes } = await loadTableMetadata(this.#objects, location, this.#limits, unstoppable);
    this.#parsed.set(location, metadata, { size: Math.max(1, bytes) });
    return metadata;
  }

  /**
   * Writes the successor of `previous` (null for a new table), durable when it returns: `metadata/<version>-<uuid>.metadata.json`
   * below the table's location (table spec, "Metastore Tables").
   */
  async write(metadata: TableMetadata, previous: string | null, signal: AbortSignal): Promise<string> {
    const text = serializeTableMetadata(metadata);
    const gzip = metadata.properties.get(compressionProperty)?.toLowerCase() === 'gzip';
    const version = String(previous === null ? 0 : versionOf(previous) + 1).padStart(5, '0');
    const name = `${version}-${randomUUID()}${gzip ? '.gz' : ''}.metadata.json`;
    const location = joinLocation(metadata.location, 'metadata', name);
    await using writer = await this.#objects.create(location, signal);
    await writer.write(gzip ? gzipSync(text) : Buffer.from(text));
    await writer.commit();
    this.#parsed.set(location, metadata, { size: text.length });
    return location;
  }

  /** Removes files that no pointer names. What cannot be removed now is found by the clean-up of orphans. */
  async discard(locations: readonly string[]): Promise<void> {
    for (const location of locations) this.#parsed.delete(location);
    await this.#objects.delete(locations, unstoppable).catch(() => {});
  }
}

/** Java writes `00003-….metadata.json`, Hadoop tables `v3.metadata.json`; after any other name counting begins anew. */
function versionOf(location: string): number {
  const digits = /\/v?(\d{1,9})(?:-[^/]*)?\.(?:gz\.)?metadata\.json(?:\.gz)?$/.exec(location)?.[1];
  return digits === undefined ? 0 : Number(digits);
}

async function orCancelled<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>();
  const cancel = (): void => reject(cancellationError(signal));
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}
