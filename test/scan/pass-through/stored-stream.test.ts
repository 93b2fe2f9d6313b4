/** Streams that send pages as they lie: the same rows as decoded ones, and no stored page where one of its conditions fails. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { defaultLimits } from '../../../src/core/limits.ts';
import type { Column, StoredColumn, WireBatch } from '../../../src/scan/arrow/column.ts';
import type { ScanPlan } from '../../../src/scan/plan.ts';
import type { ScanChunk } from '../../../src/scan/stream.ts';
import {
  allRaw,
  chunksOf,
  after as from,
  openSmallTable,
  restricted,
  rowsOf,
  type SmallTable,
} from '../small-table.ts';

/** Pages of 20,000, 20,000 and 10,000 rows in one row group. */
const rows = 50_000;
const pageStarts = [0, 20_000, 40_000];
let table: SmallTable;
let plan: ScanPlan;
let decoded: readonly unknown[];
before(async () => {
  table = await openSmallTable([], rows, defaultLimits.putBytesMax);
  plan = await table.plan({});
  decoded = rowsIn(await chunksOf(plan, table));
});
after(() => table[Symbol.asyncDispose]());

const isStored = ({ batch: { columns } }: ScanChunk): boolean => columns.some(({ kind }) => kind === 'stored');

/** What a client makes of a stored page. */
function unpacked(column: Column | StoredColumn): Column {
  if (column.kind !== 'stored') return column;
  const { type, length, bytes, frame, compressed } = column;
  const values = Uint8Array.from(compressed ? zstdDecompressSync(frame) : frame);
  assert.equal(values.length, bytes);
  return { kind: 'fixed', type, length, nullCount: 0, validity: null, width: bytes / length, values };
}

const plain = (batch: WireBatch) => ({ ...batch, columns: batch.columns.map(unpacked) });
const rowsIn = (chunks: readonly ScanChunk[]): unknown[] => rowsOf(chunks.map(({ batch }) => plain(batch)));

test('pages that the wire carries are sent whole, the other columns of their rows decoded beside them', async () => {
  const chunks = await chunksOf(plan, table, { passFrom: 0, batchRows: 1_000 });
  assert.deepEqual(
    chunks.map(({ batch }) => batch.rows),
    [20_000, 20_000, 10_000],
  );
  for (const { batch } of chunks) {
    const kinds = batch.columns.map(({ kind }) => kind);
    assert.equal(kinds[0], 'stored', 'id: long, without nulls');
    assert.ok(
      kinds.slice(1).every((kind) => kind !== 'stored'),
      'texts, nulls and structs',
    );
  }
  assert.deepEqual(rowsIn(chunks), decoded);
});

test('a stream from any row, of any number of rows, with and without pages as they lie, gives the same rows', async () => {
  const anyRow = fc.oneof(fc.constantFrom(...pageStarts), fc.nat(rows - 1));
  const anyLimit = fc.option(fc.integer({ min: 1, max: rows }), { nil: null });
  const anyDrop = fc.option(fc.oneof(fc.constant(0), fc.nat(30_000)), { nil: null });
  await fc.assert(
    fc.asyncProperty(anyRow, anyLimit, anyDrop, async (row, rowsLeft, passFrom) => {
      const range = from({ file: 0, row }, plan);
      const chunks = await chunksOf(plan, table, { passFrom, rowsLeft }, range);
      const end = Math.min(rows, row + (rowsLeft ?? rows));
      assert.deepEqual(rowsIn(chunks), decoded.slice(row, end));
      let at = row;
      for (const chunk of chunks) {
        if (isStored(chunk)) {
          assert.ok(pageStarts.includes(at), `a stored page begins at row ${at}`);
          assert.ok(passFrom !== null && at - row >= passFrom, 'a page before the rows that are dropped');
          assert.ok(at + chunk.batch.rows <= end, 'a page that the limit cuts');
        }
        at += chunk.batch.rows;
        assert.deepEqual(chunk.next, { file: 0, row: at });
      }
    }),
    { numRuns: 30 },
  );
});

test('a page that a stream begins or ends inside of is decoded, the others are sent as they lie', async () => {
  const chunks = await chunksOf(plan, table, { passFrom: 0, rowsLeft: 45_000 }, from({ file: 0, row: 7 }, plan));
  const stored = chunks.filter(isStored);
  assert.deepEqual(
    stored.map(({ batch, next }) => [batch.rows, next.row]),
    [[20_000, 40_000]],
  );
});

test('a shard bound inside of a page decodes it on both sides', async () => {
  const bound = { file: 0, row: 30_000 };
  const first = await chunksOf(plan, table, { passFrom: 0 }, { start: { file: 0, row: 0 }, end: bound });
  const second = await chunksOf(plan, table, { passFrom: 0 }, from(bound, plan));
  assert.deepEqual(
    first.filter(isStored).map(({ next }) => next.row),
    [20_000],
  );
  assert.deepEqual(
    second.filter(isStored).map(({ next }) => next.row),
    [50_000],
  );
  assert.deepEqual([...rowsIn(first), ...rowsIn(second)], decoded);
});

test('nothing is sent as it lies where a filter or a restriction stands between file and caller', async () => {
  const masked = restricted({ 2: { kind: 'masked', mask: { kind: 'replace-with-null' } } });
  const plans = {
    'a filter of the caller': await table.plan({ filter: 'id >= 0' }),
    'a row filter': await table.plan({ access: { ...restricted({}, 'id >= 0') } }),
    'a mask on another column': await table.plan({ access: masked }),
    'an excluded column': await table.plan({ access: restricted({ 3: null }) }),
  };
  for (const [name, one] of Object.entries(plans)) {
    assert.ok(!(await chunksOf(one, table, { passFrom: 0 })).some(isStored), name);
  }
  const control = await table.plan({ access: allRaw });
  assert.ok((await chunksOf(control, table, { passFrom: 0 })).some(isStored), 'the control sends pages');
});

test('nothing is sent as it lies to a wire that does not carry zstd', async () => {
  assert.ok(!(await chunksOf(plan, table, { passFrom: null })).some(isStored));
});

test('columns come in the order that the caller asks for', async () => {
  const some = await table.plan({ columns: [['delay'], ['id']] });
  const [first] = await chunksOf(some, table, { passFrom: 0 });
  assert.deepEqual(
    first!.batch.columns.map(({ kind }) => kind === 'stored'),
    [false, true],
  );
});
