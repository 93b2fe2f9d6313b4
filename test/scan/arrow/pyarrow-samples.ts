import { runPython } from '../../support/python.ts';

/**
 * Python that writes IPC streams and files of generated tables: every type that has a column of ours, nested, with and without nulls,
 * empty, sliced, with dictionaries (replaced and extended), compressions and the old metadata version.
 */
const script = `
import datetime, decimal, os, random
import pyarrow as pa, pyarrow.ipc as ipc
rng = random.Random(input['seed'])
folder = input['folder']

def text(): return ''.join(rng.choice('abc é漢😀 0129-@') for _ in range(rng.randrange(0, 20)))
def some(make, nulls): return lambda n: [None if nulls and rng.random() < 0.3 else make() for _ in range(n)]

leaves = [
  (pa.null(), lambda: None), (pa.bool_(), lambda: rng.random() < 0.5),
  *[(t, lambda t=t: rng.randrange(-2**(t.bit_width-1), 2**(t.bit_width-1))) for t in (pa.int8(), pa.int16(), pa.int32(), pa.int64())],
  *[(t, lambda t=t: rng.randrange(0, 2**t.bit_width)) for t in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())],
  (pa.float16(), lambda: rng.choice([0.5, -2.0, float('inf')])), (pa.float32(), lambda: rng.choice([1.5, -0.0, float('inf')])),
  (pa.float64(), lambda: rng.choice([rng.random(), float('nan'), -0.0])),
  (pa.decimal32(9, 2), lambda: decimal.Decimal(rng.randrange(-10**9+1, 10**9)).scaleb(-2)),
  (pa.decimal64(18, 0), lambda: decimal.Decimal(rng.randrange(-10**18+1, 10**18))),
  (pa.decimal128(20, 3), lambda: decimal.Decimal(rng.randrange(-10**20+1, 10**20)).scaleb(-3)),
  (pa.decimal256(60, 5), lambda: decimal.Decimal(rng.randrange(-10**27, 10**27)).scaleb(-5)),
  (pa.date32(), lambda: rng.randrange(-100000, 100000)), (pa.date64(), lambda: rng.randrange(-1000, 1000) * 86400000),
  (pa.time32('s'), lambda: rng.randrange(86400)), (pa.time32('ms'), lambda: rng.randrange(86400000)),
  (pa.time64('us'), lambda: rng.randrange(86400000000)), (pa.time64('ns'), lambda: rng.randrange(86400000000000)),
  *[(pa.timestamp(u, tz), lambda: rng.randrange(-2**50, 2**50)) for u in ('s', 'ms', 'us', 'ns') for tz in (None, 'UTC', 'Europe/Berlin')],
  *[(pa.duration(u), lambda: rng.randrange(-2**50, 2**50)) for u in ('s', 'ms', 'us', 'ns')],
  *[(t, text) for t in (pa.string(), pa.large_string(), pa.string_view())],
  *[(t, lambda: text().encode()) for t in (pa.binary(), pa.large_binary(), pa.binary_view())],
  (pa.binary(5), lambda: bytes(rng.randrange(256) for _ in range(5))), (pa.binary(0), lambda: b''),
]

def leaf(n, nulls):
    t, make = rng.choice(leaves)
    return pa.array(some(make, nulls)(n), t)

def offsets(n, total, big):
    cuts = sorted(rng.randrange(total + 1) for _ in range(max(0, n - 1)))
    return pa.array(([0] + cuts + [total]) if n else [0], pa.int64() if big else pa.int32())

def mask(n, nulls): return pa.array([nulls and rng.random() < 0.3 for _ in range(n)], pa.bool_())

def array(n, nulls, depth):
    kind = rng.randrange(14) if depth else 0
    if kind <= 4: return leaf(n, nulls)
    if kind == 5:
        children = [array(n, nulls, depth - 1) for _ in range(rng.randrange(1, 4))]
        fields = [pa.field('f%d' % i, c.type) for i, c in enumerate(children)]
        return pa.StructArray.from_arrays(children, fields=fields, mask=mask(n, nulls))
    if kind == 6:
        return pa.ListArray.from_arrays(offsets(n, 2 * n, False), array(2 * n, nulls, depth - 1), mask=mask(n, nulls))
    if kind == 7:
        return pa.LargeListArray.from_arrays(offsets(n, 2 * n, True), array(2 * n, nulls, depth - 1), mask=mask(n, nulls))
    if kind == 8:
        return pa.FixedSizeListArray.from_arrays(array(2 * n, nulls, depth - 1), 2, mask=mask(n, nulls))
    if kind == 9:
        entries = offsets(n, 2 * n, False)
        return pa.MapArray.from_arrays(entries, pa.array([text() for _ in range(2 * n)], pa.string()), array(2 * n, nulls, depth - 1))
    if kind == 10:
        starts = pa.array([rng.randrange(n + 1) for _ in range(n)], pa.int32())
        sizes = pa.array([rng.randrange(min(3, n + 1 - s.as_py())) for s in starts], pa.int32())
        return pa.ListViewArray.from_arrays(starts, sizes, array(n, nulls, depth - 1), mask=mask(n, nulls))
    if kind == 11:
        values = array(5, nulls, 0)
        index = rng.choice([pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64()])
        return pa.DictionaryArray.from_arrays(pa.array(some(lambda: rng.randrange(5), nulls)(n), index), values)
    if kind == 12 and n > 2:
        ends = sorted(rng.sample(range(1, n), min(2, n - 1))) + [n]
        return pa.RunEndEncodedArray.from_arrays(pa.array(ends, rng.choice([pa.int16(), pa.int32(), pa.int64()])), leaf(len(ends), nulls))
    return leaf(n, nulls)

paths = []
for number in range(input['count']):
    n = rng.choice([0, 1, 7, 8, 9, 64, 100])
    nulls = rng.random() < 0.7
    columns = [array(n + 3, nulls, 3) for _ in range(rng.randrange(1, 6))]
    fields = [pa.field('c%d' % i, c.type, metadata={'PARQUET:field_id': str(i)} if i % 2 else None) for i, c in enumerate(columns)]
    whole = pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, metadata={'k': 'v%d' % number}))
    start = rng.randrange(4)
    parts = [whole.slice(start, n), whole.slice(0, 0), whole.slice(rng.randrange(3), n // 2)]
    # pyarrow 26 cannot read the compressed batches that it writes with V4.
    compression = rng.choice([None, 'lz4', 'zstd'])
    options = ipc.IpcWriteOptions(
        compression=compression,
        metadata_version=ipc.MetadataVersion.V4 if compression is None and rng.random() < 0.5 else ipc.MetadataVersion.V5,
        use_legacy_format=rng.random() < 0.2,
        emit_dictionary_deltas=rng.random() < 0.5)
    path = os.path.join(folder, '%d.%s' % (number, 'arrow' if rng.random() < 0.3 else 'arrows'))
    try:
        with (ipc.new_file if path.endswith('.arrow') else ipc.new_stream)(path, whole.schema, options=options) as writer:
            for part in parts: writer.write_batch(part)
        # Not everything that pyarrow writes can it read (deltas of dictionaries with nulls, for one).
        (ipc.open_file if path.endswith('.arrow') else ipc.open_stream)(open(path, 'rb').read()).read_all()
    except (pa.ArrowInvalid, NotImplementedError):
        continue
    paths.append(path)

# Dictionaries that grow, as deltas, and that are replaced.
values = [text() + str(i) for i in range(40)]
for deltas in (False, True):
    path = os.path.join(folder, 'growing-%s.arrows' % deltas)
    schema = pa.schema([pa.field('d', pa.dictionary(pa.int8(), pa.string())), pa.field('l', pa.list_(pa.dictionary(pa.int32(), pa.string())))])
    with ipc.new_stream(path, schema, options=ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)) as writer:
        for size in (3, 10, 10, 40):
            d = pa.DictionaryArray.from_arrays(pa.array([rng.randrange(size) if rng.random() < 0.8 else None for _ in range(20)], pa.int8()), pa.array(values[:size]))
            l = pa.ListArray.from_arrays(offsets(20, 20, False), d.cast(pa.dictionary(pa.int32(), pa.string())))
            writer.write_batch(pa.RecordBatch.from_arrays([d, l], schema=schema))
    paths.append(path)
output = paths
`;

/** Writes about `count` samples into a folder and gives their paths. The same seed makes the same files. */
export async function writeSamples(folder: string, count: number, seed: number): Promise<readonly string[]> {
  return (await runPython(script, { folder, count, seed })) as string[];
}
