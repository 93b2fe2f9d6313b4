import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Catalog, openCatalog } from '../../../src/catalog/catalog.ts';
import type { TableMetadata } from '../../../src/catalog/metadata/types.ts';
import { localPath } from '../../../src/storage/locations.ts';
import {
  appendUpdates,
  flights,
  flightsSchema,
  openTemporaryCatalog,
  signal,
} from '../../support/temporary-catalog.ts';

const writerPath = fileURLToPath(new URL('./writer.ts', import.meta.url));

interface Writer {
  readonly process: ChildProcess;
  /** Its first acknowledgement came. */
  readonly started: Promise<void>;
  /** What it printed, once it ended: the acknowledged snapshot ids. */
  readonly acknowledged: Promise<bigint[]>;
}

function startWriter(folder: string, first: number, count: number): Writer {
  const process = spawn(execPath, [writerPath, folder, `${first}`, `${count}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const started = Promise.withResolvers<void>();
  let output = '';
  process.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
    started.resolve();
  });
  const acknowledged = once(process, 'close').then(() => output.split('\n').filter(Boolean).map(BigInt));
  return { process, started: started.promise, acknowledged };
}

/** Every acknowledged snapshot is in the table and in its history exactly once, each a child of the one before. */
function checkHistory(metadata: TableMetadata, acknowledged: readonly bigint[]): void {
  const ids = metadata.snapshots.map(({ snapshotId }) => snapshotId as bigint);
  const log = metadata.snapshotLog.map(({ snapshotId }) => snapshotId as bigint);
  assert.deepEqual(log, ids);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of acknowledged) assert.ok(ids.includes(id), `acknowledged snapshot ${id} is lost`);
  for (const [index, snapshot] of metadata.snapshots.entries()) {
    assert.equal(snapshot.parentSnapshotId, ids[index - 1] ?? null);
    assert.equal(snapshot.sequenceNumber, BigInt(index + 1));
  }
}

const createTable = (catalog: Catalog) => catalog.createTable(flights, { schema: flightsSchema }, { signal });

test('16 writers in one process all commit, in the order in which they came', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  await createTable(catalog);
  const ids = Array.from({ length: 16 }, (_, index) => BigInt(index + 1));
  let builds = 0;
  await Promise.all(
    ids.map((id) =>
      catalog.retryCommit(
        flights,
        async ({ metadata }) => {
          builds++;
          return { requirements: [], updates: appendUpdates(metadata, id) };
        },
        { signal },
      ),
    ),
  );
  const { metadata } = await catalog.loadTable(flights, signal);
  checkHistory(metadata, ids);
  assert.deepEqual(
    metadata.snapshots.map(({ snapshotId }) => snapshotId as bigint),
    ids,
  );
  assert.equal(builds, 16, 'nobody lost a race');
});

test('writers in several processes all commit, each acknowledged snapshot exactly once', async () => {
  await using temporary = await openTemporaryCatalog();
  await createTable(temporary.catalog);
  const writers = [1000, 2000, 3000].map((first) => startWriter(temporary.folder, first, 15));
  const acknowledged = (await Promise.all(writers.map((writer) => writer.acknowledged))).flat();
  assert.equal(acknowledged.length, 45);
  const { metadata } = await temporary.catalog.loadTable(flights, signal);
  checkHistory(metadata, acknowledged);
  assert.equal(metadata.snapshots.length, 45);
  const files = await readdir(join(localPath(metadata.location), 'metadata'));
  assert.equal(files.length, 46, 'lost attempts left no file');
});

test('kill -9 of committing processes loses nothing acknowledged, and the catalog goes on', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  await createTable(catalog);
  const acknowledged: bigint[] = [];
  for (let round = 0; round < 4; round++) {
    const writers = [1, 2].map((number) => startWriter(temporary.folder, round * 100_000 + number * 10_000, 10_000));
    await Promise.all(writers.map(({ started }) => started));
    await new Promise((resume) => setTimeout(resume, Math.random() * 120));
    for (const { process } of writers) process.kill('SIGKILL');
    for (const writer of writers) acknowledged.push(...(await writer.acknowledged));
    const { metadata } = await catalog.loadTable(flights, signal);
    checkHistory(metadata, acknowledged);
  }
  assert.ok(acknowledged.length >= 8);
  await catalog.retryCommit(
    flights,
    async ({ metadata }) => ({ requirements: [], updates: appendUpdates(metadata, 1n) }),
    { signal },
  );
});

test('a slow writer gets its turn against a fast one in another process', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  await createTable(catalog);
  const rival = startWriter(temporary.folder, 1000, 100_000);
  await rival.started;
  let builds = 0;
  await catalog.retryCommit(
    flights,
    async ({ metadata }) => {
      builds++;
      await new Promise((resume) => setTimeout(resume, 60));
      return { requirements: [], updates: appendUpdates(metadata, 7n) };
    },
    { signal },
  );
  rival.process.kill('SIGKILL');
  assert.ok(builds < 10, `${builds} attempts`);
  const { metadata } = await catalog.loadTable(flights, signal);
  checkHistory(metadata, [7n, ...(await rival.acknowledged)]);
});

test('negative control: with unconditional swaps the same check finds lost commits', async () => {
  await using temporary = await openTemporaryCatalog();
  await createTable(temporary.catalog);
  const careless = async () => {
    const opened = await openTemporaryCatalog({ folder: temporary.folder });
    const { store, objects, warehouse } = opened.catalog;
    const commit: typeof store.commit = async ({ swaps }) => {
      const { metadataLocation } = (await store.table(flights))!;
      return await store.commit({
        swaps: swaps.map((swap) => ({ ...swap, expectedMetadataLocation: metadataLocation })),
      });
    };
    // Nor does it take turns with others, which would hide what the swaps lose.
    const reserve: typeof store.reserve = async () => false;
    return { opened, catalog: openCatalog({ store: { ...store, commit, reserve }, objects, warehouse }) };
  };
  const rivals = [await careless(), await careless()];
  const acknowledged: bigint[] = [];
  await Promise.all(
    rivals.map(async ({ catalog }, rival) => {
      for (let index = 0; index < 20; index++) {
        const id = BigInt(rival * 1000 + index + 1);
        await catalog.retryCommit(
          flights,
          async ({ metadata }) => ({ requirements: [], updates: appendUpdates(metadata, id) }),
          { signal },
        );
        acknowledged.push(id);
      }
    }),
  );
  const { metadata } = await temporary.catalog.loadTable(flights, signal);
  assert.throws(() => checkHistory(metadata, acknowledged), /lost/);
  for (const { opened } of rivals) await opened[Symbol.asyncDispose]();
});
