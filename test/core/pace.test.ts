import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pace } from '../../src/core/pace.ts';

test('work that keeps a pace gives every turn of the event loop to others too', async () => {
  const pace = new Pace(1);
  let turns = 0;
  let done = false;
  const count = (): void => {
    turns++;
    if (!done) setImmediate(count);
  };
  setImmediate(count);
  let stops = 0;
  const work = async (): Promise<void> => {
    while (stops < 20) {
      if (!pace.isDue) continue;
      stops++;
      await pace.giveWay();
    }
  };
  await Promise.all([work(), work()]);
  done = true;
  assert.ok(turns >= stops / 2 - 1, `${stops} stops, ${turns} turns`);
});

test('a slice begins when a turn begins, and who shares a pace resumes together', async () => {
  const pace = new Pace(60_000);
  assert.ok(pace.isDue, 'nothing is known of the turn that is running');
  const order: number[] = [];
  await Promise.all([1, 2, 3].map((at) => pace.giveWay().then(() => order.push(at))));
  assert.deepEqual(order, [1, 2, 3]);
  assert.ok(!pace.isDue);
});
