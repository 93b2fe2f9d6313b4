import { LRUCache } from 'lru-cache';
import { readManifestColumns } from '../../catalog/manifest/read-columns.ts';
import type { ManifestFile } from '../../catalog/manifest/types.ts';
import type { Snapshot, TableMetadata } from '../../catalog/metadata/types.ts';
import {
  manifestTypes,
  readManifestBytes,
  readSnapshotManifests,
  type SnapshotLimits,
} from '../../catalog/snapshot/read.ts';
import type { Limits } from '../../core/limits.ts';
import { Pace } from '../../core/pace.ts';
import { SharedWork } from '../../core/shared-work.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { BoundField } from '../filter/bound.ts';
import { type LoadedManifest, memoryOfManifest, rangeKey } from './loaded-manifest.ts';
import { rangeColumns } from './range-columns.ts';

export type ManifestStoreLimits = SnapshotLimits & Pick<Limits, 'manifestCacheBytesMax' | 'manifestDecodedBytesMax'>;

/** What planning, all of it together, may take of a turn of the event loop. */
export const planningPace = new Pace(10);

/**
 * Manifest lists and manifests of one object store, as planning reads them. They are never rewritten in place, so what was read of one
 * holds for ever; what is kept is bounded in bytes, and several plans that want the same at once read it once.
 */
export class ManifestStore {
  readonly #objects: ObjectStore;
  readonly #lists: LRUCache<string, readonly ManifestFile[]> | null;
  readonly #manifests: LRUCache<string, LoadedManifest> | null;
  readonly #readingLists = new SharedWork<readonly ManifestFile[]>();
  readonly #readingManifests = new SharedWork<LoadedManifest>();

  constructor(objects: ObjectStore, bytesMax: number) {
    this.#objects = objects;
    const maxSize = Math.floor(bytesMax / listShare);
    this.#lists = maxSize > 0 ? new LRUCache({ maxSize, sizeCalculation: memoryOfList }) : null;
    this.#manifests =
      maxSize > 0 ? new LRUCache({ maxSize: bytesMax - maxSize, sizeCalculation: memoryOfManifest }) : null;
  }

  /** The manifests of a snapshot. Throws as `readSnapshotManifests` does. */
  async list(
    snapshot: Snapshot,
    { tableUuid }: TableMetadata,
    limits: ManifestStoreLimits,
    signal: AbortSignal,
  ): Promise<readonly ManifestFile[]> {
    const key = JSON.stringify([tableUuid, `${snapshot.snapshotId}`, snapshot.manifestList, snapshot.manifests]);
    const known = this.#lists?.get(key);
    if (known !== undefined) return known;
    const read = async (shared: AbortSignal): Promise<readonly ManifestFile[]> => {
      const manifests = await readSnapshotManifests(snapshot, this.#objects, limits, shared);
      this.#lists?.set(key, manifests);
      return manifests;
    };
    return this.#readingLists.run(key, read, signal);
  }

  /** What is kept of a manifest, with whatever statistics it was loaded with. */
  known(manifest: ManifestFile, metadata: TableMetadata): LoadedManifest | undefined {
    return this.#manifests?.get(keyOf(manifest, metadata));
  }

  /**
   * A manifest with the statistics of these fields. Throws as `readManifestColumns` does, CORRUPT_FILE where the table lacks the
   * manifest's spec, and what the store throws.
   */
  load(
    manifest: ManifestFile,
    metadata: TableMetadata,
    fields: readonly BoundField[],
    limits: ManifestStoreLimits,
    signal: AbortSignal,
  ): Promise<LoadedManifest> {
    const key = keyOf(manifest, metadata);
    const wanted = new Map(fields.map((field) => [rangeKey(field), field]));
    for (const { field } of this.#manifests?.get(key)?.ranges.values() ?? []) wanted.set(rangeKey(field), field);
    const read = async (shared: AbortSignal): Promise<LoadedManifest> => {
      const bytes = await readManifestBytes(manifest, this.#objects, limits, shared);
      const { columns, metrics } = await readManifestColumns(bytes, {
        file: manifest,
        types: manifestTypes(metadata, manifest.specId),
        metricsOf: new Set([...wanted.values()].map(({ fieldId }) => fieldId)),
        limits,
        pace: planningPace,
        signal: shared,
      });
      const ranges = new Map(
        [...wanted].map(([name, field]) => [name, rangeColumns(field, metrics.get(field.fieldId)!, columns.rows)]),
      );
      const loaded = { columns, ranges };
      this.#manifests?.set(key, loaded);
      return loaded;
    };
    return this.#readingManifests.run(`${key} ${[...wanted.keys()].sort().join()}`, read, signal);
  }
}

/** A list takes about 1 KB a manifest, and a manifest 100 bytes for each of its thousands of files. */
const listShare = 8;
const manifestFileBytes = 640;
const summaryBytes = 192;

const memoryOfList = (manifests: readonly ManifestFile[]): number =>
  manifests.reduce((sum, { partitions }) => sum + manifestFileBytes + summaryBytes * (partitions?.length ?? 0), 256);

/** Partition values are decoded by the table's schemas, which may have changed since. */
const keyOf = ({ path, bytes }: ManifestFile, { tableUuid, currentSchemaId }: TableMetadata): string =>
  JSON.stringify([tableUuid, currentSchemaId, path, bytes]);

const stores = new WeakMap<ObjectStore, ManifestStore>();

/** The one of an object store; nothing is kept where `manifestCacheBytesMax` is 0. */
export function manifestStoreOf(objects: ObjectStore, { manifestCacheBytesMax }: ManifestStoreLimits): ManifestStore {
  if (manifestCacheBytesMax <= 0) return new ManifestStore(objects, 0);
  const known = stores.get(objects);
  if (known !== undefined) return known;
  const store = new ManifestStore(objects, manifestCacheBytesMax);
  stores.set(objects, store);
  return store;
}
