import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isServiceError } from '../../../src/core/errors.ts';
import { ByteBudget } from '../../../src/server/streams/byte-budget.ts';
import { clearLedger, ledgerMemory, openLedger } from '../../../src/server/streams/shared-ledger.ts';

const limits = {
  messageBytesTarget: 10,
  messageBytesMax: 40,
  streamBytesMax: 60,
  streamsBytesMax: 240,
  streamReserveBytesMin: 10,
  streamsMax: 5,
};
const never = new AbortController().signal;

test('streams of all threads count against the one limit, and what a dead thread held is given back', async () => {
  const memory = ledgerMemory(2);
  const [one, two] = [0, 1].map(
    (thread) => new ByteBudget(limits, { threads: 2, ledger: openLedger(memory, thread) }),
  ) as [ByteBudget, ByteBudget];
  const streams = [one.open(), one.open(), two.open(), two.open(), two.open()];
  for (const budget of [one, two]) {
    assert.throws(
      () => budget.open(),
      (error) => isServiceError(error, 'LIMIT_EXCEEDED'),
    );
  }
  await streams[0]!.take(10, never);
  await streams[4]!.take(7, never);
  assert.deepEqual([one.openStreams, two.openStreams, one.queuedBytes, two.queuedBytes], [5, 5, 17, 17]);
  streams[0]![Symbol.dispose]();
  assert.deepEqual([one.openStreams, two.queuedBytes], [4, 7]);
  clearLedger(memory, 1);
  assert.deepEqual([one.openStreams, one.queuedBytes], [1, 0]);
  one.open()[Symbol.dispose]();
});

test('the pool that streams share is parted among the threads', async () => {
  const memory = ledgerMemory(2);
  const alone = new ByteBudget(limits).open();
  const parted = new ByteBudget(limits, { threads: 2, ledger: openLedger(memory, 0) }).open();
  const queued = async (stream: ReturnType<ByteBudget['open']>): Promise<number> => {
    for (;;) {
      const taken = stream.take(5, never);
      const room = await Promise.race([taken.then(() => true), new Promise((resolve) => setImmediate(resolve, false))]);
      if (!room) return stream.queued;
    }
  };
  const [whole, part] = [await queued(alone), await queued(parted)];
  assert.ok(part < whole, `${part} of ${whole}`);
  assert.ok(part >= limits.messageBytesTarget);
});
