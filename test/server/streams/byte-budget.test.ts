import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isServiceError } from '../../../src/core/errors.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { type BudgetLimits, ByteBudget, type StreamBudget } from '../../../src/server/streams/byte-budget.ts';

const limits: BudgetLimits = {
  messageBytesTarget: 10,
  messageBytesMax: 40,
  streamBytesMax: 60,
  streamsBytesMax: 240,
  streamReserveBytesMin: 10,
  streamsMax: 100,
};
const never = new AbortController().signal;

/** Takes as much as the budget lets a reader that reads nothing queue up. */
async function stall(stream: StreamBudget, bytes: number): Promise<{ readonly waiting: Promise<void> }> {
  for (;;) {
    const taken = stream.take(bytes, never);
    if (!(await settles(taken))) return { waiting: taken };
  }
}

async function settles(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<false>((resolve) => setImmediate(resolve, false))]);
}

test('a lone stream is bounded by its own limit', async () => {
  const budget = new ByteBudget({ ...limits, streamsBytesMax: 1_000 });
  const stream = budget.open();
  await stall(stream, 10);
  assert.equal(stream.queued, 60);
});

test('a stalled stream goes on as soon as its reader takes something', async () => {
  const budget = new ByteBudget({ ...limits, streamsBytesMax: 1_000 });
  const stream = budget.open();
  const { waiting } = await stall(stream, 10);
  stream.give(10);
  await waiting;
  assert.equal(stream.queued, 60);
});

test('stalled streams leave every other stream its reserve', async () => {
  const budget = new ByteBudget(limits);
  const streams = Array.from({ length: 17 }, () => budget.open());
  for (const stream of streams) await stall(stream, 10);
  const reader = budget.open();
  for (let round = 0; round < 100; round++) {
    assert.ok(await settles(reader.take(10, never)));
    reader.give(10);
  }
  assert.ok(budget.queuedBytes <= limits.streamsBytesMax);
});

test('a stream whose reserve does not fit is refused with LIMIT_EXCEEDED, and fits once another has closed', () => {
  const budget = new ByteBudget(limits);
  const streams = Array.from({ length: 18 }, () => budget.open());
  assert.throws(
    () => budget.open(),
    (error) => isServiceError(error, 'LIMIT_EXCEEDED'),
  );
  streams[0]![Symbol.dispose]();
  budget.open();
});

test('with the default limits about a thousand streams fit, each of which may always send a message of its reserve', async () => {
  const budget = new ByteBudget(defaultLimits);
  const streams = Array.from({ length: 1_000 }, () => budget.open());
  const [first, last] = [streams[0]!, streams.at(-1)!];
  assert.deepEqual([first.reserve, last.reserve], [2 << 20, 256 << 10]);
  // Each reader takes nothing, and its stream queues what it can.
  for (const stream of streams.slice(0, -1)) await stall(stream, stream.reserve);
  assert.ok(budget.queuedBytes <= defaultLimits.streamsBytesMax, `${budget.queuedBytes}`);
  for (let round = 0; round < 10; round++) {
    assert.ok(await settles(last.take(last.reserve, never)));
    last.give(last.reserve);
  }
  for (const stream of streams) stream[Symbol.dispose]();
  assert.equal(budget.open().reserve, 2 << 20);
});

test('reserves are given back: the bound on all streams holds whatever opens and closes', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (steps) => {
      const few = { ...limits, streamReserveBytesMin: 2 };
      const budget = new ByteBudget(few);
      const open: StreamBudget[] = [];
      for (const step of steps) {
        if (step < open.length / 2) open.splice(step, 1)[0]![Symbol.dispose]();
        else {
          try {
            open.push(budget.open());
          } catch (error) {
            assert.ok(isServiceError(error, 'LIMIT_EXCEEDED'));
          }
        }
        const reserved = open.reduce((sum, { reserve }) => sum + reserve, 0);
        assert.ok(reserved + few.streamsBytesMax / 4 <= few.streamsBytesMax);
        assert.equal(budget.openStreams, open.length);
      }
    }),
  );
});

test('a message larger than the reserve waits for the pool and gets it in turn', async () => {
  const budget = new ByteBudget(limits);
  const streams = Array.from({ length: 18 }, () => budget.open());
  await streams[0]!.take(60, never);
  const second = streams[1]!.take(40, never);
  const third = streams[2]!.take(60, never);
  assert.equal(await settles(second), false);
  streams[0]![Symbol.dispose]();
  await second;
  assert.equal(await settles(third), false);
  streams[1]!.give(40);
  await third;
});

test('a waiting stream that is cancelled rejects with the reason and holds up nobody', async () => {
  const budget = new ByteBudget(limits);
  const stream = budget.open();
  const controller = new AbortController();
  await stream.take(60, never);
  const waiting = stream.take(10, controller.signal);
  controller.abort();
  await assert.rejects(waiting, (error) => isServiceError(error, 'CANCELLED'));
  await assert.rejects(stream.take(1, controller.signal), (error) => isServiceError(error, 'CANCELLED'));
  stream[Symbol.dispose]();
  assert.equal(budget.queuedBytes, 0);
  assert.equal(budget.openStreams, 0);
});

test('whatever streams do, the bytes stay within the budget and come back', async () => {
  const step = fc.record({ stream: fc.nat(7), bytes: fc.integer({ min: 1, max: 40 }), give: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const budget = new ByteBudget(limits);
      const streams = Array.from({ length: 8 }, () => ({
        budget: budget.open(),
        waiting: Promise.resolve(),
        busy: false,
      }));
      for (const { stream: index, bytes, give } of steps) {
        const stream = streams[index]!;
        if (give) stream.budget.give(Math.min(bytes, stream.budget.queued));
        else if (!stream.busy) {
          stream.busy = true;
          stream.waiting = stream.budget.take(bytes, never).then(() => {
            stream.busy = false;
          });
        }
        await settles(stream.waiting);
        assert.ok(budget.queuedBytes <= limits.streamsBytesMax);
        assert.ok(stream.budget.queued <= limits.streamBytesMax);
      }
      // Every reader that reads gets everything in the end.
      for (let round = 0; round < 20; round++) {
        for (const stream of streams) stream.budget.give(stream.budget.queued);
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(
        streams.some((stream) => stream.busy),
        false,
      );
      for (const stream of streams) stream.budget[Symbol.dispose]();
      assert.equal(budget.queuedBytes, 0);
    }),
    { numRuns: 200 },
  );
});
