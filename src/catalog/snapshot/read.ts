import { throwIfCancelled } from '../../core/cancellation.ts';
import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { openContainer } from '../avro/container.ts';
import { type ManifestLimits, type ManifestTypes, readManifest } from '../manifest/manifest.ts';
import { readManifestList } from '../manifest/manifest-list.ts';
import type { ManifestEntry, ManifestFile } from '../manifest/types.ts';
import type { Snapshot, TableMetadata } from '../metadata/types.ts';
import type { Schema } from '../schema/types.ts';

export type SnapshotLimits = ManifestLimits & Pick<Limits, 'manifestBytesMax' | 'manifestsMax'>;

/** The manifests of a snapshot, data and deletes, as its list has them. Throws CORRUPT_FILE, LIMIT_EXCEEDED, NOT_FOUND, UNAVAILABLE. */
export async function readSnapshotManifests(
  snapshot: Snapshot,
  objects: ObjectStore,
  limits: SnapshotLimits,
  signal: AbortSignal,
): Promise<ManifestFile[]> {
  if (snapshot.manifestList !== null) {
    const bytes = await objects.readAll(snapshot.manifestList, limits.manifestBytesMax, signal);
    return readManifestList(bytes, snapshot, limits);
  }
  const manifests: ManifestFile[] = [];
  for (const path of snapshot.manifests)
    manifests.push(await inlineManifest(path, snapshot, { objects, limits, signal }));
  return manifests;
}

/** A v1 snapshot may name its manifests and say nothing else of them (table spec, "Snapshots"). */
async function inlineManifest(
  path: string,
  snapshot: Snapshot,
  { objects, limits, signal }: { objects: ObjectStore; limits: SnapshotLimits; signal: AbortSignal },
): Promise<ManifestFile> {
  const bytes = await objects.readAll(path, limits.manifestBytesMax, signal);
  const specId = Number(Buffer.from(openContainer(bytes, limits).metadata.get('partition-spec-id') ?? '0').toString());
  if (!Number.isSafeInteger(specId)) throw new ServiceError('CORRUPT_FILE', 'a manifest names no partition spec');
  return {
    path,
    bytes: bytes.length,
    specId,
    content: 'data',
    sequenceNumber: 0n,
    minSequenceNumber: 0n,
    addedSnapshotId: snapshot.snapshotId,
    addedFiles: null,
    existingFiles: null,
    deletedFiles: null,
    addedRows: null,
    existingRows: null,
    deletedRows: null,
    partitions: null,
    firstRowId: null,
  };
}

/** All entries of a manifest, deleted ones included. Throws as {@link readSnapshotManifests} does. */
export async function readEntries(
  manifest: ManifestFile,
  metadata: TableMetadata,
  objects: ObjectStore,
  limits: SnapshotLimits,
  signal: AbortSignal,
): Promise<ManifestEntry[]> {
  const types = manifestTypes(metadata, manifest.specId);
  return readManifest(await readManifestBytes(manifest, objects, limits, signal), manifest, types, limits);
}

/** A manifest as it lies in the store. LIMIT_EXCEEDED for one that is too large, and what the store throws. */
export async function readManifestBytes(
  manifest: ManifestFile,
  objects: ObjectStore,
  limits: Pick<Limits, 'manifestBytesMax'>,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (manifest.bytes > limits.manifestBytesMax) {
    throw new ServiceError(
      'LIMIT_EXCEEDED',
      `a manifest has ${manifest.bytes} bytes, more than ${limits.manifestBytesMax}`,
    );
  }
  return objects.read(manifest.path, { start: 0, end: manifest.bytes }, signal);
}

/** The spec of a manifest and the schemas to find its columns in, the current one first. Throws CORRUPT_FILE for an unknown spec. */
export function manifestTypes(
  metadata: TableMetadata,
  specId: number,
): ManifestTypes & { readonly schemas: readonly [Schema, ...Schema[]] } {
  const spec = metadata.partitionSpecs.find((candidate) => candidate.specId === specId);
  if (spec === undefined)
    throw new ServiceError('CORRUPT_FILE', `a manifest names partition spec ${specId}, which its table lacks`);
  const schema = metadata.schemas.find(({ schemaId }) => schemaId === metadata.currentSchemaId);
  if (schema === undefined) throw new ServiceError('CORRUPT_FILE', 'a table has no current schema');
  const others = metadata.schemas.filter((candidate) => candidate !== schema);
  return { spec, schemas: [schema, ...others.toSorted((a, b) => b.schemaId - a.schemaId)] };
}

/** Whether a manifest may hold entries that are live in the snapshot. */
export const hasLiveFiles = ({ addedFiles, existingFiles }: ManifestFile): boolean =>
  addedFiles === null || existingFiles === null || addedFiles + existingFiles > 0;

export const isLive = ({ status }: ManifestEntry): boolean => status !== 'deleted';

/** The data manifests that may hold live files. Throws UNSUPPORTED_FEATURE where the snapshot also has row-level deletes. */
export function liveDataManifests(manifests: readonly ManifestFile[]): ManifestFile[] {
  const live = manifests.filter(hasLiveFiles);
  if (live.some(({ content }) => content === 'deletes')) {
    throw new ServiceError(
      'UNSUPPORTED_FEATURE',
      'snapshots with row-level deletes are not supported: rewrite the table without them',
    );
  }
  return live;
}

// Manifests read ahead of the one whose entries are being taken.
const readAhead = 4;

/** Every live data file of a snapshot, manifest by manifest; no order is promised. Throws as {@link readSnapshotManifests} does. */
export async function* liveDataFiles(
  snapshot: Snapshot,
  metadata: TableMetadata,
  objects: ObjectStore,
  limits: SnapshotLimits,
  signal: AbortSignal,
): AsyncGenerator<ManifestEntry> {
  const manifests = liveDataManifests(await readSnapshotManifests(snapshot, objects, limits, signal));
  const reading: Promise<ManifestEntry[]>[] = [];
  for (let next = 0; next < manifests.length || reading.length > 0; ) {
    while (reading.length < readAhead && next < manifests.length) {
      const entries = readEntries(manifests[next++]!, metadata, objects, limits, signal);
      // Awaited in turn below; one that fails meanwhile must not count as unhandled.
      entries.catch(() => {});
      reading.push(entries);
    }
    for (const entry of await reading.shift()!) if (isLive(entry)) yield entry;
    throwIfCancelled(signal);
  }
}
