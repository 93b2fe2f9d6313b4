import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EvolveOptions, evolveSchema, type SchemaChange } from '../../../src/catalog/schema/evolve.ts';
import { indexSchema } from '../../../src/catalog/schema/lookup.ts';
import { evolveNameMapping, nameMappingOf, nameMappingToJson } from '../../../src/catalog/schema/name-mapping.ts';
import { describeType } from '../../../src/catalog/schema/type-text.ts';
import type { Schema } from '../../../src/catalog/schema/types.ts';
import { list, map, optional, required, schemaOf, struct } from './support.ts';

const schema = schemaOf(
  [
    required(1, 'id', 'int'),
    optional(2, 'name', 'string'),
    optional(3, 'home', struct(required(4, 'zip', 'string'), optional(5, 'geo', struct(optional(6, 'lat', 'float'))))),
    optional(7, 'stops', list(8, struct(optional(9, 'at', 'timestamp')))),
    optional(
      10,
      'prices',
      map(
        11,
        12,
        struct(optional(13, 'k', 'int')),
        struct(optional(14, 'amount', { kind: 'decimal', precision: 9, scale: 2 })),
      ),
    ),
    optional(15, 'codes', list(16, 'int')),
  ],
  [1],
);

const evolve = (changes: SchemaChange[], options?: EvolveOptions): Schema =>
  evolveSchema(schema, 20, changes, options).schema;
const shape = (evolved: Schema): string[] =>
  indexSchema(evolved).entries.map(
    ({ path, field }) => `${path.join('.')}:${field.id}:${describeType(field.type)}${field.required ? '!' : ''}`,
  );
const refused = (changes: SchemaChange[], code: string, message: RegExp, options?: EvolveOptions): void => {
  assert.throws(() => evolve(changes, options), { code, message });
};

test('no change gives an equal schema', () => {
  assert.deepEqual(evolve([]), schema);
});

test('added columns take the next ids, siblings before what lies below, at every depth', () => {
  const place = struct(optional(1, 'city', 'string'), optional(2, 'point', struct(required(3, 'x', 'double'))));
  const evolved = evolveSchema(schema, 20, [
    { kind: 'add', parent: null, name: 'work', type: place, doc: 'where' },
    { kind: 'add', parent: ['home', 'geo'], name: 'lon', type: { kind: 'float' } },
    { kind: 'add', parent: ['stops'], name: 'delay', type: { kind: 'int' } },
    { kind: 'add', parent: ['stops', 'element'], name: 'gate', type: { kind: 'string' } },
    { kind: 'add', parent: ['prices'], name: 'currency', type: list(1, 'string') },
  ]);
  assert.equal(evolved.lastColumnId, 29);
  const added = shape(evolved.schema).filter((line) => Number(line.split(':')[1]) > 20);
  assert.deepEqual(added, [
    'home.geo.lon:25:float',
    'stops.element.delay:26:int',
    'stops.element.gate:27:string',
    'prices.value.currency:28:list',
    'prices.value.currency.element:29:string',
    'work:21:struct',
    'work.city:22:string',
    'work.point:23:struct',
    'work.point.x:24:double!',
  ]);
  assert.equal(indexSchema(evolved.schema).find(['work'])!.field.doc, 'where');
});

test('a required column is added only to an empty table, or with a default in format version 3', () => {
  const add: SchemaChange = { kind: 'add', parent: null, name: 'x', type: { kind: 'int' }, required: true };
  refused([add], 'SCHEMA_MISMATCH', /required/);
  assert.ok(evolve([add], { allowIncompatible: true }).fields.at(-1)!.required);
  const withDefault = { ...add, defaultValue: 5 };
  refused([withDefault], 'SCHEMA_MISMATCH', /format version 3/);
  const field = evolve([withDefault], { formatVersion: 3 }).fields.at(-1)!;
  assert.deepEqual([field.initialDefault, field.writeDefault], [5, 5]);
  refused([{ ...add, defaultValue: 'five' }], 'SCHEMA_MISMATCH', /not a value/, { formatVersion: 3 });
  refused(
    [{ kind: 'add', parent: null, name: 't', type: { kind: 'timestamp_ns' } }],
    'SCHEMA_MISMATCH',
    /format version 3/,
  );
});

test('a dropped column is gone and its id never comes back', () => {
  const evolved = evolveSchema(schema, 20, [
    { kind: 'drop', path: ['name'] },
    { kind: 'add', parent: null, name: 'name', type: { kind: 'string' } },
    { kind: 'drop', path: ['home', 'geo'] },
  ]);
  assert.equal(indexSchema(evolved.schema).find(['name'])!.field.id, 21);
  assert.equal(indexSchema(evolved.schema).find(['home', 'geo', 'lat']), undefined);
});

test('renames keep ids, may swap, and reach every depth', () => {
  const evolved = evolve([
    { kind: 'rename', path: ['id'], name: 'name' },
    { kind: 'rename', path: ['name'], name: 'id' },
    { kind: 'rename', path: ['stops', 'element', 'at'], name: 'when' },
    { kind: 'rename', path: ['prices', 'value', 'amount'], name: 'cost' },
  ]);
  const { byId } = indexSchema(evolved);
  const names = [1, 2, 9, 14].map((id) => [...byId.values()].find((entry) => entry.field.id === id)!.field.name);
  assert.deepEqual(names, ['name', 'id', 'when', 'cost']);
  assert.deepEqual(evolved.identifierFieldIds, [1]);
});

test('types widen, elements and values of containers too', () => {
  const evolved = evolve([
    { kind: 'widen', path: ['id'], type: { kind: 'long' } },
    { kind: 'widen', path: ['home', 'geo', 'lat'], type: { kind: 'double' } },
    { kind: 'widen', path: ['codes', 'element'], type: { kind: 'long' } },
    { kind: 'widen', path: ['prices', 'value', 'amount'], type: { kind: 'decimal', precision: 18, scale: 2 } },
    { kind: 'rename', path: ['id'], name: 'key' },
  ]);
  const lines = shape(evolved);
  for (const line of [
    'key:1:long!',
    'home.geo.lat:6:double',
    'codes.element:16:long',
    'prices.value.amount:14:decimal(18, 2)',
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

test('types do not narrow or turn into others', () => {
  const to = (path: string[], type: Extract<SchemaChange, { kind: 'widen' }>['type']): SchemaChange => ({
    kind: 'widen',
    path,
    type,
  });
  for (const change of [
    to(['id'], { kind: 'double' }),
    to(['name'], { kind: 'binary' }),
    to(['stops', 'element', 'at'], { kind: 'timestamptz' }),
    to(['home'], { kind: 'string' }),
    to(['prices', 'value', 'amount'], { kind: 'decimal', precision: 8, scale: 2 }),
    to(['prices', 'value', 'amount'], { kind: 'decimal', precision: 18, scale: 3 }),
  ]) {
    refused([change], 'SCHEMA_MISMATCH', /cannot change/);
  }
});

test('columns move within their struct, added ones too', () => {
  const evolved = evolve([
    { kind: 'add', parent: null, name: 'extra', type: { kind: 'int' } },
    { kind: 'move', path: ['extra'], to: { kind: 'after', sibling: 'id' } },
    { kind: 'move', path: ['codes'], to: { kind: 'first' } },
    { kind: 'move', path: ['stops'], to: { kind: 'before', sibling: 'name' } },
    { kind: 'move', path: ['home', 'geo'], to: { kind: 'first' } },
  ]);
  assert.deepEqual(
    evolved.fields.map((field) => field.name),
    ['codes', 'id', 'extra', 'stops', 'name', 'home', 'prices'],
  );
  assert.deepEqual(
    indexSchema(evolved)
      .entries.filter((entry) => entry.parent?.field.id === 3)
      .map((entry) => entry.field.name),
    ['geo', 'zip'],
  );
  refused([{ kind: 'move', path: ['name'], to: { kind: 'after', sibling: 'zip' } }], 'UNKNOWN_COLUMN', /zip/);
  refused([{ kind: 'move', path: ['name'], to: { kind: 'after', sibling: 'name' } }], 'INVALID_REQUEST', /itself/);
  refused([{ kind: 'move', path: ['codes', 'element'], to: { kind: 'first' } }], 'INVALID_REQUEST', /part of a list/);
});

test('identifier fields are protected', () => {
  refused([{ kind: 'drop', path: ['id'] }], 'SCHEMA_MISMATCH', /identifier/);
  refused([{ kind: 'make-optional', path: ['id'] }], 'SCHEMA_MISMATCH', /identifier/);
  const inside = schemaOf([required(1, 'key', struct(required(2, 'id', 'int'))), optional(3, 'x', 'int')], [2]);
  for (const change of [
    { kind: 'drop', path: ['key'] },
    { kind: 'make-optional', path: ['key'] },
  ] as const) {
    assert.throws(() => evolveSchema(inside, 3, [change]), { code: 'SCHEMA_MISMATCH' });
  }
});

test('a column becomes optional, and docs are set and cleared', () => {
  const evolved = evolve([
    { kind: 'make-optional', path: ['home', 'zip'] },
    { kind: 'set-doc', path: ['name'], doc: 'full name' },
  ]);
  assert.ok(!indexSchema(evolved).find(['home', 'zip'])!.field.required);
  assert.equal(evolved.fields[1]!.doc, 'full name');
  const cleared = evolveSchema(evolved, 20, [{ kind: 'set-doc', path: ['name'], doc: null }]).schema;
  assert.ok(!('doc' in cleared.fields[1]!));
});

test('map keys and the parts of containers are fixed', () => {
  refused([{ kind: 'rename', path: ['prices', 'key', 'k'], name: 'x' }], 'INVALID_REQUEST', /keys of a map/);
  refused([{ kind: 'drop', path: ['prices', 'key', 'k'] }], 'INVALID_REQUEST', /keys of a map/);
  refused(
    [{ kind: 'add', parent: ['prices', 'key'], name: 'x', type: { kind: 'int' } }],
    'INVALID_REQUEST',
    /keys of a map/,
  );
  refused([{ kind: 'drop', path: ['codes', 'element'] }], 'INVALID_REQUEST', /drop the list itself/);
  refused([{ kind: 'drop', path: ['prices', 'value'] }], 'INVALID_REQUEST', /drop the map itself/);
  refused([{ kind: 'rename', path: ['codes', 'element'], name: 'x' }], 'INVALID_REQUEST', /part of a list/);
  refused([{ kind: 'add', parent: ['codes'], name: 'x', type: { kind: 'int' } }], 'INVALID_REQUEST', /not a struct/);
});

test('names stay unique and no struct is emptied', () => {
  refused([{ kind: 'add', parent: null, name: 'name', type: { kind: 'int' } }], 'SCHEMA_MISMATCH', /already a column/);
  refused([{ kind: 'rename', path: ['id'], name: 'name' }], 'SCHEMA_MISMATCH', /two fields called name/);
  const add: SchemaChange = { kind: 'add', parent: null, name: 'x', type: { kind: 'int' } };
  refused([add, add], 'SCHEMA_MISMATCH', /twice/);
  refused([{ kind: 'drop', path: ['home', 'geo', 'lat'] }], 'SCHEMA_MISMATCH', /every column/);
  assert.deepEqual(shape(evolve([{ ...add, name: 'Name' }])).at(-1), 'Name:21:int');
});

test('changes of one go do not contradict each other', () => {
  const move: SchemaChange = { kind: 'move', path: ['name'], to: { kind: 'before', sibling: 'id' } };
  refused([move, { kind: 'drop', path: ['name'] }], 'INVALID_REQUEST', /one go/);
  refused(
    [
      { ...move, to: { kind: 'after', sibling: 'codes' } },
      { kind: 'drop', path: ['codes'] },
    ],
    'INVALID_REQUEST',
    /codes/,
  );
  refused([{ kind: 'drop', path: ['name'] }, move], 'INVALID_REQUEST', /one go/);
  refused(
    [
      { kind: 'drop', path: ['name'] },
      { kind: 'rename', path: ['name'], name: 'x' },
    ],
    'INVALID_REQUEST',
    /one go/,
  );
  refused(
    [
      { kind: 'rename', path: ['name'], name: 'x' },
      { kind: 'drop', path: ['name'] },
    ],
    'INVALID_REQUEST',
    /one go/,
  );
  refused(
    [
      { kind: 'add', parent: ['home'], name: 'x', type: { kind: 'int' } },
      { kind: 'drop', path: ['home'] },
    ],
    'INVALID_REQUEST',
    /one go/,
  );
  refused(
    [
      { kind: 'drop', path: ['home'] },
      { kind: 'add', parent: ['home', 'geo'], name: 'x', type: { kind: 'int' } },
    ],
    'INVALID_REQUEST',
    /one go/,
  );
});

test('a misspelt column is named with the nearest that may be named', () => {
  refused([{ kind: 'drop', path: ['nane'] }], 'UNKNOWN_COLUMN', /Did you mean name\?/);
  refused([{ kind: 'drop', path: ['home', 'zap'] }], 'UNKNOWN_COLUMN', /Did you mean home\.zip\?/);
  const mayName = (id: number): boolean => id !== 2;
  assert.throws(
    () => evolve([{ kind: 'drop', path: ['nane'] }], { mayName }),
    (error: Error) => !error.message.includes('name?'),
  );
});

test('a name mapping follows the schema: old names stay, new ones are added, taken names move', () => {
  const evolved = evolve([
    { kind: 'rename', path: ['name'], name: 'label' },
    { kind: 'rename', path: ['id'], name: 'name' },
    { kind: 'add', parent: ['stops'], name: 'gate', type: { kind: 'string' } },
    { kind: 'drop', path: ['codes'] },
  ]);
  const json = nameMappingToJson(evolveNameMapping(nameMappingOf(schema), schema, evolved)) as { names: string[] }[];
  assert.deepEqual(json[0], { 'field-id': 1, names: ['id', 'name'] });
  assert.deepEqual(json[1], { 'field-id': 2, names: ['label'] });
  assert.deepEqual(json[3], {
    'field-id': 7,
    names: ['stops'],
    fields: [
      {
        'field-id': 8,
        names: ['element'],
        fields: [
          { 'field-id': 9, names: ['at'] },
          { 'field-id': 21, names: ['gate'] },
        ],
      },
    ],
  });
  assert.deepEqual(json[5]!.names, ['codes']);
});
