/** Tables that PyIceberg wrote: registered, read at every point in time, and written to. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Lake, openLake } from './lake.ts';
import { failsWith } from './python-session.ts';

let lake: Lake;
let registered = 0;
before(async () => {
  lake = await openLake();
  await lake.run(
    `
import foreign_tables as foreign
from pyiceberg.manifest import DataFileContent
from pyiceberg.table import StaticTable
warehouse = foreign.open_warehouse(input)

def differs(ours, theirs):
    "PyIceberg reads a null list as an empty one after an evolution."
    lenient = [readers.without_null_lists(row, ours.schema) for row in ours.to_pylist()]
    return readers.difference(readers.counted(lenient), readers.counted([readers.without_null_lists(row, ours.schema) for row in theirs.to_pylist()]))

def compare(name, location, with_duckdb=True):
    "What differs at main, every snapshot, every ref and every entry of the log; and how many of them there were."
    table = StaticTable.from_metadata(location)
    problems, compared = [], 0
    moments = [({}, None)] + [({"snapshot_id": one.snapshot_id}, one.snapshot_id) for one in table.snapshots()]
    moments += [({"ref": ref}, one.snapshot_id) for ref, one in table.metadata.refs.items() if one.snapshot_ref_type == "tag"]
    moments += [({"timestamp": foreign.dt.datetime.fromtimestamp(one.timestamp_ms / 1000, foreign.dt.UTC)}, one.snapshot_id) for one in table.metadata.snapshot_log]
    for when, snapshot_id in moments:
        ours = client.scan(name, **when).table()
        problems.append(differs(ours, table.scan(snapshot_id=snapshot_id).to_arrow()))
        if with_duckdb:
            problems.append(readers.difference(readers.counted(ours), readers.counted(readers.duckdb_table(duck, location, snapshot_id))))
        compared += 1
    return [[one for one in problems if one is not None], compared]
`,
    join(lake.server.dataDir, '../theirs'),
  );
});
after(() => lake[Symbol.asyncDispose]());

/** Makes a table with a Python expression that gives its metadata's location, and registers it. */
async function register(expression: string): Promise<{ readonly name: string; readonly location: string }> {
  const location = await lake.run<string>(
    `made = ${expression}\noutput = made if isinstance(made, str) else made.metadata_location`,
  );
  const name = `bronze.foreign${registered++}`;
  await lake.cli('register', name, location);
  return { name, location };
}

const compare = (name: string, location: string, duckdb = true): Promise<[string[], number]> =>
  lake.run('output = compare(*input)', [name, location, duckdb]);

for (const version of [1, 2]) {
  test(`an evolved, partitioned table of format version ${version} reads the same at every snapshot, tag and time`, async () => {
    const { name, location } = await register(`foreign.evolved_table(warehouse, ${version})`);
    const [problems, compared] = await compare(name, location);
    assert.deepEqual(problems, []);
    assert.ok(compared >= 12, `${compared} moments`);
    const output = await lake.run<unknown>(
      `
table = StaticTable.from_metadata(input["location"])
branch = client.scan(input["name"], ref="trial").table()
filters = {"area = 'a/b c'": "area == 'a/b c'", "area IS NULL AND id < 20": "area is null and id < 20", "at < TIMESTAMP '1970-12-31T23:00:00Z'": "at < '1970-12-31T23:00:00+00:00'", "score >= 4": "score >= 4"}
different = [differs(client.scan(input["name"], filter=ours).table(), table.scan(row_filter=theirs).to_arrow()) for ours, theirs in filters.items()]
pruned = client.scan(input["name"], filter="area = 'eu'").metadata
nested = client.scan(input["name"], columns=["home.post code", "home.rooms"], filter='home."post code" > 5').table()
output = [branch.schema.names, different, pruned["files_pruned"] > 0, nested.schema.names, sorted(row["home"]["post code"] for row in nested.to_pylist())]
`,
      { name, location },
    );
    const zips = [9, 10, 11, 13, 14, 15, 16, 17, 19].concat([7, 8, 9]).sort((a, b) => a - b);
    const [names, different, pruned, columns, found] = output as [string[], unknown[], boolean, string[], number[]];
    assert.deepEqual(names, ['score', 'id', 'area', 'at', 'home']);
    assert.deepEqual(different, [null, null, null, null]);
    assert.equal(pruned, true);
    assert.deepEqual(columns, ['home']);
    assert.deepEqual(found, zips);
  });

  test(`rows that are appended to a table of format version ${version} are read by PyIceberg and DuckDB`, async () => {
    const name = `bronze.foreign${registered - 1}`;
    const output = await lake.run<unknown>(
      `
before = client.scan(input).table()
schema = client.schema(input)
added = pa.Table.from_pylist([{"score": 7, "id": 900 + i, "area": ["eu", "new"][i % 2], "at": None, "home": {"post code": i, "city": "x", "rooms": 1.5}} for i in range(6)], schema=schema.remove_metadata())
client.put(input, added)
client.put(input, added.slice(0, 1), mode="overwrite", overwrite_filter="id >= 903")
table = catalog.load_table(input)
ours = client.scan(input).table()
expected = readers.counted(before) + readers.counted(added.slice(0, 3)) + readers.counted(added.slice(0, 1))
output = [readers.difference(readers.counted(ours), expected), differs(ours, table.scan().to_arrow()),
          readers.difference(readers.counted(ours), readers.counted(readers.duckdb_table(duck, table.metadata_location, None))),
          table.format_version, table.metadata.location == StaticTable.from_metadata(table.metadata_location).location()]
`,
      name,
    );
    assert.deepEqual(output, [null, null, null, version, true]);
    const metadata = await lake.run<string>('output = catalog.load_table(input).metadata_location', name);
    assert.deepEqual((await compare(name, metadata))[0], []);
  });
}

test('files without field ids are read by the name mapping, also after a column was renamed here', async () => {
  const { name, location } = await register(
    'foreign.named_table(warehouse, warehouse.properties["warehouse"].removeprefix("file://"))',
  );
  assert.deepEqual((await compare(name, location, false))[0], []);
  await lake.cli('alter', name, 'rename', 'number', 'no');
  await lake.cli('alter', name, 'rename', 'home.town', 'place');
  const output = await lake.run<unknown>(
    `
ours = client.scan(input).table()
theirs = catalog.load_table(input).scan().to_arrow()
row = client.scan(input, filter="no = 21 AND home.place = 'c1'").table().to_pylist()
output = [ours.schema.names, differs(ours, theirs), [one["no"] for one in row], ours["tags"].null_count > 10]
`,
    name,
  );
  assert.deepEqual(output, [['no', 'region', 'at', 'home', 'tags'], null, [21], true]);
});

test('an empty table reads as no rows and takes its first ones', async () => {
  const { name } = await register('foreign.empty_table(warehouse)');
  const output = await lake.run<unknown>(
    `
scan = client.scan(input)
none = [scan.snapshot_id, scan.table().num_rows, scan.schema.names]
client.put(input, foreign.rows(0, 12))
table = catalog.load_table(input)
output = [none, client.scan(input).table().num_rows, table.scan().to_arrow().num_rows, readers.duckdb_table(duck, table.metadata_location, None).num_rows]
`,
    name,
  );
  assert.deepEqual(output, [[null, 0, ['id', 'region', 'at', 'home', 'tags']], 12, 12, 12]);
});

for (const content of ['POSITION_DELETES', 'EQUALITY_DELETES']) {
  test(`a snapshot with ${content.toLowerCase().replace('_', ' ')} is refused, and the one before it reads`, async () => {
    const made = `foreign.with_deletes(foreign.unpartitioned_table(warehouse, "${content.toLowerCase()}"), DataFileContent.${content})`;
    const { name } = await register(made);
    const read = 'output = client.scan(input[0], **input[1]).table().num_rows';
    await assert.rejects(lake.run(read, [name, {}]), failsWith('UNSUPPORTED_FEATURE'));
    const replace = 'client.put(input, foreign.rows(0, 1), mode="overwrite", overwrite_filter="id = 1")';
    await assert.rejects(lake.run(replace, name), failsWith('UNSUPPORTED_FEATURE'));
    // An append looks at no other row, and must not lose the deletes.
    const kept = `client.put(input, foreign.rows(0, 1))
table = catalog.load_table(input)
output = [manifest.content.name for manifest in table.current_snapshot().manifests(table.io)].count("DELETES")`;
    assert.equal(await lake.run(kept, name), 1);
    const [first] = await lake.run<{ snapshot_id: string }[]>('output = client.snapshots(input)', name);
    assert.equal(await lake.run(read, [name, { snapshot_id: first!.snapshot_id }]), 8);
  });
}

test('a table of format version 3 is read, not written, and its defaults and row ids are refused', async () => {
  const { name } = await register('foreign.as_version_3(foreign.unpartitioned_table(warehouse, "v3"))');
  const read = 'output = client.scan(input[0], columns=input[1]).table().num_rows';
  assert.equal(await lake.run(read, [name, null]), 8);
  assert.equal(await lake.run(read, [name, ['id', 'home.zip']]), 8);
  await assert.rejects(lake.run(read, [name, ['_row_id']]), failsWith('UNSUPPORTED_FEATURE'));
  await assert.rejects(lake.run('client.put(input, foreign.rows(0, 1))', name), failsWith('UNSUPPORTED_FEATURE'));
  await assert.rejects(lake.cli('alter', name, 'rename', 'id', 'no'), /UNSUPPORTED_FEATURE/);
  const withDefault = await register('foreign.as_version_3(foreign.unpartitioned_table(warehouse, "v3_default"), 7)');
  await assert.rejects(lake.run(read, [withDefault.name, null]), failsWith('UNSUPPORTED_FEATURE'));
  assert.equal(await lake.run(read, [withDefault.name, ['id']]), 8);
});

test('what is no table, and a table that is registered already, are refused', async () => {
  const { name, location } = await register('foreign.unpartitioned_table(warehouse, "once")');
  await assert.rejects(lake.cli('register', name, location), /ALREADY_EXISTS|INVALID_REQUEST/);
  await assert.rejects(lake.cli('register', 'bronze.twice', location), /INVALID_REQUEST/);
  await assert.rejects(lake.cli('register', 'bronze.nothing', '/no/such.metadata.json'), /NOT_FOUND/);
  await assert.rejects(lake.cli('register', 'nowhere.t', location), /NOT_FOUND|INVALID_REQUEST/);
  const broken = await lake.run<string>(`
path = warehouse.properties["warehouse"].removeprefix("file://") + "/broken.metadata.json"
with open(path, "w") as file:
    file.write('{"format-version": 2, "table-uuid": "x"}')
output = path
`);
  await assert.rejects(lake.cli('register', 'bronze.broken', broken), /CORRUPT_FILE/);
});
