import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { defaultLimits } from '../../../src/core/limits.ts';
import { openParquet, type ParquetFile } from '../../../src/scan/parquet/footer.ts';
import { projectWholeFile } from '../../../src/scan/parquet/natural-plan.ts';
import { parseOffsetIndex } from '../../../src/scan/parquet/page-index.ts';
import { assembleRows, readRowGroup } from '../../../src/scan/parquet/read.ts';
import { openFeed } from '../../../src/scan/parquet/row-group-feed.ts';
import type { RowRange, RowSet } from '../../../src/scan/parquet/row-set.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import { runPython } from '../../support/python.ts';
import { temporaryFolder } from './compare.ts';
import { countingStore } from './counting-store.ts';
import { valuesOf } from './values.ts';

const rowCount = 30_000;

/** One row group of small pages with every way of storing a value, with and without an index that tells where pages lie. */
const writeFiles = `
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
rows = ${rowCount}
rng = np.random.default_rng(11)
some = lambda values, share: pa.array([None if x < share else v for v, x in zip(values, rng.random(rows))])
table = pa.table({
    'plain': pa.array(np.arange(rows)),
    'noise': some(rng.random(rows).tolist(), 0.3),
    'repeated': some((rng.integers(0, 50, rows)).tolist(), 0.1),
    'runs': pa.array((np.arange(rows) // 997).astype('int32')),
    'name': some([f'name {i % 300}' for i in range(rows)], 0.2),
    'text': some([f'text {i} ' + 'x' * (i % 30) for i in range(rows)], 0.2),
    'mixed': pa.array([f'{i % 20 if i < rows // 2 else i}' for i in range(rows)]),
    'flag': some((np.arange(rows) % 3 == 0).tolist(), 0.1),
    'bytes': pa.array([i.to_bytes(16) for i in range(rows)], pa.binary(16)),
    'nothing': pa.nulls(rows, pa.int64()),
    'list': pa.array([None if i % 17 == 0 else list(range(i % 5)) for i in range(rows)]),
    'struct': pa.array([None if i % 19 == 0 else {'a': i, 'b': [str(i)] * (i % 3)} for i in range(rows)]),
})
options = {'data_page_size': 4096, 'write_batch_size': 200, 'dictionary_pagesize_limit': 4096, 'store_schema': False, 'use_dictionary': ['repeated', 'runs', 'name', 'mixed', 'nothing', 'struct.a']}
for name, more in [('indexed', {'write_page_index': True, 'compression': 'zstd'}), ('plain', {'compression': 'snappy'}),
                   ('v2', {'data_page_version': '2.0', 'compression': 'zstd'}), ('uncompressed', {'compression': 'none', 'data_page_version': '2.0', 'write_page_index': True})]:
    pq.write_table(table, f'{input}/{name}.parquet', **options, **more)
output = None
`;

const names = ['indexed', 'plain', 'v2', 'uncompressed'] as const;
type Name = (typeof names)[number];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const local = openLocalStore();
const { signal } = new AbortController();
const expected = new Map<Name, unknown[][]>();
before(async () => {
  folder = await temporaryFolder();
  await runPython(writeFiles, folder.path);
  for (const name of names) {
    const file = await open(name);
    const projection = projectWholeFile(file.metadata.schema);
    const { columns } = await readRowGroup({ file, projection, rowGroup: 0, signal });
    expected.set(name, columns.map(valuesOf));
  }
});
after(async () => {
  await local[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function open(name: Name, objects = countingStore(local)): Promise<ParquetFile> {
  const location = pathToFileURL(join(folder.path, `${name}.parquet`)).href;
  return openParquet({ objects, location, limits: defaultLimits, signal });
}

/** Cuts of the row group, and of what lies between two of them the share of rows that is wanted. */
const stretches = fc.record({
  cuts: fc.array(fc.nat({ max: rowCount }), { minLength: 1, maxLength: 6 }),
  every: fc.constantFrom(1, 1, 2, 7, 150, 5_000, 40_000),
  offset: fc.nat({ max: 6_000 }),
});

function rowsOf(start: number, end: number, every: number, offset: number): RowSet {
  if (every === 1) return [{ start, end }];
  const rows: number[] = [];
  for (let row = start + (offset % every); row < end; row += every) rows.push(row);
  return Int32Array.from(rows);
}

const single = (rows: RowSet): number[] =>
  rows instanceof Int32Array
    ? [...rows]
    : rows.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, at) => start + at));

for (const name of names) {
  test(`rows and ranges of rows of the ${name} file, stretch by stretch, are those of the whole`, async () => {
    const file = await open(name);
    const projection = projectWholeFile(file.metadata.schema);
    const leaves = file.metadata.schema.leaves;
    await fc.assert(
      fc.asyncProperty(stretches, async ({ cuts, every, offset }) => {
        const feed = openFeed(file, 0);
        const ends = [...new Set([0, ...cuts, rowCount])].sort((a, b) => a - b);
        for (const [at, start] of ends.slice(0, -1).entries()) {
          const end = ends[at + 1]!;
          const rows = rowsOf(start, end, every, offset);
          if (rows.length === 0) continue;
          const fetched = await feed.fetch(leaves, rows, 1_000, signal);
          feed.release(end);
          const wanted = single(rows);
          for (let from = 0; from < wanted.length; from += 4_000) {
            const some = wanted.slice(from, from + 4_000);
            const range: RowRange = { start: some[0]!, end: some[some.length - 1]! + 1 };
            const columns = assembleRows(projection, some.length, (leaf) => {
              const held = fetched.leaves.get(leaf.index)!;
              return rows instanceof Int32Array ? held.take(Int32Array.from(some)) : held.read(range);
            });
            for (const [column, values] of columns.map(valuesOf).entries()) {
              const whole = expected.get(name)![column]!;
              assert.deepEqual(
                values,
                some.map((row) => whole[row]),
                `${name} column ${column}`,
              );
            }
          }
        }
      }),
      { numRuns: 8 },
    );
  });
}

test('without an index a chunk is read once, whatever stretches it is read in', async () => {
  for (const name of ['plain', 'v2'] as const) {
    const objects = countingStore(local);
    const file = await open(name, objects);
    const leaves = file.metadata.schema.leaves;
    const all = file.metadata.rowGroups[0]!.chunks.reduce((sum, { range }) => sum + range.end - range.start, 0);
    objects.reads.length = 0;
    const feed = openFeed(file, 0);
    let [said, held] = [0, 0];
    for (let start = 0; start < rowCount; start += 3_000) {
      const fetched = await feed.fetch(leaves, [{ start, end: start + 3_000 }], 1_000, signal);
      said += fetched.bytesRead;
      held = Math.max(held, fetched.bytesHeld);
      feed.release(start + 3_000);
    }
    assert.equal(objects.bytes(), all, name);
    assert.equal(said, all);
    assert.ok(held < all, `${held} of ${all} bytes are held at once`);
  }
});

test('with an index exactly the pages that hold a wanted row are read, the dictionaries and the index', async () => {
  const objects = countingStore(local);
  const file = await open('indexed', objects);
  const { leaves } = file.metadata.schema;
  const group = file.metadata.rowGroups[0]!;
  const wanted = [100, 20_000];
  let least = 0;
  let all = 0;
  for (const chunk of group.chunks) {
    const index = chunk.offsetIndex!;
    const bytes = await local.read(file.location, index, signal);
    const pages = parseOffsetIndex(bytes, chunk, group.rows);
    const used = pages.filter(({ startRow, endRow }) => wanted.some((row) => row >= startRow && row < endRow));
    least += used.reduce((sum, { range }) => sum + range.end - range.start, 0);
    least += pages[0]!.range.start - chunk.range.start + index.end - index.start;
    all += chunk.range.end - chunk.range.start;
  }
  objects.reads.length = 0;
  const feed = openFeed({ ...file, limits: { ...file.limits, readGapBytesMax: 0 } }, 0);
  const { bytesRead } = await feed.fetch(leaves, Int32Array.from(wanted), 1, signal);
  assert.equal(objects.bytes(), least);
  assert.equal(bytesRead, least);
  assert.ok(least < all / 5, `${least} of ${all} bytes`);
  // The next stretch goes on in pages that are at hand already.
  objects.reads.length = 0;
  feed.release(20_001);
  await feed.fetch(leaves, Int32Array.of(20_001), 1, signal);
  assert.equal(objects.bytes(), 0);
});

test('a chunk whose pages end early is CORRUPT_FILE, in stretches as at once', async () => {
  const file = await open('plain');
  const group = file.metadata.rowGroups[0]!;
  const [first] = group.chunks;
  const more = { ...group, rows: group.rows + 1, chunks: [first!] };
  const damaged = { ...file, metadata: { ...file.metadata, rowGroups: [more] } };
  const [leaf] = file.metadata.schema.leaves;
  const read = async (step: number): Promise<void> => {
    const feed = openFeed(damaged, 0);
    for (let start = 0; start < more.rows; start += step) {
      const rows = { start, end: Math.min(more.rows, start + step) };
      (await feed.fetch([leaf!], [rows], step, signal)).leaves.get(0)!.read(rows);
    }
  };
  await assert.rejects(read(more.rows), { code: 'CORRUPT_FILE' });
  await assert.rejects(read(5_000), { code: 'CORRUPT_FILE' });
});
