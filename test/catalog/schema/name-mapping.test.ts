import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  applyNameMapping,
  nameMappingOf,
  nameMappingToJson,
  parseNameMapping,
} from '../../../src/catalog/schema/name-mapping.ts';
import { list, map, optional, schemaOf, struct } from './support.ts';

const text = JSON.stringify([
  { 'field-id': 1, names: ['id', 'record_id'] },
  { 'field-id': 2, names: ['data.x'] },
  { names: ['ignored'], fields: [{ 'field-id': 9, names: ['inner'] }] },
  {
    'field-id': 3,
    names: ['location'],
    fields: [
      { 'field-id': 4, names: ['latitude', 'lat'] },
      { 'field-id': 5, names: [] },
    ],
  },
]);

test('a mapping answers by any of a field names, level by level', () => {
  const mapping = parseNameMapping(text);
  assert.equal(applyNameMapping(mapping, ['record_id']), 1);
  assert.equal(applyNameMapping(mapping, ['location', 'lat']), 4);
  assert.equal(applyNameMapping(mapping, ['data.x']), 2);
  assert.equal(applyNameMapping(mapping, ['ignored', 'inner']), 9);
  for (const path of [[], ['data', 'x'], ['ID'], ['ignored'], ['lat'], ['location', 'lat', 'x']]) {
    assert.equal(applyNameMapping(mapping, path), null);
  }
});

test('a mapping is written as it was read', () => {
  assert.deepEqual(nameMappingToJson(parseNameMapping(text)), JSON.parse(text));
});

test('the mapping of a schema covers every depth', () => {
  const schema = schemaOf([optional(1, 'a', map(2, 3, 'string', list(4, struct(optional(5, 'b', 'int')))))]);
  assert.equal(applyNameMapping(nameMappingOf(schema), ['a', 'value', 'element', 'b']), 5);
  assert.equal(applyNameMapping(nameMappingOf(schema), ['a', 'key']), 2);
});

test('a malformed or boundless mapping is refused', () => {
  for (const bad of [
    '',
    '{',
    '{}',
    '[1]',
    '[{"names":[1]}]',
    '[{"names":["a"]},{"names":["a"]}]',
    '[{"field-id":"1","names":[]}]',
  ]) {
    assert.throws(() => parseNameMapping(bad), { code: 'INVALID_REQUEST' }, bad);
  }
  const deep = ['[{"names":["a"],"fields":'.repeat(100), '[]', '}]'.repeat(100)].join('');
  assert.throws(() => parseNameMapping(deep), { code: 'LIMIT_EXCEEDED' });
  const limits = { schemaDepthMax: 4, schemaFieldsMax: 2 };
  assert.throws(() => parseNameMapping(text, limits), { code: 'LIMIT_EXCEEDED' });
});
