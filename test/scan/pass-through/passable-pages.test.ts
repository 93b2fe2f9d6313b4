import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { zstdCompressSync } from 'node:zlib';
import { defaultLimits } from '../../../src/core/limits.ts';
import type { ArrowType, StoredColumn } from '../../../src/scan/arrow/column.ts';
import { createIpcEncoder, frameMessage } from '../../../src/scan/arrow/ipc-write.ts';
import { openParquet, type ParquetFile } from '../../../src/scan/parquet/footer.ts';
import { naturalType } from '../../../src/scan/parquet/leaf-type.ts';
import { walkPages } from '../../../src/scan/parquet/pages.ts';
import { storedPage, storedWidth } from '../../../src/scan/pass-through/passable-pages.ts';
import { isZstdFrame } from '../../../src/scan/pass-through/zstd-frame.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import { runPython } from '../../support/python.ts';
import { temporaryFolder } from '../parquet/compare.ts';

const writeFiles = `
import datetime, decimal
import pyarrow as pa, pyarrow.parquet as pq
rows = 3000
base = range(rows)
columns = {
  'i32': pa.array(base, pa.int32()), 'i64': pa.array(base, pa.int64()), 'f32': pa.array(base, pa.float32()),
  'f64': pa.array(base, pa.float64()), 'day': pa.array(base, pa.date32()), 'time': pa.array(base, pa.time64('us')),
  'ts': pa.array(base, pa.timestamp('us')), 'tz': pa.array(base, pa.timestamp('us', 'UTC')),
  'fixed': pa.array([i.to_bytes(16, 'big') for i in base], pa.binary(16)),
}
others = {
  'i8': pa.array([i % 100 for i in base], pa.int8()), 'i16': pa.array(base, pa.int16()),
  'dec': pa.array([decimal.Decimal(i) for i in base], pa.decimal128(9, 2)), 'flag': pa.array([i % 2 == 0 for i in base]),
  'text': pa.array([str(i) for i in base]), 'list': pa.array([[i] for i in base]), 'struct': pa.array([{'a': i} for i in base]),
  'nulls': pa.array([None if i % 3 == 0 else i for i in base], pa.int64()),
}
def write(name, table, **options):
    given = dict(compression='zstd', use_dictionary=False, data_page_version='2.0', data_page_size=4000, write_batch_size=500, store_schema=False)
    pq.write_table(table, f'{input}/{name}.parquet', **{**given, **options})
optional = pa.table(columns)
required = optional.cast(pa.schema([f.with_nullable(False) for f in optional.schema]))
write('v2', optional)
write('v1-optional', optional, data_page_version='1.0')
write('v1-required', required, data_page_version='1.0')
write('others', pa.table(others))
write('dictionary', optional, use_dictionary=True)
write('snappy', optional, compression='snappy')
write('delta', optional.select(['i32', 'i64']), column_encoding='DELTA_BINARY_PACKED')
write('split', optional.select(['f32', 'f64', 'i32']), column_encoding='BYTE_STREAM_SPLIT')
import os
write('random', pa.table({'r': pa.array([int.from_bytes(os.urandom(8), 'little', signed=True) for _ in base], pa.int64())}))
pq.write_table(optional, f'{input}/plain.parquet', store_schema=False)
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const local = openLocalStore();
const { signal } = new AbortController();
before(async () => {
  folder = await temporaryFolder();
  await runPython(writeFiles, folder.path);
});
after(async () => {
  await local[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const open = (name: string): Promise<ParquetFile> =>
  openParquet({
    objects: local,
    location: pathToFileURL(join(folder.path, `${name}.parquet`)).href,
    limits: defaultLimits,
    signal,
  });

interface Stored {
  readonly name: string;
  readonly type: ArrowType;
  readonly pages: readonly (StoredColumn | null)[];
}

/** What of each leaf passes, as the leaf's own type or as another one. */
async function storedColumns(name: string, as?: ArrowType): Promise<Stored[]> {
  const file = await open(name);
  const bytes = readFileSync(join(folder.path, `${name}.parquet`));
  return file.metadata.schema.leaves.map((leaf) => {
    const chunk = file.metadata.rowGroups[0]!.chunks[leaf.index]!;
    const { data } = walkPages([bytes.subarray(chunk.range.start, chunk.range.end)], leaf, chunk, 1 << 24);
    const type = as ?? naturalType(leaf);
    const width = storedWidth(leaf, type);
    const pages = data.map((page) => (width === null ? null : storedPage(page, leaf, chunk, type, width)));
    return { name: leaf.path.join('.'), type, pages };
  });
}

const passing = (columns: readonly Stored[]): string[] =>
  columns.filter(({ pages }) => pages.every((page) => page !== null)).map(({ name }) => name);
const somewhere = (columns: readonly Stored[]): string[] =>
  columns.filter(({ pages }) => pages.some((page) => page !== null)).map(({ name }) => name);

const fixedWidth = ['i32', 'i64', 'f32', 'f64', 'day', 'time', 'ts', 'tz', 'fixed'];

for (const name of ['v2', 'v1-required']) {
  test(`null-free PLAIN zstd pages of ${name} pass, and pyarrow reads them off the wire as they are in the file`, async () => {
    const columns = await storedColumns(name);
    assert.deepEqual(passing(columns), fixedWidth);
    assert.ok(columns[0]!.pages.length > 1);
    // Pages of one width lie over the same rows.
    const wide = columns.filter(({ name: column }) => ['i64', 'f64', 'time', 'ts', 'tz'].includes(column));
    const schema = {
      fields: wide.map((column) => ({ name: column.name, type: column.type, nullable: true, metadata: new Map() })),
      metadata: new Map(),
    };
    const encoder = createIpcEncoder(schema, { compression: 'zstd', dictionaries: false });
    const stream = wide[0]!.pages.flatMap((page, at) =>
      encoder
        .encode({ schema, rows: page!.length, columns: wide.map(({ pages }) => pages[at]!) })
        .flatMap(frameMessage),
    );
    const path = join(folder.path, `${name}.arrows`);
    writeFileSync(path, Buffer.concat(stream));
    const equal = await runPython(
      `
import pyarrow as pa, pyarrow.parquet as pq
ours = pa.ipc.open_stream(input[0]).read_all()
ours.validate(full=True)
theirs = pq.read_table(input[1], columns=ours.column_names)
output = [ours.num_rows, ours.equals(theirs.cast(ours.schema))]`,
      [path, join(folder.path, `${name}.parquet`)],
    );
    assert.deepEqual(equal, [3000, true]);
  });
}

test('an optional column of v1 pages has its levels inside of the frame and never passes', async () => {
  assert.deepEqual(somewhere(await storedColumns('v1-optional')), []);
});

test('pages that are not what the wire carries never pass: dictionary, other codecs, other encodings, defaults', async () => {
  for (const name of ['dictionary', 'snappy', 'delta', 'split', 'plain']) {
    assert.deepEqual(somewhere(await storedColumns(name)), [], name);
  }
});

test('narrow integers, decimals, booleans, texts, nested columns and pages with nulls never pass', async () => {
  assert.deepEqual(somewhere(await storedColumns('others')), []);
});

test('a promoted column never passes, nor one whose unit or sign differs', async () => {
  const file = await open('v2');
  const widthAs = (column: string, type: ArrowType): number | null =>
    storedWidth(file.metadata.schema.leaves.find(({ name }) => name === column)!, type);
  assert.equal(widthAs('i32', { kind: 'int', bits: 32, signed: true }), 4);
  assert.equal(widthAs('i32', { kind: 'int', bits: 64, signed: true }), null);
  assert.equal(widthAs('i32', { kind: 'int', bits: 32, signed: false }), null);
  assert.equal(widthAs('f32', { kind: 'float', bits: 64 }), null);
  assert.equal(widthAs('day', { kind: 'timestamp', unit: 'us', timezone: null }), null);
  assert.equal(widthAs('ts', { kind: 'timestamp', unit: 'ns', timezone: null }), null);
  assert.equal(widthAs('ts', { kind: 'timestamp', unit: 'us', timezone: 'UTC' }), 8);
  assert.equal(widthAs('i64', { kind: 'timestamp', unit: 'us', timezone: null }), null);
  assert.equal(widthAs('fixed', { kind: 'fixed-size-binary', byteWidth: 8 }), null);
});

test('incompressible v2 pages, which writers store raw in zstd chunks, pass uncompressed', async () => {
  const [random] = await storedColumns('random');
  assert.ok(random!.pages.every((page) => page !== null));
  assert.ok(random!.pages.some((page) => !page!.compressed));
});

test('a frame is one whole zstd frame of the promised content, or it does not pass', () => {
  const content = Buffer.alloc(300_000, 'abcdefgh');
  const frame = zstdCompressSync(content, { pledgedSrcSize: content.length });
  const unsized = zstdCompressSync(content);
  assert.ok(isZstdFrame(frame, content.length));
  assert.ok(isZstdFrame(unsized, content.length));
  assert.ok(!isZstdFrame(frame, content.length - 8), 'another size than it claims');
  assert.ok(!isZstdFrame(unsized, 8), 'far more blocks than its content takes');
  assert.ok(!isZstdFrame(unsized, 3_000_000), 'far fewer blocks than its content takes');
  assert.ok(!isZstdFrame(Buffer.concat([frame, frame]), content.length), 'two frames');
  assert.ok(!isZstdFrame(Buffer.concat([frame, Buffer.alloc(1)]), content.length), 'bytes behind it');
  for (let cut = 0; cut < frame.length; cut++) assert.ok(!isZstdFrame(frame.subarray(0, cut), content.length));
  assert.ok(!isZstdFrame(Buffer.concat([Buffer.from([0, 0, 0, 0]), frame.subarray(4)]), content.length), 'no magic');
});
