import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTableMetadata } from '../../../src/catalog/metadata/read.ts';
import { serializeTableMetadata } from '../../../src/catalog/metadata/write.ts';
import { parseTableIdentifier } from '../../../src/core/identifier.ts';
import { fieldId } from '../../../src/core/ids.ts';
import { localPath } from '../../../src/storage/locations.ts';
import { runPython } from '../../support/python.ts';
import { appendUpdates, openTemporaryCatalog, signal } from '../../support/temporary-catalog.ts';
import { goldenV1, goldenV2, goldenV3 } from './golden.ts';

/** What PyIceberg reads of each text. Ids as strings, since this way back goes through doubles. */
const readMetadata = `
from pyiceberg.table.metadata import TableMetadataUtil
def view(text):
    m = TableMetadataUtil.parse_raw(text)
    return {
        "version": m.format_version,
        "uuid": str(m.table_uuid),
        "location": m.location,
        "lastColumnId": m.last_column_id,
        "lastPartitionId": m.last_partition_id,
        "schemas": [[s.schema_id, [[f.field_id, f.name, f.required, str(f.field_type)] for f in s.fields]] for s in m.schemas],
        "currentSchema": m.current_schema_id,
        "specs": [[s.spec_id, [[f.field_id, f.source_id, f.name, str(f.transform)] for f in s.fields]] for s in m.partition_specs],
        "defaultSpec": m.default_spec_id,
        "orders": [[o.order_id, [[f.source_id, str(f.transform), f.direction.value] for f in o.fields]] for o in m.sort_orders],
        "properties": m.properties,
        "current": str(m.current_snapshot_id),
        "snapshots": [[str(s.snapshot_id), str(s.parent_snapshot_id), str(s.sequence_number), s.timestamp_ms, s.manifest_list] for s in m.snapshots],
        "log": [[str(e.snapshot_id), e.timestamp_ms] for e in m.snapshot_log],
        "metadataLog": [[e.metadata_file, e.timestamp_ms] for e in m.metadata_log],
        "refs": {n: [str(r.snapshot_id), r.snapshot_ref_type.value, r.max_ref_age_ms] for n, r in m.refs.items()},
        "statistics": [str(s.snapshot_id) for s in m.statistics],
    }
output = [[view(a), view(b)] for a, b in input]
`;

test('PyIceberg reads what we write as it reads the original', async () => {
  const pairs = [goldenV2, goldenV3].map((text) => [text, serializeTableMetadata(parseTableMetadata(text))]);
  // PyIceberg gives a v1 table without a uuid a random one, and reads no spec without field ids: its text gets ours.
  const v1 = parseTableMetadata(goldenV1);
  const named = goldenV1
    .replace('"location"', `"table-uuid": "${v1.tableUuid}", "location"`)
    .replace('"source-id": 1}', '"source-id": 1, "field-id": 1000}')
    .replace('"source-id": 2}', '"source-id": 2, "field-id": 1001}');
  pairs.push([
    named.replace('"manifests": ["s3://bucket/v1/m1.avro"]', '"manifest-list": "s3://bucket/v1/l.avro"'),
    '',
  ]);
  pairs.at(-1)![1] = serializeTableMetadata(parseTableMetadata(pairs.at(-1)![0]!));
  const read = (await runPython(readMetadata, pairs)) as [Record<string, unknown>, Record<string, unknown>][];
  for (const [original, ours] of read) {
    // Sequence numbers of v1 and the trailing slash are spelt differently by the two texts, and mean the same.
    const same = { ...original, location: String(original.location).replace(/\/$/, '') };
    assert.deepEqual(ours, same);
  }
});

test('PyIceberg and DuckDB open tables that the catalog created, with every type and nested columns', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const types = [
    'boolean',
    'int',
    'long',
    'float',
    'double',
    'date',
    'time',
    'timestamp',
    'timestamptz',
    'string',
    'uuid',
    'binary',
  ] as const;
  const plain = types.map((kind, index) => ({
    id: fieldId(index + 1),
    name: `c_${kind}`,
    required: false,
    type: { kind },
  }));
  const element = { id: fieldId(103), name: 'element', required: false, type: { kind: 'string' } } as const;
  const schema = {
    schemaId: 0,
    identifierFieldIds: [],
    fields: [
      ...plain,
      {
        id: fieldId(100),
        name: 'price',
        required: false,
        type: { kind: 'decimal', precision: 12, scale: 2 },
        doc: 'in €',
      },
      { id: fieldId(101), name: 'code', required: false, type: { kind: 'fixed', length: 4 } },
      { id: fieldId(102), name: 'tags', required: false, type: { kind: 'list', element } },
    ],
  } as const;
  const locations: string[] = [];
  for (const formatVersion of [1, 2]) {
    const identifier = parseTableIdentifier(`bronze.v${formatVersion}`);
    const partitionSpec = {
      specId: 0,
      fields: [{ sourceId: fieldId(8), fieldId: 1000, name: 'c_timestamp_month', transform: { kind: 'month' } }],
    } as const;
    const sortOrder = {
      orderId: 1,
      fields: [{ sourceId: fieldId(2), transform: { kind: 'identity' }, direction: 'desc', nullOrder: 'nulls-last' }],
    } as const;
    const table = { schema, partitionSpec, sortOrder, formatVersion };
    const empty = await catalog.createTable(identifier, table, { signal });
    const changes = { requirements: [], updates: appendUpdates(empty.metadata, 3055729675574597004n) };
    const { metadataLocation } = await catalog.commitTable(identifier, changes, { signal });
    locations.push(empty.metadataLocation, metadataLocation);
  }
  const script = `
from pyiceberg.table import StaticTable
output = []
for location in input:
    table = StaticTable.from_metadata(location)
    output.append([len(table.schema().fields), str(table.spec().fields[0].transform), str(table.sort_order().fields[0].direction.value),
                   str(table.current_snapshot().snapshot_id) if table.current_snapshot() else None, table.format_version])
`;
  const [columns, id] = [types.length + 3, '3055729675574597004'];
  assert.deepEqual(await runPython(script, locations), [
    [columns, 'month', 'desc', null, 1],
    [columns, 'month', 'desc', id, 1],
    [columns, 'month', 'desc', null, 2],
    [columns, 'month', 'desc', id, 2],
  ]);
  const snapshots = `
import duckdb
from duckdb_extensions import import_extension
con = duckdb.connect()
for name in ("avro", "iceberg"):
    import_extension(name, con=con)
output = [[str(n) for (n,) in con.execute("SELECT snapshot_id FROM iceberg_snapshots(?)", [l]).fetchall()] for l in input]
`;
  assert.deepEqual(await runPython(snapshots, locations.map(localPath)), [[], [id], [], [id]]);
});

test('metadata that PyIceberg wrote reads the same here', async () => {
  const script = `
import tempfile, os, pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
folder = input
catalog = SqlCatalog("t", uri=f"sqlite:///{folder}/py.db", warehouse=f"file://{folder}/py")
catalog.create_namespace("ns")
schema = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string()), pa.field("s", pa.struct([("x", pa.int32())]))])
table = catalog.create_table("ns.t", schema=schema)
table.append(pa.table({"id": [1, 2], "name": ["a", None], "s": [{"x": 1}, None]}, schema=schema))
with table.update_schema() as update:
    update.add_column("extra", __import__("pyiceberg.types", fromlist=["LongType"]).LongType())
table.append(pa.table({"id": [3], "name": ["c"], "s": [None]}, schema=schema))
table.manage_snapshots().create_tag(table.current_snapshot().snapshot_id, "v1").commit()
output = {"location": table.metadata_location, "current": str(table.current_snapshot().snapshot_id),
          "snapshots": [str(s.snapshot_id) for s in table.snapshots()], "schema": table.schema().schema_id}
`;
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const wrote = (await runPython(script, temporary.folder)) as Record<string, string | string[] | number>;
  const identifier = parseTableIdentifier('bronze.foreign');
  const { metadata } = await catalog.registerTable(identifier, String(wrote.location), signal);
  assert.equal(`${metadata.currentSnapshotId}`, wrote.current);
  assert.deepEqual(
    metadata.snapshots.map(({ snapshotId }) => `${snapshotId}`),
    wrote.snapshots,
  );
  assert.deepEqual([metadata.currentSchemaId, metadata.refs.get('v1')?.type], [wrote.schema, 'tag']);
  assert.deepEqual(parseTableMetadata(serializeTableMetadata(metadata)), metadata);
});
