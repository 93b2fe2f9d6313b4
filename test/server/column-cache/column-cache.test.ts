import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { defaultLimits } from '../../../src/core/limits.ts';
import { openColumnCache, type SharedColumnCache } from '../../../src/server/column-cache/column-cache.ts';
import { createLog } from '../../../src/server/telemetry/log.ts';
import { createMetrics } from '../../../src/server/telemetry/metrics.ts';
import type { ReadingStart } from './reading-thread.ts';
import { allColumns, digestOf, groups, type Scan, scans, segmentsOfGroup, writeWideFile } from './wide-file.ts';

let folder: string;
let path: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-cache-'));
  path = join(folder, 'wide.parquet');
  await writeWideFile(path);
});
after(() => rm(folder, { recursive: true, force: true }));

interface Opened extends AsyncDisposable {
  readonly cache: SharedColumnCache;
  /** A number of the Prometheus text. */
  read(name: string): Promise<number>;
}

async function openCache(bytesMax: number, leaseMs = 30_000): Promise<Opened> {
  const metrics = createMetrics(10);
  const limits = { ...defaultLimits, cacheLeaseMs: leaseMs };
  const cache = await openColumnCache({ bytesMax, limits, metrics, log: createLog('silent') });
  return {
    cache,
    async read(name) {
      const line = (await metrics.exposition()).split('\n').find((one) => one.startsWith(`headrace_cache_${name} `));
      return Number(line?.split(' ')[1]);
    },
    async [Symbol.asyncDispose]() {
      await cache[Symbol.asyncDispose]();
      await metrics.close();
    },
  };
}

async function readInThread(cache: SharedColumnCache, some: readonly Scan[], atOnce: number): Promise<string[]> {
  const start: ReadingStart = { cache: cache.connect(), path, scans: some, atOnce };
  const worker = new Worker(new URL('./reading-thread.ts', import.meta.url), {
    workerData: start,
    transferList: [start.cache],
  });
  // A thread that ends hands out its last message and its end at once.
  const [[digests]] = (await Promise.all([once(worker, 'message'), once(worker, 'exit')])) as [[string[]], unknown];
  return digests;
}

for (const [size, bytesMax] of [
  ['that holds hardly anything', 600_000],
  ['that holds a part', 3 << 20],
  ['that holds all', 256 << 20],
] as const) {
  test(`streams in several threads over a cache ${size} send exactly what each sends without a cache`, async () => {
    const expected = await Promise.all(scans.map((scan) => digestOf(path, scan, null)));
    await using opened = await openCache(bytesMax, 500);
    const threads = [0, 1, 2].map(async (thread) => {
      const order = [...scans.keys()].map((at) => (at * 3 + thread * 2) % scans.length);
      const digests = await readInThread(
        opened.cache,
        order.map((at) => scans[at]!),
        2,
      );
      assert.deepEqual(
        digests,
        order.map((at) => expected[at]),
      );
    });
    const own = digestOf(path, scans[0]!, opened.cache.local);
    await Promise.all(threads);
    assert.equal(await own, expected[0]);
    // What came too late for its lease lies around for a moment as well: a segment of each stream.
    assert.ok((await opened.read('bytes')) <= bytesMax + (8 << 20));
    assert.ok((await opened.read('hits_total')) > 0);
    assert.equal((await opened.read('evictions_total')) > 0, bytesMax < 200 << 20);
  });
}

test('streams of several threads that read the same at the same time decode each column once', async () => {
  await using opened = await openCache(256 << 20);
  const all: Scan = { columns: allColumns, filter: null };
  const threads = [1, 2, 3].map(() => readInThread(opened.cache, [all, all], 2));
  const digests = new Set((await Promise.all(threads)).flat());
  assert.deepEqual([...digests], [await digestOf(path, all, null)]);
  const segments = groups * segmentsOfGroup * allColumns.length;
  assert.equal(await opened.read('misses_total'), segments);
  assert.equal(await opened.read('hits_total'), 5 * segments);
  assert.equal(await opened.read('entries'), segments);
});

test('a thread that dies while it holds a lease does not hold up who waits for it', async () => {
  await using opened = await openCache(1 << 20, 600_000);
  const column = { chunk: 'x', first: 0, end: 1, wholeFirst: 0, wholeEnd: 1, segmentBytes: 1_000 };
  const port = opened.cache.connect();
  const holder = new Worker(new URL('./holding-thread.ts', import.meta.url), {
    workerData: { port, column },
    transferList: [port],
  });
  assert.deepEqual(await once(holder, 'message'), [true]);
  using taken = await opened.cache.local.open([column], AbortSignal.timeout(10_000));
  const waiting = taken.prepare(0, 1);
  await holder.terminate();
  await waiting;
  assert.equal(taken.isLeased(0, 0), true);
});

test('a stream goes on without the cache when that ends under it', async () => {
  const opened = await openCache(256 << 20);
  const reading = digestOf(path, scans[0]!, opened.cache.local);
  await opened[Symbol.asyncDispose]();
  assert.equal(await reading, await digestOf(path, scans[0]!, null));
});
