import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { defaultLimits } from '../../../src/core/limits.ts';
import type { Column } from '../../../src/scan/arrow/column.ts';
import { openParquet } from '../../../src/scan/parquet/footer.ts';
import { projectWholeFile } from '../../../src/scan/parquet/natural-plan.ts';
import { openRowGroup, readRowGroup } from '../../../src/scan/parquet/read.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import { runPython } from '../../support/python.ts';
import { temporaryFolder } from './compare.ts';
import { countingStore } from './counting-store.ts';
import { valuesOf } from './values.ts';

/** Lists of many lengths in small v1 pages, so that rows go on from page to page; no page index. */
const writeFiles = `
import random
import pyarrow as pa, pyarrow.parquet as pq
random.seed(8)
rows = 6000
lists = [None if i % 13 == 0 else [i * 100 + k for k in range(random.choice([0, 1, 3, 40]))] for i in range(rows)]
deep = [[[str(i)] * (k % 3) for k in range(i % 4)] for i in range(rows)]
table = pa.table({'n': range(rows), 'l': lists, 'deep': deep})
for codec in ['snappy', 'zstd', 'none', 'gzip', 'lz4', 'brotli']:
    pq.write_table(table, f'{input}/{codec}.parquet', compression=codec, data_page_size=2000, write_batch_size=100, store_schema=False)
floats = pa.FixedSizeListArray.from_arrays(pa.array(range(128 * 40000), pa.float32()), 128).cast(pa.list_(pa.float32()))
pq.write_table(pa.table({'embedding': floats}), f'{input}/embeddings.parquet', compression='snappy', use_dictionary=False, store_schema=False)
output = {'l': lists, 'deep': deep}
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let expected: { readonly l: (number[] | null)[]; readonly deep: string[][][] };
const local = openLocalStore();
const { signal } = new AbortController();
before(async () => {
  folder = await temporaryFolder();
  expected = (await runPython(writeFiles, folder.path)) as typeof expected;
});
after(async () => {
  await local[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const open = (name: string, objects = countingStore(local)) =>
  openParquet({
    objects,
    location: pathToFileURL(join(folder.path, `${name}.parquet`)).href,
    limits: defaultLimits,
    signal,
  });

const asNumbers = (values: unknown[]): unknown[] =>
  values.map((list) => (list === null ? null : (list as bigint[]).map(Number)));

for (const codec of ['snappy', 'zstd', 'none', 'gzip', 'lz4', 'brotli']) {
  test(`lists whose rows go on across ${codec} pages come out the same in any batches`, async () => {
    const file = await open(codec);
    const projection = projectWholeFile(file.metadata.schema);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3000 }),
        fc.nat({ max: 5999 }),
        fc.nat({ max: 6000 }),
        async (batchRows, a, b) => {
          const rows = { start: Math.min(a, b), end: Math.max(a, b) };
          const reader = await openRowGroup({ file, projection, rowGroup: 0, rows, batchRows, signal });
          const batches: (readonly Column[])[] = [];
          for (let start = rows.start; start < rows.end; start += batchRows) {
            batches.push(reader.read({ start, end: Math.min(rows.end, start + batchRows) }));
          }
          assert.deepEqual(
            asNumbers(batches.flatMap((batch) => valuesOf(batch[1]!))),
            expected.l.slice(rows.start, rows.end),
          );
          assert.deepEqual(
            batches.flatMap((batch) => valuesOf(batch[2]!)),
            expected.deep.slice(rows.start, rows.end),
          );
        },
      ),
      { numRuns: 12 },
    );
  });
}

test('a large nested column is decoded in parts, each once, from bytes that are read once', async () => {
  const objects = countingStore(local);
  const file = await open('embeddings', objects);
  const projection = projectWholeFile(file.metadata.schema);
  objects.reads.length = 0;
  // 20 MB of floats do not fit into this much memory of the decoder at once: input, columns and stream are held together.
  const small = { ...file, limits: { ...file.limits, decoderMemoryBytesMax: 56 << 20 } };
  const reader = await openRowGroup({ file: small, projection, rowGroup: 0, batchRows: 4096, signal });
  let rows = 0;
  for (let start = 0; start < 40_000; start += 4096) {
    const [column] = reader.read({ start, end: Math.min(40_000, start + 4096) });
    const [first] = valuesOf(column!) as number[][];
    assert.equal(first![127], start * 128 + 127);
    rows += column!.length;
  }
  assert.equal(rows, 40_000);
  assert.equal(objects.bytes(), reader.bytesRead);
  const chunk = file.metadata.rowGroups[0]!.chunks[0]!.range;
  assert.equal(reader.bytesRead, chunk.end - chunk.start);
});

test('rows outside of those opened are an error of the caller', async () => {
  const file = await open('snappy');
  const projection = projectWholeFile(file.metadata.schema);
  await assert.rejects(readRowGroup({ file, projection, rowGroup: 0, rows: { start: 0, end: 6001 }, signal }), {
    code: 'INTERNAL',
  });
  const reader = await openRowGroup({ file, projection, rowGroup: 0, rows: { start: 10, end: 20 }, signal });
  assert.throws(() => reader.read({ start: 9, end: 12 }), { code: 'INTERNAL' });
});
