import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { errorTable, ServiceError } from '../../../src/core/errors.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { parquetToBatches } from '../../../src/scan/parquet/cat.ts';
import type { ObjectStore } from '../../../src/storage/object-store.ts';
import { runPython } from '../../support/python.ts';

const writeFiles = `
import base64, io
import pyarrow as pa, pyarrow.parquet as pq
rows = 400
table = pa.table({
  'i': pa.array([None if i % 7 == 0 else i for i in range(rows)], pa.int32()),
  's': [None if i % 5 == 0 else 'text %d' % (i % 20) for i in range(rows)],
  'l': [None if i % 11 == 0 else [{'a': i, 'b': 'x'}] * (i % 3) for i in range(rows)],
  'd': pa.array(range(rows), pa.int32()).cast(pa.decimal128(20, 2)),
})
output = []
for options in [{'compression': 'zstd'}, {'compression': 'snappy', 'data_page_version': '2.0', 'write_page_index': True},
                {'compression': 'none', 'use_dictionary': False, 'data_page_size': 200}]:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=250, store_schema=False, **options)
    output.append(base64.b64encode(sink.getvalue()).decode())
`;

let files: Buffer[];
before(async () => {
  files = ((await runPython(writeFiles, null)) as string[]).map((text) => Buffer.from(text, 'base64'));
});

/** One object in memory. */
function storeOf(bytes: Uint8Array): ObjectStore {
  const refuse = (): never => {
    throw new Error('only reads are expected');
  };
  return {
    stat: async () => ({ bytes: bytes.length, identity: '1', modifiedMs: 0 }),
    read: async (_, range) => bytes.slice(range.start, range.end),
    readAll: async () => bytes,
    create: refuse,
    list: refuse,
    delete: refuse,
  };
}

/** Rows read, or the code of the ServiceError that refused the file; any other error is thrown on. */
async function outcome(bytes: Uint8Array): Promise<number | string> {
  const limits = { ...defaultLimits, batchRowsDefault: 100 };
  const { signal } = new AbortController();
  try {
    let rows = 0;
    const { batches } = await parquetToBatches({ objects: storeOf(bytes), location: 'memory:file', limits, signal });
    for await (const batch of batches) {
      for (const column of batch.columns) assert.equal(column.length, batch.rows);
      rows += batch.rows;
    }
    return rows;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    assert.ok(error.code in errorTable && error.code !== 'INTERNAL', error.message);
    return error.code;
  }
}

test('the files read whole before anything is changed', async () => {
  for (const file of files) assert.equal(await outcome(file), 400);
});

test('a file cut off anywhere is refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 }), fc.nat(), async (which, length) => {
      const file = files[which]!;
      assert.equal(typeof (await outcome(file.subarray(0, length % file.length))), 'string');
    }),
    { numRuns: 100 },
  );
});

const edits = fc.array(fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) }), { minLength: 1, maxLength: 6 });

test('a changed footer is refused or read with as many rows as it says, never a crash', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 }), edits, async (which, changes) => {
      const file = Buffer.from(files[which]!);
      const footerBytes = file.readUInt32LE(file.length - 8);
      for (const { at, byte } of changes) file[file.length - 8 - footerBytes + (at % footerBytes)] = byte;
      await outcome(file);
    }),
    { numRuns: 300 },
  );
});

test('changed pages are refused or read, never a crash', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 }), edits, async (which, changes) => {
      const file = Buffer.from(files[which]!);
      const dataBytes = file.length - 8 - file.readUInt32LE(file.length - 8);
      for (const { at, byte } of changes) file[4 + (at % (dataBytes - 4))] = byte;
      await outcome(file);
    }),
    { numRuns: 200 },
  );
});
