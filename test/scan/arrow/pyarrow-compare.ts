import { runPython } from '../../support/python.ts';

/**
 * Python that reads pairs of IPC files or streams and tells where they differ: schemas with our normalizations undone (large, view,
 * dictionary and run-end types), metadata, nullability, and every value, batch by batch. Temporal values are compared as integers, so that
 * none is out of Python's range.
 */
const script = `
import bisect
import pyarrow as pa, pyarrow.ipc as ipc

def batches(path):
    data = open(path, 'rb').read()
    if data[:6] == b'ARROW1':
        reader = ipc.open_file(data)
        return reader.schema, [reader.get_batch(i) for i in range(reader.num_record_batches)]
    reader = ipc.open_stream(data)
    return reader.schema, list(reader)

def type_name(t):
    if isinstance(t, pa.BaseExtensionType): t = t.storage_type
    if pa.types.is_dictionary(t): return type_name(t.value_type)
    if pa.types.is_run_end_encoded(t): return type_name(t.value_type)
    if pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t): return 'utf8'
    if pa.types.is_fixed_size_binary(t): return str(t)
    if pa.types.is_binary(t) or pa.types.is_large_binary(t) or pa.types.is_binary_view(t): return 'binary'
    if pa.types.is_fixed_size_list(t): return ['fixed_size_list', t.list_size, field_of(t.value_field)]
    if pa.types.is_map(t): return ['map', t.keys_sorted, field_of(t.key_field), field_of(t.item_field)]
    if pa.types.is_nested(t) and not pa.types.is_struct(t): return ['list', field_of(t.value_field)]
    if pa.types.is_struct(t): return ['struct'] + [field_of(t.field(i)) for i in range(t.num_fields)]
    return str(t)

def meta(m):
    return sorted((k.hex(), v.hex()) for k, v in (m or {}).items())

def field_of(f):
    return [f.name, f.nullable, type_name(f.type), meta(f.metadata)]

def values(a):
    t = a.type
    if isinstance(t, pa.BaseExtensionType): return values(a.storage)
    if pa.types.is_dictionary(t):
        entries = values(a.dictionary)
        return [None if i is None else entries[i] for i in a.indices.to_pylist()]
    if pa.types.is_run_end_encoded(t):
        ends, entries = a.run_ends.to_pylist(), values(a.values)
        return [entries[bisect.bisect_right(ends, a.offset + i)] for i in range(len(a))]
    valid = a.is_valid().to_pylist()
    if pa.types.is_struct(t):
        children = [values(a.field(i)) for i in range(t.num_fields)]
        return [tuple(c[i] for c in children) if valid[i] else None for i in range(len(a))]
    if pa.types.is_map(t):
        keys, items, offsets = values(a.keys), values(a.items), a.offsets.to_pylist()
        ranges = [(offsets[i], offsets[i + 1]) for i in range(len(a))]
        return [list(zip(keys[x:y], items[x:y])) if valid[i] else None for i, (x, y) in enumerate(ranges)]
    if pa.types.is_nested(t):
        # Not flatten(): it joins chunks, which pyarrow cannot do with dictionaries that hold nulls.
        flat = values(a.values)
        if pa.types.is_fixed_size_list(t):
            starts = [(a.offset + i) * t.list_size for i in range(len(a))]
            ends = [start + t.list_size for start in starts]
        else:
            starts = a.offsets.to_pylist()
            views = pa.types.is_list_view(t) or pa.types.is_large_list_view(t)
            ends = [x + n for x, n in zip(starts, a.sizes.to_pylist())] if views else starts[1:]
        return [flat[starts[i]:ends[i]] if valid[i] else None for i in range(len(a))]
    if pa.types.is_temporal(t) and not pa.types.is_interval(t):
        a = a.view(pa.int64() if t.bit_width == 64 else pa.int32())
    return [repr(v) if isinstance(v, float) else v for v in a.to_pylist()]

def compare(left, right, same_batches):
    ls, lb = batches(left)
    rs, rb = batches(right)
    for b in rb: b.validate()
    a, b = [field_of(f) for f in ls], [field_of(f) for f in rs]
    if a != b: return 'schema: %r is not %r' % (a, b)
    if meta(ls.metadata) != meta(rs.metadata): return 'schema metadata'
    if same_batches and [x.num_rows for x in lb] != [x.num_rows for x in rb]: return 'batches'
    for i in range(len(ls)):
        x = [v for b in lb for v in values(b.column(i))]
        y = [v for b in rb for v in values(b.column(i))]
        if x != y:
            at = next((k for k in range(min(len(x), len(y))) if x[k] != y[k]), min(len(x), len(y)))
            return 'column %s row %d: %r is not %r' % (ls.field(i).name, at, x[at:at + 1], y[at:at + 1])
    return None

output = []
for left, right in input:
    try: output.append(compare(left, right, True))
    except Exception as e: output.append('error: %s' % e)
`;

/** For each pair of paths null, or what differs. */
export async function comparePairs(pairs: readonly (readonly [string, string])[]): Promise<readonly (string | null)[]> {
  return (await runPython(script, pairs)) as (string | null)[];
}
