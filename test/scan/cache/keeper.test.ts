import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { isServiceError } from '../../../src/core/errors.ts';
import { type CacheOpening, type ColumnCache, connectColumnCache } from '../../../src/scan/cache/cache.ts';
import { type CacheEvent, Keeper, type KeeperOptions } from '../../../src/scan/cache/keeper.ts';
import { localLink } from '../../../src/scan/cache/local-link.ts';
import type { WantedColumn } from '../../../src/scan/cache/messages.ts';

const segmentBytes = 8_192;
const { signal } = new AbortController();

function world(options: Partial<KeeperOptions> = {}) {
  const counts: Record<CacheEvent, number> = { hit: 0, miss: 0, eviction: 0 };
  const keeper = new Keeper({
    bytesMax: 64 << 20,
    entriesMax: 10_000,
    leaseMs: 200,
    now: () => performance.now(),
    collect: () => {},
    count: (event, by) => {
      counts[event] += by;
    },
    ...options,
  });
  return { keeper, counts, reader: () => connectColumnCache(localLink(keeper)) };
}

const wanted = (chunk: string, count: number): WantedColumn => ({
  chunk,
  first: 0,
  end: count,
  wholeFirst: 0,
  wholeEnd: count,
  segmentBytes,
});

/** A value that says whose it is. */
const markedBy = (mark: number) => {
  const buffer = new SharedArrayBuffer(segmentBytes);
  new Int32Array(buffer)[0] = mark;
  return buffer;
};
const markOf = (opening: CacheOpening, segment: number): number | null => {
  const packed = opening.held(0, segment);
  return packed === null ? null : new Int32Array(packed)[0]!;
};

/** Looks, and settles who makes what is missing. */
async function open(cache: ColumnCache, chunk: string, count = 1): Promise<CacheOpening> {
  const opening = await cache.open([wanted(chunk, count)], signal);
  await opening.prepare(0, count);
  return opening;
}

test('what one stream puts, others hold, as the same memory', async () => {
  const { reader, counts } = world();
  using first = await open(reader(), 'a', 3);
  for (let segment = 0; segment < 3; segment++) {
    assert.ok(first.isLeased(0, segment));
    first.put(0, segment, markedBy(segment));
    assert.equal(markOf(first, segment), segment);
  }
  using second = await open(reader(), 'a', 3);
  assert.deepEqual(
    [0, 1, 2].map((segment) => markOf(second, segment)),
    [0, 1, 2],
  );
  assert.deepEqual(counts, { hit: 3, miss: 3, eviction: 0 });
});

test('of streams that want the same column at once, one decodes it and the others get it', async () => {
  const { reader, counts } = world({ leaseMs: 5_000 });
  using first = await open(reader(), 'a');
  const others = Array.from({ length: 5 }, () => open(reader(), 'a'));
  await delay(10);
  first.put(0, 0, markedBy(7));
  for (const opening of await Promise.all(others)) {
    assert.equal(markOf(opening, 0), 7);
    assert.equal(opening.isLeased(0, 0), false);
    opening[Symbol.dispose]();
  }
  assert.deepEqual(counts, { hit: 5, miss: 1, eviction: 0 });
});

const endings: readonly (readonly [string, (opening: CacheOpening, cache: ColumnCache) => void])[] = [
  ['gives it up', (opening) => opening.release(0, 0)],
  ['ends', (opening) => opening[Symbol.dispose]()],
  ['is in a thread that ends', (_, cache) => cache.close()],
];
for (const [how, end] of endings) {
  test(`a stream that waits decodes for itself at once where the one that decodes ${how}`, async () => {
    const { keeper, reader } = world({ leaseMs: 60_000 });
    const holder = reader();
    const first = await open(holder, 'a');
    const waiting = open(reader(), 'a');
    await delay(10);
    end(first, holder);
    using second = await waiting;
    assert.equal(second.isLeased(0, 0), true);
    assert.equal(keeper.leases, 1);
  });
}

test('a stream that is cancelled ends its leases, and its wait with the reason', async () => {
  const { keeper, reader } = world({ leaseMs: 60_000 });
  const holder = new AbortController();
  const first = await reader().open([wanted('a', 1)], holder.signal);
  await first.prepare(0, 1);
  const waiter = new AbortController();
  const second = await reader().open([wanted('a', 1)], waiter.signal);
  const waiting = second.prepare(0, 1)!;
  await delay(10);
  waiter.abort();
  await assert.rejects(waiting, (error) => isServiceError(error, 'CANCELLED'));
  holder.abort();
  await delay(10);
  assert.equal(first.isLeased(0, 0), false);
  assert.equal(keeper.leases, 0);
});

test('a stream that does not decode holds up the others for one lease, and its late value is not taken', async () => {
  const { reader } = world({ leaseMs: 100 });
  using slow = await open(reader(), 'a', 5);
  const began = performance.now();
  using second = await open(reader(), 'a', 5);
  const waited = performance.now() - began;
  assert.ok(waited < 2_000, `${waited} ms`);
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((segment) => second.isLeased(0, segment)),
    Array(5).fill(true),
  );
  slow.put(0, 0, markedBy(1));
  second.put(0, 0, markedBy(2));
  using third = await open(reader(), 'a', 1);
  assert.equal(markOf(third, 0), 2);
});

test('segments that a stream does not read whole are looked for, and never leased', async () => {
  const { reader } = world();
  const cut = { ...wanted('a', 3), wholeFirst: 1, wholeEnd: 2 };
  using opening = await reader().open([cut], signal);
  await opening.prepare(0, 3);
  assert.deepEqual(
    [0, 1, 2].map((segment) => opening.isLeased(0, segment)),
    [false, true, false],
  );
});

test('where there is no room, a value is put only where another stream is about to want it as well', async () => {
  const { reader, keeper } = world({ bytesMax: 40 * segmentBytes, leaseMs: 5_000 });
  for (let at = 0; at < 40; at++) {
    using opening = await open(reader(), `full${at}`);
    if (opening.isLeased(0, 0)) opening.put(0, 0, markedBy(at));
  }
  using alone = await open(reader(), 'alone');
  assert.equal(alone.isLeased(0, 0), false);
  using other = await reader().open([wanted('shared', 1)], signal);
  using first = await open(reader(), 'shared');
  assert.equal(first.isLeased(0, 0), true);
  first.put(0, 0, markedBy(9));
  await other.prepare(0, 1);
  assert.equal(markOf(other, 0), 9);
  assert.ok(keeper.keptBytes <= 40 * segmentBytes);
});

test('a stream that only looks holds up nobody', async () => {
  const { reader, keeper, counts } = world({ leaseMs: 60_000 });
  using idle = await reader().open([wanted('a', 2)], signal);
  using second = await open(reader(), 'a', 2);
  assert.ok(second.isLeased(0, 0) && second.isLeased(0, 1));
  assert.equal(idle.isLeased(0, 0), false);
  assert.deepEqual(counts, { hit: 0, miss: 2, eviction: 0 });
  assert.equal(keeper.leases, 2);
});

test('a cache that does not answer, or has ended, has nothing', async () => {
  const silent = connectColumnCache(
    { post: () => {}, listen: () => {}, hold: () => {}, close: () => {} },
    { segmentsMax: 100, answerMs: 20 },
  );
  using opening = await open(silent, 'a');
  assert.ok(opening.held(0, 0) === null && !opening.isLeased(0, 0));
  const { reader } = world();
  const cache = reader();
  cache.close();
  using late = await open(cache, 'a');
  assert.ok(late.held(0, 0) === null && !late.isLeased(0, 0));
});

test('whatever readers do and however they end, values are those of their segment, bytes stay within bounds, and no lease is left', async () => {
  const step = fc.record({
    reader: fc.nat(3),
    chunk: fc.nat(6),
    segments: fc.integer({ min: 1, max: 4 }),
    end: fc.constantFrom('put', 'put some', 'leave', 'crash'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 2, max: 30 }), async (steps, room) => {
      const bytesMax = room * segmentBytes;
      const { keeper, reader } = world({ bytesMax, leaseMs: 20 });
      const readers = Array.from({ length: 4 }, reader);
      const run = async ({ reader: who, chunk, segments, end }: (typeof steps)[number]): Promise<void> => {
        const cache = readers[who]!;
        using opening = await open(cache, `chunk${chunk}`, segments);
        for (let segment = 0; segment < segments; segment++) {
          const mark = markOf(opening, segment);
          if (mark !== null) assert.equal(mark, chunk * 100 + segment);
          await null;
          const puts = end === 'put' || (end === 'put some' && segment % 2 === 0);
          if (puts && opening.isLeased(0, segment)) opening.put(0, segment, markedBy(chunk * 100 + segment));
        }
        assert.ok(keeper.keptBytes <= bytesMax, `${keeper.keptBytes} of ${bytesMax}`);
        if (end === 'crash') {
          cache.close();
          readers[who] = reader();
        }
      };
      await Promise.all(steps.map(run));
      await delay(1);
      assert.equal(keeper.leases, 0);
    }),
    { numRuns: 60 },
  );
});
