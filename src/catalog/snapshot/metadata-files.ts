import { randomUUID } from 'node:crypto';
import { isServiceError } from '../../core/errors.ts';
import { joinLocation } from '../../storage/locations.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { TableMetadata } from '../metadata/types.ts';

const deleteTimeoutMs = 10_000;

/** Writes the manifests and the list of one attempt at a commit, and knows them for the case that it fails. */
export class MetadataFiles {
  readonly written: string[] = [];
  readonly #objects: ObjectStore;
  readonly #folder: string;
  readonly #signal: AbortSignal;
  readonly #uuid = randomUUID();
  #manifests = 0;

  constructor(metadata: TableMetadata, objects: ObjectStore, signal: AbortSignal) {
    this.#objects = objects;
    this.#folder = metadata.properties.get('write.metadata.path') ?? joinLocation(metadata.location, 'metadata');
    this.#signal = signal;
  }

  /** Durable when it returns; the location of the manifest. */
  writeManifest(bytes: Uint8Array): Promise<string> {
    return this.#write(`${this.#uuid}-m${this.#manifests++}.avro`, bytes);
  }

  writeManifestList(bytes: Uint8Array, snapshotId: bigint, attempt: number): Promise<string> {
    return this.#write(`snap-${snapshotId}-${attempt}-${this.#uuid}.avro`, bytes);
  }

  /** Removes what was written, after a failure; what cannot be removed now is an orphan that a clean-up finds. */
  async discard(): Promise<void> {
    try {
      await this.#objects.delete(this.written, AbortSignal.timeout(deleteTimeoutMs));
    } catch (error) {
      if (!isServiceError(error)) throw error;
    }
  }

  async #write(name: string, bytes: Uint8Array): Promise<string> {
    const location = joinLocation(this.#folder, name);
    await using writer = await this.#objects.create(location, this.#signal);
    await writer.write(bytes);
    // Before the commit, since one that fails half-way may have made the file visible.
    this.written.push(location);
    await writer.commit();
    return location;
  }
}
