import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isServiceError } from '../../src/core/errors.ts';
import { SharedWork } from '../../src/core/shared-work.ts';

const cancelled = (error: unknown): boolean => isServiceError(error, 'CANCELLED');

test('work is done once for those who wait for it together, again for who comes later, and apart for another key', async () => {
  const shared = new SharedWork<number>();
  let starts = 0;
  const work = async (): Promise<number> => {
    const mine = ++starts;
    await new Promise((resolve) => setImmediate(resolve));
    return mine;
  };
  const { signal } = new AbortController();
  const run = (key: string): Promise<number> => shared.run(key, work, signal);
  assert.deepEqual(await Promise.all([run('a'), run('a'), run('b')]), [1, 1, 2]);
  assert.equal(await run('a'), 3);
});

test('work is cancelled when the last who waits has gone, and not before', async () => {
  const shared = new SharedWork<string>();
  const seen: AbortSignal[] = [];
  const gate = Promise.withResolvers<string>();
  const work = (signal: AbortSignal): Promise<string> => {
    seen.push(signal);
    return gate.promise;
  };
  const [first, second] = [new AbortController(), new AbortController()];
  const waits = [first, second].map(({ signal }) => shared.run('a', work, signal));
  const refused = waits.map((wait) => assert.rejects(wait, cancelled));
  first.abort();
  await refused[0];
  assert.equal(seen[0]!.aborted, false);
  second.abort();
  await refused[1];
  assert.equal(seen[0]!.aborted, true);
  const { signal } = new AbortController();
  const later = shared.run('a', work, signal);
  gate.resolve('done');
  assert.equal(await later, 'done');
  assert.equal(seen.length, 2, 'whoever comes after a cancellation starts afresh');
});

test('who is cancelled already starts nothing, and a failure reaches all who wait', async () => {
  const shared = new SharedWork<never>();
  let starts = 0;
  const work = async (): Promise<never> => {
    starts++;
    throw new Error('no');
  };
  await assert.rejects(shared.run('a', work, AbortSignal.abort()), cancelled);
  assert.equal(starts, 0);
  const { signal } = new AbortController();
  await Promise.all([1, 2].map(() => assert.rejects(shared.run('a', work, signal), /no/)));
  assert.equal(starts, 1);
});
