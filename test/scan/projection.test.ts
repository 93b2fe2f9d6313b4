import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NestedField, Schema, Type } from '../../src/catalog/schema/types.ts';
import type { ColumnAccess, Mask } from '../../src/core/access.ts';
import { parseColumnPath } from '../../src/core/column-path.ts';
import { isServiceError } from '../../src/core/errors.ts';
import { type FieldId, fieldId } from '../../src/core/ids.ts';
import { leafIds, projectColumns, pruneToLeaves } from '../../src/scan/projection.ts';
import { isWhollyRaw, visibleSchema } from '../../src/scan/visible-schema.ts';
import { list, map, optional, required, schemaOf, struct } from '../catalog/schema/support.ts';

const schema = schemaOf(
  [
    required(1, 'id', 'long'),
    optional(
      2,
      'home',
      struct(
        optional(3, 'zip', 'int'),
        optional(4, 'geo', struct(optional(5, 'lat', 'double'), optional(6, 'lon', 'double'))),
      ),
    ),
    optional(7, 'tags', list(8, struct(optional(9, 'k', 'string'), optional(10, 'v', 'string')))),
    optional(11, 'm', map(12, 13, 'string', struct(optional(14, 'a', 'int'), optional(15, 'b', 'date')))),
    optional(16, 'a.b', 'string'),
  ],
  [1],
);

/** A schema's names as text: `home{geo{lat}}`. */
const show = (shown: Schema): string => shown.fields.map(showField).join(' ');
const showField = ({ name, type }: NestedField): string => `${name}${showType(type)}`;
function showType(type: Type): string {
  if (type.kind === 'struct') return `{${type.fields.map(showField).join(' ')}}`;
  if (type.kind === 'list') return `[${showType(type.element.type)}]`;
  return type.kind === 'map' ? `<${type.key.type.kind}:${showType(type.value.type)}>` : '';
}
const project = (...columns: readonly string[]): string => show(projectColumns(schema, columns.map(parseColumnPath)));
const leaves = (...ids: readonly number[]): ReadonlySet<FieldId> => new Set(ids.map(fieldId));
const whole = 'id home{zip geo{lat lon}} tags[{k v}] m<string:{a b}> a.b';

test('a projection has the named columns in the order of their first mention', () => {
  assert.equal(show(projectColumns(schema, null)), whole);
  assert.equal(project('tags', 'id'), 'tags[{k v}] id');
  assert.equal(project('home.geo.lon', 'id', 'home.zip'), 'home{zip geo{lon}} id');
  assert.equal(project('"a.b"'), 'a.b');
});

test('a path through a list or a map keeps what leads to it, and a map its key', () => {
  assert.equal(project('tags.element.v'), 'tags[{v}]');
  assert.equal(project('m.value.b'), 'm<string:{b}>');
  assert.equal(project('m.key'), 'm<string:{a b}>');
  assert.equal(project('home.geo'), 'home{geo{lat lon}}');
});

test('a column that is not there, or is named twice, is refused', () => {
  const refused = (code: 'UNKNOWN_COLUMN' | 'INVALID_REQUEST', message: RegExp, ...columns: readonly string[]): void =>
    assert.throws(
      () => project(...columns),
      (error) => isServiceError(error, code) && message.test(error.message),
    );
  refused('UNKNOWN_COLUMN', /there is no column hom\. Did you mean home\?/, 'hom');
  refused('UNKNOWN_COLUMN', /home\.zap/, 'home.zap');
  refused('UNKNOWN_COLUMN', /ID/, 'ID');
  refused('UNKNOWN_COLUMN', /a\.b/, 'a.b');
  refused('INVALID_REQUEST', /id is named twice/, 'id', 'id');
  refused('INVALID_REQUEST', /home\.zip is named twice, or together/, 'home', 'home.zip');
  refused('INVALID_REQUEST', /home\.geo\.lat/, 'home.geo.lat', 'home.geo');
});

test('a schema is pruned to the leaves that are read, in its own order', () => {
  assert.deepEqual(leafIds(schema), [1, 3, 5, 6, 9, 10, 12, 14, 15, 16]);
  assert.equal(show(pruneToLeaves(schema, leaves(16, 6, 1))), 'id home{geo{lon}} a.b');
  assert.equal(show(pruneToLeaves(schema, leaves(14))), 'm<string:{a}>');
  assert.equal(show(pruneToLeaves(schema, leaves())), '');
  assert.equal(show(pruneToLeaves(schema, new Set(leafIds(schema)))), whole);
});

const raw: ColumnAccess = { kind: 'raw' };
const masked = (mask: Mask): ColumnAccess => ({ kind: 'masked', mask });
const access = (changes: Readonly<Record<number, ColumnAccess | null>> = {}): Map<FieldId, ColumnAccess> => {
  const columns = new Map<FieldId, ColumnAccess>(Array.from({ length: 16 }, (_, at) => [fieldId(at + 1), raw]));
  for (const [id, one] of Object.entries(changes)) {
    if (one === null) columns.delete(fieldId(Number(id)));
    else columns.set(fieldId(Number(id)), one);
  }
  return columns;
};

test('what is excluded is gone, and so is what holds nothing else', () => {
  assert.equal(show(visibleSchema(schema, access())), whole);
  assert.equal(
    show(visibleSchema(schema, access({ 3: null, 9: null }))),
    'id home{geo{lat lon}} tags[{v}] m<string:{a b}> a.b',
  );
  assert.equal(
    show(visibleSchema(schema, access({ 5: null, 6: null }))),
    'id home{zip} tags[{k v}] m<string:{a b}> a.b',
  );
  assert.equal(
    show(visibleSchema(schema, access({ 3: null, 5: null, 6: null }))),
    'id tags[{k v}] m<string:{a b}> a.b',
  );
  assert.equal(show(visibleSchema(schema, new Map())), '');
});

test('an identifier field that is not visible is no identifier field', () => {
  assert.deepEqual(visibleSchema(schema, access()).identifierFieldIds, [1]);
  assert.deepEqual(visibleSchema(schema, access({ 1: null })).identifierFieldIds, []);
});

test('a masked leaf may be null and has the type of its mask', () => {
  const nulls = masked({ kind: 'replace-with-null' });
  const bucket = masked({ kind: 'apply-transform', transform: 'bucket[16]' });
  const [id] = visibleSchema(schema, access({ 1: nulls })).fields;
  assert.deepEqual([id!.required, id!.type], [false, { kind: 'long' }]);
  assert.deepEqual(visibleSchema(schema, access({ 1: bucket })).fields[0]!.type, { kind: 'int' });
  assert.deepEqual(visibleSchema(schema, access({ 1: raw })).fields[0]!.required, true);
});

test('a default of a masked leaf is not shown, a raw one is', () => {
  const secret = { ...schema, fields: [{ ...schema.fields[0]!, initialDefault: 42, writeDefault: 43 }] };
  const seen = visibleSchema(secret, access({ 1: masked({ kind: 'mask-to-default' }) })).fields[0]!;
  assert.deepEqual(['initialDefault' in seen, 'writeDefault' in seen], [false, false]);
  assert.equal(visibleSchema(secret, access()).fields[0]!.initialDefault, 42);
});

test('a map whose key is not raw is gone as a whole; its value may be masked', () => {
  assert.equal(show(visibleSchema(schema, access({ 12: null }))), 'id home{zip geo{lat lon}} tags[{k v}] a.b');
  assert.equal(
    show(visibleSchema(schema, access({ 12: masked({ kind: 'sha-256-global' }) }))),
    'id home{zip geo{lat lon}} tags[{k v}] a.b',
  );
  assert.equal(
    show(visibleSchema(schema, access({ 14: null }))),
    'id home{zip geo{lat lon}} tags[{k v}] m<string:{b}> a.b',
  );
  assert.equal(isWhollyRaw(schema.fields[3]!, access()), true);
  assert.equal(isWhollyRaw(schema.fields[3]!, access({ 15: masked({ kind: 'truncate-to-year' }) })), false);
});
