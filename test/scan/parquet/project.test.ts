import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { NameMapping } from '../../../src/catalog/schema/name-mapping.ts';
import type { NestedField, Schema, Type } from '../../../src/catalog/schema/types.ts';
import { type FieldId, fieldId } from '../../../src/core/ids.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { openParquet } from '../../../src/scan/parquet/footer.ts';
import { projectedLeaves, projectFile } from '../../../src/scan/parquet/project.ts';
import { readRowGroup } from '../../../src/scan/parquet/read.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import { runPython } from '../../support/python.ts';
import { temporaryFolder } from './compare.ts';
import { valuesOf } from './values.ts';

/** A file of three rows with a field id on everything, and the same rows without any ids. */
const writeFiles = `
import datetime as dt, decimal
import pyarrow as pa, pyarrow.parquet as pq
def field(id, name, kind, nullable=True): return pa.field(name, kind, nullable, metadata={'PARQUET:field_id': str(id)})
schema = pa.schema([
  field(1, 'id', pa.int32(), False), field(2, 'ratio', pa.float32()), field(3, 'price', pa.decimal128(7, 2)),
  field(4, 'place', pa.struct([field(5, 'city', pa.string()), field(6, 'zip', pa.int32())])),
  field(7, 'tags', pa.list_(field(8, 'element', pa.struct([field(9, 'name', pa.string()), field(10, 'weight', pa.int32())])))),
  field(11, 'counts', pa.map_(field(12, 'key', pa.string(), False), field(13, 'value', pa.int32()))),
  field(14, 'day', pa.date32()), field(15, 'wide', pa.decimal128(25, 2)), field(16, 'u', pa.uint32()),
])
rows = [
  {'id': 1, 'ratio': 0.5, 'price': decimal.Decimal('1.25'), 'place': {'city': 'Kyiv', 'zip': 1}, 'tags': [{'name': 'a', 'weight': 1}, None],
   'counts': [('x', 1), ('y', None)], 'day': dt.date(1969, 12, 31), 'wide': decimal.Decimal('-1.25'), 'u': 2**32 - 1},
  {'id': 2, 'ratio': None, 'price': None, 'place': None, 'tags': None, 'counts': None, 'day': None, 'wide': None, 'u': None},
  {'id': -3, 'ratio': -1.5, 'price': decimal.Decimal('-99999.99'), 'place': {'city': None, 'zip': None}, 'tags': [], 'counts': [],
   'day': dt.date(2024, 2, 29), 'wide': decimal.Decimal('99999999999999999999.01'), 'u': 7},
]
table = pa.Table.from_pylist(rows, schema)
pq.write_table(table, input + '/ids.parquet', store_schema=False)
def strip(f):
    t = f.type
    if pa.types.is_struct(t): t = pa.struct([strip(c) for c in t])
    elif pa.types.is_map(t): t = pa.map_(strip(t.key_field), strip(t.item_field))
    elif pa.types.is_list(t): t = pa.list_(strip(t.value_field))
    return pa.field(f.name, t, f.nullable)
pq.write_table(pa.Table.from_pylist(rows, pa.schema([strip(f) for f in schema])), input + '/names.parquet', store_schema=False)
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const objects = openLocalStore();
const { signal } = new AbortController();
before(async () => {
  folder = await temporaryFolder();
  await runPython(writeFiles, folder.path);
});
after(async () => {
  await objects[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const optional = (id: number, name: string, type: Type): NestedField => ({
  id: fieldId(id),
  name,
  required: false,
  type,
});
const required = (id: number, name: string, type: Type): NestedField => ({
  id: fieldId(id),
  name,
  required: true,
  type,
});
const struct = (...fields: NestedField[]): Type => ({ kind: 'struct', fields });
const list = (element: NestedField): Type => ({ kind: 'list', element });
const int = { kind: 'int' } as const;
const long = { kind: 'long' } as const;
const string = { kind: 'string' } as const;

async function read(
  name: 'ids' | 'names',
  fields: readonly NestedField[],
  { mapping = null, wanted }: { mapping?: NameMapping | null; wanted?: ReadonlySet<FieldId> } = {},
) {
  const location = pathToFileURL(join(folder.path, `${name}.parquet`)).href;
  const file = await openParquet({ objects, location, limits: defaultLimits, signal });
  const schema: Schema = { schemaId: 0, fields, identifierFieldIds: [] };
  const projection = projectFile(file, schema, wanted ?? fields, mapping);
  const { columns } = await readRowGroup({ file, projection, rowGroup: 0, signal });
  const entries = projection.fields.map((field, at) => [field.name, valuesOf(columns[at]!)]);
  return {
    values: Object.fromEntries(entries),
    leaves: projectedLeaves(projection).map((leaf) => leaf.path.join('.')),
  };
}

test('columns are found by field id under other names, in another order, and new ones are null', async () => {
  const { values } = await read('ids', [
    optional(14, 'date_of', { kind: 'date' }),
    optional(99, 'id', string),
    required(1, 'number', int),
  ]);
  assert.deepEqual(values, { date_of: [-1, null, 19782], id: [null, null, null], number: [1, 2, -3] });
});

test('a name that an old column left is not read for a new column of the same name', async () => {
  const { values, leaves } = await read('ids', [optional(98, 'price', { kind: 'decimal', precision: 7, scale: 2 })]);
  assert.deepEqual(values, { price: [null, null, null] });
  assert.deepEqual(leaves, []);
});

test('promoted columns read as the wider type', async () => {
  const { values } = await read('ids', [
    required(1, 'id', long),
    optional(2, 'ratio', { kind: 'double' }),
    optional(3, 'price', { kind: 'decimal', precision: 38, scale: 2 }),
    optional(15, 'wide', { kind: 'decimal', precision: 30, scale: 2 }),
    optional(16, 'u', long),
  ]);
  assert.deepEqual(values, {
    id: [1n, 2n, -3n],
    ratio: [0.5, null, -1.5],
    price: [125n, null, -9999999n],
    wide: [-125n, null, 9999999999999999999901n],
    u: [4294967295n, null, 7n],
  });
});

test('nested fields evolve by id inside of structs, lists and maps', async () => {
  const { values } = await read('ids', [
    optional(
      4,
      'place',
      struct(optional(6, 'postcode', long), optional(50, 'country', string), optional(5, 'town', string)),
    ),
    optional(7, 'tags', list(optional(8, 'element', struct(optional(51, 'new', int), optional(10, 'w', long))))),
    optional(11, 'counts', { kind: 'map', key: required(12, 'key', string), value: optional(13, 'value', long) }),
  ]);
  assert.deepEqual(values, {
    place: [{ postcode: 1n, country: null, town: 'Kyiv' }, null, { postcode: null, country: null, town: null }],
    tags: [[{ new: null, w: 1n }, null], null, []],
    counts: [
      [
        { key: 'x', value: 1n },
        { key: 'y', value: null },
      ],
      null,
      [],
    ],
  });
});

test('a struct none of whose wanted fields is in the file still says where it is null, by one leaf', async () => {
  const { values, leaves } = await read('ids', [
    optional(4, 'place', struct(optional(60, 'country', string))),
    optional(7, 'tags', list(optional(8, 'element', struct(optional(61, 'new', int))))),
  ]);
  assert.deepEqual(values, {
    place: [{ country: null }, null, { country: null }],
    tags: [[{ new: null }, null], null, []],
  });
  assert.deepEqual(leaves, ['place.zip', 'tags.list.element.weight']);
});

test('wanted ids choose leaves at any depth, in the order of the schema', async () => {
  const fields = [
    required(1, 'id', int),
    optional(4, 'place', struct(optional(5, 'city', string), optional(6, 'zip', int))),
    optional(14, 'day', { kind: 'date' as const }),
  ];
  const { values, leaves } = await read('ids', fields, { wanted: new Set([fieldId(6), fieldId(1)]) });
  assert.deepEqual(values, { id: [1, 2, -3], place: [{ zip: 1 }, null, { zip: null }] });
  assert.deepEqual(leaves, ['id', 'place.zip']);
});

test('a file without ids is read by the name mapping, and has no columns without one', async () => {
  const fields = [
    optional(1, 'number', int),
    optional(4, 'place', struct(optional(5, 'town', string))),
    optional(7, 'tags', list(optional(8, 'element', struct(optional(9, 'name', string))))),
  ];
  const mapped = (id: number, name: string, ...children: NameMapping['fields']) => ({
    fieldId: fieldId(id),
    names: [name],
    fields: children,
  });
  const mapping = {
    fields: [
      mapped(1, 'id'),
      mapped(4, 'place', mapped(5, 'city')),
      mapped(7, 'tags', mapped(8, 'element', mapped(9, 'name'))),
    ],
  };
  const { values } = await read('names', fields, { mapping });
  assert.deepEqual(values, {
    number: [1, 2, -3],
    place: [{ town: 'Kyiv' }, null, { town: null }],
    tags: [[{ name: 'a' }, null], null, []],
  });
  const unmapped = await read('names', fields);
  assert.deepEqual(unmapped.values, {
    number: [null, null, null],
    place: [null, null, null],
    tags: [null, null, null],
  });
});

test('a missing required column is refused, one inside of a missing optional struct is not', async () => {
  await assert.rejects(read('ids', [required(70, 'new', int)]), { code: 'CORRUPT_FILE' });
  const { values } = await read('ids', [optional(71, 'new', struct(required(72, 'inner', int)))]);
  assert.deepEqual(values, { new: [null, null, null] });
  await assert.rejects(read('ids', [optional(4, 'place', struct(required(73, 'inner', int)))]), {
    code: 'CORRUPT_FILE',
  });
});

test('a null in a required column is refused unless its parent is null', async () => {
  await assert.rejects(read('ids', [required(2, 'ratio', { kind: 'float' })]), { code: 'CORRUPT_FILE' });
  await assert.rejects(read('ids', [optional(4, 'place', struct(required(6, 'zip', int)))]), { code: 'CORRUPT_FILE' });
});

test('types that do not belong together are refused', async () => {
  const refused: NestedField[] = [
    optional(1, 'id', string),
    optional(2, 'ratio', long),
    optional(3, 'price', { kind: 'decimal', precision: 7, scale: 3 }),
    optional(3, 'price', { kind: 'decimal', precision: 6, scale: 2 }),
    optional(4, 'place', list(optional(5, 'element', string))),
    optional(7, 'tags', struct(optional(8, 'element', int))),
    optional(16, 'u', int),
    optional(14, 'day', { kind: 'timestamptz' }),
  ];
  for (const field of refused) {
    await assert.rejects(read('ids', [field]), { code: 'SCHEMA_MISMATCH' }, `${field.name} as ${field.type.kind}`);
  }
});
