import { ServiceError } from '../core/errors.ts';
import { formatTable, type TableIdentifier } from '../core/identifier.ts';
import { defaultLimits, type Limits } from '../core/limits.ts';
import { isWithin } from '../storage/locations.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Catalog, Table } from './catalog-types.ts';
import { checkNoOverlap } from './commit/location-rules.ts';
import { reachableFiles } from './reachable.ts';
import type { SnapshotLimits } from './snapshot/read.ts';

export interface Orphan {
  readonly location: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

export interface FindOrphansOptions {
  /** Younger files may belong to a commit in progress and are never orphans. */
  readonly olderThanMs: number;
  readonly signal: AbortSignal;
  readonly nowMs?: number;
  readonly limits?: SnapshotLimits & Pick<Limits, 'catalogListMax'>;
}

/**
 * Files below the table's location that nothing in its metadata names: what failed commits and crashes left. At most
 * `catalogListMax` of them. Throws INVALID_REQUEST where another table lies in the same folder.
 */
export async function findOrphans(
  catalog: Catalog,
  identifier: TableIdentifier,
  { olderThanMs, signal, nowMs = Date.now(), limits = defaultLimits }: FindOrphansOptions,
): Promise<Orphan[]> {
  const { metadata } = await catalog.loadTable(identifier, signal);
  await checkAlone(catalog, identifier, metadata.location);
  const candidates: Orphan[] = [];
  for await (const { location, bytes, modifiedMs } of catalog.objects.list(`${metadata.location}/`, signal)) {
    if (modifiedMs < nowMs - olderThanMs) candidates.push({ location, bytes, modifiedMs });
  }
  // Loaded after the listing: a commit in between may have made a listed file part of the table.
  const table = await catalog.loadTable(identifier, signal);
  const reachable = await reachableFiles(catalog.objects, table, limits, signal);
  return candidates.filter(({ location }) => !reachable.has(location)).slice(0, limits.catalogListMax);
}

/** Deletes what {@link findOrphans} found. Throws INVALID_REQUEST for a table with `gc.enabled` = false, or a file elsewhere. */
export async function removeOrphans(
  catalog: Catalog,
  identifier: TableIdentifier,
  orphans: readonly Orphan[],
  signal: AbortSignal,
): Promise<void> {
  const { metadata } = await catalog.loadTable(identifier, signal);
  if (metadata.properties.get('gc.enabled') === 'false') {
    throw new ServiceError('INVALID_REQUEST', `${formatTable(identifier)} has gc.enabled=false: its files stay`);
  }
  if (!orphans.every(({ location }) => isWithin(metadata.location, location))) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `only files below the location of ${formatTable(identifier)} can be removed`,
    );
  }
  await catalog.objects.delete(
    orphans.map(({ location }) => location),
    signal,
  );
}

/**
 * Deletes the files of a table that was just dropped: all that lies below a location of its own in the warehouse; elsewhere only
 * what the table names there. Ends even where the caller has gone.
 */
export async function purgeTable(
  catalog: Pick<Catalog, 'objects' | 'store' | 'warehouse'>,
  table: Table,
  limits: SnapshotLimits = defaultLimits,
): Promise<void> {
  const { location } = table.metadata;
  const { signal } = new AbortController();
  const own = isWithin(catalog.warehouse, location) && !isWithin(location, catalog.warehouse);
  const files =
    own && (await isAlone(catalog, table.identifier, location))
      ? await listAll(catalog.objects, location, signal)
      : [...(await reachableFiles(catalog.objects, table, limits, signal)).locations];
  await catalog.objects.delete(
    files.filter((file) => isWithin(location, file)),
    signal,
  );
}

async function listAll(objects: ObjectStore, location: string, signal: AbortSignal): Promise<string[]> {
  const files: string[] = [];
  for await (const file of objects.list(`${location}/`, signal)) files.push(file.location);
  return files;
}

async function isAlone(
  catalog: Pick<Catalog, 'store'>,
  identifier: TableIdentifier,
  location: string,
): Promise<boolean> {
  try {
    await checkAlone(catalog, identifier, location);
    return true;
  } catch {
    return false;
  }
}

async function checkAlone(
  { store }: Pick<Catalog, 'store'>,
  identifier: TableIdentifier,
  location: string,
): Promise<void> {
  const others = (await store.listTables(null)).filter(
    (table) => formatTable(table.identifier) !== formatTable(identifier),
  );
  checkNoOverlap(
    location,
    others.map((table) => table.metadataLocation),
  );
}
