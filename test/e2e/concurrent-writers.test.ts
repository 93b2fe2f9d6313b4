/** Sixteen writers at once: whatever was acknowledged is in the history and in the data, once. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testSeed } from '../support/seed.ts';
import { type Lake, openLake } from './lake.ts';

const seed = testSeed;

interface Outcome {
  readonly problems: readonly string[];
  readonly errors: Readonly<Record<string, number>>;
  readonly acknowledged: number;
  readonly replayed: number;
}

let lake: Lake;
before(async () => {
  lake = await openLake();
  await lake.run(
    `
import writers
from collections import Counter
uri, token = client._connection.uri, input

def create(table, **options):
    client.put(table, writers.rows_of(0, 0).slice(0, 0), mode="create", **options)
    return [one["snapshot_id"] for one in client.snapshots(table)]

def outcome(table, records, base):
    return {"problems": writers.check(client, table, records, base), "errors": Counter(one["error"] for one in records if "error" in one),
            "acknowledged": sum("snapshot_id" in one for one in records), "replayed": sum("replayed" in one for one in records)}
`,
    lake.token,
  );
});
after(() => lake[Symbol.asyncDispose]());

test('sixteen writers append, replace their own rows and repeat themselves: every acknowledged commit counts once', async () => {
  const outcome = await lake.run<Outcome>(
    `
base = create("bronze.shared", partition_by=["writer"])
records = writers.write_all(uri, token, "bronze.shared", 16, 6, input)
output = outcome("bronze.shared", records, base)
`,
    seed,
  );
  assert.deepEqual(outcome.problems, [], `seed ${seed}`);
  // Each writer replaces rows of its own partition, so nobody is in anybody's way.
  assert.deepEqual(outcome.errors, {}, `seed ${seed}`);
  assert.equal(outcome.acknowledged, 96);
  assert.ok(outcome.replayed > 0, `seed ${seed}`);
});

test('where files hold several writers, an overwrite may lose to another and says so; nothing is half done', async () => {
  const outcome = await lake.run<Outcome>(
    `
base = create("bronze.contended")
records = writers.write_all(uri, token, "bronze.contended", 16, 4, input)
output = outcome("bronze.contended", records, base)
`,
    seed + 1,
  );
  assert.deepEqual(outcome.problems, [], `seed ${seed}`);
  for (const code of Object.keys(outcome.errors)) assert.equal(code, 'COMMIT_CONFLICT', `seed ${seed}`);
  assert.ok(outcome.acknowledged >= 32, `seed ${seed}: every append is acknowledged, ${outcome.acknowledged}`);
});

test('one key from sixteen writers at once is one commit', async () => {
  const output = await lake.run<unknown>(`
import threading
base = create("bronze.one_key")
answers = []
def once():
    other = writers.connected(uri, token)
    answers.append(other.put("bronze.one_key", writers.rows_of(1, 1), idempotency_key="00000000-0000-4000-8000-000000000016").snapshot_id)
threads = [threading.Thread(target=once) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
output = [len(answers), len(set(answers)), len(client.snapshots("bronze.one_key")) - len(base), client.scan("bronze.one_key").table().num_rows]
`);
  assert.deepEqual(output, [16, 1, 1, 5]);
});

test('a key that another body was committed under is ALREADY_EXISTS, and several creates of one table make one', async () => {
  const output = await lake.run<unknown>(`
import threading
create("bronze.bodies")
key = "00000000-0000-4000-8000-000000000017"
client.put("bronze.bodies", writers.rows_of(1, 1), idempotency_key=key)
try:
    client.put("bronze.bodies", writers.rows_of(1, 2), idempotency_key=key); code = None
except headrace.HeadraceError as error:
    code = error.code
answers = []
def make(at):
    try:
        answers.append(writers.connected(uri, token).put("bronze.raced", writers.rows_of(at, 0), mode="create").rows)
    except headrace.HeadraceError as error:
        answers.append(error.code)
threads = [threading.Thread(target=make, args=(at,)) for at in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
key = {"mode": "create", "idempotency_key": "00000000-0000-4000-8000-000000000018"}
created = client.put("bronze.again", writers.rows_of(1, 1), **key)
client.put("bronze.again", writers.rows_of(1, 2))
again = client.put("bronze.again", writers.rows_of(1, 1), **key)
try:
    client.put("bronze.again", writers.rows_of(1, 2), **key); other = None
except headrace.HeadraceError as error:
    other = error.code
output = [code, sorted(map(str, answers)), client.scan("bronze.raced").table().num_rows, created == again, other]
`);
  assert.deepEqual(output, [
    'ALREADY_EXISTS',
    ['5', ...new Array(7).fill('ALREADY_EXISTS')],
    5,
    true,
    'ALREADY_EXISTS',
  ]);
});

test('a key is answered whatever became of the table since, and writes nothing', async () => {
  const output = await lake.run<unknown>(`
create("bronze.evolved")
key = "00000000-0000-4000-8000-000000000019"
first = client.put("bronze.evolved", writers.rows_of(3, 1), idempotency_key=key)
with catalog.load_table("bronze.evolved").update_schema() as update:
    update.rename_column("row", "line")
with catalog.load_table("bronze.evolved").update_schema() as update:
    update.delete_column("write")
again = client.put("bronze.evolved", writers.rows_of(3, 1), idempotency_key=key)
replace = {"mode": "overwrite", "overwrite_filter": "writer = 3", "idempotency_key": "00000000-0000-4000-8000-000000000020"}
data = pa.table({"writer": pa.array([3], pa.int32()), "line": pa.array([0], pa.int32())})
replaced = [client.put("bronze.evolved", data, **replace).snapshot_id for _ in range(2)]
output = [first == again, replaced[0] == replaced[1], client.scan("bronze.evolved").table().num_rows, len(client.snapshots("bronze.evolved"))]
`);
  assert.deepEqual(output, [true, true, 1, 3]);
});

test('PyIceberg and DuckDB read what the writers left', async () => {
  const output = await lake.run<unknown>(`
output = []
for name in ("bronze.shared", "bronze.contended"):
    ours, table = readers.counted(client.scan(name, shards=4).table()), catalog.load_table(name)
    output += [readers.difference(ours, readers.counted(table.scan().to_arrow())), readers.difference(ours, readers.counted(readers.duckdb_table(duck, table.metadata_location, None)))]
`);
  assert.deepEqual(output, [null, null, null, null]);
});

test('the checker notices a commit that was removed, doubled or made up', async () => {
  const output = await lake.run<string[][]>(`
table = "bronze.checked"
base = create(table)
records = writers.write_all(uri, token, table, 2, 2, 1, overwrites=False)
history = [one for one in client.snapshots(table) if one["snapshot_id"] not in base]
ids = [one["snapshot_id"] for one in history]
rows = client.scan(table).table().to_pylist()
check = writers.problems_of
lost = [row for row in rows if (row["writer"], row["write"]) != (1, 1)]
output = [check(records, ids, history, rows), check(records, ids[:-1], history[:-1], rows), check(records, ids + ids[:1], history + history[:1], rows),
          check(records[:-1], ids, history, rows), check(records, ids, history, lost), check(records, ids, history, rows + rows[:1]),
          check(records, ids, history[:1] + history[2:], rows), check([*records[:-1], records[0]], ids, history, rows)]
`);
  const [clean, ...tampered] = output;
  assert.deepEqual(clean, []);
  for (const [at, problems] of tampered.entries()) assert.ok(problems.length > 0, `tampering ${at} went unnoticed`);
});
