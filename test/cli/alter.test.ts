import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parseChange } from '../../src/cli/alter/parse-change.ts';
import { parseType } from '../../src/cli/alter/parse-type.ts';
import { UsageError } from '../../src/cli/exit-codes.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

test('types are read in Iceberg’s words, containers of any depth included', () => {
  assert.deepEqual(parseType('decimal(9,2)'), { kind: 'decimal', precision: 9, scale: 2 });
  assert.deepEqual(parseType(' fixed[16] '), { kind: 'fixed', length: 16 });
  const type = parseType('struct<a: list<decimal(9, 2)>, "b.c": map<string, struct<d:date>>>');
  assert.equal(type.kind, 'struct');
  const fields = type.kind === 'struct' ? type.fields : [];
  assert.deepEqual(
    fields.map(({ name, type: { kind } }) => [name, kind]),
    [
      ['a', 'list'],
      ['b.c', 'map'],
    ],
  );
  for (const bad of [
    'strin',
    'list<',
    'list<int',
    'map<int>',
    'struct<>',
    'struct<a int>',
    'int int',
    `${'list<'.repeat(70)}int`,
    '',
  ]) {
    assert.throws(() => parseType(bad), { name: 'ServiceError', code: 'INVALID_REQUEST' }, bad);
  }
});

test('changes are read word by word', () => {
  const change = (text: string, options = {}) => parseChange(text.split(' '), options);
  assert.deepEqual(change('rename a.b c'), {
    kind: 'schema',
    changes: [{ kind: 'rename', path: ['a', 'b'], name: 'c' }],
  });
  assert.deepEqual(change('add home.city string', { after: 'zip', doc: 'd' }), {
    kind: 'schema',
    changes: [
      { kind: 'add', parent: ['home'], name: 'city', type: { kind: 'string' }, doc: 'd' },
      { kind: 'move', path: ['home', 'city'], to: { kind: 'after', sibling: 'zip' } },
    ],
  });
  assert.deepEqual(change('widen n decimal(12, 2)'), {
    kind: 'schema',
    changes: [{ kind: 'widen', path: ['n'], type: { kind: 'decimal', precision: 12, scale: 2 } }],
  });
  assert.deepEqual(change('partition add day(ts)', { name: 'd' }), {
    kind: 'partition',
    change: { kind: 'add', by: 'day(ts)', name: 'd' },
  });
  for (const [text, options] of [
    ['rename a', {}],
    ['rename a b.c', {}],
    ['add a int', { first: true, after: 'b' }],
    ['drop a', { first: true }],
    ['move a', {}],
    ['partition drop a b', {}],
    ['partition frob a', {}],
    ['set a', {}],
    ['toString a', {}],
  ] as const) {
    assert.throws(() => change(text, options), UsageError, text);
  }
});

let workspace: Workspace;
before(async () => {
  workspace = await openWorkspace();
  const csv = await workspace.file('t.csv', 'id,day,name\n1,2026-01-01,a\n');
  await workspace.json('import', csv, 'b.t', '--type', 'id=int');
});
after(() => workspace[Symbol.asyncDispose]());

const columns = (altered: Record<string, unknown>): string[] =>
  (altered.schema as { fields: { name: string; type: unknown }[] }).fields.map(
    ({ name, type }) => `${name} ${JSON.stringify(type)}`,
  );

test('columns are added, renamed, widened, moved and dropped by id, and the name mapping follows', async () => {
  const mapping = JSON.stringify([1, 2, 3].map((id) => ({ 'field-id': id, names: [['id', 'day', 'name'][id - 1]] })));
  await workspace.json('alter', 'b.t', 'set', `schema.name-mapping.default=${mapping}`);
  await workspace.json('alter', 'b.t', 'widen', 'id', 'long');
  await workspace.json('alter', 'b.t', 'add', 'home', 'struct<zip: string>', '--first');
  await workspace.json('alter', 'b.t', 'add', 'home.city', 'string');
  const renamed = await workspace.json('alter', 'b.t', 'rename', 'name', 'full_name');
  assert.deepEqual(columns(renamed).slice(1), ['id "long"', 'day "date"', 'full_name "string"']);
  const kept = JSON.parse((renamed.properties as Record<string, string>)['schema.name-mapping.default']!) as {
    names: string[];
  }[];
  assert.deepEqual(
    kept.map(({ names }) => names),
    [['id'], ['day'], ['name', 'full_name'], ['home']],
  );
  const dropped = await workspace.json('alter', 'b.t', 'drop', 'home.zip');
  assert.match(columns(dropped)[0]!, /^home .*"city"/);
  assert.doesNotMatch(columns(dropped)[0]!, /zip/);
});

test('changes that would break readers or name nothing are refused with the reason', async () => {
  const [narrow, typo, required, table] = await Promise.all([
    workspace.refused(3, 'alter', 'b.t', 'widen', 'day', 'string'),
    workspace.refused(3, 'alter', 'b.t', 'drop', 'dya'),
    workspace.refused(3, 'alter', 'b.t', 'add', 'must', 'int', '--required'),
    workspace.refused(3, 'alter', 'b.tt', 'drop', 'day'),
  ]);
  assert.deepEqual(
    [narrow.code, typo.code, required.code, table.code],
    ['SCHEMA_MISMATCH', 'UNKNOWN_COLUMN', 'SCHEMA_MISMATCH', 'NOT_FOUND'],
  );
  assert.match(typo.message, /Did you mean day\?/);
  assert.match(table.message, /Did you mean b\.t\?/);
});

test('partition fields are added, renamed and dropped for what is written from then on', async () => {
  const added = await workspace.json('alter', 'b.t', 'partition', 'add', 'month(day)');
  assert.deepEqual(added.partition_spec, {
    'spec-id': 1,
    fields: [{ name: 'day_month', transform: 'month', 'source-id': 2, 'field-id': 1000 }],
  });
  assert.match((await workspace.refused(3, 'alter', 'b.t', 'drop', 'day')).message, /partition/);
  assert.match(
    (await workspace.refused(3, 'alter', 'b.t', 'partition', 'drop', 'day_mont')).message,
    /Did you mean day_month\?/,
  );
  const dropped = await workspace.json('alter', 'b.t', 'partition', 'drop', 'month(day)');
  assert.deepEqual(dropped.partition_spec, { 'spec-id': 0, fields: [] });
});

test('properties are set and taken away', async () => {
  const set = await workspace.json('alter', 'b.t', 'set', 'headrace.layer=bronze', 'a=b=c');
  assert.equal((set.properties as Record<string, string>).a, 'b=c');
  const unset = await workspace.json('alter', 'b.t', 'unset', 'a');
  assert.deepEqual(Object.keys(unset.properties as object).includes('a'), false);
  assert.match(
    (await workspace.refused(3, 'alter', 'b.t', 'unset', 'headrace.layr')).message,
    /Did you mean headrace\.layer\?/,
  );
});
