import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { isServiceError } from '../../src/core/errors.ts';
import { columnBytes } from '../../src/scan/arrow/kernels/bytes.ts';
import type { ScanPlan } from '../../src/scan/plan.ts';
import { streamRange } from '../../src/scan/stream.ts';
import {
  chunksOf,
  columnsOf,
  after as from,
  openSmallTable,
  type Row,
  restricted,
  rowsOfChunks,
  type SmallTable,
  signal,
  streamOptions,
  wholeRange,
} from './small-table.ts';

let table: SmallTable;
before(async () => {
  table = await openSmallTable();
});
after(() => table[Symbol.asyncDispose]());

const masked = restricted({ 2: { kind: 'masked', mask: { kind: 'show-first-4' } } }, 'delay > 20');
const plans: readonly (readonly [string, () => Promise<ScanPlan>])[] = [
  ['unfiltered', () => table.plan({})],
  ['filtered', () => table.plan({ filter: 'delay BETWEEN 10 AND 60' })],
  ['sparsely filtered', () => table.plan({ filter: 'home.zip = 7' })],
  ['restricted', () => table.plan({ access: masked })],
  ['restricted and filtered', () => table.plan({ access: masked, filter: 'home.zip < 30' })],
  ['filtered to nothing', () => table.plan({ filter: 'delay > 1000' })],
];

for (const [name, make] of plans) {
  test(`a ${name} stream that is cut after any batch continues with exactly the rest`, async () => {
    const plan = await make();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 400 }), async (batchRows) => {
        const chunks = await chunksOf(plan, table, { batchRows });
        const rows = rowsOfChunks(chunks);
        const cuts = fc.sample(fc.integer({ min: 0, max: Math.max(0, chunks.length - 1) }), 4);
        for (const cut of chunks.length === 0 ? [] : cuts) {
          const sent = rowsOfChunks(chunks.slice(0, cut + 1));
          const rest = rowsOfChunks(await chunksOf(plan, table, { batchRows }, from(chunks[cut]!.next, plan)));
          assert.deepEqual([...sent, ...rest], rows);
        }
      }),
      { numRuns: 8 },
    );
  });

  test(`a ${name} stream has the same rows whatever its batches`, async () => {
    const plan = await make();
    const whole = rowsOfChunks(await chunksOf(plan, table));
    for (const options of [
      { batchRows: 1 },
      { batchRows: 63 },
      { batchRows: 64 },
      { bytesTarget: 500 },
      { bytesTarget: 1 },
    ]) {
      const chunks = await chunksOf(plan, table, options);
      assert.deepEqual(rowsOfChunks(chunks), whole, JSON.stringify(options));
      const batchRows = options.batchRows ?? Number.POSITIVE_INFINITY;
      assert.ok(chunks.every(({ batch }) => batch.rows > 0 && batch.rows <= batchRows));
    }
  });
}

test('batches of a restricted stream are cut by visible rows alone: all but the last are full', async () => {
  for (const access of [masked, restricted({ 2: null }, "region = 'eu'")]) {
    const chunks = await chunksOf(await table.plan({ access }), table, { batchRows: 100 });
    assert.ok(chunks.length > 3);
    assert.deepEqual(new Set(chunks.slice(0, -1).map(({ batch }) => batch.rows)), new Set([100]));
  }
});

test('where a restricted stream is cut does not depend on hidden values', async () => {
  const sizes = async (text: string): Promise<number[]> => {
    const plan = await table.plan({ access: restricted({ 6: null }, text), columns: [['id']] });
    return (await chunksOf(plan, table, { batchRows: 64 })).map(({ batch }) => batch.rows);
  };
  // As many rows of other files and row groups.
  const [eu, us] = [await sizes("region = 'eu'"), await sizes("region = 'us'")];
  assert.deepEqual(eu, us);
});

test('what is masked is masked in every batch, and no byte of it is left', async () => {
  const plan = await table.plan({ access: restricted({ 6: { kind: 'masked', mask: { kind: 'replace-with-null' } } }) });
  const chunks = await chunksOf(plan, table, { batchRows: 128 });
  const rows = rowsOfChunks(chunks) as Row[];
  assert.equal(rows.length, 3_000);
  assert.ok(rows.every(({ home }) => home === null || home.city === null));
  for (const { batch } of chunks) {
    const home = batch.columns[3]!;
    const city = home.kind === 'struct' ? home.children[1]! : null;
    assert.ok(city?.kind === 'null' || (city?.kind === 'bytes' && city.offsets[city.length] === 0));
  }
});

test('a batch is at most about the target, and a row that is larger than a message is LIMIT_EXCEEDED', async () => {
  const plan = await table.plan({});
  const bytesTarget = 4_096;
  for (const { batch } of await chunksOf(plan, table, { bytesTarget })) {
    const bytes = columnsOf(batch).reduce((sum, column) => sum + columnBytes(column), 0);
    assert.ok(bytes <= bytesTarget * 2, `${bytes}`);
  }
  await assert.rejects(chunksOf(plan, table, { bytesTarget: 1, bytesMax: 4 }), (error) =>
    isServiceError(error, 'LIMIT_EXCEEDED'),
  );
});

test('rowsLeft ends a stream at exactly so many rows, filtered or not', async () => {
  for (const [, make] of plans) {
    const plan = await make();
    const whole = rowsOfChunks(await chunksOf(plan, table));
    for (const rowsLeft of [0, 1, 99, 100, 101, 5_000]) {
      const rows = rowsOfChunks(await chunksOf(plan, table, { batchRows: 100, rowsLeft }));
      assert.deepEqual(rows, whole.slice(0, rowsLeft));
    }
  }
});

test('a stream whose signal is aborted throws CANCELLED instead of ending', async () => {
  const plan = await table.plan({});
  const controller = new AbortController();
  const stream = streamRange(
    plan,
    wholeRange(plan),
    { ...streamOptions, batchRows: 10 },
    table.services,
    controller.signal,
  );
  await stream.next();
  controller.abort();
  const rest = async (): Promise<void> => {
    for await (const _ of stream);
  };
  await assert.rejects(rest(), (error) => isServiceError(error, 'CANCELLED'));
});

test('a file that is gone fails the stream, and a consumer that leaves early ends it quietly', async () => {
  const plan = await table.plan({});
  const gone = { ...plan, files: plan.files.slice().map((file) => ({ ...file, path: `${file.path}.gone` })) };
  await assert.rejects(chunksOf(gone, table), (error) => isServiceError(error));
  for await (const _ of streamRange(plan, wholeRange(plan), { ...streamOptions, batchRows: 5 }, table.services, signal))
    break;
});
