/** Generated columns of every type and nesting, written in every form, as pyarrow, PyIceberg and our own reader find them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { parseTableIdentifier } from '../../../src/core/identifier.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { arrowSchemaOf, icebergSchemaOf } from '../../../src/scan/arrow/iceberg.ts';
import { openIpcStream } from '../../../src/scan/arrow/ipc-read.ts';
import { concatColumns } from '../../../src/scan/arrow/kernels/concat.ts';
import { createFooterCache } from '../../../src/scan/footers.ts';
import { openParquet } from '../../../src/scan/parquet/footer.ts';
import { projectFile } from '../../../src/scan/parquet/project.ts';
import { readRowGroup } from '../../../src/scan/parquet/read.ts';
import { type IngestInput, ingest } from '../../../src/write/ingest.ts';
import { bitWidthOf, encodeHybrid, encodeRun } from '../../../src/write/parquet/pages/hybrid.ts';
import { temporaryFolder } from '../../scan/parquet/compare.ts';
import { valuesOf } from '../../scan/parquet/values.ts';
import { runPython } from '../../support/python.ts';
import { testSeed } from '../../support/seed.ts';
import { openTemporaryCatalog, signal, type TemporaryCatalog } from '../../support/temporary-catalog.ts';

const generate = `
import datetime as dt, decimal, random, pyarrow as pa
random.seed(input['seed'])
decimal.getcontext().prec = 60
primitives = [pa.bool_(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.decimal128(7, 2), pa.decimal128(16, 4), pa.decimal128(33, 5),
  pa.string(), pa.binary(), pa.binary(3), pa.date32(), pa.time64('us'), pa.timestamp('us'), pa.timestamp('us', 'UTC')]
def type_of(depth):
    kind = random.choice(['struct', 'list', 'map']) if depth > 0 and random.random() < 0.7 else 'primitive'
    if kind == 'struct': return pa.struct([pa.field(f'f{i}', type_of(depth - 1), random.random() < 0.7) for i in range(random.randint(1, 3))])
    if kind == 'list': return pa.list_(pa.field('element', type_of(depth - 1), random.random() < 0.7))
    if kind == 'map': return pa.map_(random.choice([pa.string(), pa.int32()]), pa.field('value', type_of(depth - 1), random.random() < 0.7))
    return random.choice(primitives)
def text(few): return random.choice(['', 'ä', 'sea', '\\U0001F30A' * 3]) if few else ''.join(random.choice('abcö') for _ in range(random.randint(0, 90)))
def value(t, nullable, shape):
    if nullable and random.random() < shape['nulls']: return None
    few = shape['few']
    if pa.types.is_boolean(t): return random.random() < 0.5
    if pa.types.is_integer(t): return random.randint(-3, 3) if few else random.randint(-2**(t.bit_width - 1), 2**(t.bit_width - 1) - 1)
    if pa.types.is_floating(t): return random.choice([0.0, -0.0, 1.5]) if few else float(random.randint(-10**6, 10**6)) / 64
    if pa.types.is_decimal(t): return decimal.Decimal(random.randint(-2, 2) if few else random.randint(-10**t.precision + 1, 10**t.precision - 1)).scaleb(-t.scale)
    if pa.types.is_string(t): return text(few)
    if pa.types.is_fixed_size_binary(t): return bytes([random.randint(0, 2 if few else 255)] * t.byte_width)
    if pa.types.is_binary(t): return text(few).encode() + b'\\xff'
    if pa.types.is_date(t): return dt.date(1960, 1, 1) + dt.timedelta(days=random.randint(0, 3 if few else 40000))
    if pa.types.is_time(t): return dt.time(random.randint(0, 3 if few else 23), 1, 2, 3)
    if pa.types.is_timestamp(t): return dt.datetime(1950, 1, 1, tzinfo=dt.timezone.utc if t.tz else None) + dt.timedelta(microseconds=random.randint(0, 3 if few else 10**15))
    if pa.types.is_struct(t): return {f.name: value(f.type, f.nullable, shape) for f in t}
    if pa.types.is_map(t): return [(k, value(t.item_type, t.item_field.nullable, shape)) for k in {value(t.key_type, False, shape) for _ in range(random.randint(0, 3))}]
    return [value(t.value_type, t.value_field.nullable, shape) for _ in range(random.choice([0, 1, 1, 2, 5]))]
for path in input['paths']:
    rows = random.choice([1, 700, 3000])
    types = [*primitives, *[type_of(random.randint(1, 4)) for _ in range(6)]]
    fields = [pa.field(f'c{i}', t, random.random() < 0.8) for i, t in enumerate(types)]
    arrays = []
    for field in fields:
        shape = {'nulls': random.choice([0, 0.1, 0.9, 1]), 'few': random.random() < 0.5}
        arrays.append(pa.array([value(field.type, field.nullable, shape) for _ in range(rows)], field.type))
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    with pa.ipc.new_stream(path, table.schema) as writer: writer.write_table(table, max_chunksize=random.choice([97, 1000]))
`;

const compare = `
import pyarrow as pa, pyarrow.parquet as pq
from pyiceberg.table import StaticTable
def plain(value, empty=[]):
    if isinstance(value, dict): return {k: plain(v, empty) for k, v in value.items()}
    if isinstance(value, (list, tuple)): return [plain(v, empty) for v in value] or empty
    return value
def differences(source, read, empty=[]):
    return [n for n in source.column_names if plain(source[n].to_pylist(), empty) != plain(read[n].to_pylist(), empty)]
# PyIceberg 0.12 makes a null list or map in a struct an empty one.
output = []
for one in input:
    source = pa.ipc.open_stream(one['source']).read_all()
    output.append([differences(source, pq.ParquetFile(one['file']).read()), differences(source, StaticTable.from_metadata(one['metadata']).scan().to_arrow(), None)])
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let temporary: TemporaryCatalog;
before(async () => {
  folder = await temporaryFolder();
  temporary = await openTemporaryCatalog();
});
after(async () => {
  await temporary[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const forms: readonly Record<string, string>[] = [
  {},
  { 'write.parquet.page-version': 'v1' },
  { 'write.parquet.page-row-limit': '110', 'write.parquet.page-size-bytes': '400' },
  {
    'write.parquet.page-version': 'v1',
    'write.parquet.page-row-limit': '64',
    'write.parquet.compression-codec': 'gzip',
  },
  { 'write.parquet.compression-codec': 'uncompressed', 'write.parquet.page-checksums': 'true' },
  { 'write.parquet.compression-codec': 'snappy' },
];

test('pyarrow, PyIceberg and our reader find the rows that were written', async () => {
  const paths = forms.map((_, at) => join(folder.path, `${at}.arrows`));
  await runPython(generate, { seed: testSeed, paths });
  const compared: { source: string; file: string; metadata: string }[] = [];
  for (const [at, properties] of forms.entries()) compared.push(await writeAndRead(`t${at}`, paths[at]!, properties));
  for (const [at, differing] of ((await runPython(compare, compared)) as string[][][]).entries()) {
    assert.deepEqual(differing, [[], []], JSON.stringify(forms[at]));
  }
});

/** Appends a stream to a table of its own, and compares what our reader makes of the one file. */
async function writeAndRead(name: string, source: string, properties: Record<string, string>) {
  const { catalog } = temporary;
  const table = parseTableIdentifier(`bronze.${name}`);
  const batches = [];
  const stream = await openIpcStream(readFileSync(source));
  for await (const batch of stream.batches) batches.push(batch);
  const schema = icebergSchemaOf(stream.schema);
  const staged = await catalog.stageTable(table, { schema, properties: new Map(Object.entries(properties)) });
  await catalog.createStaged(table, staged, [], { signal });
  const limits = defaultLimits;
  const footers = createFooterCache({ objects: catalog.objects, limits });
  const input: IngestInput = {
    request: {
      table,
      mode: 'append',
      overwriteFilter: null,
      partitionBy: [],
      formatVersion: null,
      branch: 'main',
      idempotencyKey: null,
    },
    overwriteFilter: null,
    schema: arrowSchemaOf(schema),
    batches: (async function* () {
      yield* batches;
    })(),
    admit: () => {},
    principal: 'tester',
    digest: () => '',
  };
  await ingest(input, { catalog, footers, limits, now: Date.now }, signal);
  const { metadata, metadataLocation } = await catalog.loadTable(table, signal);
  const [location] = await dataFiles(`${metadata.location}/data/`);
  const file = await openParquet({ objects: catalog.objects, location: location!, limits, signal });
  const projection = projectFile(file, schema, schema.fields, null);
  assert.equal(file.metadata.rowGroups.length, 1);
  const { columns } = await readRowGroup({ file, projection, rowGroup: 0, signal });
  for (const [at, field] of schema.fields.entries()) {
    const expected = concatColumns(batches.map((batch) => batch.columns[at]!));
    assert.deepEqual(valuesOf(columns[at]!), valuesOf(expected), `${JSON.stringify(properties)}: ${field.name}`);
  }
  return { source, file: location!.replace('file://', ''), metadata: metadataLocation };
}

async function dataFiles(folderLocation: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { location } of temporary.catalog.objects.list(folderLocation, signal)) found.push(location);
  return found;
}

test('runs and packed groups give back the values that they were made of', () => {
  const piece = fc.oneof(
    fc.record({ value: fc.nat(2 ** 20 - 1), count: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ value: fc.nat(3), count: fc.integer({ min: 1, max: 9 }) }),
  );
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 60 }), fc.nat(5), (pieces, skipped) => {
      const all = Int32Array.from(pieces.flatMap(({ value, count }) => new Array<number>(count).fill(value)));
      const start = Math.min(skipped, all.length - 1);
      const width = Math.max(1, bitWidthOf(all.reduce((most, value) => Math.max(most, value), 0)));
      assert.deepEqual(decodeHybrid(encodeHybrid(all, start, all.length, width), width, all.length - start), [
        ...all.subarray(start),
      ]);
    }),
  );
  assert.deepEqual(decodeHybrid(encodeRun(3, 1000, 2), 2, 1000), new Array<number>(1000).fill(3));
});

/** By the letter of Encodings.md. */
function decodeHybrid(bytes: Uint8Array, width: number, count: number): number[] {
  const values: number[] = [];
  let at = 0;
  while (values.length < count) {
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      head |= (bytes[at]! & 0x7f) << shift;
      if (bytes[at++]! < 0x80) break;
    }
    if ((head & 1) === 0) {
      let value = 0;
      for (let shift = 0; shift < width; shift += 8) value |= bytes[at++]! << shift;
      for (let run = head >>> 1; run > 0; run--) values.push(value);
      continue;
    }
    const packed = bytes.subarray(at, at + (head >>> 1) * width);
    for (let index = 0; index < (head >>> 1) * 8; index++) {
      let value = 0;
      for (let bit = 0; bit < width; bit++) {
        const place = index * width + bit;
        value |= ((packed[place >>> 3]! >> (place & 7)) & 1) << bit;
      }
      values.push(value);
    }
    at += packed.length;
  }
  assert.equal(at, bytes.length);
  return values.slice(0, count);
}
