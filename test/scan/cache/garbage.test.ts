import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { collectGarbage } from '../../../src/scan/cache/collect-garbage.ts';
import { GarbageRounds } from '../../../src/scan/cache/garbage-rounds.ts';

const mib = 1 << 20;

/** How much memory grows while 200 MiB of shared memory are made and let go of, as far as there is room for more. */
async function churn(collect: () => void): Promise<number> {
  const rounds = new GarbageRounds({ bytesMax: 512 * mib, now: () => performance.now(), collect });
  const { collected } = rounds.join((round) => setImmediate(() => collected(round)));
  const before = process.memoryUsage.rss();
  let most = 0;
  for (let made = 0; made < 200; ) {
    if (!rounds.hasRoom(mib)) {
      await delay(5);
      continue;
    }
    new Uint8Array(new SharedArrayBuffer(mib)).fill(1);
    rounds.add(mib);
    made++;
    most = Math.max(most, process.memoryUsage.rss() - before);
    await delay(0);
  }
  return most / mib;
}

test('shared memory that is let go of is freed before much more is made; without collecting it piles up', async () => {
  const grown = await churn(collectGarbage);
  assert.ok(grown < 110, `${grown} MiB`);
  const control = await churn(() => {});
  assert.ok(control > 150, `${control} MiB`);
});

test('a thread that does not answer is not waited for in vain, nor one that left', () => {
  let now = 0;
  let collections = 0;
  const rounds = new GarbageRounds({
    bytesMax: 64 * mib,
    now: () => now,
    collect: () => {
      collections++;
    },
  });
  rounds.join(() => {});
  const leaver = rounds.join(() => {});
  rounds.add(rounds.bytesMax);
  leaver.leave();
  assert.equal(collections, 0);
  assert.equal(rounds.hasRoom(mib), false);
  now = 60_000;
  assert.equal(rounds.hasRoom(mib), true);
  assert.equal(collections, 1);
});
