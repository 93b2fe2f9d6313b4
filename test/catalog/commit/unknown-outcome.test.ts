import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import { openCatalog } from '../../../src/catalog/catalog.ts';
import { Turns } from '../../../src/catalog/commit/turns.ts';
import { ServiceError } from '../../../src/core/errors.ts';
import { localPath } from '../../../src/storage/locations.ts';
import {
  appendUpdates,
  flights,
  flightsSchema,
  openTemporaryCatalog,
  signal,
} from '../../support/temporary-catalog.ts';

for (const happened of [true, false]) {
  test(`an unknown outcome deletes nothing, where the commit ${happened ? 'happened' : 'did not happen'}`, async () => {
    await using temporary = await openTemporaryCatalog();
    const { store, objects, warehouse } = temporary.catalog;
    await temporary.catalog.createTable(flights, { schema: flightsSchema }, { signal });
    let written = '';
    const commit: typeof store.commit = async (transaction) => {
      written = transaction.swaps[0]!.newMetadataLocation;
      if (happened) await store.commit(transaction);
      throw new ServiceError('COMMIT_UNKNOWN', 'the answer was lost');
    };
    const catalog = openCatalog({ store: { ...store, commit }, objects, warehouse });
    let cleanups = 0;
    const options = { signal, idempotencyKey: 'k', principal: 'p', digest: 'd' };
    const append = (on = catalog) =>
      on.retryCommit(
        flights,
        async ({ metadata }) => ({
          requirements: [],
          updates: appendUpdates(metadata, 7n),
          cleanup: async () => {
            cleanups++;
          },
        }),
        options,
      );
    await assert.rejects(append(), { code: 'COMMIT_UNKNOWN' });
    await stat(localPath(written));
    assert.equal(cleanups, 0);
    const again = await append(temporary.catalog);
    assert.equal(again.replayed, happened, 'the idempotency key tells what happened');
    assert.equal(again.metadata.snapshots.length, 1);
  });
}

test('turns are given in order, cancelled waiters leave the line, and the line is bounded', async () => {
  const turns = new Turns(2);
  const order: string[] = [];
  const first = await turns.take(['t'], signal);
  const controller = new AbortController();
  const cancelled = turns.take(['t'], controller.signal);
  const second = turns.take(['u', 't'], signal).then((turn) => {
    order.push('second');
    return turn;
  });
  await new Promise((resume) => setImmediate(resume));
  await assert.rejects(turns.take(['t'], signal), { code: 'LIMIT_EXCEEDED' });
  controller.abort();
  await assert.rejects(cancelled, { code: 'CANCELLED' });
  const third = turns.take(['t'], signal).then(() => order.push('third'));
  first[Symbol.dispose]();
  const held = await second;
  await new Promise((resume) => setImmediate(resume));
  assert.deepEqual(order, ['second']);
  held[Symbol.dispose]();
  await third;
  assert.deepEqual(order, ['second', 'third']);
  await turns.take(['u'], signal);
});
