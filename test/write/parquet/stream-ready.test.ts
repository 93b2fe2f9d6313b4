/** Files whose pages clients take as they are: for each condition, what the file's own bytes say. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { zstdDecompressSync } from 'node:zlib';
import type { Schema } from '../../../src/catalog/schema/types.ts';
import { defaultLimits, type Limits } from '../../../src/core/limits.ts';
import type { Batch, FixedColumn } from '../../../src/scan/arrow/column.ts';
import { arrowSchemaOf, icebergSchemaOf } from '../../../src/scan/arrow/iceberg.ts';
import { openIpcStream } from '../../../src/scan/arrow/ipc-read.ts';
import { sliceColumn } from '../../../src/scan/arrow/kernels/slice.ts';
import { openParquet } from '../../../src/scan/parquet/footer.ts';
import { parseOffsetIndex } from '../../../src/scan/parquet/page-index.ts';
import { type DataPage, type Pages, walkPages } from '../../../src/scan/parquet/pages.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import { createFanOut } from '../../../src/write/fan-out.ts';
import { temporaryFolder } from '../../scan/parquet/compare.ts';
import { runPython } from '../../support/python.ts';

const rows = 90_000;
const source = `
import numpy as np, pyarrow as pa
rng = np.random.default_rng(5)
n = ${rows}
table = pa.table({
  'id': pa.array(np.arange(n)),
  'at': pa.array(np.arange(n) * 1000, pa.timestamp('us')),
  'day': pa.array((np.arange(n) // 7).astype('int32'), pa.date32()),
  'f': pa.array(rng.normal(size=n).astype('float32')),
  'd': pa.array(rng.normal(size=n)),
  'small': pa.array(rng.integers(0, 1000, n).astype('int32')),
  'label': pa.array(rng.integers(0, 2, n).astype('int32')),
  'holes': pa.array(rng.integers(0, 9, n), mask=rng.random(n) < 0.3),
  'late': pa.array(np.arange(n), mask=np.arange(n) == n - 1),
  'word': pa.array(np.array(['us', 'de', 'ü', ''])[rng.integers(0, 4, n)]),
  'text': pa.array([f'text {i} ' + 'x' * (i % 90) for i in range(n)]),
  'flag': pa.array(rng.random(n) < 0.5),
  'place': pa.StructArray.from_arrays([pa.array(rng.normal(size=n)), pa.array(np.arange(n))], ['x', 'y']),
  'list': pa.array([list(range(i % 3)) for i in range(n)]),
})
with pa.ipc.new_stream(input, table.schema) as writer: writer.write_table(table, max_chunksize=17_000)
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let schema: Schema;
const batches: Batch[] = [];
const objects = openLocalStore();
const { signal } = new AbortController();
before(async () => {
  folder = await temporaryFolder();
  const path = join(folder.path, 'source.arrows');
  await runPython(source, path);
  const stream = await openIpcStream(readFileSync(path));
  schema = icebergSchemaOf(stream.schema);
  for await (const batch of stream.batches) batches.push({ ...batch, schema: arrowSchemaOf(schema) });
});
after(async () => {
  await objects[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** The files of a put of chosen columns. */
async function put(
  name: string,
  columns: readonly string[] | null,
  properties: Record<string, string> = {},
  limits: Partial<Limits> = {},
): Promise<string[]> {
  const places = schema.fields.flatMap((field, at) => (columns === null || columns.includes(field.name) ? [at] : []));
  const chosen = { ...schema, fields: places.map((at) => schema.fields[at]!) };
  const fanOut = createFanOut({
    objects,
    location: pathToFileURL(join(folder.path, name)).href,
    schema: chosen,
    spec: { specId: 0, fields: [] },
    properties: new Map(Object.entries(properties)),
    limits: { ...defaultLimits, ...limits },
    signal,
  });
  for (const batch of batches) {
    await fanOut.write({ ...batch, schema: arrowSchemaOf(chosen), columns: places.map((at) => batch.columns[at]!) });
  }
  return (await fanOut.finish()).map((file) => file.path);
}

interface SeenColumn {
  readonly path: string;
  readonly required: boolean;
  readonly pages: Pages;
  /** First row and row behind the last of each page. */
  readonly ranges: readonly (readonly [number, number])[];
  readonly bytes: number;
  readonly hasColumnIndex: boolean;
}

/** The columns of each row group. */
async function look(location: string): Promise<{ readonly rows: number; readonly columns: SeenColumn[] }[]> {
  const { metadata } = await openParquet({ objects, location, limits: defaultLimits, signal });
  const groups = [];
  for (const group of metadata.rowGroups) {
    const columns: SeenColumn[] = [];
    for (const chunk of group.chunks) {
      const leaf = metadata.schema.leaves[chunk.leaf]!;
      const bytes = await objects.read(location, chunk.range, signal);
      const index = await objects.read(location, chunk.offsetIndex!, signal);
      const ranges = parseOffsetIndex(index, chunk, group.rows).map((page) => [page.startRow, page.endRow] as const);
      columns.push({
        path: leaf.path.join('.'),
        required: leaf.repetition === 'required',
        pages: walkPages([bytes], leaf, chunk, defaultLimits.decompressedBytesMax),
        ranges,
        bytes: bytes.length,
        hasColumnIndex: chunk.columnIndex !== null,
      });
    }
    groups.push({ rows: group.rows, columns });
  }
  return groups;
}

const widths = new Map([
  ['id', 8],
  ['at', 8],
  ['day', 4],
  ['f', 4],
  ['d', 8],
  ['small', 4],
  ['place.x', 8],
  ['place.y', 8],
]);
const isZstd = (body: Uint8Array): boolean => Buffer.from(body.subarray(0, 4)).toString('hex') === '28b52ffd';

test('pages of fixed-width columns without nulls are v2, PLAIN, one zstd frame each, in row ranges that all columns share', async () => {
  const [path] = await put('v2', null);
  const groups = await look(path!);
  assert.equal(
    groups.reduce((sum, group) => sum + group.rows, 0),
    rows,
  );
  let row = 0;
  for (const group of groups) {
    const shared = group.columns[0]!.ranges;
    assert.ok(
      shared.every(([start, end], at) => start === at * 20_000 && (end === start + 20_000 || end === group.rows)),
    );
    for (const { path: name, pages, ranges, hasColumnIndex } of group.columns) {
      assert.ok(hasColumnIndex, name);
      const starts = new Set(ranges.map(([start]) => start));
      assert.ok(
        shared.every(([start]) => starts.has(start)),
        `${name} lacks a common cut`,
      );
      const width = widths.get(name);
      if (width === undefined) continue;
      assert.equal(pages.dictionary, null, name);
      for (const [at, page] of pages.data.entries()) {
        const values = passedBytes(page);
        assert.equal(page.encoding, 0, name);
        assert.equal(values.length, (ranges[at]![1] - ranges[at]![0]) * width, name);
        if (!name.includes('.'))
          assert.deepEqual(values, sourceBytes(name, row + ranges[at]![0], row + ranges[at]![1]));
      }
    }
    row += group.rows;
  }
});

/** What goes to a client: the frame of a page whose levels lie outside of it, or its bytes where they do not shrink. */
function passedBytes(page: DataPage): Buffer {
  assert.ok(page.kind === 'v2');
  assert.equal(page.nulls, 0);
  const body = page.body.subarray(page.definitionBytes + page.repetitionBytes);
  assert.ok(!page.compressed || isZstd(body));
  return page.compressed ? zstdDecompressSync(body) : Buffer.from(body);
}

function sourceBytes(name: string, start: number, end: number): Buffer {
  const place = schema.fields.findIndex((field) => field.name === name);
  const parts: Uint8Array[] = [];
  let first = 0;
  for (const batch of batches) {
    const [from, to] = [Math.max(start, first), Math.min(end, first + batch.rows)];
    if (from < to) {
      const column = sliceColumn(batch.columns[place]!, from - first, to - first) as FixedColumn;
      parts.push(column.values);
    }
    first += batch.rows;
  }
  return Buffer.concat(parts);
}

test('row groups hold whole pages, except for the last one', async () => {
  const [path] = await put('groups', null, { 'write.parquet.row-group-size-bytes': String(1 << 20) });
  const groups = await look(path!);
  assert.ok(groups.length > 2, `${groups.length} row groups`);
  for (const group of groups.slice(0, -1)) assert.equal(group.rows % 20_000, 0);
});

test('with v1 pages columns without nulls are required in the file, and a frame holds nothing but their values', async () => {
  const properties = { 'write.parquet.page-version': 'v1', 'write.parquet.row-group-size-bytes': String(1 << 20) };
  const paths = await put('v1', null, properties);
  // `late` has its first null in the last row: the file that requires it ends before that.
  assert.equal(paths.length, 2);
  const files = await Promise.all(paths.map(look));
  const requiredIn = (file: number): ReadonlySet<string> =>
    new Set(files[file]!.flatMap((group) => group.columns.filter(({ required }) => required).map(({ path }) => path)));
  assert.ok(requiredIn(0).has('late') && !requiredIn(1).has('late'));
  for (const [at, groups] of files.entries()) {
    assert.ok(!requiredIn(at).has('holes'));
    for (const group of groups) {
      for (const { path, pages, ranges } of group.columns) {
        const width = widths.get(path);
        if (width === undefined) continue;
        assert.ok(requiredIn(at).has(path), path);
        for (const [page, { kind, body }] of pages.data.entries()) {
          assert.equal(kind, 'v1');
          assert.ok(isZstd(body), path);
          const bytes: number = (ranges[page]![1] - ranges[page]![0]) * width;
          // Fields of a struct have its levels in their frame.
          if (!path.includes('.')) assert.equal(zstdDecompressSync(body).length, bytes, path);
        }
      }
    }
  }
});

const sizeOf = (groups: Awaited<ReturnType<typeof look>>): number =>
  groups.reduce((sum, group) => sum + group.columns.reduce((inner, { bytes }) => inner + bytes, 0), 0);

test('PLAIN is chosen while the file grows by 10 % at most: labels alone keep their dictionary, among large columns they do not', async () => {
  const encodingOf = async (name: string, columns: readonly string[]): Promise<boolean> => {
    const [path] = await put(name, columns);
    const labels = (await look(path!)).map((group) => group.columns.find((column) => column.path === 'label')!);
    return labels.every(({ pages }) => pages.dictionary === null);
  };
  assert.equal(await encodingOf('label', ['label']), false);
  assert.equal(await encodingOf('labels', ['label', 'word', 'holes']), false);
  assert.equal(await encodingOf('wide', ['label', 'f', 'd', 'id', 'text']), true);
});

test('all that is PLAIN for passing costs at most 10 % over the smallest encoding of each column', async () => {
  const [path] = await put('grown', null);
  const columns = schema.fields.map((field) => field.name);
  let best = 0;
  for (const name of columns) {
    const [alone] = await put(`alone-${name}`, [name]);
    best += sizeOf(await look(alone!));
  }
  const grown = sizeOf(await look(path!));
  assert.ok(grown <= best * 1.1, `${grown} bytes, ${best} at best`);
});

const readers = `
import glob, pyarrow as pa, pyarrow.parquet as pq, duckdb, polars as pl
source = pa.ipc.open_stream(input['source']).read_all()
def differences(read): return [n for n in source.column_names if not source[n].equals(read[n].cast(source[n].type))]
output = {}
for path in input['folders']:
    files = sorted(glob.glob(path + '/data/*.parquet'))
    output[path + ' pyarrow'] = differences(pa.concat_tables([pq.read_table(f, page_checksum_verification=True) for f in files], promote_options='permissive'))
    output[path + ' duckdb'] = differences(duckdb.sql(f"select * from read_parquet({files})").to_arrow_table())
    output[path + ' polars'] = differences(pl.read_parquet(files).to_arrow())
`;

test('pyarrow, DuckDB and Polars read every form as it was written', async () => {
  const forms: Record<string, Record<string, string>> = {
    preset: {},
    v1: { 'write.parquet.page-version': 'v1', 'write.parquet.row-group-size-bytes': '1000000' },
    small: { 'write.parquet.page-row-limit': '700', 'write.parquet.page-size-bytes': '3000' },
    checked: { 'write.parquet.page-checksums': 'true', 'write.parquet.compression-level': '7' },
    plainest: { 'write.parquet.compression-codec': 'uncompressed', 'write.parquet.dict-size-bytes': '1' },
    gzip: { 'write.parquet.compression-codec': 'gzip', 'write.parquet.page-version': 'v1' },
    brotli: { 'write.parquet.compression-codec': 'brotli' },
  };
  for (const [name, properties] of Object.entries(forms)) await put(`read-${name}`, null, properties);
  const folders = Object.keys(forms).map((name) => join(folder.path, `read-${name}`));
  const seen = (await runPython(readers, { source: join(folder.path, 'source.arrows'), folders })) as object;
  for (const [reader, differing] of Object.entries(seen)) assert.deepEqual(differing, [], reader);
  assert.equal(Object.keys(seen).length, folders.length * 3);
});

const probe = `
import duckdb, pyarrow.parquet as pq
def excluded(column, value): return [r[-1] for r in duckdb.execute(f"select * from parquet_bloom_probe('{input}', '{column}', {value})").fetchall()]
file = pq.ParquetFile(input).metadata
output = {
    'present': [excluded('id', i) for i in range(0, 90000, 997)] + [excluded('text', f"'text {i} ' || repeat('x', {i % 90})") for i in range(0, 90000, 997)],
    'absent': [excluded('id', 90000 + i) for i in range(200)] + [excluded('text', f"'text {i}'") for i in range(200)],
    'word': [excluded('word', "'us'"), excluded('word', "'fr'")],
}
`;

test('bloom filters, where the table asks for them, hold what is there and little else', async () => {
  const enabled = (name: string) => `write.parquet.bloom-filter-enabled.column.${name}`;
  const [location] = await put('bloom', ['id', 'text', 'word', 'f'], {
    [enabled('id')]: 'true',
    [enabled('text')]: 'true',
    [enabled('word')]: 'true',
    [enabled('f')]: 'false',
  });
  const seen = (await runPython(probe, fileURLToPath(location!))) as Record<'present' | 'absent' | 'word', boolean[][]>;
  assert.ok(seen.present.flat().every((excluded) => !excluded));
  const absent = seen.absent.flat();
  assert.ok(absent.filter((excluded) => !excluded).length <= 0.05 * absent.length);
  assert.deepEqual(seen.word, [[false], [true]]);
  await assert.rejects(
    put('fpp', ['id'], { [enabled('id')]: 'true', 'write.parquet.bloom-filter-fpp.column.id': '2' }),
    {
      code: 'INVALID_REQUEST',
    },
  );
});
