import { runPython } from '../../support/python.ts';

/** Files to compare: the Avro file and the Arrow stream that we made of it. */
export interface Pair {
  readonly avro: string;
  readonly arrow: string;
}

/**
 * Python that reads an Avro file with fastavro, its logical types off, and an Arrow stream with pyarrow, and brings both to the same
 * plain values: decimals as unscaled integers, temporal values as integers, bytes and uuids as hex.
 */
const script = `
import uuid, fastavro, fastavro.read, pyarrow as pa, pyarrow.ipc as ipc
fastavro.read.LOGICAL_READERS.clear()

def from_avro(schema, names, value):
    if isinstance(schema, str) and schema in names: schema = names[schema]
    if isinstance(schema, list):
        if value is None: return None
        return from_avro(next(s for s in schema if s != 'null'), names, value)
    kind = schema if isinstance(schema, str) else schema['type']
    logical = None if isinstance(schema, str) else schema.get('logicalType')
    if kind == 'record': return [from_avro(f['type'], names, value[f['name']]) for f in schema['fields']]
    if kind == 'array': return [from_avro(schema['items'], names, v) for v in value]
    if kind == 'map': return [[k, from_avro(schema['values'], names, v)] for k, v in value.items()]
    if logical == 'decimal': return int.from_bytes(value, 'big', signed=True)
    if logical == 'uuid' and kind == 'string': return uuid.UUID(value).bytes.hex()
    if kind in ('bytes', 'fixed'): return value.hex()
    if kind in ('float', 'double'): return repr(value)
    return value

def from_arrow(a):
    t = a.type
    if isinstance(t, pa.BaseExtensionType): return from_arrow(a.storage)
    valid = a.is_valid().to_pylist()
    if pa.types.is_struct(t):
        children = [from_arrow(a.field(i)) for i in range(t.num_fields)]
        return [[c[i] for c in children] if valid[i] else None for i in range(len(a))]
    if pa.types.is_map(t):
        keys, items = from_arrow(a.keys), from_arrow(a.items)
        offsets = a.offsets.to_pylist()
        return [[[keys[k], items[k]] for k in range(offsets[i], offsets[i + 1])] if valid[i] else None for i in range(len(a))]
    if pa.types.is_list(t):
        values, offsets = from_arrow(a.values), a.offsets.to_pylist()
        return [values[offsets[i]:offsets[i + 1]] if valid[i] else None for i in range(len(a))]
    if pa.types.is_decimal(t): return [None if v is None else int(v.scaleb(t.scale)) for v in a.to_pylist()]
    if pa.types.is_temporal(t): a = a.view(pa.int64() if t.bit_width == 64 else pa.int32())
    if pa.types.is_binary(t) or pa.types.is_fixed_size_binary(t): return [None if v is None else v.hex() for v in a.to_pylist()]
    if pa.types.is_floating(t): return [None if v is None else repr(v) for v in a.to_pylist()]
    return a.to_pylist()

import decimal
decimal.getcontext().prec = 200
output = []
for pair in input:
    with open(pair['avro'], 'rb') as file:
        reader = fastavro.reader(file)
        names = {}
        schema = reader.writer_schema
        expected = [from_avro(schema, names, row) for row in reader]
    stream = ipc.open_stream(open(pair['arrow'], 'rb').read())
    rows, types = [], [f'{f.name}: {f.type}{"" if f.nullable else " not null"}' for f in stream.schema]
    for batch in stream:
        batch.validate(full=True)
        rows += [list(row) for row in zip(*[from_arrow(c) for c in batch.columns])] if batch.num_columns else []
    output.append(dict(types=types, rows=len(rows), difference=None if rows == expected else f'{rows!r:.2000} is not {expected!r:.2000}'))
`;

export interface Compared {
  readonly types: readonly string[];
  readonly rows: number;
  /** Null where both readers gave the same. */
  readonly difference: string | null;
}

export const compareWithFastavro = async (pairs: readonly Pair[]): Promise<readonly Compared[]> =>
  (await runPython(script, pairs)) as readonly Compared[];

/** Writes files of every Avro type with fastavro, edge values among them; their paths. */
export const writeSamples = async (folder: string): Promise<readonly string[]> =>
  (await runPython(samples, { folder })) as readonly string[];

const samples = `
import fastavro, random, struct, uuid
random.seed(7)
long_min, long_max = -2**63, 2**63 - 1
def fixed(name, size, **extra): return dict(type='fixed', name=name, size=size, **extra)
types = [
  ('null', [None, None]),
  ('boolean', [True, False]),
  ('int', [0, -1, 2**31 - 1, -2**31]),
  ('long', [0, -1, long_min, long_max, 2**53 + 1]),
  ('float', [0.0, -0.0, 1.5, float('inf'), float('nan')]),
  ('double', [0.0, -1e308, 5e-324, float('-inf'), float('nan')]),
  ('bytes', [b'', b'\\x00\\xff']),
  ('string', ['', 'ü€😀', 'x' * 5000]),
  (fixed('f3', 3), [b'abc', b'\\x00\\x00\\x00']),
  (dict(type='enum', name='suit', symbols=['SPADES', 'HEARTS']), ['HEARTS', 'SPADES']),
  (dict(type='array', items='long'), [[], [1, 2, 3], [long_min]]),
  (dict(type='array', items=['null', dict(type='array', items='string')]), [[None, [], ['a']], []]),
  (dict(type='map', values=['int', 'null']), [{}, {'a': 1, 'ü': None}]),
  (dict(type='record', name='inner', fields=[dict(name='x', type='int'), dict(name='y', type=['string', 'null'])]), [dict(x=1, y=None), dict(x=2, y='y')]),
  (dict(type='int', logicalType='date'), [-719162, 0, 19782]),
  (dict(type='int', logicalType='time-millis'), [0, 86399999]),
  (dict(type='long', logicalType='time-micros'), [0, 86399999999]),
  (dict(type='long', logicalType='timestamp-millis'), [-1, 0, 2**40]),
  (dict(type='long', logicalType='timestamp-micros'), [long_min, -1, long_max]),
  (dict(type='long', logicalType='local-timestamp-micros'), [-1, 1]),
  (dict(type='long', logicalType='local-timestamp-nanos'), [-1, 1]),
  (dict(type='bytes', logicalType='decimal', precision=38, scale=10), [b'\\x80' + b'\\x00' * 15, b'\\xff', b'\\x00\\x00\\x00\\x01']),
  (fixed('d7', 7, logicalType='decimal', precision=16, scale=2), [b'\\xff' * 7, b'\\x00' * 6 + b'\\x05']),
  (dict(type='string', logicalType='uuid'), [str(uuid.UUID(int=5))]),
  (fixed('u16', 16, logicalType='uuid'), [bytes(range(16))]),
  (dict(type='string', logicalType='made-up'), ['x']),
]
# Values are given as the bytes and integers that are stored.
import fastavro.write
fastavro.write.LOGICAL_WRITERS.clear()
output = []
for index, (kind, values) in enumerate(types):
    for nullable in (None, 'first', 'last'):
        if kind == 'null' and nullable: continue
        schema = kind if nullable is None else (['null', kind] if nullable == 'first' else [kind, 'null'])
        rows = values + ([None] if nullable else [])
        rows = [rows[random.randrange(len(rows))] for _ in range(50)] + rows
        path = f"{input['folder']}/{index}-{nullable}.avro"
        with open(path, 'wb') as file:
            codec = ['null', 'deflate', 'snappy', 'zstandard'][index % 4]
            record = dict(type='record', name='row', fields=[dict(name='i', type='int'), dict(name='v', type=schema)])
            fastavro.writer(file, fastavro.parse_schema(record), [dict(i=k, v=v) for k, v in enumerate(rows)], codec=codec, sync_interval=100)
        output.append(path)
`;
