import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { FileMetrics } from '../../../src/catalog/manifest/types.ts';
import type { PrimitiveType, Schema } from '../../../src/catalog/schema/types.ts';
import { decodeValue } from '../../../src/catalog/schema/value.ts';
import { fieldId } from '../../../src/core/ids.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { openParquet } from '../../../src/scan/parquet/footer.ts';
import { pageRanges } from '../../../src/scan/parquet/page-ranges.ts';
import { leavesByFieldId, projectFile } from '../../../src/scan/parquet/project.ts';
import { mergeRanges } from '../../../src/scan/parquet/ranges.ts';
import { readRowGroup } from '../../../src/scan/parquet/read.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import { runPython } from '../../support/python.ts';
import { temporaryFolder } from './compare.ts';
import { countingStore } from './counting-store.ts';
import { valuesOf } from './values.ts';

/** Two row groups of 100,000 rows in pages of 5,000; `n` ascends, `r` is noise, `s` repeats, `l` is nested. */
const writeFile = `
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
rows = 200000
rng = np.random.default_rng(5)
def field(id, name, kind): return pa.field(name, kind, metadata={'PARQUET:field_id': str(id)})
n = pa.array(np.arange(rows))
r = pa.array(rng.random(rows))
s = pa.array(np.char.add('value ', (np.arange(rows) % 1000).astype(str)).tolist())
l = pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32)), pa.array(rng.integers(0, 2**60, rows)))
schema = pa.schema([field(1, 'n', pa.int64()), field(2, 'r', pa.float64()), field(3, 's', pa.string()),
                    field(4, 'l', pa.list_(field(5, 'element', pa.int64())))])
table = pa.Table.from_arrays([n, r, s, l.cast(schema.field('l').type)], schema=schema)
for name, options in [('indexed', {'write_page_index': True}), ('plain', {})]:
    pq.write_table(table, f'{input}/{name}.parquet', row_group_size=100000, data_page_size=8 * 5000,
                   write_batch_size=5000, use_dictionary=['s'], compression='snappy', store_schema=False, **options)
pq.write_table(table.slice(0, 100), f'{input}/small.parquet', store_schema=False)
f = pq.ParquetFile(input + '/plain.parquet')
g = f.metadata.row_group(1)
output = {g.column(i).path_in_schema: g.column(i).total_compressed_size for i in range(4)}
`;

const schema: Schema = {
  schemaId: 0,
  fields: [
    { id: fieldId(1), name: 'n', required: false, type: { kind: 'long' } },
    { id: fieldId(2), name: 'r', required: false, type: { kind: 'double' } },
    { id: fieldId(3), name: 's', required: false, type: { kind: 'string' } },
    {
      id: fieldId(4),
      name: 'l',
      required: false,
      type: { kind: 'list', element: { id: fieldId(5), name: 'element', required: false, type: { kind: 'long' } } },
    },
  ],
  identifierFieldIds: [],
};

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let chunkBytes: Record<string, number>;
const local = openLocalStore();
const { signal } = new AbortController();
before(async () => {
  folder = await temporaryFolder();
  chunkBytes = (await runPython(writeFile, folder.path)) as Record<string, number>;
});
after(async () => {
  await local[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function open(name: 'indexed' | 'plain' | 'small') {
  const objects = countingStore(local);
  const location = pathToFileURL(join(folder.path, `${name}.parquet`)).href;
  const file = await openParquet({ objects, location, limits: defaultLimits, signal });
  return { file, objects };
}

async function readIds(
  name: 'indexed' | 'plain',
  ids: readonly number[],
  rowGroup: number,
  rows?: { start: number; end: number },
) {
  const { file, objects } = await open(name);
  objects.reads.length = 0;
  const projection = projectFile(file, schema, new Set(ids.map(fieldId)), null);
  const read = await readRowGroup({ file, projection, rowGroup, signal, ...(rows === undefined ? {} : { rows }) });
  assert.equal(read.bytesRead, objects.bytes());
  return { columns: read.columns.map(valuesOf), bytes: objects.bytes(), reads: objects.reads.length };
}

test('opening a file reads its tail once', async () => {
  const { file, objects } = await open('indexed');
  assert.equal(objects.reads.length, 1);
  assert.ok(objects.bytes() <= 64 * 1024);
  assert.equal(file.metadata.rows, 200_000);
});

test('a small file is read once, with its footer, and its columns count as read all the same', async () => {
  const { file, objects } = await open('small');
  const projection = projectFile(file, schema, new Set([fieldId(1), fieldId(3)]), null);
  const { columns, bytesRead } = await readRowGroup({ file, projection, rowGroup: 0, signal });
  assert.equal(columns[0]!.length, 100);
  assert.equal(objects.reads.length, 1);
  const chunks = file.metadata.rowGroups[0]!.chunks;
  assert.equal(
    bytesRead,
    [chunks[0]!, chunks[2]!].reduce((sum, { range }) => sum + range.end - range.start, 0),
  );
});

test('one column of one row group reads exactly its chunk', async () => {
  const { columns, bytes, reads } = await readIds('plain', [1], 1);
  assert.equal(bytes, chunkBytes.n);
  assert.equal(reads, 1);
  assert.deepEqual(columns[0]!.slice(0, 2), [100_000n, 100_001n]);
  assert.equal(columns[0]!.length, 100_000);
});

test('neighbouring chunks are read together, distant ones apart', async () => {
  const near = await readIds('plain', [1, 2], 0);
  assert.equal(near.reads, 1);
  const far = await readIds('plain', [1, 3], 1);
  assert.equal(far.reads, 2);
  assert.equal(far.bytes, chunkBytes.n! + chunkBytes.s!);
});

test('a row range reads only the pages that hold it, where there is an offset index', async () => {
  const rows = { start: 50_000, end: 50_010 };
  const { columns, bytes } = await readIds('indexed', [1, 2, 3, 5], 1, rows);
  const numbers = Array.from({ length: 10 }, (_, at) => BigInt(150_000 + at));
  assert.deepEqual(columns[0], numbers);
  assert.deepEqual(
    columns[2],
    numbers.map((n) => `value ${n % 1000n}`),
  );
  const all = Object.values(chunkBytes).reduce((sum, size) => sum + size, 0);
  assert.ok(bytes < all / 4, `${bytes} of ${all} bytes`);
});

test('a row range gives the same rows with an offset index as without one', async () => {
  for (const rows of [
    { start: 0, end: 1 },
    { start: 4_999, end: 5_001 },
    { start: 12_345, end: 43_210 },
    { start: 99_999, end: 100_000 },
    { start: 7, end: 7 },
  ]) {
    const indexed = await readIds('indexed', [1, 2, 3, 5], 1, rows);
    const plain = await readIds('plain', [1, 2, 3, 5], 1, rows);
    assert.deepEqual(indexed.columns, plain.columns);
    assert.equal(indexed.columns[0]!.length, rows.end - rows.start);
  }
});

test('the page index leaves the rows of the pages that may match', async () => {
  const { file } = await open('indexed');
  const leaves = leavesByFieldId(file, null);
  const type: PrimitiveType = { kind: 'long' };
  const mapping = new Map([[leaves.get(fieldId(1))!, { fieldId: fieldId(1), type }]]);
  const wanted = 123_456n;
  const mayMatch = (metrics: FileMetrics): boolean => {
    const [lower, upper] = [metrics.lowerBounds.get(fieldId(1))!, metrics.upperBounds.get(fieldId(1))!];
    return (decodeValue(type, lower) as bigint) <= wanted && wanted <= (decodeValue(type, upper) as bigint);
  };
  const { ranges } = await pageRanges({ file, rowGroup: 1, mapping, mayMatch, signal });
  assert.equal(ranges.length, 1);
  const [range] = ranges;
  assert.ok(range!.start <= 23_456 && 23_456 < range!.end);
  assert.ok(range!.end - range!.start <= 10_000, `${range!.end - range!.start} rows`);
  assert.deepEqual((await pageRanges({ file, rowGroup: 0, mapping, mayMatch, signal })).ranges, []);
});

test('without a page index every row may match', async () => {
  const { file } = await open('plain');
  const leaf = leavesByFieldId(file, null).get(fieldId(1))!;
  const mapping = new Map([[leaf, { fieldId: fieldId(1), type: { kind: 'long' as const } }]]);
  const { ranges } = await pageRanges({ file, rowGroup: 1, mapping, mayMatch: () => false, signal });
  assert.deepEqual(ranges, [{ start: 0, end: 100_000 }]);
});

test('a cancelled read is an error, never fewer rows', async () => {
  const { file } = await open('plain');
  const projection = projectFile(file, schema, new Set([fieldId(1)]), null);
  const controller = new AbortController();
  controller.abort();
  await assert.rejects(readRowGroup({ file, projection, rowGroup: 0, signal: controller.signal }), {
    code: 'CANCELLED',
  });
});

test('columns beyond the byte limit are refused before they are read', async () => {
  const { file, objects } = await open('plain');
  const small = { ...file, limits: { ...file.limits, rowGroupBytesMax: 1000 } };
  const projection = projectFile(small, schema, new Set([fieldId(1)]), null);
  objects.reads.length = 0;
  await assert.rejects(readRowGroup({ file: small, projection, rowGroup: 0, signal }), { code: 'LIMIT_EXCEEDED' });
  assert.equal(objects.reads.length, 0);
});

test('ranges merge across gaps that are narrow and few beside what is wanted, the narrowest first', () => {
  const ranges = [
    { start: 5_000, end: 6_000 },
    { start: 0, end: 1_000 },
    { start: 1_020, end: 2_000 },
    { start: 500, end: 500 },
    { start: 2_000, end: 2_500 },
    { start: 2_560, end: 3_000 },
  ];
  const apart = { start: 5_000, end: 6_000 };
  assert.deepEqual(mergeRanges(ranges, 10_000), [{ start: 0, end: 3_000 }, apart]);
  assert.deepEqual(mergeRanges(ranges, 30), [{ start: 0, end: 2_500 }, { start: 2_560, end: 3_000 }, apart]);
  assert.deepEqual(mergeRanges(ranges, 0), [
    { start: 0, end: 1_000 },
    { start: 1_020, end: 2_500 },
    { start: 2_560, end: 3_000 },
    apart,
  ]);
});
