import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testSeed } from '../support/seed.ts';
import { startServer } from '../support/server.ts';
import { openPythonSession } from './python-session.ts';

// What failed is replayed by HEADRACE_TEST_SEED=… E2E_TABLE=… node --test test/e2e/differential.test.ts
const seed = `${testSeed}`;
const onlyTable = process.env.E2E_TABLE;
const tables = Number(process.env.E2E_TABLES ?? 14);

interface Outcome {
  readonly failures: readonly string[];
  readonly compared: Readonly<Record<string, number>>;
}

test('Headrace, PyIceberg and DuckDB read the same rows at every snapshot of generated tables', async () => {
  await using server = await startServer();
  assert.equal((await server.cli('create-namespace', 'bronze')).code, 0);
  await using python = openPythonSession();
  const { failures, compared } = await python.run<Outcome>('from differential import run\noutput = run.run(**input)', {
    flight: server.flight,
    token: await server.token('reader', ['admin']),
    seed,
    first: Number(onlyTable ?? 0),
    count: onlyTable === undefined ? tables : 1,
    steps: 5,
  });
  assert.equal(failures.join('\n\n'), '', `seed ${seed}`);
  if (onlyTable !== undefined) return;
  // Where a reader cannot do what is compared, the comparison is left out: that must stay the exception.
  for (const reader of ['DuckDB', 'PyIceberg', 'shards', 'row by row']) {
    assert.ok((compared[reader] ?? 0) >= tables * 3, `seed ${seed}: ${reader} was compared ${compared[reader]} times`);
  }
});

test('the comparison sees a lost, a doubled and a changed row, and a column of another type', async () => {
  await using python = openPythonSession();
  const seen = await python.run<boolean[]>(`
import pyarrow as pa
from differential import readers
rows = pa.table({"a": [1, 2, 2, None], "f": [0.0, float("nan"), 1.0, None]})
def differs(other):
    return readers.difference(readers.counted(rows), readers.counted(other)) is not None
doubled = pa.concat_tables([rows, rows.slice(0, 1)])
changed = rows.set_column(1, "f", pa.array([-0.0, float("nan"), 1.0, None]))
schema = readers.described_schema(rows.schema)
other = readers.described_schema(rows.schema.set(0, pa.field("a", pa.int32())))
output = [differs(rows), differs(rows.slice(1)), differs(doubled), differs(changed), schema == other]
`);
  assert.deepEqual(seen, [false, true, true, true, false]);
});
