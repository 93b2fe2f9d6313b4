/** Snapshots, branches, tags and timestamps: what each of them reads, and with which schema. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Lake, openLake } from './lake.ts';
import { failsWith } from './python-session.ts';

interface Seen {
  readonly names: readonly string[];
  readonly rows: number;
  readonly snapshot_id: string | null;
}

let lake: Lake;
before(async () => {
  lake = await openLake();
  await lake.run(`
import hashlib

def at(table, **when):
    scan = client.scan(table, **when)
    read = scan.table()
    return {"names": read.schema.names, "rows": read.num_rows, "snapshot_id": scan.snapshot_id}

def digest(table, **when):
    "Of the Arrow stream's own bytes: schema, batches and their cuts."
    sink = pa.BufferOutputStream()
    scan = client.scan(table, batch_rows=64, **when)
    with pa.ipc.new_stream(sink, scan.schema) as writer:
        for batch in scan:
            writer.write_batch(batch)
    return hashlib.sha256(sink.getvalue()).hexdigest()

def rows(first, count):
    return pa.table({"id": pa.array(range(first, first + count), pa.int64()), "delay": pa.array([i % 7 for i in range(count)], pa.int32())})
`);
});
after(() => lake[Symbol.asyncDispose]());

const at = (table: string, when: object = {}): Promise<Seen> =>
  lake.run<Seen>('output = at(input[0], **input[1])', [table, when]);
const snapshots = (table: string): Promise<{ readonly snapshot_id: string; readonly timestamp: string }[]> =>
  lake.run('output = client.snapshots(input)', table);

test('a branch reads with the current schema; snapshots, tags and timestamps with the schema they were written under', async () => {
  const table = 'bronze.evolving';
  await lake.run(`client.put(input, rows(0, 10), mode="create")`, table);
  await lake.cli('ref', table, 'create', 'release');
  await lake.cli('ref', table, 'create', 'trial', '--branch');
  await lake.cli('alter', table, 'rename', 'delay', 'minutes');
  await lake.cli('alter', table, 'add', 'airport', 'string');
  await lake.run(
    `client.put(input, pa.table({"id": pa.array([99], pa.int64()), "minutes": pa.array([5], pa.int32()), "airport": ["SEA"]}))`,
    table,
  );
  const [first, second] = await snapshots(table);
  const [old, now] = [
    ['id', 'delay'],
    ['id', 'minutes', 'airport'],
  ];
  const expected = { names: old, rows: 10, snapshot_id: first!.snapshot_id };
  assert.deepEqual(await at(table, { snapshot_id: first!.snapshot_id }), expected);
  assert.deepEqual(await at(table, { ref: 'release' }), expected);
  assert.deepEqual(await at(table, { timestamp: first!.timestamp }), expected);
  assert.deepEqual(await at(table, { ref: 'trial' }), { ...expected, names: now });
  assert.deepEqual(await at(table), { names: now, rows: 11, snapshot_id: second!.snapshot_id });
  assert.deepEqual(await at(table, { ref: 'main' }), await at(table));
  assert.deepEqual(await at(table, { timestamp: '2100-01-01T00:00:00Z' }), await at(table));
  // A name is looked up in the schema that is read with.
  const named = 'client.scan(input["table"], columns=[input["column"]], **input["when"]).table(); output = True';
  await lake.run(named, { table, column: 'delay', when: { ref: 'release' } });
  await assert.rejects(lake.run(named, { table, column: 'delay', when: {} }), failsWith('UNKNOWN_COLUMN'));
  await assert.rejects(
    lake.run(named, { table, column: 'minutes', when: { ref: 'release' } }),
    failsWith('UNKNOWN_COLUMN'),
  );
});

test('a timestamp means the last snapshot at or before it, and before the first there is none', async () => {
  const table = 'bronze.clock';
  await lake.run(
    `
import time
client.put(input, rows(0, 1), mode="create")
for size in (2, 3):
    time.sleep(0.05)
    client.put(input, rows(0, size), mode="overwrite")
`,
    table,
  );
  const list = await snapshots(table);
  for (const [index, { timestamp, snapshot_id }] of list.entries()) {
    const expected = { names: ['id', 'delay'], rows: index + 1, snapshot_id };
    assert.deepEqual(await at(table, { timestamp }), expected);
    assert.deepEqual(await at(table, { timestamp: new Date(Date.parse(timestamp) + 1).toISOString() }), expected);
  }
  const justBefore = new Date(Date.parse(list[0]!.timestamp) - 1).toISOString();
  await assert.rejects(at(table, { timestamp: justBefore }), failsWith('NOT_FOUND'));
  await assert.rejects(at(table, { timestamp: '2024-01-01T00:00:00' }), failsWith('INVALID_REQUEST'));
  const zoned = new Date(Date.parse(list[1]!.timestamp) + 2 * 3_600_000).toISOString().replace('Z', '+02:00');
  assert.equal((await at(table, { timestamp: zoned })).rows, 2);
});

test('what does not exist is NOT_FOUND, and two ways of saying when are refused', async () => {
  const table = 'bronze.missing';
  await lake.run('client.put(input, rows(0, 1), mode="create")', table);
  await assert.rejects(at(table, { snapshot_id: '1' }), failsWith('NOT_FOUND'));
  await assert.rejects(at(table, { ref: 'nope' }), failsWith('NOT_FOUND'));
  await assert.rejects(at(table, { ref: 'main', snapshot_id: '1' }), failsWith('INVALID_REQUEST'));
  await assert.rejects(at('bronze.absent'), failsWith('NOT_FOUND'));
});

test('a pinned snapshot streams the same bytes whatever becomes of the table', async () => {
  const table = 'bronze.pinned';
  await lake.run('client.put(input, rows(0, 500), mode="create", partition_by=["bucket(3, id)"])', table);
  await lake.run('client.put(input, rows(500, 500))', table);
  const [first, second] = await snapshots(table);
  const digests = (): Promise<string[]> =>
    lake.run('output = [digest(input[0], snapshot_id=one) for one in input[1]]', [
      table,
      [first!.snapshot_id, second!.snapshot_id],
    ]);
  const before = await digests();
  assert.notEqual(before[0], before[1]);
  const changes: readonly (() => Promise<unknown>)[] = [
    () => lake.run('client.put(input, rows(0, 5), mode="overwrite", overwrite_filter="delay > 2")', table),
    () => lake.cli('alter', table, 'rename', 'delay', 'minutes'),
    () => lake.cli('alter', table, 'widen', 'minutes', 'long'),
    () => lake.cli('alter', table, 'drop', 'minutes'),
    () => lake.cli('alter', table, 'add', 'delay', 'string'),
    () => lake.cli('alter', table, 'partition', 'drop', 'id_bucket'),
    () =>
      lake.run(
        'client.put(input, pa.table({"id": pa.array([1], pa.int64()), "delay": ["late"]}), mode="overwrite")',
        table,
      ),
  ];
  for (const change of changes) {
    await change();
    assert.deepEqual(await digests(), before);
  }
  assert.equal((await at(table)).rows, 1);
});

test('a plan keeps its snapshot while the table changes below it', async () => {
  const output = await lake.run<unknown>(`
client.put("bronze.moving", rows(0, 300), mode="create")
scan = client.scan("bronze.moving", batch_rows=50, shards=2)
planned = scan.plan().total_records
client.put("bronze.moving", rows(0, 1), mode="overwrite")
iterator = iter(scan)
first = next(iterator)
client.put("bronze.moving", rows(0, 2), mode="overwrite")
output = [planned, first.num_rows + sum(batch.num_rows for batch in iterator), client.scan("bronze.moving").table().num_rows]
`);
  assert.deepEqual(output, [300, 300, 2]);
});

test('writes to a branch leave main and its tags alone, and a tag cannot be written to', async () => {
  const table = 'bronze.branching';
  await lake.run('client.put(input, rows(0, 3), mode="create")', table);
  await lake.cli('ref', table, 'create', 'v1');
  await lake.cli('ref', table, 'create', 'dev', '--branch');
  await lake.run(
    'client.put(input, rows(10, 4), branch="dev"); client.put(input, rows(0, 1), mode="overwrite", overwrite_filter="id = 0", branch="dev")',
    table,
  );
  await lake.run('client.put(input, rows(20, 1))', table);
  const seen = await Promise.all(['main', 'v1', 'dev'].map((ref) => at(table, { ref })));
  assert.deepEqual(
    seen.map(({ rows }) => rows),
    [4, 3, 7],
  );
  await assert.rejects(lake.run('client.put(input, rows(0, 1), branch="v1")', table), failsWith('INVALID_REQUEST'));
  await assert.rejects(lake.run('client.put(input, rows(0, 1), branch="devv")', table), failsWith('NOT_FOUND'));
  await lake.cli('ref', table, 'drop', 'dev');
  await assert.rejects(at(table, { ref: 'dev' }), failsWith('NOT_FOUND'));
});

test('a table whose main is gone reads as no rows, and keeps its snapshots', async () => {
  const output = await lake.run<unknown>(`
client.put("bronze.fresh", rows(0, 2), mode="create")
first = client.scan("bronze.fresh").snapshot_id
identifier = {"namespace": ["bronze"], "name": "fresh"}
client.action("headrace.commit", {"identifier": identifier, "updates": [{"action": "remove-snapshot-ref", "ref-name": "main"}]})
output = [at("bronze.fresh"), at("bronze.fresh", snapshot_id=first)["rows"]]
`);
  assert.deepEqual(output, [{ names: ['id', 'delay'], rows: 0, snapshot_id: null }, 2]);
});
