import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NestedField, PrimitiveType, Schema, Type } from '../../../src/catalog/schema/types.ts';
import { isServiceError } from '../../../src/core/errors.ts';
import { fieldId } from '../../../src/core/ids.ts';
import type { ArrowSchema, ArrowType } from '../../../src/scan/arrow/column.ts';
import { arrowSchemaOf, icebergSchemaOf } from '../../../src/scan/arrow/iceberg.ts';
import { openIpcStream } from '../../../src/scan/arrow/ipc-read.ts';
import { writeIpcStream } from '../../../src/scan/arrow/ipc-write.ts';
import { runPython } from '../../support/python.ts';
import { collect } from './collect.ts';
import { field } from './sample-columns.ts';

/** A type in PyIceberg's words. */
function show(type: Type): string {
  switch (type.kind) {
    case 'struct':
      return `struct<${type.fields.map((child) => `${child.id}: ${child.name}: ${child.required ? 'required' : 'optional'} ${show(child.type)}`).join(', ')}>`;
    case 'list':
      return `list<${type.element.id}: ${show(type.element.type)}>`;
    case 'map':
      return `map<${type.key.id}: ${show(type.key.type)}, ${type.value.id}: ${show(type.value.type)}>`;
    case 'decimal':
      return `decimal(${type.precision}, ${type.scale})`;
    case 'fixed':
      return `fixed[${type.length}]`;
    default:
      return type.kind;
  }
}

const showFields = (schema: Schema): string[] =>
  schema.fields.map(
    ({ id, name, required, type }) => `${id}: ${name}: ${required ? 'required' : 'optional'} ${show(type)}`,
  );

const python = `
import base64, pyarrow as pa
from pyiceberg.io.pyarrow import visit_pyarrow, _ConvertToIcebergWithoutIDs
from pyiceberg.schema import assign_fresh_schema_ids
from pyiceberg.types import *
def name(t):
    if isinstance(t, StructType): return 'struct<' + ', '.join('%d: %s: %s %s' % (f.field_id, f.name, 'required' if f.required else 'optional', name(f.field_type)) for f in t.fields) + '>'
    if isinstance(t, ListType): return 'list<%d: %s>' % (t.element_id, name(t.element_type))
    if isinstance(t, MapType): return 'map<%d: %s, %d: %s>' % (t.key_id, name(t.key_type), t.value_id, name(t.value_type))
    return str(t)
`;

test('an Arrow schema becomes the Iceberg schema that PyIceberg makes of it', async () => {
  const output = (await runPython(
    `${python}
schema = pa.schema([
  pa.field('b', pa.bool_(), nullable=False), ('i8', pa.int8()), ('i16', pa.int16()), ('i32', pa.int32()), ('u8', pa.uint8()), ('u16', pa.uint16()),
  ('i64', pa.int64()), ('f32', pa.float32()), ('f64', pa.float64()), ('dec', pa.decimal128(20, 5)), ('d', pa.date32()), ('t', pa.time64('us')),
  ('s', pa.struct([pa.field('x', pa.int32(), nullable=False), ('y', pa.list_(pa.struct([('z', pa.string())]))), ('w', pa.int64())])),
  ('m', pa.map_(pa.string(), pa.map_(pa.int32(), pa.large_string()))),
  *[('ts_%s_%s' % (u, z), pa.timestamp(u, z)) for u in ('s', 'ms', 'us') for z in (None, 'UTC', 'Etc/UTC', '+00:00')],
  ('str', pa.string()), ('lstr', pa.large_string()), ('vstr', pa.string_view()), ('bin', pa.binary()), ('lbin', pa.large_binary()), ('vbin', pa.binary_view()),
  ('fix', pa.binary(7)), ('fix16', pa.binary(16)), ('id', pa.uuid()), ('dict', pa.dictionary(pa.int8(), pa.string())),
  ('ll', pa.large_list(pa.int32())), ('fl', pa.list_(pa.float32(), 3)), pa.field('doc', pa.string(), metadata={'doc': 'said'}),
])
iceberg = assign_fresh_schema_ids(visit_pyarrow(schema, _ConvertToIcebergWithoutIDs(format_version=2)))
output = [base64.b64encode(schema.serialize().to_pybytes() + b'\\xff\\xff\\xff\\xff\\0\\0\\0\\0').decode(), ['%d: %s: %s %s' % (f.field_id, f.name, 'required' if f.required else 'optional', name(f.field_type)) for f in iceberg.fields]]`,
    null,
  )) as [string, string[]];
  const { schema } = await openIpcStream(Buffer.from(output[0], 'base64'));
  const ours = icebergSchemaOf(schema);
  assert.deepEqual(showFields(ours), output[1]);
  assert.equal(ours.fields.at(-1)!.doc, 'said');
});

const primitives: readonly PrimitiveType[] = [
  { kind: 'boolean' },
  { kind: 'int' },
  { kind: 'long' },
  { kind: 'float' },
  { kind: 'double' },
  { kind: 'decimal', precision: 38, scale: 10 },
  { kind: 'date' },
  { kind: 'time' },
  { kind: 'timestamp' },
  { kind: 'timestamptz' },
  { kind: 'timestamp_ns' },
  { kind: 'timestamptz_ns' },
  { kind: 'string' },
  { kind: 'uuid' },
  { kind: 'fixed', length: 3 },
  { kind: 'binary' },
  { kind: 'unknown' },
];

function everyType(): Schema {
  let last = 0;
  const make = (name: string, type: Type, required = false): NestedField => ({
    id: fieldId(++last),
    name,
    required,
    type,
  });
  const fields = primitives.map((type, at) => make(`p${at}`, type, at % 2 === 0 && type.kind !== 'unknown'));
  const inner = make('inner', {
    kind: 'struct',
    fields: [make('x', { kind: 'uuid' }), make('y', { kind: 'int' }, true)],
  });
  fields.push(inner);
  fields.push(make('list', { kind: 'list', element: make('element', { kind: 'string' }, true) }));
  const key = make('key', { kind: 'string' }, true);
  fields.push(make('map', { kind: 'map', key, value: make('value', { kind: 'double' }) }));
  return { schemaId: 3, fields, identifierFieldIds: [] };
}

test('a table schema is what PyIceberg makes of it in Arrow, without the large variants, and pyarrow knows its uuid', async () => {
  const schema = everyType();
  const bytes = Buffer.concat(await collect(writeIpcStream(arrowSchemaOf(schema), [])));
  const output = await runPython(
    `${python}
import pyarrow.ipc as ipc
from pyiceberg.io.pyarrow import pyarrow_to_schema
schema = ipc.open_stream(base64.b64decode(input)).schema
iceberg = pyarrow_to_schema(schema, format_version=3)
output = [['%d: %s: %s %s' % (f.field_id, f.name, 'required' if f.required else 'optional', name(f.field_type)) for f in iceberg.fields], [str(t) for t in schema.types]]`,
    bytes.toString('base64'),
  );
  const [fields, types] = output as [string[], string[]];
  assert.deepEqual(fields, showFields(schema));
  assert.equal(types[9], 'timestamp[us, tz=UTC]');
  assert.equal(types[13], 'extension<arrow.uuid>');
  assert.match(types[18]!, /^list<element: string not null/);
});

test('a schema survives the way to Arrow and back, but for its ids', () => {
  const back = icebergSchemaOf(arrowSchemaOf(everyType()), 3);
  const withoutIds = (schema: Schema) => showFields(schema).map((text) => text.replaceAll(/\d+: /g, ''));
  assert.deepEqual(withoutIds(back), withoutIds(everyType()));
});

test('types without a counterpart are refused with the path of the column', () => {
  const refused: [ArrowType, string][] = [
    [{ kind: 'int', bits: 64, signed: false }, 'SCHEMA_MISMATCH'],
    [{ kind: 'float', bits: 16 }, 'SCHEMA_MISMATCH'],
    [{ kind: 'duration', unit: 'us' }, 'SCHEMA_MISMATCH'],
    [{ kind: 'null' }, 'SCHEMA_MISMATCH'],
    [{ kind: 'time', unit: 'ms' }, 'SCHEMA_MISMATCH'],
    [{ kind: 'decimal', precision: 60, scale: 2, bits: 256 }, 'SCHEMA_MISMATCH'],
    [{ kind: 'timestamp', unit: 'us', timezone: 'Europe/Berlin' }, 'SCHEMA_MISMATCH'],
    [{ kind: 'timestamp', unit: 'ns', timezone: null }, 'UNSUPPORTED_FEATURE'],
  ];
  for (const [type, code] of refused) {
    const schema: ArrowSchema = {
      fields: [field('a', { kind: 'list', element: field('item', type) })],
      metadata: new Map(),
    };
    assert.throws(
      () => icebergSchemaOf(schema),
      (error) => isServiceError(error) && error.code === code && error.message.includes('a.element'),
      JSON.stringify(type),
    );
  }
  const wide: ArrowSchema = { fields: [field('a', { kind: 'int', bits: 32, signed: false })], metadata: new Map() };
  assert.equal(icebergSchemaOf(wide).fields[0]!.type.kind, 'long');
  const twice: ArrowSchema = {
    fields: [field('a', { kind: 'bool' }), field('a', { kind: 'bool' })],
    metadata: new Map(),
  };
  assert.throws(() => icebergSchemaOf(twice), /column a: the name is there twice/);
});
