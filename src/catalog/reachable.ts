import { decoded, parseLocation } from '../storage/locations.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Table } from './catalog-types.ts';
import type { ManifestFile } from './manifest/types.ts';
import { isLive, readEntries, readSnapshotManifests, type SnapshotLimits } from './snapshot/read.ts';

/** Files that a table needs, by location in any spelling. */
export interface ReachableFiles {
  has(location: string): boolean;
  readonly locations: Iterable<string>;
}

/**
 * Every file that some snapshot of the table, its metadata or its metadata log names: metadata files, statistics, manifest lists,
 * manifests, live data and delete files. Throws rather than leaving one out: what reading a snapshot's manifests throws.
 */
export async function reachableFiles(
  objects: ObjectStore,
  table: Table,
  limits: SnapshotLimits,
  signal: AbortSignal,
): Promise<ReachableFiles> {
  const { metadata } = table;
  const locations = new Set<string>([table.metadataLocation, ...statisticsFiles(table)]);
  for (const { metadataFile } of metadata.metadataLog) locations.add(metadataFile);
  const manifests = new Map<string, ManifestFile>();
  for (const snapshot of metadata.snapshots) {
    if (snapshot.manifestList !== null) locations.add(snapshot.manifestList);
    for (const manifest of await readSnapshotManifests(snapshot, objects, limits, signal)) {
      manifests.set(manifest.path, manifest);
    }
  }
  for (const manifest of manifests.values()) {
    locations.add(manifest.path);
    for (const entry of await readEntries(manifest, metadata, objects, limits, signal)) {
      if (isLive(entry)) locations.add(entry.file.path);
    }
  }
  const keys = new Set([...locations].flatMap(keysOf));
  return { has: (location) => keysOf(location).some((key) => keys.has(key)), locations };
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
