import { ServiceError } from '../core/errors.ts';
import type { Limits } from '../core/limits.ts';
import { decoded, parseLocation } from '../storage/locations.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Table } from './catalog-types.ts';
import { type ManifestLimits, readManifest } from './manifest/manifest.ts';
import { readManifestList } from './manifest/manifest-list.ts';
import type { ManifestFile } from './manifest/types.ts';
import type { Snapshot } from './metadata/types.ts';

export type ReachableLimits = ManifestLimits & Pick<Limits, 'manifestBytesMax' | 'manifestsMax'>;

/** Files that a table needs, by location in any spelling. */
export interface ReachableFiles {
  has(location: string): boolean;
  readonly locations: Iterable<string>;
}

/**
 * Every file that some snapshot of the table, its metadata or its metadata log names: metadata files, statistics, manifest lists,
 * manifests, live data and delete files. Throws rather than leaving one out: UNSUPPORTED_FEATURE for v1 snapshots without a
 * manifest list, CORRUPT_FILE for a manifest that cannot be read.
 */
export async function reachableFiles(
  objects: ObjectStore,
  table: Table,
  limits: ReachableLimits,
  signal: AbortSignal,
): Promise<ReachableFiles> {
  const locations = new Set<string>([table.metadataLocation, ...statisticsFiles(table)]);
  for (const { metadataFile } of table.metadata.metadataLog) locations.add(metadataFile);
  const manifests = new Map<string, ManifestFile>();
  for (const snapshot of table.metadata.snapshots) {
    locations.add(manifestListOf(snapshot));
    const bytes = await objects.readAll(manifestListOf(snapshot), limits.manifestBytesMax, signal);
    for (const manifest of readManifestList(bytes, snapshot, limits)) manifests.set(manifest.path, manifest);
  }
  for (const manifest of manifests.values()) {
    locations.add(manifest.path);
    await addDataFiles(objects, table, manifest, limits, signal, locations);
  }
  const keys = new Set([...locations].flatMap(keysOf));
  return { has: (location) => keysOf(location).some((key) => keys.has(key)), locations };
}

async function addDataFiles(
  objects: ObjectStore,
  { metadata }: Table,
  manifest: ManifestFile,
  limits: ReachableLimits,
  signal: AbortSignal,
  locations: Set<string>,
): Promise<void> {
  const spec = metadata.partitionSpecs.find(({ specId }) => specId === manifest.specId);
  if (spec === undefined) throw new ServiceError('CORRUPT_FILE', `a manifest names the absent spec ${manifest.specId}`);
  const bytes = await objects.readAll(manifest.path, limits.manifestBytesMax, signal);
  const newestFirst = metadata.schemas.toSorted((a, b) => b.schemaId - a.schemaId);
  for (const { status, file } of readManifest(bytes, manifest, { schemas: newestFirst, spec }, limits)) {
    if (status !== 'deleted') locations.add(file.path);
  }
}

function manifestListOf({ manifestList, snapshotId }: Snapshot): string {
  if (manifestList !== null) return manifestList;
  throw new ServiceError('UNSUPPORTED_FEATURE', `snapshot ${snapshotId} has no manifest list, as only v1 tables allow`);
}

function statisticsFiles({ metadata }: Table): string[] {
  const entries = ['statistics', 'partition-statistics'].flatMap((member) => metadata.rest.get(member) ?? []);
  return entries.flatMap((entry) => {
    const path = (entry as Record<string, unknown> | null)?.['statistics-path'];
    return typeof path === 'string' ? [path] : [];
  });
}

/** A path may have been written percent-encoded or not, and with or without an authority: any spelling keeps the file. */
function keysOf(location: string): string[] {
  const { scheme, authority, segments } = parseLocation(location);
  const keyOf = (parts: readonly string[]): string => `${scheme}://${authority}/${parts.join('/')}`;
  return [keyOf(segments), keyOf(segments.map(decoded))];
}
