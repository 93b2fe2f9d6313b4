import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assignFreshIds } from '../../../src/catalog/schema/assign-ids.ts';
import { parseSchema, parseType, schemaToJson, typeToJson } from '../../../src/catalog/schema/json.ts';
import { highestFieldId, indexSchema } from '../../../src/catalog/schema/lookup.ts';
import { list, map, optional, required, schemaOf, struct } from './support.ts';

const nested = {
  type: 'struct',
  'schema-id': 3,
  'identifier-field-ids': [1],
  fields: [
    { id: 1, name: 'id', required: true, type: 'uuid', doc: 'the key' },
    {
      id: 2,
      name: 'price',
      required: false,
      type: 'decimal(9, 2)',
      'initial-default': '1.00',
      'write-default': '2.00',
    },
    { id: 3, name: 'raw', required: false, type: 'fixed[16]' },
    {
      id: 4,
      name: 'points',
      required: false,
      type: {
        type: 'list',
        'element-id': 5,
        element: { type: 'struct', fields: [{ id: 6, name: 'x', required: true, type: 'double' }] },
        'element-required': true,
      },
    },
    {
      id: 7,
      name: 'tags',
      required: false,
      type: {
        type: 'map',
        'key-id': 8,
        key: 'string',
        'value-id': 9,
        value: 'timestamptz_ns',
        'value-required': false,
      },
    },
  ],
};

const field = (overrides: object): object => ({
  fields: [{ id: 1, name: 'a', required: false, type: 'int', ...overrides }],
});

test('a schema reads and writes as Iceberg writes it', () => {
  assert.deepEqual(schemaToJson(parseSchema(nested)), nested);
});

test('spaces and case in type names, bigint ids and a missing schema id are accepted', () => {
  assert.deepEqual(parseType('DECIMAL( 9,2 )'), { kind: 'decimal', precision: 9, scale: 2 });
  assert.deepEqual(parseType('fixed[ 4 ]'), { kind: 'fixed', length: 4 });
  assert.equal(typeToJson(parseType('decimal(38,0)')), 'decimal(38, 0)');
  const schema = parseSchema(field({ id: 7n, doc: null }));
  assert.equal(schema.schemaId, 0);
  assert.equal(schema.fields[0]!.id, 7);
});

test('JSON of another shape is refused', () => {
  const wrong = [
    null,
    [],
    'int',
    { type: 'list' },
    {},
    { fields: 1 },
    { fields: [1] },
    field({ id: '1' }),
    field({ id: -1 }),
    field({ id: 2147483646 }),
    field({ id: 2n ** 40n }),
    field({ name: '' }),
    field({ name: 1 }),
    field({ required: 'yes' }),
    field({ type: 'blob' }),
    field({ type: 'decimal(39, 0)' }),
    field({ type: 'decimal(2, 3)' }),
    field({ type: 'fixed[0]' }),
    field({ type: { type: 'set' } }),
    field({ type: { type: 'list', 'element-id': 2, element: 'int' } }),
    field({ type: { type: '__proto__' } }),
    { ...field({}), 'identifier-field-ids': ['1'] },
  ];
  for (const json of wrong) assert.throws(() => parseSchema(json), { code: 'INVALID_REQUEST' });
});

test('types that Headrace does not read are named', () => {
  for (const name of ['variant', 'geometry', 'geography(srid:4326, spherical)']) {
    assert.throws(() => parseSchema(field({ type: name })), {
      code: 'UNSUPPORTED_FEATURE',
      message: /variant|geometry|geography/,
    });
  }
});

test('ids and names that occur twice are refused, at any depth', () => {
  const twice = (second: object) => ({
    fields: [
      { id: 1, name: 'a', required: false, type: 'int' },
      { id: 2, name: 'b', required: false, type: 'int', ...second },
    ],
  });
  const deep = { type: 'list', 'element-id': 1, element: 'int', 'element-required': false };
  for (const json of [twice({ id: 1 }), twice({ name: 'a' }), twice({ type: deep })]) {
    assert.throws(() => parseSchema(json), { code: 'SCHEMA_MISMATCH' });
  }
});

test('identifier fields must be required primitives that are always there', () => {
  const cases = [
    field({ type: 'int' }),
    field({ required: true, type: 'double' }),
    field({ required: true, type: { type: 'struct', fields: [] } }),
    field({ id: 2 }),
    field({ id: 3, type: { type: 'struct', fields: [{ id: 1, name: 'b', required: true, type: 'int' }] } }),
  ];
  for (const json of cases) {
    assert.throws(() => parseSchema({ ...json, 'identifier-field-ids': [1] }), { code: 'SCHEMA_MISMATCH' });
  }
});

test('depth and number of fields are bounded', () => {
  let type: unknown = 'int';
  for (let id = 100; id > 2; id--) type = { type: 'list', 'element-id': id, element: type, 'element-required': true };
  assert.throws(() => parseSchema(field({ type })), { code: 'LIMIT_EXCEEDED' });
  const limits = { schemaDepthMax: 4, schemaFieldsMax: 3 };
  const wide = { fields: [1, 2, 3, 4].map((id) => ({ id, name: `c${id}`, required: false, type: 'int' })) };
  assert.throws(() => parseSchema(wide, limits), { code: 'LIMIT_EXCEEDED' });
  assert.throws(() => parseType('int', 5, limits), { code: 'LIMIT_EXCEEDED' });
});

test('the index lists parents before children and knows what surrounds a field', () => {
  const index = indexSchema(parseSchema(nested));
  assert.deepEqual(
    index.entries.map((entry) => entry.path.join('.')),
    ['id', 'price', 'raw', 'points', 'points.element', 'points.element.x', 'tags', 'tags.key', 'tags.value'],
  );
  const x = index.find(['points', 'element', 'x'])!;
  assert.equal(x.field.id, 6);
  assert.equal(x.parent!.field.id, 5);
  assert.ok(x.inRepeated && x.optionalAncestor);
  assert.equal(index.find(['ID']), undefined);
  assert.equal(index.find(['points.element']), undefined);
  assert.equal(highestFieldId(parseSchema(nested)), 9);
});

test('fresh ids number siblings before what lies below them', () => {
  const schema = schemaOf(
    [
      required(100, 'a', struct(optional(101, 'b', 'int'), optional(102, 'c', struct(optional(103, 'd', 'int'))))),
      optional(104, 'm', map(105, 106, struct(optional(107, 'k', 'int')), list(108, 'int'))),
      required(109, 'id', 'long'),
    ],
    [109],
  );
  const fresh = assignFreshIds(schema);
  assert.deepEqual(
    indexSchema(fresh.schema).entries.map((entry) => `${entry.path.join('.')}=${entry.field.id}`),
    ['a=1', 'a.b=4', 'a.c=5', 'a.c.d=6', 'm=2', 'm.key=7', 'm.key.k=9', 'm.value=8', 'm.value.element=10', 'id=3'],
  );
  assert.deepEqual(fresh.schema.identifierFieldIds, [3]);
  assert.equal(fresh.lastColumnId, 10);
  assert.equal(fresh.idMap.get(schema.fields[2]!.id), 3);
});
