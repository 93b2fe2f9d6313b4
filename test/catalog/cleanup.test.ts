import assert from 'node:assert/strict';
import { mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { findOrphans, removeOrphans } from '../../src/catalog/cleanup.ts';
import type { DataFile } from '../../src/catalog/manifest/types.ts';
import type { TableMetadata } from '../../src/catalog/metadata/types.ts';
import { produceSnapshot } from '../../src/catalog/snapshot/produce.ts';
import { parseTableIdentifier } from '../../src/core/identifier.ts';
import { defaultLimits } from '../../src/core/limits.ts';
import { localPath } from '../../src/storage/locations.ts';
import { flights, flightsSchema, openTemporaryCatalog, signal } from '../support/temporary-catalog.ts';

const day = 24 * 3_600_000;

/** A file with an mtime two days ago. */
async function writeOld(location: string): Promise<string> {
  const path = localPath(location);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, 'x');
  await utimes(path, (Date.now() - 2 * day) / 1000, (Date.now() - 2 * day) / 1000);
  return location;
}

async function makeAllOld(metadata: TableMetadata): Promise<string[]> {
  const root = localPath(metadata.location);
  const files = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  for (const path of paths) await utimes(path, (Date.now() - 2 * day) / 1000, (Date.now() - 2 * day) / 1000);
  return paths;
}

const dataFile = (path: string): DataFile => ({
  content: 'data',
  path,
  format: 'parquet',
  specId: 0,
  partition: [],
  rows: 1,
  bytes: 1,
  metrics: {
    columnBytes: new Map(),
    valueCounts: new Map(),
    nullCounts: new Map(),
    nanCounts: new Map(),
    lowerBounds: new Map(),
    upperBounds: new Map(),
  },
  splitOffsets: [],
  sortOrderId: null,
  rest: new Map(),
});

/** Replaces the files of `deleted` by a new one, as an overwrite does. */
const overwrite = (catalog: Catalog, added: string, deleted: readonly string[]) =>
  catalog.retryCommit(
    flights,
    async (table) => {
      const produced = await produceSnapshot({
        table,
        branch: 'main',
        operation: 'overwrite',
        added: [dataFile(added)],
        deleted: new Set(deleted),
        objects: catalog.objects,
        nowMs: Date.now(),
        limits: defaultLimits,
        signal,
      });
      return { ...produced, cleanup: () => catalog.objects.delete(produced.written, signal) };
    },
    { signal },
  );

test('orphans are the old files that no snapshot and no metadata names, and removing them leaves the rest', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const { metadata } = await catalog.createTable(flights, { schema: flightsSchema }, { signal });
  const first = await writeOld(`${metadata.location}/data/first.parquet`);
  const second = await writeOld(`${metadata.location}/data/a b/second.parquet`);
  await overwrite(catalog, first, []);
  await overwrite(catalog, second, [first]);
  const kept = await makeAllOld(metadata);
  const orphan = await writeOld(`${metadata.location}/data/orphan.parquet`);
  const lost = await writeOld(`${metadata.location}/metadata/00009-lost.metadata.json`);
  await writeFile(localPath(`${metadata.location}/data/young.parquet`), 'x');
  const orphans = await findOrphans(catalog, flights, { olderThanMs: day, signal });
  assert.deepEqual(orphans.map(({ location }) => location).sort(), [orphan, lost].sort());
  await removeOrphans(catalog, flights, orphans, signal);
  for (const path of [...kept, localPath(`${metadata.location}/data/young.parquet`)]) await stat(path);
  await assert.rejects(stat(localPath(orphan)), { code: 'ENOENT' });
  assert.deepEqual(await findOrphans(catalog, flights, { olderThanMs: day, signal }), []);
});

test('a file becomes an orphan when the last snapshot that has it is expired', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const { metadata } = await catalog.createTable(flights, { schema: flightsSchema }, { signal });
  const first = await writeOld(`${metadata.location}/data/first.parquet`);
  const { metadata: before } = await overwrite(catalog, first, []);
  await overwrite(catalog, await writeOld(`${metadata.location}/data/second.parquet`), [first]);
  await makeAllOld(metadata);
  assert.deepEqual(await findOrphans(catalog, flights, { olderThanMs: day, signal }), []);
  const updates = [{ kind: 'remove-snapshots', snapshotIds: [before.currentSnapshotId!] }] as const;
  await catalog.commitTable(flights, { requirements: [], updates }, { signal });
  const orphans = await findOrphans(catalog, flights, { olderThanMs: day, signal });
  assert.ok(orphans.some(({ location }) => location === first));
  assert.ok(orphans.some(({ location }) => location === before.snapshots[0]!.manifestList));
});

test('nothing is an orphan while a manifest cannot be read', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const { metadata } = await catalog.createTable(flights, { schema: flightsSchema }, { signal });
  const committed = await overwrite(catalog, await writeOld(`${metadata.location}/data/first.parquet`), []);
  await writeFile(localPath(committed.metadata.snapshots[0]!.manifestList!), 'broken');
  await writeOld(`${metadata.location}/data/orphan.parquet`);
  await assert.rejects(findOrphans(catalog, flights, { olderThanMs: day, signal }), { code: 'CORRUPT_FILE' });
});

test('clean-up stays in its own table', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  await catalog.createTable(
    flights,
    { schema: flightsSchema, properties: new Map([['gc.enabled', 'false']]) },
    { signal },
  );
  const other = parseTableIdentifier('bronze.other');
  const { metadata, metadataLocation } = await catalog.createTable(other, { schema: flightsSchema }, { signal });
  const foreign = [{ location: `${metadata.location}/x`, bytes: 1, modifiedMs: 0 }];
  await assert.rejects(removeOrphans(catalog, flights, [], signal), {
    code: 'INVALID_REQUEST',
    message: /gc\.enabled/,
  });
  const updates = [{ kind: 'remove-properties', removals: ['gc.enabled'] }] as const;
  await catalog.commitTable(flights, { requirements: [], updates }, { signal });
  await assert.rejects(removeOrphans(catalog, flights, foreign, signal), { code: 'INVALID_REQUEST' });
  await removeOrphans(catalog, flights, [], signal);
  await stat(localPath(metadataLocation));
});
