import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startDecisionClock } from '../../src/server/decision-clock.ts';

const unchanged = { namespaces: 1, tables: 1, tags: 1, entries: 1 };

async function openClock() {
  let changes = unchanged;
  let fails = false;
  let refreshed = 0;
  let listener = (): void => {};
  const store = {
    changes: async () => {
      if (fails) throw new Error('the store is gone');
      return changes;
    },
  };
  const policies = {
    onChange: (told: () => void) => {
      listener = told;
      return { [Symbol.dispose]: () => {} };
    },
  };
  const revocations = { refresh: async () => void refreshed++ };
  const clock = startDecisionClock({ policies: policies as never, store, revocations, pollMs: 5 });
  await delay(30);
  return {
    clock,
    set: (next: typeof unchanged) => {
      changes = next;
    },
    fail: (now: boolean) => {
      fails = now;
    },
    tellPolicies: () => listener(),
    refreshed: () => refreshed,
  };
}

async function until(probe: () => boolean): Promise<void> {
  for (let turn = 0; !probe(); turn++) {
    assert.ok(turn < 500, 'within five seconds');
    await delay(10);
  }
}

test('the count rises with every change of the store, after revocations were read again, and with new policies', async () => {
  const { clock, set, tellPolicies, refreshed } = await openClock();
  await using _clock = clock;
  const shared = new Int32Array(clock.shared);
  for (const area of ['namespaces', 'tables', 'tags', 'entries'] as const) {
    const [before, readBefore] = [clock.now(), refreshed()];
    set({ ...unchanged, [area]: 100 + before });
    await until(() => clock.now() > before);
    assert.ok(refreshed() > readBefore, area);
    assert.equal(Atomics.load(shared, 0), clock.now(), 'threads see the same count');
  }
  const before = clock.now();
  tellPolicies();
  assert.equal(clock.now(), before + 1);
});

test('nothing rises while nothing changes, and a store that fails is asked again', async () => {
  const { clock, set, fail } = await openClock();
  await using _clock = clock;
  const before = clock.now();
  await delay(50);
  assert.equal(clock.now(), before);
  fail(true);
  set({ ...unchanged, tags: 2 });
  await delay(50);
  assert.equal(clock.now(), before);
  fail(false);
  await until(() => clock.now() > before);
});
