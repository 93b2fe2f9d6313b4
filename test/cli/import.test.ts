import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openProgress, progressLine } from '../../src/cli/progress.ts';
import { runPython } from '../support/python.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

const launcher = join(import.meta.dirname, '../../bin/headrace');
let workspace: Workspace;
before(async () => {
  workspace = await openWorkspace();
});
after(() => workspace[Symbol.asyncDispose]());

/** Reads a table by its metadata file, as another engine does: rows as JSON, sorted by the first column. */
async function readTable(table: string): Promise<{ readonly types: Record<string, string>; readonly rows: unknown[] }> {
  const tables = (await workspace.json('tables')) as unknown as { table: string; metadata_location: string }[];
  const location = tables.find((one) => one.table === table)!.metadata_location;
  const script = `
from pyiceberg.table import StaticTable
table = StaticTable.from_metadata(input)
arrow = table.scan().to_arrow()
rows = [[None if v is None else str(v) for v in row.values()] for row in arrow.to_pylist()]
output = {'types': {f.name: str(f.field_type) for f in table.schema().fields}, 'rows': sorted(rows, key=lambda row: str(row))}
`;
  return (await runPython(script, location)) as { types: Record<string, string>; rows: unknown[] };
}

test('a CSV file becomes a table with inferred types, and another engine reads the same rows', async () => {
  const csv = await workspace.file(
    'people.csv',
    'id,name,zip,born,seen,score,ok\n1,"Ana, B",01234,1980-02-29,2026-01-01T10:00:00,1.5,true\n2,Bo,99999,,2026-01-01 11:30:00.25,2,false\n',
  );
  const result = await workspace.json('import', csv, 'bronze.people', '--partition-by', 'bucket(4, id)');
  assert.equal(result.created, true);
  assert.equal(result.rows, 2);
  assert.match(result.snapshot_id as string, /^\d+$/);
  const { types, rows } = await readTable('bronze.people');
  assert.deepEqual(types, {
    id: 'long',
    name: 'string',
    zip: 'string',
    born: 'date',
    seen: 'timestamp',
    score: 'double',
    ok: 'boolean',
  });
  assert.deepEqual(rows, [
    ['1', 'Ana, B', '01234', '1980-02-29', '2026-01-01 10:00:00', '1.5', 'True'],
    ['2', 'Bo', '99999', null, '2026-01-01 11:30:00.250000', '2.0', 'False'],
  ]);
});

test('several Parquet and CSV files go in as one commit, with columns by name and the wider type', async () => {
  const script = `
import pyarrow as pa, pyarrow.parquet as pq
pq.write_table(pa.table({'id': pa.array([1, 2], pa.int32()), 'tags': pa.array([['a'], None])}), input + '/a.parquet')
pq.write_table(pa.table({'id': pa.array([3], pa.int64()), 'x': pa.array([0.5], pa.float32())}), input + '/b.parquet')
`;
  await runPython(script, workspace.folder);
  const csv = await workspace.file('c.csv', 'x,id\n7,4\n');
  const result = await workspace.json(
    'import',
    `${workspace.folder}/a.parquet`,
    `${workspace.folder}/b.parquet`,
    csv,
    'bronze.mixed',
  );
  assert.equal(result.rows, 4);
  const { types, rows } = await readTable('bronze.mixed');
  assert.deepEqual(types, { id: 'long', tags: 'list<string>', x: 'float' });
  assert.deepEqual(rows, [
    ['1', "['a']", null],
    ['2', null, null],
    ['3', null, '0.5'],
    ['4', null, '7.0'],
  ]);
  const snapshots = (await workspace.json('snapshots', 'bronze.mixed')) as unknown as unknown[];
  assert.equal(snapshots.length, 1);
});

test('a table that exists is appended to with its own types, or replaced', async () => {
  const first = await workspace.file('n1.csv', 'n,when\n1,2026-01-01\n');
  await workspace.json('import', first, 'bronze.n', '--type', 'n=decimal(9,2)');
  const second = await workspace.file('n2.tsv', 'when\tn\n2026-01-02\t2.25\n');
  const appended = await workspace.json('import', second, 'bronze.n');
  assert.deepEqual([appended.created, appended.rows], [false, 1]);
  assert.deepEqual((await readTable('bronze.n')).rows, [
    ['1.00', '2026-01-01'],
    ['2.25', '2026-01-02'],
  ]);
  await workspace.json('import', second, 'bronze.n', '--mode', 'overwrite');
  assert.deepEqual((await readTable('bronze.n')).rows, [['2.25', '2026-01-02']]);
  assert.match(
    (await workspace.refused(3, 'import', first, 'bronze.n', '--partition-by', 'day(when)')).message,
    /partitioned otherwise/,
  );
  assert.match(
    (await workspace.refused(3, 'import', first, 'bronze.n', '--type', 'n=int')).message,
    /leave out --type/,
  );
});

test('bad rows and files are refused with their place, and leave nothing behind', async () => {
  const rows = Array.from({ length: 12_000 }, (_, row) => `${row}`);
  rows[11_000] = 'eleven';
  const late = await workspace.file('late.csv', `id\n${rows.join('\n')}\n`);
  const ragged = await workspace.file('ragged.csv', 'a,b\n1,2\n3\n');
  const text = await workspace.file('notes.md', 'hello');
  const damaged = await workspace.file('bad.parquet', Buffer.from('PAR1\x01\x01\x01\x01\x04\0\0\0PAR1'));
  const [bad, wrong, unknown, corrupt, absent] = await Promise.all([
    workspace.refused(3, 'import', late, 'raw.late'),
    workspace.refused(3, 'import', ragged, 'raw.ragged'),
    workspace.refused(3, 'import', text, 'raw.notes'),
    workspace.refused(3, 'import', damaged, 'raw.damaged'),
    workspace.refused(3, 'import', `${workspace.folder}/none.csv`, 'raw.none'),
  ]);
  assert.match(bad.message, /late\.csv: line 11002: column id: "eleven" is not a long/);
  assert.match(wrong.message, /ragged\.csv: line 3: 1 fields where the header has 2/);
  assert.match(unknown.message, /notes\.md: .*--format/);
  assert.equal(corrupt.code, 'CORRUPT_FILE');
  assert.deepEqual(absent, { code: 'NOT_FOUND', message: `${workspace.folder}/none.csv: there is no such file` });
  assert.equal((await workspace.refused(2, 'import', late)).code, 'USAGE');
  assert.equal((await workspace.refused(3, 'tables', 'raw')).code, 'NOT_FOUND');
  const files = await workspace.warehouse();
  assert.deepEqual(
    files.filter((file) => file.includes('/raw/')),
    [],
  );
});

test('a column that the table lacks is refused with the nearest name', async () => {
  const csv = await workspace.file('q.csv', 'qty\n1\n');
  await workspace.json('import', csv, 'bronze.q');
  const typo = await workspace.file('q2.csv', 'qyt\n1\n');
  const error = await workspace.refused(3, 'import', typo, 'bronze.q');
  assert.equal(error.code, 'SCHEMA_MISMATCH');
  assert.match(error.message, /q2\.csv: column qyt is not in the table\. Did you mean qty\?/);
});

test('progress is drawn on a terminal only', () => {
  const written: string[] = [];
  const write = (text: string): number => written.push(text);
  let nowMs = 0;
  const silent = openProgress('importing', { write }, () => nowMs);
  silent.update({ done: 1, total: 2, rows: 1 });
  silent.end();
  assert.deepEqual(written, []);
  const bar = openProgress('importing', { write, isTTY: true, columns: 60 }, () => nowMs);
  bar.update({ done: 1e6, total: 2e6, rows: 1234 });
  bar.update({ done: 1.5e6, total: 2e6, rows: 2000 });
  assert.equal(written.length, 1);
  nowMs = 1_000;
  bar.update({ done: 3e6, total: 2e6, rows: 3000 });
  assert.match(String(written.at(-1)), /100 %/);
  assert.equal(
    progressLine('importing', { done: 1e6, total: 2e6, rows: 1234, seconds: 0.5 }),
    'importing [############------------] 50 %  1,234 rows  2 MB/s',
  );
});

test('an interrupted import ends with 1 and leaves neither table nor files', async () => {
  const row = `${'x'.repeat(60)},1,2,3\n`;
  const csv = await workspace.file('large.csv', `a,b,c,d\n${row.repeat(600_000)}`);
  const child = spawn(launcher, ['import', csv, 'cut.large', '--json', '--data-dir', workspace.dataDir], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => {
    stderr += text;
  });
  // Its namespace is there once the import has begun to read rows.
  const closed = once(child, 'close');
  while (!(await workspace.cli('tables', 'cut')).stdout.includes('no tables'))
    assert.equal(child.exitCode, null, stderr);
  child.kill('SIGINT');
  const [code] = await closed;
  assert.equal(code, 1);
  assert.equal(JSON.parse(stderr).error.code, 'CANCELLED');
  assert.equal((await workspace.refused(3, 'tables', 'cut')).code, 'NOT_FOUND');
  const files = await workspace.warehouse();
  assert.deepEqual(
    files.filter((file) => file.includes('/cut/')),
    [],
  );
});
