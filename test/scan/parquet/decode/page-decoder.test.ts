import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { defaultLimits } from '../../../../src/core/limits.ts';
import type { Column } from '../../../../src/scan/arrow/column.ts';
import { canDecode, openDecodedLeaf } from '../../../../src/scan/parquet/decode/leaf-reader.ts';
import { walkPages } from '../../../../src/scan/parquet/pages.ts';
import { openWasmLeaf } from '../../../../src/scan/parquet/wasm-leaf.ts';
import { runPython } from '../../../support/python.ts';
import { temporaryFolder } from '../compare.ts';
import { valuesOf } from '../values.ts';
import { assertInvariants } from './column-invariants.ts';
import { leafSources } from './leaf-sources.ts';

/** All types, encodings, codecs and page versions, by turns, over columns without nulls, with some and with nothing else, and nested. */
const writeFiles = `
import datetime as dt, decimal, os, random
import pyarrow as pa, pyarrow.parquet as pq
random.seed(5)
rows = 640

def column(kind, make, nulls=0.0):
    def value(i):
        if nulls == 'runs': return None if (i // 90) % 2 else make(i)
        return None if random.random() < nulls else make(i)
    return pa.array([value(i) for i in range(rows)], kind)

makers = {
  'b': (pa.bool_(), lambda i: random.random() < .5 if i % 150 < 100 else True),
  'i': (pa.int32(), lambda i: random.choice([i, -i, -2**31, 2**31 - 1, random.randint(-2**31, 2**31 - 1)])),
  'il': (pa.int32(), lambda i: i % 50),
  'l': (pa.int64(), lambda i: random.choice([i, -i, -2**63, 2**63 - 1, random.randint(-2**63, 2**63 - 1)])),
  'll': (pa.int64(), lambda i: 1_700_000_000_000_000 + i * 1_000_000),
  'f': (pa.float32(), lambda i: random.choice([float('inf'), -0.0, random.random()])),
  'd': (pa.float64(), lambda i: random.random() * 10 ** random.randint(-300, 300)),
  's': (pa.string(), lambda i: random.choice(['', 'ä', 'x' * (i % 70), 'text %d' % i])),
  'sl': (pa.string(), lambda i: ['red', 'green', 'blue', ''][i % 4 if i % 200 < 150 else 1]),
  'p': (pa.binary(), lambda i: b'prefix/of/many/values/%06d' % i + os.urandom(i % 5)),
  'x': (pa.binary(7), lambda i: os.urandom(7)), 'x16': (pa.binary(16), lambda i: bytes([i % 20]) * 16),
  'dec': (pa.decimal128(30, 3), lambda i: decimal.Decimal(random.randint(-10**29, 10**29)).scaleb(-3)),
}
flat = {}
for name, (kind, make) in makers.items():
    flat[name] = column(kind, make)
    flat[name + '_n'] = column(kind, make, 0.3)
    flat[name + '_r'] = column(kind, make, 'runs')
    if name in ['b', 'i', 's', 'x']: flat[name + '_0'] = column(kind, make, 1.0)
schema = pa.schema([pa.field(n, c.type, nullable=len(n) > 1) for n, c in flat.items()])
flat = pa.table(list(flat.values()), schema=schema)
nested = pa.table({
  'list': column(pa.list_(pa.float32()), lambda i: [i + k for k in range(random.choice([0, 1, 5, 60]))]),
  'list_n': column(pa.list_(pa.string()), lambda i: [random.choice([None, '', 'abc %d' % (i % 9)]) for k in range(i % 4)], .2),
  'deep': column(pa.list_(pa.list_(pa.list_(pa.int64()))), lambda i: [random.choice([None, [], [None, [], [i, None]], [[1], [2, 3]]]) for _ in range(i % 3)], .1),
  'st': column(pa.struct([('a', pa.int32()), ('b', pa.struct([('c', pa.string()), ('d', pa.bool_())]))]),
               lambda i: {'a': i, 'b': random.choice([None, {'c': None, 'd': True}, {'c': 'x%d' % (i % 3), 'd': None}])}, .1),
  'map': column(pa.map_(pa.string(), pa.list_(pa.int32())), lambda i: [(str(k), random.choice([None, [], [k, None]])) for k in range(i % 3)], .1),
  'ls': column(pa.list_(pa.struct([('a', pa.int32()), ('l', pa.list_(pa.bool_()))])),
               lambda i: [random.choice([None, {'a': i, 'l': None}, {'a': None, 'l': [True, None]}]) for _ in range(i % 3)], .1),
})
fixed = [n for n in flat.column_names if n[0] in 'ilfdx' and n[:3] != 'dec']
def encoded(table, by): return {n: by(n, table.schema.field(n).type) for n in table.column_names if by(n, table.schema.field(n).type)}
def delta(n, t):
    if pa.types.is_integer(t): return 'DELTA_BINARY_PACKED'
    if pa.types.is_string(t): return 'DELTA_LENGTH_BYTE_ARRAY'
    if pa.types.is_binary(t) or pa.types.is_fixed_size_binary(t): return 'DELTA_BYTE_ARRAY'
    if pa.types.is_boolean(t): return 'RLE'
def split(n, t):
    if pa.types.is_floating(t) or pa.types.is_integer(t) or pa.types.is_fixed_size_binary(t) or pa.types.is_decimal(t): return 'BYTE_STREAM_SPLIT'
    if pa.types.is_string(t): return 'DELTA_BYTE_ARRAY'
variants = []
for at, codec in enumerate(['none', 'snappy', 'zstd', 'gzip', 'lz4', 'brotli']):
    for version in ['1.0', '2.0']:
        base = {'compression': codec, 'data_page_version': version, 'data_page_size': [400, 3000, 1 << 20][(at + len(variants)) % 3], 'write_batch_size': 64}
        variants.append({**base, 'use_dictionary': True, 'dictionary_pagesize_limit': 700 if at % 2 else 1 << 20})
        variants.append({**base, 'use_dictionary': False})
variants += [{'compression': c, 'data_page_version': v, 'use_dictionary': False, 'encode': e, 'data_page_size': s, 'write_batch_size': 64, 'write_page_checksum': True}
             for c, v, e, s in [('none', '1.0', delta, 900), ('zstd', '2.0', delta, 1 << 20), ('none', '2.0', split, 900), ('snappy', '1.0', split, 1 << 20)]]
output = []
for at, options in enumerate(variants):
    for name, table in [('flat', flat), ('nested', nested)]:
        if name == 'nested' and 'encode' in options: continue
        own = {k: v for k, v in options.items() if k != 'encode'}
        if 'encode' in options: own['column_encoding'] = encoded(table, options['encode'])
        path = f'{input}/{name}-{at}.parquet'
        pq.write_table(table, path, store_schema=False, row_group_size=500, **own)
        output.append({'path': path, 'name': f'{name} {own}'})
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let files: { readonly path: string; readonly name: string }[];
before(async () => {
  folder = await temporaryFolder();
  files = (await runPython(writeFiles, folder.path)) as typeof files;
});
after(() => folder[Symbol.asyncDispose]());

const cuts = fc.record({
  step: fc.integer({ min: 1, max: 600 }),
  from: fc.integer({ min: 0, max: 499 }),
  picked: fc.uniqueArray(fc.integer({ min: 0, max: 499 }), { minLength: 1, maxLength: 40 }),
});

test('a page is decoded to the same values as by parquet-wasm, in any windows and by any single rows', async () => {
  let leaves = 0;
  for (const { path, name } of files) {
    for (const source of await leafSources(path)) {
      const { leaf, chunk, held } = source;
      const pages = walkPages(source.parts, leaf, chunk, defaultLimits.decompressedBytesMax);
      assert.ok(canDecode(leaf, pages), `${name}: ${leaf.path} is left to wasm`);
      const expected = valuesOf(openWasmLeaf(source, pages, defaultLimits).read(held));
      const open = () => openDecodedLeaf(source, pages, defaultLimits);
      const read = (column: Column) => {
        assertInvariants(column);
        return valuesOf(column);
      };
      const whole = open().read(held);
      assert.deepEqual(read(whole), expected, `${name}: ${leaf.path}`);
      leaves++;
      fc.assert(
        fc.property(cuts, ({ step, from, picked }) => {
          const reader = open();
          const start = Math.min(from, held.end);
          const found: unknown[] = [];
          for (let row = start; row < held.end; row += step) {
            found.push(...read(reader.read({ start: row, end: Math.min(held.end, row + step) })));
          }
          assert.deepEqual(found, expected.slice(start), `${name}: ${leaf.path}`);
          const rows = picked.filter((row) => row < held.end).sort((a, b) => a - b);
          if (rows.length === 0) return;
          const taken = read(reader.take!(Int32Array.from(rows)));
          assert.deepEqual(
            taken,
            rows.map((row) => expected[row]),
            `${name}: ${leaf.path}`,
          );
        }),
        { numRuns: 1 },
      );
    }
  }
  assert.ok(leaves > 1500, `${leaves} chunks`);
});

test('the windows of a chunk share one dictionary', async () => {
  const [source] = (await leafSources(files[0]!.path)).filter(({ leaf }) => leaf.name === 'sl_n');
  const pages = walkPages(source!.parts, source!.leaf, source!.chunk, defaultLimits.decompressedBytesMax);
  const reader = openDecodedLeaf(source!, pages, defaultLimits);
  const [first, second] = [reader.read({ start: 0, end: 10 }), reader.read({ start: 300, end: 500 })];
  assert.ok(first.kind === 'dictionary' && second.kind === 'dictionary');
  assert.equal(first.dictionary, second.dictionary);
});
