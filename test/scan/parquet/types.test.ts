import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runPython } from '../../support/python.ts';
import { catFiles, compareWithPyarrow, temporaryFolder } from './compare.ts';

/** Every type, nulls, nesting and empty values, over enough rows for several pages and row groups. */
const writeFiles = `
import datetime as dt, decimal, os, random
import numpy as np, pyarrow as pa, pyarrow.parquet as pq

random.seed(11)
rows = 3000

def column(kind, make, nulls=0.2):
    return pa.array([None if random.random() < nulls else make(i) for i in range(rows)], kind)

def number(low, high): return lambda i: random.choice([low, high, random.randint(low, high)])
def text(i): return random.choice(['', 'ä', 'sea', '\\U0001F30A', 'x' * (i % 50), str(i)])
def dec(p, s): return lambda i: decimal.Decimal(random.randint(-10**p + 1, 10**p - 1)).scaleb(-s)

decimal.getcontext().prec = 80
day = dt.timedelta(days=1)
flat = {
  'b': column(pa.bool_(), lambda i: i % 3 == 0),
  'i8': column(pa.int8(), number(-128, 127)), 'u8': column(pa.uint8(), number(0, 255)),
  'i16': column(pa.int16(), number(-2**15, 2**15 - 1)), 'u16': column(pa.uint16(), number(0, 2**16 - 1)),
  'i32': column(pa.int32(), number(-2**31, 2**31 - 1)), 'u32': column(pa.uint32(), number(0, 2**32 - 1)),
  'i64': column(pa.int64(), number(-2**63, 2**63 - 1)), 'u64': column(pa.uint64(), number(0, 2**64 - 1)),
  'f16': pa.array(np.random.default_rng(1).standard_normal(rows).astype(np.float16)),
  'f32': column(pa.float32(), lambda i: random.choice([float('nan'), float('inf'), -0.0, random.random()])),
  'f64': column(pa.float64(), lambda i: random.choice([float('nan'), 0.0, -0.0, random.random() * 1e300])),
  'd5': column(pa.decimal128(5, 2), dec(5, 2)), 'd18': column(pa.decimal128(18, 0), dec(18, 0)),
  'd38': column(pa.decimal128(38, 10), dec(38, 10)), 'd60': column(pa.decimal256(60, 5), dec(60, 5)),
  's': column(pa.string(), text), 'ls': column(pa.large_string(), text).cast(pa.string()),
  'bin': column(pa.binary(), lambda i: os.urandom(i % 9)), 'fix': column(pa.binary(7), lambda i: os.urandom(7)),
  'date': column(pa.date32(), lambda i: dt.date(1970, 1, 1) + random.randint(-100000, 100000) * day),
  't_ms': column(pa.time32('ms'), number(0, 86399999)), 't_us': column(pa.time64('us'), number(0, 86399999999)),
  'ts_ms': column(pa.timestamp('ms'), number(-10**12, 10**12)),
  'ts_us': column(pa.timestamp('us'), number(-10**15, 10**15)),
  'ts_us_utc': column(pa.timestamp('us', 'UTC'), number(-10**15, 10**15)),
  'ts_ns': column(pa.timestamp('ns'), lambda i: random.randint(-10**9, 10**9) * 1000),
  'none': pa.nulls(rows), 'required': column(pa.string(), text, 0),
}
nested = {
  'l': column(pa.list_(pa.int64()), lambda i: [None if random.random() < .2 else i for _ in range(i % 4)]),
  'll': column(pa.list_(pa.list_(pa.string())), lambda i: [random.choice([None, [], ['a', None, 'b']]) for _ in range(i % 3)]),
  'st': column(pa.struct([('a', pa.int32()), ('b', pa.struct([('c', pa.string())]))]),
               lambda i: {'a': i, 'b': random.choice([None, {'c': None}, {'c': 'x'}])}),
  'ls': column(pa.list_(pa.struct([('a', pa.int32()), ('l', pa.list_(pa.float64()))])),
               lambda i: [random.choice([None, {'a': i, 'l': None}, {'a': None, 'l': [1.5, None]}]) for _ in range(i % 3)]),
  'm': column(pa.map_(pa.string(), pa.list_(pa.int32())), lambda i: [(str(k), random.choice([None, [], [k]])) for k in range(i % 3)]),
  'sm': column(pa.struct([('m', pa.map_(pa.int32(), pa.string())), ('x', pa.bool_())]),
               lambda i: {'m': random.choice([None, [], [(1, 'a')]]), 'x': None}),
}
tables = {'flat': pa.table(flat), 'nested': pa.table(nested)}
schema = tables['flat'].schema
schema = schema.set(schema.get_field_index('required'), pa.field('required', pa.string(), nullable=False))
tables['flat'] = tables['flat'].cast(schema)
variants = [{'compression': codec} for codec in ['none', 'snappy', 'gzip', 'zstd', 'lz4', 'brotli']]
variants += [
  {'compression': 'zstd', 'data_page_version': '2.0'},
  {'compression': 'snappy', 'data_page_version': '2.0', 'use_dictionary': False},
  {'compression': 'none', 'data_page_version': '2.0'},
  {'compression': 'zstd', 'use_dictionary': False, 'data_page_size': 1000, 'write_page_index': True, 'row_group_size': 700},
  {'compression': 'gzip', 'data_page_size': 500, 'write_page_checksum': True, 'row_group_size': 1000},
  {'compression': 'zstd', 'use_deprecated_int96_timestamps': True},
]
output = []
for name, table in tables.items():
    for at, options in enumerate(variants):
        path = f"{input}/{name}-{at}.parquet"
        pq.write_table(table, path, store_schema=False, **options)
        output.append({'path': path, 'name': f'{name} {options}'})
encodings = pa.table({'i': flat['i32'], 'l': flat['i64'], 's': flat['s'], 'f': flat['f64'], 'x': flat['fix'], 'b': flat['b']})
for encoding in [{'i': 'DELTA_BINARY_PACKED', 'l': 'DELTA_BINARY_PACKED', 's': 'DELTA_BYTE_ARRAY', 'f': 'BYTE_STREAM_SPLIT'},
                 {'s': 'DELTA_LENGTH_BYTE_ARRAY', 'l': 'BYTE_STREAM_SPLIT', 'x': 'BYTE_STREAM_SPLIT', 'b': 'RLE'}]:
    path = f"{input}/encodings-{len(output)}.parquet"
    pq.write_table(encodings, path, store_schema=False, use_dictionary=False, column_encoding=encoding)
    output.append({'path': path, 'name': str(encoding)})
empty = f"{input}/empty.parquet"
pq.write_table(tables['nested'].slice(0, 0), empty, store_schema=False)
output.append({'path': empty, 'name': 'no rows'})
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder();
});
after(() => folder[Symbol.asyncDispose]());

test('every type, nesting, codec, page version and encoding reads as pyarrow reads it', async () => {
  const files = (await runPython(writeFiles, folder.path)) as { path: string; name: string }[];
  assert.ok(files.length > 25);
  const results = await catFiles(
    files.map((file) => file.path),
    folder.path,
    60_000,
  );
  for (const [at, result] of results.entries()) {
    assert.ok(result.stream, `${files[at]!.name}: ${result.message ?? result.crash}`);
  }
  const differences = await compareWithPyarrow(results.map(({ path, stream }) => ({ path, stream: stream! })));
  assert.deepEqual(
    differences.flatMap((difference, at) => (difference === null ? [] : [`${files[at]!.name}: ${difference}`])),
    [],
  );
});
