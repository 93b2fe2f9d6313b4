import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { schemaToJson } from '../../../src/catalog/schema/json.ts';
import type { Schema } from '../../../src/catalog/schema/types.ts';
import { fieldId } from '../../../src/core/ids.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import type { Batch } from '../../../src/scan/arrow/column.ts';
import { arrowSchemaOf, icebergSchemaOf } from '../../../src/scan/arrow/iceberg.ts';
import { openIpcStream } from '../../../src/scan/arrow/ipc-read.ts';
import { sliceColumn } from '../../../src/scan/arrow/kernels/slice.ts';
import { openParquet } from '../../../src/scan/parquet/footer.ts';
import { pageRanges } from '../../../src/scan/parquet/page-ranges.ts';
import { leavesByFieldId, projectFile } from '../../../src/scan/parquet/project.ts';
import { readRowGroup } from '../../../src/scan/parquet/read.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import { createParquetEncoder, type EncodedFile, type ParquetEncoder } from '../../../src/write/parquet/encode.ts';
import { metricsModes } from '../../../src/write/parquet/metrics.ts';
import { parquetWriterOptions } from '../../../src/write/parquet/writer-options.ts';
import { temporaryFolder } from '../../scan/parquet/compare.ts';
import { valuesOf } from '../../scan/parquet/values.ts';
import { runPython } from '../../support/python.ts';
import { toJson } from './metrics-json.ts';

const writeSource = `
import datetime as dt, decimal, random, uuid
import pyarrow as pa
random.seed(3)
rows = 5000
def maybe(make): return [None if i % 6 == 0 else make(i) for i in range(rows)]
schema = pa.schema([
  pa.field('id', pa.int64(), False), pa.field('b', pa.bool_()), pa.field('i', pa.int32()), pa.field('f', pa.float32()),
  pa.field('d', pa.float64()), pa.field('d5', pa.decimal128(5, 2)), pa.field('d15', pa.decimal128(15, 3)), pa.field('d38', pa.decimal128(38, 9)),
  pa.field('s', pa.string()), pa.field('long', pa.string()), pa.field('bin', pa.binary()), pa.field('fix', pa.binary(5)), pa.field('u', pa.uuid()),
  pa.field('date', pa.date32()), pa.field('t', pa.time64('us')), pa.field('ts', pa.timestamp('us')), pa.field('tz', pa.timestamp('us', 'UTC')),
  pa.field('st', pa.struct([pa.field('a', pa.int32(), False), pa.field('n', pa.struct([pa.field('x', pa.string())]))])),
  pa.field('l', pa.list_(pa.field('element', pa.float64()))),
  pa.field('m', pa.map_(pa.string(), pa.struct([pa.field('v', pa.int32())]))),
  pa.field('allnull', pa.string()), pa.field('nan', pa.float64()),
])
def dec(p, s): return lambda i: decimal.Decimal(random.randint(-10**p + 1, 10**p - 1)).scaleb(-s)
decimal.getcontext().prec = 60
columns = [
  list(range(rows)), maybe(lambda i: i % 2 == 0), maybe(lambda i: random.randint(-2**31, 2**31 - 1)),
  maybe(lambda i: random.choice([float('nan'), 1.5, -0.0, 2.25])), maybe(lambda i: random.random() - 0.5),
  maybe(dec(5, 2)), maybe(dec(15, 3)), maybe(dec(38, 9)),
  maybe(lambda i: random.choice(['', 'ä', 'sea %d' % i])), maybe(lambda i: chr(0x1F30A) * 20 + str(i)), maybe(lambda i: bytes([255] * 30 + [i % 256])),
  maybe(lambda i: i.to_bytes(5, 'big')), maybe(lambda i: uuid.UUID(int=random.getrandbits(128)).bytes),
  maybe(lambda i: dt.date(1969, 12, 1) + dt.timedelta(days=i)), maybe(lambda i: dt.time(i % 24, 3, 4, i)),
  maybe(lambda i: dt.datetime(1960, 1, 1) + dt.timedelta(hours=i)), maybe(lambda i: dt.datetime(1999, 1, 1, tzinfo=dt.timezone.utc) + dt.timedelta(hours=i)),
  maybe(lambda i: {'a': i, 'n': None if i % 5 == 0 else {'x': None if i % 4 == 0 else str(i)}}),
  maybe(lambda i: [None if k == 1 else k / 2 for k in range(i % 4)]),
  maybe(lambda i: [(str(k), None if k == 1 else {'v': k}) for k in range(i % 3)]),
  [None] * rows, [float('nan')] * rows,
]
arrays = [pa.array(c, f.type.storage_type if f.name == 'u' else f.type) for c, f in zip(columns, schema)]
arrays = [pa.ExtensionArray.from_storage(pa.uuid(), a) if f.name == 'u' else a for a, f in zip(arrays, schema)]
table = pa.Table.from_arrays(arrays, schema=schema)
with pa.ipc.new_stream(input, schema) as writer: writer.write_table(table)
`;

/** What pyarrow and DuckDB read from our file, compared with the source; and the metrics that PyIceberg computes for it. */
const compare = `
import pyarrow as pa, pyarrow.parquet as pq, duckdb
from pyiceberg.io.pyarrow import compute_statistics_plan, data_file_statistics_from_parquet_metadata, parquet_path_to_id_mapping, ArrowScan, schema_to_pyarrow
from pyiceberg.schema import Schema
source = pa.ipc.open_stream(input['source']).read_all()
ours = pq.read_table(input['file'])
def text(column): return str(column.to_pylist())
differ = [n for n in source.column_names if text(source[n]) != text(ours[n])]
duck = duckdb.sql(f"select * from '{input['file']}'").to_arrow_table()
def plain(value):
    if isinstance(value, dict) and set(value) == {'key', 'value'}: return (value['key'], plain(value['value']))
    if isinstance(value, dict): return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value
differ_duck = [n for n in source.column_names if n != 'u' and str([plain(v) for v in duck[n].to_pylist()]) != text(source[n]) and n != 'tz']
schema = Schema.model_validate_json(input['schema'])
meta = pq.read_metadata(input['file'])
stats = data_file_statistics_from_parquet_metadata(meta, compute_statistics_plan(schema, input['properties']), parquet_path_to_id_mapping(schema))
data = stats.to_serialized_dict()
output = {
  'differ': differ, 'duck': differ_duck, 'types': {n: str(ours.schema.field(n).type) for n in ['u', 'tz', 'fix']},
  'nullable': [f.name for f in ours.schema if not f.nullable],
  'rows': meta.num_rows, 'groups': meta.num_row_groups,
  'codecs': sorted({meta.row_group(g).column(c).compression for g in range(meta.num_row_groups) for c in range(meta.num_columns)}),
  'ids': {k: v for k, v in parquet_path_to_id_mapping(schema).items()},
  'metrics': {k: ({str(i): (v.hex() if isinstance(v, bytes) else v) for i, v in data[k].items()} if isinstance(data[k], dict) else data[k])
              for k in ['column_sizes', 'value_counts', 'null_value_counts', 'lower_bounds', 'upper_bounds', 'split_offsets']},
}
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let schema: Schema;
let batch: Batch;
const objects = openLocalStore();
const { signal } = new AbortController();
before(async () => {
  folder = await temporaryFolder();
  const source = join(folder.path, 'source.arrows');
  await runPython(writeSource, source);
  const stream = await openIpcStream(readFileSync(source));
  schema = icebergSchemaOf(stream.schema);
  for await (const part of stream.batches) batch = { ...part, schema: arrowSchemaOf(schema) };
});
after(async () => {
  await objects[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const locationOf = (name: string): string => pathToFileURL(join(folder.path, name)).href;
const part = (start: number, end: number): Batch => ({
  ...batch,
  rows: end - start,
  columns: batch.columns.map((column) => sliceColumn(column, start, end)),
});

function openEncoder(name: string, properties: Record<string, string> = {}): ParquetEncoder {
  const byName = new Map(Object.entries(properties));
  const modes = metricsModes(schema, byName);
  const writer = parquetWriterOptions(byName, modes.values(), schema);
  return createParquetEncoder({
    schema,
    objects,
    location: locationOf(name),
    writer,
    modes,
    limits: defaultLimits,
    signal,
  });
}

async function write(
  name: string,
  batches: readonly Batch[],
  properties: Record<string, string> = {},
): Promise<EncodedFile> {
  const encoder = openEncoder(name, properties);
  for (const one of batches) await encoder.write([one]);
  return encoder.finish();
}

interface Compared {
  readonly differ: string[];
  readonly duck: string[];
  readonly types: Record<string, string>;
  readonly nullable: string[];
  readonly rows: number;
  readonly groups: number;
  readonly codecs: string[];
  readonly metrics: Record<string, Record<string, unknown>> & { readonly split_offsets: number[] };
}

const compareFile = async (name: string, properties: Record<string, string> = {}): Promise<Compared> =>
  (await runPython(compare, {
    source: join(folder.path, 'source.arrows'),
    file: join(folder.path, name),
    schema: JSON.stringify(schemaToJson(schema)),
    properties,
  })) as Compared;

test('pyarrow and DuckDB read every type as it was written, in several row groups', async () => {
  const encoded = await write('all.parquet', [part(0, 2000), part(2000, 2001), part(2001, 5000)]);
  const compared = await compareFile('all.parquet');
  assert.deepEqual(compared.differ, []);
  assert.deepEqual(compared.duck, []);
  assert.deepEqual(compared.types, {
    u: 'extension<arrow.uuid>',
    tz: 'timestamp[us, tz=UTC]',
    fix: 'fixed_size_binary[5]',
  });
  assert.deepEqual(compared.nullable, ['id']);
  assert.deepEqual([compared.rows, compared.groups, compared.codecs], [5000, 3, ['ZSTD']]);
  assert.equal(encoded.rows, 5000);
  assert.equal(encoded.bytes, readFileSync(join(folder.path, 'all.parquet')).length);
  assert.deepEqual(encoded.splitOffsets, compared.metrics.split_offsets);
});

test('the metrics are those that PyIceberg computes for the same file, and NaNs are counted', async () => {
  const { metrics } = await write('metrics.parquet', [part(0, 3000), part(3000, 5000)]);
  const theirs = (await compareFile('metrics.parquet')).metrics;
  const ours = toJson(metrics);
  assert.deepEqual(ours.valueCounts, theirs.value_counts);
  assert.deepEqual(ours.nullCounts, theirs.null_value_counts);
  assert.deepEqual(ours.columnBytes, theirs.column_sizes);
  const byName = new Map(schema.fields.map((field) => [field.name, String(field.id)]));
  const byId = new Set(byName.values());
  for (const side of ['lower', 'upper'] as const) {
    const mine = ours[`${side}Bounds`];
    // PyIceberg keeps no bounds below structs; Iceberg's own writers do.
    const bounds = theirs[`${side}_bounds`] as Record<string, string>;
    const top = Object.entries(mine).filter(([id]) => byId.has(id));
    assert.deepEqual(Object.fromEntries(top), bounds);
    // Nothing is greater than bytes of 255 alone: `bin` has no upper bound.
    assert.equal(top.length, side === 'lower' ? 17 : 16);
    assert.equal(Object.keys(mine).length, top.length + 2);
  }
  assert.equal(ours.lowerBounds[byName.get('allnull')!], undefined);
  assert.equal(ours.lowerBounds[byName.get('nan')!], undefined);
  assert.equal(ours.nanCounts[byName.get('nan')!], 5000);
  assert.ok((ours.nanCounts[byName.get('f')!] ?? 0) > 100);
});

test('metrics modes choose what is kept per column', async () => {
  const { metrics } = await write('modes.parquet', [part(0, 100)], {
    'write.metadata.metrics.default': 'counts',
    'write.metadata.metrics.column.id': 'full',
    'write.metadata.metrics.column.s': 'truncate(2)',
    'write.metadata.metrics.column.st.a': 'none',
  });
  const id = (name: string) => schema.fields.find((field) => field.name === name)!.id;
  assert.deepEqual([...metrics.lowerBounds.keys()].sort(), [id('id'), id('s')].sort());
  assert.equal(Buffer.from(metrics.upperBounds.get(id('s'))!).toString(), 'ä');
  const struct = schema.fields.find((field) => field.name === 'st')!.type;
  const inner = struct.kind === 'struct' ? struct.fields[0]!.id : fieldId(0);
  assert.equal(metrics.valueCounts.has(inner), false);
  assert.equal(metrics.valueCounts.get(id('i')), 100);
  await assert.rejects(write('bad.parquet', [part(0, 1)], { 'write.metadata.metrics.default': 'most' }), {
    code: 'INVALID_REQUEST',
  });
});

test('codec and page version follow the table, and every choice reads the same', async () => {
  for (const codec of ['uncompressed', 'snappy', 'gzip', 'lz4', 'brotli', 'zstd']) {
    for (const version of ['v1', 'v2']) {
      const name = `${codec}-${version}.parquet`;
      const properties = { 'write.parquet.compression-codec': codec, 'write.parquet.page-version': version };
      await write(name, [part(0, 500)], properties);
      const file = await openParquet({ objects, location: locationOf(name), limits: defaultLimits, signal });
      const projection = projectFile(file, schema, schema.fields, null);
      const { columns } = await readRowGroup({ file, projection, rowGroup: 0, signal });
      for (const [at, column] of columns.entries()) {
        assert.deepEqual(valuesOf(column), valuesOf(part(0, 500).columns[at]!), `${name}: ${schema.fields[at]!.name}`);
      }
    }
  }
  await assert.rejects(write('x.parquet', [part(0, 1)], { 'write.parquet.compression-codec': 'lzo' }), {
    code: 'INVALID_REQUEST',
  });
});

test('the page index of a later row group leads to its rows', async () => {
  await write('indexed.parquet', [part(0, 2500), part(2500, 5000)], { 'write.parquet.page-size-bytes': '2000' });
  const file = await openParquet({ objects, location: locationOf('indexed.parquet'), limits: defaultLimits, signal });
  const id = schema.fields[0]!.id;
  const mapping = new Map([[leavesByFieldId(file, null).get(id)!, { fieldId: id, type: { kind: 'long' as const } }]]);
  const covers = (bounds: ReadonlyMap<number, Uint8Array>): bigint => Buffer.from(bounds.get(id)!).readBigInt64LE();
  const { ranges } = await pageRanges({
    file,
    rowGroup: 1,
    mapping,
    mayMatch: (metrics) => covers(metrics.lowerBounds) <= 4000n && 4000n <= covers(metrics.upperBounds),
    signal,
  });
  assert.equal(ranges.length, 1);
  assert.ok(ranges[0]!.start <= 1500 && 1500 < ranges[0]!.end && ranges[0]!.end <= 2500);
  const projection = projectFile(file, schema, new Set([id]), null);
  const { columns } = await readRowGroup({ file, projection, rowGroup: 1, rows: { start: 1500, end: 1502 }, signal });
  assert.deepEqual(valuesOf(columns[0]!), [4000n, 4001n]);
});

test('a file without rows is valid', async () => {
  const { rows, splitOffsets, metrics } = await write('empty.parquet', []);
  assert.deepEqual([rows, splitOffsets, metrics.lowerBounds.size], [0, [], 0]);
  const compared = await openParquet({ objects, location: locationOf('empty.parquet'), limits: defaultLimits, signal });
  assert.equal(compared.metadata.rows, 0);
});

test('an aborted file leaves no trace, and a finished one is not written twice', async () => {
  const before = await readdir(folder.path);
  const encoder = openEncoder('aborted.parquet');
  await encoder.write([part(0, 10)]);
  await encoder.settle();
  assert.ok(encoder.bytesWritten > 4);
  await encoder.abort();
  assert.deepEqual((await readdir(folder.path)).sort(), before.sort());
  await write('once.parquet', [part(0, 10)]);
  await assert.rejects(write('once.parquet', [part(0, 10)]), { code: 'ALREADY_EXISTS' });
  assert.ok(existsSync(join(folder.path, 'once.parquet')));
});
