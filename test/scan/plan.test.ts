import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { isServiceError } from '../../src/core/errors.ts';
import { exactRows, shardPlan } from '../../src/scan/plan.ts';
import {
  chunksOf,
  openSmallTable,
  type Row,
  restricted,
  rowsOfChunks,
  type SmallTable,
  schema,
} from './small-table.ts';

let table: SmallTable;
let unpartitioned: SmallTable;
before(async () => {
  [table, unpartitioned] = [await openSmallTable(), await openSmallTable([])];
});
after(async () => {
  await table[Symbol.asyncDispose]();
  await unpartitioned[Symbol.asyncDispose]();
});

const fails = (code: string) => (error: unknown) => isServiceError(error) && error.code === code;
const ids = (rows: readonly unknown[]): bigint[] => (rows as Row[]).map(({ id }) => id);

/** Filters with what they mean for a row; null = unknown. */
type Meaning = (row: Row) => boolean | null;
const condition: fc.Arbitrary<readonly [string, Meaning]> = fc.oneof(
  fc.integer({ min: -10, max: 3_100 }).map((at) => [`id < ${at}`, (row: Row) => row.id < at] as const),
  fc
    .integer({ min: -10, max: 3_100 })
    .map((at) => [`id BETWEEN ${at} AND ${at + 40}`, (row: Row) => row.id >= at && row.id <= at + 40] as const),
  fc
    .constantFrom('eu', 'us', 'zz')
    .map(
      (region) => [`region = '${region}'`, (row: Row) => (row.region === null ? null : row.region === region)] as const,
    ),
  fc.constant([`region IS NULL`, (row: Row) => row.region === null] as const),
  fc
    .integer({ min: 0, max: 110 })
    .map((at) => [`delay >= ${at}`, (row: Row) => (row.delay === null ? null : row.delay >= at)] as const),
  fc
    .integer({ min: 0, max: 60 })
    .map((at) => [`home.zip = ${at}`, (row: Row) => (row.home?.zip == null ? null : row.home.zip === at)] as const),
);
const filter: fc.Arbitrary<readonly [string, Meaning]> = fc.letrec((tie) => ({
  one: condition,
  any: fc.oneof({ maxDepth: 3 }, tie('one'), tie('not'), tie('both')) as fc.Arbitrary<readonly [string, Meaning]>,
  not: (tie('any') as fc.Arbitrary<readonly [string, Meaning]>).map(([text, of]) => [
    `NOT (${text})`,
    (row: Row) => {
      const inner = of(row);
      return inner === null ? null : !inner;
    },
  ]) as fc.Arbitrary<readonly [string, Meaning]>,
  both: fc
    .tuple(
      tie('any') as fc.Arbitrary<readonly [string, Meaning]>,
      tie('any') as fc.Arbitrary<readonly [string, Meaning]>,
      fc.boolean(),
    )
    .map(([[left, of], [right, also], and]) => [
      `(${left}) ${and ? 'AND' : 'OR'} (${right})`,
      (row: Row) => {
        const results = [of(row), also(row)];
        if (results.includes(!and)) return !and;
        return results.includes(null) ? null : and;
      },
    ]) as fc.Arbitrary<readonly [string, Meaning]>,
})).any;

test('a pruned plan yields the rows that the unpruned one does, which are the rows that the filter admits', async () => {
  let pruned = 0;
  await fc.assert(
    fc.asyncProperty(filter, fc.boolean(), async ([text, admits], partitioned) => {
      const of = partitioned ? table : unpartitioned;
      const plan = await of.plan({ filter: text });
      const whole = await of.plan({});
      const rows = rowsOfChunks(await chunksOf(plan, of));
      const { clientFilter, schemas } = plan;
      assert.deepEqual(rows, rowsOfChunks(await chunksOf({ ...whole, clientFilter, schemas }, of)));
      const expected = of.rows.filter((row) => admits(row) === true).map(({ id }) => id);
      assert.deepEqual(ids(rows).sort(), expected.sort());
      const { counts } = plan;
      assert.equal(counts.files + counts.filesPruned, whole.files.length);
      assert.ok(counts.rowGroups + counts.rowGroupsPruned <= whole.counts.rowGroups);
      pruned += counts.filesPruned + counts.rowGroupsPruned;
    }),
    { numRuns: 60 },
  );
  assert.ok(pruned > 10, `${pruned} files and row groups were pruned`);
});

test('a filter on a partition skips files, one on a sorted column skips row groups', async () => {
  const byRegion = await table.plan({ filter: "region = 'eu'" });
  assert.deepEqual([byRegion.counts.files, byRegion.counts.filesPruned], [1, 3]);
  const byId = await unpartitioned.plan({ filter: 'id >= 900 AND id < 1000' });
  assert.deepEqual([byId.counts.rowGroups, byId.counts.rowGroupsPruned], [1, 3]);
  assert.deepEqual(ids(rowsOfChunks(await chunksOf(byId, unpartitioned))).length, 100);
});

test('shards cover every row once, in order, whatever their number', async () => {
  const whole = ids(rowsOfChunks(await chunksOf(await table.plan({}), table)));
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.option(condition), async (shards, filtered) => {
      const plan = await table.plan(filtered === null ? {} : { filter: filtered[0] });
      const ranges = shardPlan(plan, shards);
      assert.equal(ranges.length, shards);
      const rows = (await Promise.all(ranges.map((range) => chunksOf(plan, table, {}, range)))).flatMap(rowsOfChunks);
      const byId = new Map(table.rows.map((row) => [row.id, row]));
      assert.deepEqual(
        ids(rows),
        filtered === null ? whole : whole.filter((id) => filtered[1](byId.get(id)!) === true),
      );
    }),
    { numRuns: 25 },
  );
});

test('more shards than rows leave some empty', async () => {
  const plan = await table.plan({ filter: 'id = 8' });
  const found = await Promise.all(shardPlan(plan, 1_024).map((range) => chunksOf(plan, table, {}, range)));
  assert.equal(found.flat().length, 1);
});

test('a limit gives the first rows, over all shards together', async () => {
  const whole = ids(rowsOfChunks(await chunksOf(await table.plan({}), table)));
  const filtered = ids(rowsOfChunks(await chunksOf(await table.plan({ filter: 'delay > 50' }), table)));
  for (const limit of [0, 1, 199, 200, 201, 777, 2_999, 3_000, 10_000]) {
    for (const shards of [1, 5]) {
      const plan = await table.plan({ limit });
      const ranges = shardPlan(plan, shards);
      assert.equal(ranges.length, shards);
      const rows = (await Promise.all(ranges.map((range) => chunksOf(plan, table, {}, range)))).flatMap(rowsOfChunks);
      assert.deepEqual(ids(rows), whole.slice(0, limit), `limit ${limit}, ${shards} shards`);
      assert.equal(exactRows(plan), Math.min(limit, 3_000));
      const limited = await table.plan({ limit, filter: 'delay > 50' });
      const some = await Promise.all(shardPlan(limited, shards).map((range) => chunksOf(limited, table, {}, range)));
      assert.deepEqual(ids(some.flatMap(rowsOfChunks)), filtered.slice(0, limit));
      assert.equal(exactRows(limited), null);
    }
  }
});

test('a limit stops reading: one row costs two row groups at most', async () => {
  const cost = async (limit: number | null): Promise<number> => {
    const before = table.rowsRead();
    await chunksOf(await table.plan({ limit }), table);
    return table.rowsRead() - before;
  };
  const [all, one] = [await cost(null), await cost(1)];
  assert.equal(all, 3_000);
  assert.ok(one > 0 && one <= 400, `${one} rows`);
});

test('a plan with more files than footers may be read is made of whole files and yields the same', async () => {
  const plan = await table.plan({ filter: 'id < 100', limits: { planFootersMax: 2 } });
  assert.ok(plan.runs.slice().every(({ rowGroup }) => rowGroup === null));
  assert.equal(rowsOfChunks(await chunksOf(plan, table)).length, 100);
  const split = (await Promise.all(shardPlan(plan, 7).map((range) => chunksOf(plan, table, {}, range)))).flatMap(
    rowsOfChunks,
  );
  assert.equal(split.length, 100);
});

test('a filter on a masked column prunes nothing, and sees only what the mask leaves', async () => {
  const access = restricted({ 2: { kind: 'masked', mask: { kind: 'mask-alphanum' } } });
  const raw = await table.plan({ filter: "region = 'eu'", access });
  assert.deepEqual(raw.pruneFilter, { kind: 'true' });
  assert.equal(raw.counts.filesPruned, 0);
  assert.equal(raw.counts.rowGroupsPruned, 0);
  assert.deepEqual(rowsOfChunks(await chunksOf(raw, table)), []);
  const masked = rowsOfChunks(await chunksOf(await table.plan({ filter: "region = 'xx'", access }), table));
  assert.equal(masked.length, 1_500, 'eu and us look alike');
  assert.deepEqual(new Set((masked as Row[]).map(({ region }) => region)), new Set(['xx']));
  const both = await unpartitioned.plan({ filter: "region = 'xx' AND id < 10", access });
  assert.equal(both.counts.rowGroupsPruned, 3, 'the raw part of the filter still prunes');
});

test('a row filter applies to raw values, prunes, and may read what its reader may not', async () => {
  const plan = await table.plan({ access: restricted({ 2: null }, "region = 'eu'"), filter: 'id < 100' });
  assert.equal(plan.counts.filesPruned, 3);
  const rows = rowsOfChunks(await chunksOf(plan, table)) as Row[];
  assert.deepEqual(
    ids(rows),
    table.rows.filter((row) => row.region === 'eu' && row.id < 100n).map(({ id }) => id),
  );
  assert.deepEqual(Object.keys(rows[0]!), ['id', 'delay', 'home']);
});

test('an excluded column reads as one that does not exist, in columns and in filters', async () => {
  const access = restricted({ 2: null, 6: null });
  const messages = await Promise.all(
    [
      { columns: [['region']], access },
      { columns: [['regionn']], access },
      { filter: "region = 'eu'", access },
      { filter: "regionn = 'eu'", access },
      { columns: [['home', 'city']], access },
    ].map(async (input) => {
      await assert.rejects(table.plan(input), fails('UNKNOWN_COLUMN'));
      return table.plan(input).catch((error: Error) => error.message.replaceAll('regionn', 'region'));
    }),
  );
  assert.equal(messages[0], messages[1]);
  assert.equal(messages[2], messages[3]);
  const rows = rowsOfChunks(await chunksOf(await table.plan({ access, filter: 'id = 1' }), table)) as Row[];
  assert.deepEqual(rows, [{ id: 1n, delay: 31, home: { zip: 1 } }]);
});

test('a table without a snapshot plans no rows, and still refuses a column that it does not have', async () => {
  const plan = await table.plan({ snapshot: null });
  assert.deepEqual(plan.counts, { files: 0, filesPruned: 0, rowGroups: 0, rowGroupsPruned: 0 });
  assert.deepEqual(await chunksOf(plan, table), []);
  assert.equal(shardPlan(plan, 3).length, 3);
  assert.equal(exactRows(plan), 0);
  await assert.rejects(table.plan({ snapshot: null, columns: [['x']] }), fails('UNKNOWN_COLUMN'));
});

test('columns come in the order that was asked for, without those that only a filter reads', async () => {
  const plan = await table.plan({
    columns: [['home', 'city'], ['id']],
    filter: "region = 'us' AND delay = 31 AND id < 100",
  });
  assert.deepEqual(
    plan.schemas.read.fields.map(({ name }) => name),
    ['id', 'region', 'delay', 'home'],
  );
  assert.deepEqual(rowsOfChunks(await chunksOf(plan, table)), [{ home: { city: 'c1' }, id: 1n }]);
  assert.equal(schema.fields.length, 4);
});
