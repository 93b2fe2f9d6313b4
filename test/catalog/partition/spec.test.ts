import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSortOrder, sortOrderToJson } from '../../../src/catalog/partition/sort-order.ts';
import {
  evolveSpec,
  type PartitionChange,
  parsePartitionBy,
  parsePartitionSpec,
  partitionFieldTypes,
  partitionPath,
  partitionSpecToJson,
} from '../../../src/catalog/partition/spec.ts';
import { formatTransform } from '../../../src/catalog/partition/transform.ts';
import type { PartitionSpec } from '../../../src/catalog/partition/types.ts';
import type { Value } from '../../../src/catalog/schema/types.ts';
import { parseDate, parseTimestamp, parseUuid } from '../../../src/catalog/schema/value-json.ts';
import { list, optional, required, schemaOf, struct } from '../schema/support.ts';

const schema = schemaOf([
  required(1, 'id', 'long'),
  optional(2, 'date', 'date'),
  optional(3, 'name', 'string'),
  optional(4, 'home', struct(optional(5, 'zip', 'string'))),
  optional(6, 'at', 'timestamptz'),
  optional(7, 'codes', list(8, 'int')),
  optional(9, 'odd (name)', 'int'),
  optional(10, 'key', 'uuid'),
  optional(11, 'raw', 'binary'),
  optional(12, 'price', { kind: 'decimal', precision: 9, scale: 2 }),
  optional(13, 'ratio', 'float'),
  optional(14, 'clock', 'time'),
]);
const lines = (spec: PartitionSpec): string[] =>
  spec.fields.map((field) => `${field.fieldId} ${field.name} ${formatTransform(field.transform)} ${field.sourceId}`);

test('partition_by understands columns and transforms and names fields as Iceberg does', () => {
  const texts = [
    'month(date)',
    'bucket(16, id)',
    'truncate( 4 ,name )',
    'home.zip',
    'bucket[8](home.zip)',
    'HOURS(at)',
    '"odd (name)"',
  ];
  const spec = parsePartitionBy(texts, schema, { specId: 2, firstFieldId: 1005 });
  assert.equal(spec.specId, 2);
  assert.deepEqual(lines(spec), [
    '1005 date_month month 2',
    '1006 id_bucket bucket[16] 1',
    '1007 name_trunc truncate[4] 3',
    '1008 home.zip identity 5',
    '1009 home.zip_bucket bucket[8] 5',
    '1010 at_hour hour 6',
    '1011 odd (name) identity 9',
  ]);
  assert.deepEqual(lines(parsePartitionBy(['date'], schema)), ['1000 date identity 2']);
});

test('partition_by refuses what cannot be a partition', () => {
  const wrong: [string[], string][] = [
    [['nane'], 'UNKNOWN_COLUMN'],
    [['month(dates)'], 'UNKNOWN_COLUMN'],
    [['month(name)'], 'INVALID_REQUEST'],
    [['hour(date)'], 'INVALID_REQUEST'],
    [['home'], 'INVALID_REQUEST'],
    [['codes.element'], 'INVALID_REQUEST'],
    [['bucket(id)'], 'INVALID_REQUEST'],
    [['bucket(0, id)'], 'INVALID_REQUEST'],
    [['zorder(id)'], 'INVALID_REQUEST'],
    [['month(date)', 'year(date)'], 'INVALID_REQUEST'],
    [['id', 'id'], 'INVALID_REQUEST'],
    [['month(date'], 'UNKNOWN_COLUMN'],
    [[''], 'INVALID_REQUEST'],
    [new Array(1001).fill('id'), 'LIMIT_EXCEEDED'],
  ];
  for (const [texts, code] of wrong) assert.throws(() => parsePartitionBy(texts, schema), { code }, texts[0]);
  assert.throws(() => parsePartitionBy(['nane'], schema), /Did you mean name\?/);
});

test('a partition field is not called like another column', () => {
  const clash = schemaOf([optional(1, 'date', 'date'), optional(2, 'date_month', 'int')]);
  assert.throws(() => parsePartitionBy(['month(date)'], clash), { code: 'INVALID_REQUEST', message: /another column/ });
});

test('a spec reads and writes as Iceberg writes it', () => {
  const json = {
    'spec-id': 3,
    fields: [
      { name: 'ts_day', transform: 'day', 'source-id': 4, 'field-id': 1000 },
      { name: 'id_bucket', transform: 'bucket[16]', 'source-id': 1, 'field-id': 1001 },
      { name: 'z', transform: 'zorder', 'source-ids': [1, 2], 'field-id': 1002 },
      { name: 'future', transform: 'future[3]', 'source-id': 1, 'field-id': 1003 },
    ],
  };
  assert.deepEqual(partitionSpecToJson(parsePartitionSpec(json)), json);
  const single = parsePartitionSpec({
    'spec-id': 0,
    fields: [{ name: 'a', transform: 'day', 'source-ids': [7], 'field-id': 1000 }],
  });
  assert.deepEqual(single.fields[0], { sourceId: 7, transform: { kind: 'day' }, fieldId: 1000, name: 'a' });
});

test("v1's list of fields without ids is spec 0 with ids from 1000", () => {
  const spec = parsePartitionSpec([
    { name: 'a', transform: 'identity', 'source-id': 1 },
    { name: 'b', transform: 'year', 'source-id': 2 },
  ]);
  assert.equal(spec.specId, 0);
  assert.deepEqual(lines(spec), ['1000 a identity 1', '1001 b year 2']);
});

test('malformed specs and sort orders are refused', () => {
  const field = { name: 'a', transform: 'day', 'source-id': 1, 'field-id': 1000 };
  for (const json of [
    null,
    {},
    { 'spec-id': 0 },
    { 'spec-id': 'x', fields: [] },
    { 'spec-id': 0, fields: [{ ...field, name: 1 }] },
    { 'spec-id': 0, fields: [{ ...field, transform: 'bucket[0]' }] },
    { 'spec-id': 0, fields: [{ ...field, 'source-ids': [] }] },
    { 'spec-id': 0, fields: [field, field] },
  ]) {
    assert.throws(() => parsePartitionSpec(json), { code: 'INVALID_REQUEST' });
  }
  const sort = { transform: 'identity', 'source-id': 1, direction: 'asc', 'null-order': 'nulls-first' };
  for (const fields of [[{ ...sort, direction: 'up' }], [{ ...sort, 'null-order': 'first' }], 1, [{}]]) {
    assert.throws(() => parseSortOrder({ 'order-id': 1, fields }), { code: 'INVALID_REQUEST' });
  }
  assert.throws(() => parseSortOrder({ 'order-id': 1, fields: [sort, sort] }, 1), { code: 'LIMIT_EXCEEDED' });
});

test('a sort order reads and writes as Iceberg writes it', () => {
  const json = {
    'order-id': 1,
    fields: [
      { transform: 'identity', 'source-id': 2, direction: 'asc', 'null-order': 'nulls-first' },
      { transform: 'bucket[4]', 'source-id': 3, direction: 'desc', 'null-order': 'nulls-last' },
    ],
  };
  assert.deepEqual(sortOrderToJson(parseSortOrder(json)), json);
});

test('field types come from the first schema that has the source', () => {
  const spec = parsePartitionBy(['day(at)', 'bucket(4, name)', 'price', 'year(date)'], schema);
  assert.deepEqual(partitionFieldTypes(spec, schema), [
    { kind: 'date' },
    { kind: 'int' },
    { kind: 'decimal', precision: 9, scale: 2 },
    { kind: 'int' },
  ]);
  const without = schemaOf([required(1, 'id', 'long')]);
  assert.deepEqual(partitionFieldTypes(spec, [without, schema]), partitionFieldTypes(spec, schema));
  assert.deepEqual(
    partitionFieldTypes(spec, without).map((type) => type.kind),
    ['date', 'int', 'unknown', 'int'],
  );
});

test('paths are as Iceberg Java writes them', () => {
  const paths: [string, Value | null, string][] = [
    ['month(date)', 372, 'date_month=2001-01'],
    ['month(date)', -1, 'date_month=1969-12'],
    ['year(date)', -1, 'date_year=1969'],
    ['day(date)', parseDate('2017-12-01'), 'date_day=2017-12-01'],
    ['hour(at)', 420034, 'at_hour=2017-12-01-10'],
    ['hour(at)', -1, 'at_hour=1969-12-31-23'],
    ['bucket(16, id)', 3, 'id_bucket=3'],
    ['name', 'a b/c=é*~', 'name=a+b%2Fc%3D%C3%A9*%7E'],
    ['name', null, 'name=null'],
    ['home.zip', '1', 'home.zip=1'],
    ['"odd (name)"', 5, 'odd+%28name%29=5'],
    ['at', parseTimestamp('2017-12-01T10:12:55.038194Z', 'us', true), 'at=2017-12-01T10%3A12%3A55.038194%2B00%3A00'],
    ['at', parseTimestamp('2017-12-01T10:12:00.5Z', 'us', true), 'at=2017-12-01T10%3A12%3A00.5%2B00%3A00'],
    ['clock', 36_775_038_194n, 'clock=10%3A12%3A55.038194'],
    ['clock', 36_720_000_000n, 'clock=10%3A12'],
    ['clock', 36_720_500_000n, 'clock=10%3A12%3A00.500'],
    ['key', parseUuid('f79c3e09-677c-4bbd-a479-3f349cb785e7'), 'key=f79c3e09-677c-4bbd-a479-3f349cb785e7'],
    ['raw', Uint8Array.of(1, 2, 3), 'raw=AQID'],
    ['price', -5n, 'price=-0.05'],
    ['ratio', Math.fround(0.1), 'ratio=0.1'],
    ['ratio', 2, 'ratio=2.0'],
  ];
  for (const [text, value, path] of paths) {
    assert.equal(partitionPath(parsePartitionBy([text], schema), schema, [value]), path);
  }
  const two = parsePartitionBy(['month(date)', 'name'], schema);
  assert.equal(partitionPath(two, schema, [372, 'x']), 'date_month=2001-01/name=x');
});

const table = parsePartitionBy(['month(date)', 'name'], schema);
const evolve = (
  changes: PartitionChange[],
  formatVersion: 1 | 2 = 2,
  current = table,
  specs: PartitionSpec[] = [table],
) => evolveSpec(current, schema, changes, { specs, lastPartitionId: 1001, formatVersion });

test('an evolved spec drops what was removed and gives added fields new ids', () => {
  const { spec, lastPartitionId } = evolve([
    { kind: 'remove', field: 'name' },
    { kind: 'add', by: 'bucket(16, id)' },
    { kind: 'add', by: 'truncate(4, home.zip)', name: 'zip4' },
  ]);
  assert.equal(spec.specId, 1);
  assert.equal(lastPartitionId, 1003);
  assert.deepEqual(lines(spec), [
    '1000 date_month month 2',
    '1002 id_bucket_16 bucket[16] 1',
    '1003 zip4 truncate[4] 5',
  ]);
});

test('in version 1 a removed field stays as void', () => {
  const { spec } = evolve(
    [
      { kind: 'remove', field: 'month(date)' },
      { kind: 'add', by: 'day(date)', name: 'date_month' },
    ],
    1,
  );
  assert.deepEqual(lines(spec), ['1000 date_month_1000 void 2', '1001 name identity 3', '1002 date_month day 2']);
});

test('ids of equal fields of older specs are used again, and so is an equal spec', () => {
  const first = evolve([{ kind: 'remove', field: 'date_month' }]).spec;
  const back = evolve([{ kind: 'add', by: 'month(date)' }], 2, first, [table, first]);
  assert.deepEqual(lines(back.spec), ['1001 name identity 3', '1000 date_month month 2']);
  assert.equal(back.spec.specId, 2);
  assert.equal(back.lastPartitionId, 1001);
  const again = evolve([{ kind: 'remove', field: 'date_month' }], 2, back.spec, [table, first, back.spec]);
  assert.equal(again.spec.specId, first.specId);
});

test('removing and adding the same field, or renaming it, keeps it', () => {
  const same = evolve([
    { kind: 'remove', field: 'date_month' },
    { kind: 'add', by: 'month(date)' },
  ]);
  assert.equal(same.spec, table);
  const renamed = evolve([{ kind: 'rename', field: 'date_month', name: 'm' }]);
  assert.deepEqual(lines(renamed.spec), ['1000 m month 2', '1001 name identity 3']);
});

test('redundant and unknown changes are refused', () => {
  const wrong: PartitionChange[][] = [
    [{ kind: 'add', by: 'month(date)' }],
    [
      { kind: 'add', by: 'day(at)' },
      { kind: 'add', by: 'hour(at)' },
    ],
    [{ kind: 'remove', field: 'nope' }],
    [{ kind: 'add', by: 'bucket(4, id)', name: 'name' }],
    [{ kind: 'rename', field: 'date_month', name: '' }],
  ];
  for (const changes of wrong) assert.throws(() => evolve(changes), { code: 'INVALID_REQUEST' });
  assert.throws(() => evolve([{ kind: 'add', by: 'month(dat)' }]), { code: 'UNKNOWN_COLUMN' });
});
