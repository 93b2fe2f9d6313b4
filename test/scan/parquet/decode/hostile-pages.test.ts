import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../../../src/core/errors.ts';
import { defaultLimits } from '../../../../src/core/limits.ts';
import { canDecode } from '../../../../src/scan/parquet/decode/leaf-reader.ts';
import { type LeafSource, openLeaf } from '../../../../src/scan/parquet/decode-leaf.ts';
import { walkPages } from '../../../../src/scan/parquet/pages.ts';
import { runPython } from '../../../support/python.ts';
import { temporaryFolder } from '../compare.ts';
import { assertInvariants } from './column-invariants.ts';
import { leafSources } from './leaf-sources.ts';

const writeFiles = `
import os, random
import pyarrow as pa, pyarrow.parquet as pq
random.seed(3)
rows = 300
some = lambda make: [None if i % 7 == 3 else make(i) for i in range(rows)]
table = pa.table({
  'i': pa.array(some(lambda i: i * i), pa.int32()), 'l': pa.array(some(lambda i: i << (i % 50)), pa.int64()),
  's': some(lambda i: 'text %d' % (i % 40)), 'x': pa.array(some(lambda i: os.urandom(5)), pa.binary(5)),
  'b': some(lambda i: i % 3 == 0), 'list': some(lambda i: [i] * (i % 5)), 'deep': some(lambda i: [[str(i)] * (i % 3)] * (i % 3)),
})
flat = table.select(['i', 'l', 's', 'x', 'b'])
delta = {'i': 'DELTA_BINARY_PACKED', 'l': 'DELTA_BINARY_PACKED', 's': 'DELTA_BYTE_ARRAY', 'x': 'DELTA_BYTE_ARRAY', 'b': 'RLE'}
variants = [(table, {'use_dictionary': True}), (table, {'use_dictionary': False, 'data_page_version': '2.0'}),
            (flat, {'use_dictionary': False, 'column_encoding': delta}),
            (flat, {'use_dictionary': False, 'column_encoding': {'i': 'BYTE_STREAM_SPLIT', 'x': 'BYTE_STREAM_SPLIT', 's': 'DELTA_LENGTH_BYTE_ARRAY'}}),
            (table, {'use_dictionary': True, 'compression': 'snappy'}), (table, {'use_dictionary': False, 'compression': 'lz4'}),
            (table, {'use_dictionary': True, 'compression': 'zstd', 'data_page_version': '2.0'})]
output = []
for at, (data, options) in enumerate(variants):
    path = f'{input}/{at}.parquet'
    pq.write_table(data, path, store_schema=False, data_page_size=500, write_batch_size=50, **{'compression': 'none', **options})
    output.append(path)
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let sources: LeafSource[];
before(async () => {
  folder = await temporaryFolder();
  const paths = (await runPython(writeFiles, folder.path)) as string[];
  sources = (await Promise.all(paths.map(leafSources))).flat();
});
after(() => folder[Symbol.asyncDispose]());

const limits = { ...defaultLimits, decompressedBytesMax: 16 << 20, decoderMemoryBytesMax: 64 << 20 };
const codes = ['CORRUPT_FILE', 'LIMIT_EXCEEDED', 'UNSUPPORTED_FEATURE'];

/** Reads a chunk in windows and single rows: sound columns, or an error of the file. */
function readAll(source: LeafSource, step: number): void {
  try {
    const { end } = source.held;
    const reader = openLeaf(source, limits);
    for (let start = 0; start < end; start += step) {
      const column = reader.read({ start, end: Math.min(end, start + step) });
      assert.equal(column.length, Math.min(end, start + step) - start);
      assertInvariants(column);
    }
    const rows = Int32Array.from({ length: 9 }, (_, at) => Math.floor((at * end) / 9));
    const taken = openLeaf(source, limits).take?.(rows);
    if (taken !== undefined) assertInvariants(taken);
  } catch (error) {
    if (!(error instanceof ServiceError) || !codes.includes(error.code)) throw error;
  }
}

const edits = fc.array(
  fc.record({ at: fc.nat(), byte: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff)) }),
  { minLength: 1, maxLength: 5 },
);

test('bytes of a chunk that are changed give sound columns or an error of the file, never a crash', () => {
  assert.ok(sources.length > 40);
  fc.assert(
    fc.property(fc.nat(), edits, fc.integer({ min: 20, max: 300 }), (which, changes, step) => {
      const source = sources[which % sources.length]!;
      const bytes = Uint8Array.from(source.parts[0]!);
      for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
      readAll({ ...source, parts: [bytes] }, step);
    }),
    { numRuns: 4000 },
  );
});

test('a chunk that is cut off, or that holds other rows than its row group, is refused', () => {
  for (const source of sources) {
    const [bytes] = source.parts;
    const read = (changed: Partial<LeafSource>) => {
      const other = { ...source, ...changed };
      openLeaf(other, limits).read(other.held);
    };
    read({});
    assert.throws(() => read({ parts: [bytes!.subarray(0, bytes!.length - 5)] }), { code: 'CORRUPT_FILE' });
    assert.throws(() => read({ held: { start: 0, end: 301 }, rows: { start: 0, end: 301 } }), { code: 'CORRUPT_FILE' });
  }
});

test('what this decoder reads is not left to wasm', () => {
  for (const { parts, leaf, chunk } of sources) {
    assert.ok(canDecode(leaf, walkPages(parts, leaf, chunk, limits.decompressedBytesMax)));
  }
});
