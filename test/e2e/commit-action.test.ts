/** `headrace.commit`: Iceberg REST's requirements and updates, sent as an engine sends them, and read back by PyIceberg and DuckDB. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Lake, openLake } from './lake.ts';
import { failsWith } from './python-session.ts';

let lake: Lake;
before(async () => {
  lake = await openLake();
  await lake.run(`
def commit(table, updates=(), requirements=(), **more):
    namespace, name = table.split(".")
    body = {"identifier": {"namespace": [namespace], "name": name}, "requirements": list(requirements), "updates": list(updates)}
    return client.action("headrace.commit", {**body, **more})

def make(name, rows=3, **options):
    client.put(f"bronze.{name}", pa.table({"id": pa.array(range(rows), pa.int64()), "v": [f"v{i}" for i in range(rows)]}), mode="create", **options)
    return catalog.load_table(f"bronze.{name}")
`);
});
after(() => lake[Symbol.asyncDispose]());

const run = <Output>(source: string, input?: unknown): Promise<Output> => lake.run<Output>(source, input);

test('schema updates by PyIceberg are committed, and every reader sees the new columns', async () => {
  const output = await run<unknown>(`
from pyiceberg.types import LongType, StringType, DoubleType
table = make("schema")
with table.update_schema() as update:
    update.rename_column("v", "value")
    update.add_column("extra", DoubleType(), doc="added later")
    update.move_first("extra")
    update.set_identifier_fields()
table = catalog.load_table("bronze.schema")
ours = client.scan("bronze.schema").table()
output = [ours.schema.names, [f.name for f in table.schema().fields], table.metadata.current_schema_id, len(table.metadata.schemas),
          readers.difference(readers.counted(ours), readers.counted(table.scan().to_arrow())),
          readers.difference(readers.counted(ours), readers.counted(readers.duckdb_table(duck, table.metadata_location, None)))]
`);
  const names = ['extra', 'id', 'value'];
  assert.deepEqual(output, [names, names, 1, 2, null, null]);
});

test('partition specs, sort orders and properties are committed by PyIceberg, and later writes follow them', async () => {
  const output = await run<unknown>(`
from pyiceberg.transforms import BucketTransform, IdentityTransform
from pyiceberg.table.sorting import SortDirection
table = make("layout")
with table.update_spec() as update:
    update.add_field("id", BucketTransform(2), "id_bucket")
with catalog.load_table("bronze.layout").update_sort_order() as update:
    update.asc("v", IdentityTransform())
with catalog.load_table("bronze.layout").transaction() as transaction:
    transaction.set_properties({"owner": "ann", "write.metadata.previous-versions-max": "5"})
with catalog.load_table("bronze.layout").transaction() as transaction:
    transaction.remove_properties("write.parquet.compression-codec")
client.put("bronze.layout", pa.table({"id": pa.array(range(10, 20), pa.int64()), "v": ["x"] * 10}))
table = catalog.load_table("bronze.layout")
entries = [entry.data_file for manifest in table.current_snapshot().manifests(table.io) for entry in manifest.fetch_manifest_entry(table.io)]
ours = client.scan("bronze.layout").table()
output = [str(table.spec().fields[0].transform), len(table.metadata.partition_specs), table.metadata.default_sort_order_id,
          table.properties, sorted(file.spec_id for file in entries),
          readers.difference(readers.counted(ours), readers.counted(table.scan(row_filter="id >= 0").to_arrow())), ours.num_rows]
`);
  const properties = { owner: 'ann', 'write.metadata.previous-versions-max': '5' };
  assert.deepEqual(output, ['bucket[2]', 2, 1, properties, [0, 1, 1], null, 13]);
});

test('appends, overwrites and deletes that PyIceberg writes are committed and read', async () => {
  const output = await run<unknown>(`
table = make("foreign_writes")
table.append(pa.table({"id": pa.array([10, 11], pa.int64()), "v": ["a", None]}))
table.overwrite(pa.table({"id": pa.array([1], pa.int64()), "v": ["new"]}), overwrite_filter="id == 1")
table.delete("id == 10")
table = catalog.load_table("bronze.foreign_writes")
by_snapshot = [readers.difference(readers.counted(client.scan("bronze.foreign_writes", snapshot_id=one.snapshot_id).table()),
                                  readers.counted(table.scan(snapshot_id=one.snapshot_id).to_arrow())) for one in table.snapshots()]
rows = sorted((row["id"], row["v"]) for row in client.scan("bronze.foreign_writes").table().to_pylist())
output = [by_snapshot, rows]
`);
  const [differences, rows] = output as [unknown[], unknown];
  assert.ok(differences.length >= 4);
  assert.deepEqual(new Set(differences), new Set([null]));
  assert.deepEqual(rows, [
    [0, 'v0'],
    [1, 'new'],
    [2, 'v2'],
    [11, null],
  ]);
});

test('branches, tags, rollback and expiry are committed by PyIceberg', async () => {
  const output = await run<unknown>(`
table = make("refs")
first = table.current_snapshot().snapshot_id
client.put("bronze.refs", pa.table({"id": pa.array([7], pa.int64()), "v": ["x"]}))
table = catalog.load_table("bronze.refs")
second = table.current_snapshot().snapshot_id
table.manage_snapshots().create_tag(first, "t1").create_branch(second, "trial", max_ref_age_ms=86_400_000, min_snapshots_to_keep=2).commit()
client.put("bronze.refs", pa.table({"id": pa.array([8], pa.int64()), "v": ["y"]}), branch="trial")
counts = [client.scan("bronze.refs", ref=ref).table().num_rows for ref in ("main", "t1", "trial")]
table = catalog.load_table("bronze.refs")
trial = table.metadata.refs["trial"]
table.manage_snapshots().remove_tag("t1").commit()
try:
    client.scan("bronze.refs", ref="t1").table(); gone = None
except headrace.HeadraceError as error:
    gone = error.code
catalog.load_table("bronze.refs").manage_snapshots().rollback_to_snapshot(first).commit()
rolled = client.scan("bronze.refs").table().num_rows
catalog.load_table("bronze.refs").manage_snapshots().set_current_snapshot(second).commit()
catalog.load_table("bronze.refs").maintenance.expire_snapshots().by_id(first).commit()
expired = [one.snapshot_id for one in catalog.load_table("bronze.refs").snapshots()]
try:
    client.scan("bronze.refs", snapshot_id=first).table(); old = None
except headrace.HeadraceError as error:
    old = error.code
output = [counts, [trial.max_ref_age_ms, trial.min_snapshots_to_keep], gone, rolled, client.scan("bronze.refs").table().num_rows, first in expired, old]
`);
  assert.deepEqual(output, [[4, 3, 5], [86_400_000, 2], 'NOT_FOUND', 3, 4, false, 'NOT_FOUND']);
});

test('each requirement that does not hold is a conflict, and nothing of the commit is applied', async () => {
  const answers = await run<[string, string | null, boolean][]>(`
table = make("requirements")
metadata = table.metadata
wrong = {
    "assert-table-uuid": {"uuid": "00000000-0000-4000-8000-000000000000"},
    "assert-ref-snapshot-id": {"ref": "main", "snapshot-id": 1},
    "assert-last-assigned-field-id": {"last-assigned-field-id": 99},
    "assert-current-schema-id": {"current-schema-id": 99},
    "assert-last-assigned-partition-id": {"last-assigned-partition-id": 5000},
    "assert-default-spec-id": {"default-spec-id": 9},
    "assert-default-sort-order-id": {"default-sort-order-id": 9},
}
output = []
for kind, fields in [*wrong.items(), ("assert-ref-snapshot-id", {"ref": "main", "snapshot-id": None}), ("assert-ref-snapshot-id", {"ref": "no", "snapshot-id": 1}), ("assert-create", {})]:
    try:
        commit("bronze.requirements", [{"action": "set-properties", "updates": {"applied": "yes"}}], [{"type": kind, **fields}])
        code = None
    except headrace.HeadraceError as error:
        code = error.code
    output.append([kind, code, "applied" in catalog.load_table("bronze.requirements").properties])
right = [
    {"type": "assert-table-uuid", "uuid": str(metadata.table_uuid)},
    {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": metadata.current_snapshot_id},
    {"type": "assert-ref-snapshot-id", "ref": "none", "snapshot-id": None},
    {"type": "assert-last-assigned-field-id", "last-assigned-field-id": metadata.last_column_id},
    {"type": "assert-current-schema-id", "current-schema-id": metadata.current_schema_id},
    {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": metadata.last_partition_id},
    {"type": "assert-default-spec-id", "default-spec-id": metadata.default_spec_id},
    {"type": "assert-default-sort-order-id", "default-sort-order-id": metadata.default_sort_order_id},
]
commit("bronze.requirements", [{"action": "set-properties", "updates": {"applied": "yes"}}], right)
output.append(["all that hold", None, catalog.load_table("bronze.requirements").properties["applied"] == "yes"])
`);
  const refused = answers.slice(0, -2);
  assert.deepEqual(
    new Set(refused.map(([, code, applied]) => `${code} ${applied}`)),
    new Set(['COMMIT_CONFLICT false']),
  );
  assert.equal(refused.length, 9);
  assert.deepEqual(answers.slice(-2), [
    ['assert-create', 'ALREADY_EXISTS', false],
    ['all that hold', null, true],
  ]);
});

test('what Headrace cannot apply is refused with a code that says so', async () => {
  await run('table = make("refused")');
  const at = (updates: unknown, more = {}): Promise<unknown> =>
    run('output = commit("bronze.refused", input["updates"], **input["more"])', { updates, more });
  const refusals: readonly (readonly [string, object])[] = [
    ['INVALID_REQUEST', { action: 'set-propertis', updates: {} }],
    ['INVALID_REQUEST', { action: 'set-properties', updates: ['a'] }],
    ['INVALID_REQUEST', { action: 'set-current-schema', 'schema-id': 77 }],
    ['INVALID_REQUEST', { action: 'assign-uuid', uuid: '00000000-0000-4000-8000-000000000000' }],
    ['INVALID_REQUEST', { action: 'set-location', location: 'file:///etc' }],
    ['INVALID_REQUEST', { action: 'set-snapshot-ref', 'ref-name': 'x', type: 'tag', 'snapshot-id': 1 }],
    ['INVALID_REQUEST', { action: 'upgrade-format-version', 'format-version': 1 }],
    ['UNSUPPORTED_FEATURE', { action: 'upgrade-format-version', 'format-version': 3 }],
    ['INVALID_REQUEST', { action: 'set-properties', updates: { 's3.endpoint': 'http://elsewhere' } }],
  ];
  for (const [code, update] of refusals) await assert.rejects(at([update]), failsWith(code), JSON.stringify(update));
  const outside = {
    action: 'add-snapshot',
    snapshot: {
      'snapshot-id': 5,
      'sequence-number': 99,
      'timestamp-ms': Date.now(),
      'manifest-list': 'file:///etc/passwd',
      summary: { operation: 'append' },
    },
  };
  await assert.rejects(at([outside]), failsWith('INVALID_REQUEST'));
  await assert.rejects(at([], { requirements: [{ type: 'assert-nothing' }] }), failsWith('INVALID_REQUEST'));
  await assert.rejects(run('commit("bronze.nowhere")'), failsWith('NOT_FOUND'));
  await assert.rejects(run('client.action("headrace.commit", {"updates": []})'), failsWith('INVALID_REQUEST'));
  assert.deepEqual(
    await run(
      't = catalog.load_table("bronze.refused"); output = [t.metadata_location == table.metadata_location, "a" in t.properties]',
    ),
    [true, false],
  );
});

test('a commit under an idempotency key happens once, and the key stands for that commit alone', async () => {
  const output = await run<unknown[]>(`
make("idempotent")
key = {"idempotency-key": "0198c0de-0000-7000-8000-000000000001"}
one = commit("bronze.idempotent", [{"action": "set-properties", "updates": {"a": "1"}}], **key)
commit("bronze.idempotent", [{"action": "set-properties", "updates": {"a": "2"}}])
again = commit("bronze.idempotent", [{"action": "set-properties", "updates": {"a": "1"}}], **key)
try:
    commit("bronze.idempotent", [{"action": "set-properties", "updates": {"a": "3"}}], **key); other = None
except headrace.HeadraceError as error:
    other = error.code
output = [one == again, catalog.load_table("bronze.idempotent").properties["a"], other]
`);
  assert.deepEqual(output, [true, '2', 'ALREADY_EXISTS']);
});

test('a commit of nothing answers the table and makes no new metadata', async () => {
  const output = await run<unknown>(`
table = make("nothing")
output = [commit("bronze.nothing")["metadata-location"] == table.metadata_location,
          commit("bronze.nothing", [{"action": "remove-properties", "removals": ["absent"]}])["metadata-location"] == table.metadata_location]
`);
  assert.deepEqual(output, [true, true]);
});

test('write alone neither moves a table, nor changes what policy reads, nor removes its past', async () => {
  const rights = (name: string, actions: string) =>
    `permit(principal == User::"${name}", action in [${actions.replace(/\w+/g, 'Action::"$&"')}], resource);`;
  const reading = 'readTable, readColumn, write';
  await lake.server.writePolicies({
    'writers.cedar': [
      rights('writer', reading),
      rights('keeper', `${reading}, maintain`),
      rights('owner', `${reading}, administer`),
    ].join('\n'),
  });
  await run(
    'table = make("owned")\ntable.manage_snapshots().create_tag(table.current_snapshot().snapshot_id, "t").commit()',
  );
  const location = await run<string>('output = table.metadata.location');
  const updates = {
    location: { action: 'set-location', location: `${location}-moved` },
    set: { action: 'set-properties', updates: { 'headrace.layer': 'gold' } },
    remove: { action: 'remove-properties', removals: ['headrace.layer'] },
    ref: { action: 'remove-snapshot-ref', 'ref-name': 't' },
    snapshots: { action: 'remove-snapshots', 'snapshot-ids': [] },
    plain: { action: 'set-properties', updates: { owner: 'ann' } },
  };
  const outcomes = async (principal: string, names: readonly (keyof typeof updates)[]): Promise<unknown> =>
    run(
      `
own, output = headrace.connect(client._connection.uri, token=input["token"]), []
for update in input["updates"]:
    try:
        own.action("headrace.commit", {"identifier": {"namespace": ["bronze"], "name": "owned"}, "requirements": [], "updates": [update]})
        output.append("done")
    except headrace.HeadraceError as error:
        output.append(error.code + " " + str(error))
`,
      { token: await lake.server.token(principal), updates: names.map((name) => updates[name]) },
    );
  await waitFor(async () => !String(await outcomes('writer', ['plain'])).includes('NOT_FOUND'));
  const writer = (await outcomes('writer', ['location', 'set', 'remove', 'ref', 'snapshots', 'plain'])) as string[];
  const needs = ['administer', 'administer', 'administer', 'maintain', 'maintain'];
  for (const [at, action] of needs.entries()) {
    assert.match(writer[at]!, new RegExp(`PERMISSION_DENIED.*${action} on bronze.owned is not permitted to writer: `));
  }
  assert.match(writer[0]!, /: set-location needs it/);
  assert.match(writer[1]!, /: set-properties of headrace\.\* needs it/);
  assert.equal(writer[5], 'done');
  const keeper = (await outcomes('keeper', ['set', 'snapshots', 'location'])) as string[];
  assert.deepEqual(
    keeper.map((text) => text.split(' ')[0]),
    ['PERMISSION_DENIED', 'done', 'PERMISSION_DENIED'],
  );
  const owner = await outcomes('owner', ['ref', 'set', 'remove', 'location']);
  assert.deepEqual(owner, ['done', 'done', 'done', 'done']);
});

/** Policies are in force a moment after their file was written. */
async function waitFor(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, 'it did not come true in time');
    await new Promise((resume) => setTimeout(resume, 100));
  }
}

test('whoever may only read may not commit', async () => {
  const token = await lake.server.token('reader', ['analysts']);
  await lake.server.writePolicies({
    'read.cedar':
      'permit(principal in Team::"analysts", action in [Action::"readTable", Action::"readColumn"], resource);',
  });
  await run('make("guarded")');
  const attempt = run(
    'headrace.connect(client._connection.uri, token=input).action("headrace.commit", {"identifier": {"namespace": ["bronze"], "name": "guarded"}, "updates": [{"action": "set-properties", "updates": {"a": "1"}}]})',
    token,
  );
  await assert.rejects(
    attempt,
    (error: unknown) => failsWith('PERMISSION_DENIED')(error) || failsWith('NOT_FOUND')(error),
  );
});
