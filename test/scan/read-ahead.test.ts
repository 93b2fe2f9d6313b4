import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate, setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { isServiceError } from '../../src/core/errors.ts';
import { defaultLimits } from '../../src/core/limits.ts';
import { type ReadAheadSource, readAhead } from '../../src/scan/read-ahead.ts';
import { createReadPool } from '../../src/scan/read-pool.ts';

const { signal } = new AbortController();
const openPool = (limits: Partial<typeof defaultLimits> = {}) => createReadPool({ ...defaultLimits, ...limits });
const openShare = () => openPool().open();

interface Item {
  readonly name: string;
  release(): void;
}

/** Sources of items of some sizes, and the bytes that are held of them. */
function sourcesOf(sizes: readonly (readonly number[])[]) {
  const held = { now: 0, most: 0, released: 0, items: 0 };
  const sources = sizes.map(
    (items, source): ReadAheadSource<Item> =>
      async function* (room, ended) {
        for (const [at, bytes] of items.entries()) {
          await room.take(bytes);
          // Somebody else may go first.
          await setImmediate();
          ended.throwIfAborted();
          held.items++;
          held.now += bytes;
          held.most = Math.max(held.most, held.now);
          const release = (): void => {
            held.now -= bytes;
            held.released++;
            room.give(bytes);
          };
          yield { name: `${source}.${at}`, release };
        }
      },
  );
  return { held, sources };
}

const sizes = fc.array(fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 8 }), { maxLength: 8 });
const bounds = { bytesMax: fc.integer({ min: 1, max: 120 }), sourcesMax: fc.integer({ min: 1, max: 5 }) };

test('items come source by source in order, and no more is held than allowed but for what is waited for', async () => {
  await fc.assert(
    fc.asyncProperty(sizes, fc.record(bounds), fc.boolean(), async (given, options, isSlow) => {
      const { held, sources } = sourcesOf(given);
      const names: string[] = [];
      for await (const item of readAhead(sources, { ...options, share: openShare() }, signal)) {
        names.push(item.name);
        if (isSlow) for (let turn = 0; turn < 20; turn++) await setImmediate();
        item.release();
      }
      assert.deepEqual(
        names,
        given.flatMap((items, source) => items.map((_, at) => `${source}.${at}`)),
      );
      assert.equal(held.now, 0);
      const largest = Math.max(0, ...given.flat());
      assert.ok(held.most <= Math.max(options.bytesMax + largest, 2 * largest), `${held.most} bytes were held`);
    }),
    { numRuns: 150 },
  );
});

test('sources are read ahead while the consumer is busy, up to the bound', async () => {
  const aheadOf = async (bytesMax: number, sourcesMax: number): Promise<number> => {
    const { held, sources } = sourcesOf(Array.from({ length: 10 }, () => [10, 10]));
    const items = readAhead(sources, { bytesMax, sourcesMax, share: openShare() }, signal);
    await items.next();
    for (let turn = 0; turn < 100; turn++) await setImmediate();
    const { most } = held;
    await items.return(undefined);
    return most;
  };
  assert.equal(await aheadOf(50, 4), 50);
  assert.equal(await aheadOf(1_000, 2), 40);
  // Without the bounds everything is read.
  assert.equal(await aheadOf(1_000, 100), 200);
});

test('a consumer that leaves ends the sources and releases what was read for it', async () => {
  const { held, sources } = sourcesOf(Array.from({ length: 6 }, () => [10, 10, 10]));
  const share = openShare();
  for await (const item of readAhead(sources, { bytesMax: 80, sourcesMax: 3, share }, signal)) {
    for (let turn = 0; turn < 50; turn++) await setImmediate();
    item.release();
    break;
  }
  for (let turn = 0; turn < 50; turn++) await setImmediate();
  assert.equal(held.now, 0);
  assert.ok(held.items < 18);
  assert.equal(held.released, held.items);
});

test('a source that fails does so after the items before it, and a cancelled reader is CANCELLED', async () => {
  const { sources } = sourcesOf([[1], [1]]);
  const broken: ReadAheadSource<Item> = async function* (room) {
    await room.take(1);
    yield* [];
    throw new Error('broken');
  };
  const names: string[] = [];
  const options = { bytesMax: 100, sourcesMax: 4, share: openShare() };
  await assert.rejects(async () => {
    for await (const { name } of readAhead([sources[0]!, broken, sources[1]!], options, signal)) names.push(name);
  }, /broken/);
  assert.deepEqual(names, ['0.0']);
  const controller = new AbortController();
  const endless: ReadAheadSource<Item> = async function* (room) {
    for (;;) {
      await room.take(1_000);
      yield { name: '', release: () => undefined };
    }
  };
  const items = readAhead([endless], { ...options, share: openShare() }, controller.signal);
  await items.next();
  const waiting = items.next().then(() => items.next());
  controller.abort();
  await assert.rejects(waiting, (error) => isServiceError(error, 'CANCELLED'));
});

test('a pool is shared: what is awaited goes before what is read ahead, and nobody holds more than all may', async () => {
  const pool = openPool({ readPoolBytesMax: 100 });
  const [first, second] = [pool.open(), pool.open()];
  let room = 0;
  second.onRoom = () => room++;
  assert.ok(first.take(80, true));
  assert.ok(!second.take(30, false));
  assert.ok(!second.take(30, true));
  assert.ok(!first.take(10, false), 'somebody waits for the room');
  assert.ok(first.take(10, true), 'who holds something gives it back only by going on');
  first.give(60);
  assert.equal(room, 1);
  assert.ok(second.take(30, true));
  assert.equal(pool.heldBytes, 60);
  first.close();
  second.close();
  assert.equal(pool.heldBytes, 0);
});

test('a stream that needs more than the pool gets it once it is alone', async () => {
  const pool = openPool({ readPoolBytesMax: 100 });
  const [first, second] = [pool.open(), pool.open()];
  assert.ok(first.take(10, true));
  assert.ok(!second.take(500, true));
  first.give(10);
  assert.ok(second.take(500, true));
});

test('the stream whose reader has taken nothing for longest lets go of what others need, and no other does', async () => {
  let now = 0;
  const pool = createReadPool({ readPoolBytesMax: 100, readIdleMs: 20 }, () => now);
  const evicted: string[] = [];
  const streams = ['a', 'b', 'c'].map((name) => {
    const share = pool.open();
    assert.ok(share.take(30, true));
    const evict = (): void => {
      evicted.push(name);
      share.close();
    };
    share.idle(evict);
    return { share, evict };
  });
  streams[1]!.share.busy();
  streams[1]!.share.idle(streams[1]!.evict);
  const fourth = pool.open();
  const woken = new Promise<void>((resolve) => {
    fourth.onRoom = resolve;
  });
  assert.ok(!fourth.take(40, true), 'nobody is idle for long enough');
  now = 25;
  await woken;
  assert.ok(fourth.take(40, true));
  assert.deepEqual(evicted, ['a']);
  await setTimeout(1);
  assert.ok(fourth.take(0, true));
  assert.equal(pool.heldBytes, 100);
});
