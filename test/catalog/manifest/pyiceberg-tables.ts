import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runPython } from '../../support/python.ts';

/** What PyIceberg says of one manifest entry; values as text, bytes as hex. */
export interface PyEntry {
  readonly status: number;
  readonly snapshot: string;
  readonly sequence: string;
  readonly fileSequence: string;
  readonly path: string;
  readonly format: string;
  readonly partition: readonly string[];
  readonly rows: number;
  readonly bytes: number;
  readonly columnBytes: Readonly<Record<string, number>>;
  readonly valueCounts: Readonly<Record<string, number>>;
  readonly nullCounts: Readonly<Record<string, number>>;
  readonly nanCounts: Readonly<Record<string, number>>;
  readonly lower: Readonly<Record<string, string>>;
  readonly upper: Readonly<Record<string, string>>;
  readonly splitOffsets: readonly number[];
}

export interface PyManifest {
  readonly path: string;
  readonly bytes: number;
  readonly spec: number;
  readonly content: number;
  readonly sequence: string;
  readonly minSequence: string;
  readonly snapshot: string;
  readonly counts: readonly number[];
  readonly rows: readonly number[];
  readonly partitions: readonly (readonly [boolean, boolean | null, string | null, string | null])[];
  readonly entries: readonly PyEntry[];
}

/** Python that describes a manifest list's manifests: `manifests_of(io, list)`. */
export const describe = `
import datetime, decimal, uuid
def text(v):
    if v is None: return 'null'
    if isinstance(v, (bytes, bytearray)): return v.hex()
    if isinstance(v, uuid.UUID): return v.bytes.hex()
    if isinstance(v, bool): return str(v).lower()
    if isinstance(v, decimal.Decimal): return str(int(v.scaleb(-v.as_tuple().exponent)))
    if isinstance(v, float): return repr(v)
    return str(v)
def hexes(m): return {str(k): v.hex() for k, v in (m or {}).items()}
def numbers(m): return {str(k): v for k, v in (m or {}).items()}
def entry(e):
    f = e.data_file
    return dict(status=int(e.status), snapshot=str(e.snapshot_id), sequence=str(e.sequence_number),
        fileSequence=str(e.file_sequence_number), path=f.file_path, format=f.file_format.value.lower(),
        partition=[text(f.partition[i]) for i in range(len(f.partition))], rows=f.record_count, bytes=f.file_size_in_bytes,
        columnBytes=numbers(f.column_sizes), valueCounts=numbers(f.value_counts), nullCounts=numbers(f.null_value_counts),
        nanCounts=numbers(f.nan_value_counts), lower=hexes(f.lower_bounds), upper=hexes(f.upper_bounds),
        splitOffsets=list(f.split_offsets or []))
def manifest(io, m):
    return dict(path=m.manifest_path, bytes=m.manifest_length, spec=m.partition_spec_id, content=int(m.content),
        sequence=str(m.sequence_number), minSequence=str(m.min_sequence_number), snapshot=str(m.added_snapshot_id),
        counts=[m.added_files_count, m.existing_files_count, m.deleted_files_count],
        rows=[m.added_rows_count, m.existing_rows_count, m.deleted_rows_count],
        partitions=[[p.contains_null, p.contains_nan, p.lower_bound.hex() if p.lower_bound is not None else None,
            p.upper_bound.hex() if p.upper_bound is not None else None] for p in (m.partitions or [])],
        entries=[entry(e) for e in m.fetch_manifest_entry(io, discard_deleted=False)])
def manifests_of(io, path):
    from pyiceberg.manifest import read_manifest_list
    return [manifest(io, m) for m in read_manifest_list(io.new_input(path))]
`;

/** A folder with tables that PyIceberg wrote: partitions of many types, nulls, NaN, deletes and several snapshots. */
export interface PyTable {
  readonly name: string;
  readonly metadataPath: string;
  readonly snapshots: readonly { readonly id: string; readonly manifests: readonly PyManifest[] }[];
}

export async function writeTables(): Promise<{ readonly folder: string; readonly tables: readonly PyTable[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-pyiceberg-'));
  const tables = (await runPython(script, { folder })) as readonly PyTable[];
  return { folder, tables };
}

const script = `${describe}
import math, pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.types import *
from pyiceberg.partitioning import PartitionSpec, PartitionField
from pyiceberg.transforms import *
import datetime, decimal
folder = input['folder']
catalog = SqlCatalog('test', uri=f'sqlite:///{folder}/catalog.db', warehouse=f'file://{folder}/warehouse')
catalog.create_namespace('ns')
utc = datetime.timezone.utc
D = decimal.Decimal
columns = [
  ('b', BooleanType(), pa.bool_(), [True, False, None]),
  ('i', IntegerType(), pa.int32(), [-5, 2147483647, None]),
  ('l', LongType(), pa.int64(), [-(2**63), 2**63 - 1, None]),
  ('f', FloatType(), pa.float32(), [1.5, -0.25, None]),
  ('d', DoubleType(), pa.float64(), [8.125, -2.5, None]),
  ('dec', DecimalType(20, 4), pa.decimal128(20, 4), [D('-1234567890123456.7891'), D('0.0001'), None]),
  ('dec9', DecimalType(9, 2), pa.decimal128(9, 2), [D('-1.25'), D('9999999.99'), None]),
  ('day', DateType(), pa.date32(), [datetime.date(1969, 12, 31), datetime.date(2024, 2, 29), None]),
  ('ts', TimestampType(), pa.timestamp('us'), [datetime.datetime(1969, 12, 31, 23, 59, 59, 999999), datetime.datetime(2024, 2, 29, 1, 2, 3), None]),
  ('tz', TimestamptzType(), pa.timestamp('us', 'UTC'), [datetime.datetime(1969, 12, 31, tzinfo=utc), datetime.datetime(2024, 2, 29, tzinfo=utc), None]),
  ('s', StringType(), pa.string(), ['', 'a b/ü%', None]),
  ('bin', BinaryType(), pa.binary(), [b'\\x00\\xff', b'x', None]),
  ('fx', FixedType(3), pa.binary(3), [b'abc', b'\\x00\\x00\\x00', None]),
]
schema = Schema(*[NestedField(i + 1, n, t, required=False) for i, (n, t, _, _) in enumerate(columns)])
ids = {n: i + 1 for i, (n, _, _, _) in enumerate(columns)}
arrow = pa.schema([pa.field(n, a) for n, _, a, _ in columns])
rows = pa.Table.from_arrays([pa.array(v, a) for _, _, a, v in columns], schema=arrow)
# PyIceberg computes these transforms on Arrow only with another package: their files are made up, one per row of \`derived\`.
specs = {
  'plain': [],
  'identities': [(n, IdentityTransform()) for n in ids if n != 'fx'],
  'derived': [('i', BucketTransform(16)), ('s', TruncateTransform(2)), ('ts', MonthTransform()), ('tz', HourTransform()), ('day', YearTransform()), ('dec', TruncateTransform(50)), ('ts', DayTransform()), ('l', VoidTransform())],
}
derived = [(3, 'a ', -1, -24, -1, D('-1234567890123456.7900'), -1, None), (15, 'ü', 649, 474600, 54, D('0.0000'), 19782, None), (None,) * 8]
def made(table, k):
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
    from pyiceberg.typedef import Record
    file = DataFile.from_args(content=DataFileContent.DATA, file_path=f'{table.location()}/data/{k}.parquet', file_format=FileFormat.PARQUET,
      partition=Record(*derived[k]), record_count=k + 1, file_size_in_bytes=100 + k, column_sizes={1: 5}, value_counts={}, split_offsets=[4, 40])
    file.spec_id = table.spec().spec_id
    return file
output = []
for version in (1, 2):
  for name, parts in specs.items():
    spec = PartitionSpec(*[PartitionField(ids[n], 1000 + k, t, f'{n} p-{k}' if name == 'derived' else f'{n}_{k}') for k, (n, t) in enumerate(parts)])
    codec = {'plain': 'zstd', 'identities': 'null'}.get(name, 'gzip')
    table = catalog.create_table(f'ns.{name}{version}', schema, partition_spec=spec, properties={'format-version': str(version), 'write.avro.compression-codec': codec})
    if name == 'derived':
      with table.transaction() as tx:
        with tx.update_snapshot().fast_append() as append:
          for k in range(3): append.append_data_file(made(table, k))
      with table.transaction() as tx:
        with tx.update_snapshot().overwrite() as overwrite: overwrite.delete_data_file(made(table, 1))
    else:
      table.append(rows)
      table.append(rows.slice(0, 2))
      table.delete('l = 9223372036854775807')
      table.append(rows.slice(2, 1))
    output.append(dict(name=f'{name}{version}', metadataPath=table.metadata_location.removeprefix('file://'),
      snapshots=[dict(id=str(s.snapshot_id), manifests=manifests_of(table.io, s.manifest_list)) for s in table.snapshots()]))
`;
