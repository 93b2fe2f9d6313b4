import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { applyTransform, parseTransform } from '../../src/catalog/partition/transform.ts';
import type { PartitionSpec } from '../../src/catalog/partition/types.ts';
import type { PrimitiveType, Value } from '../../src/catalog/schema/types.ts';
import { fieldId } from '../../src/core/ids.ts';
import type { Batch, Column } from '../../src/scan/arrow/column.ts';
import { arrowSchemaOf } from '../../src/scan/arrow/iceberg.ts';
import { partitionRows } from '../../src/write/partition-rows.ts';
import { optional, schemaOf, struct } from '../catalog/schema/support.ts';
import { columnOf, dictionaryOf } from '../scan/filter/columns.ts';

const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const near = fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n });
const bytes = fc.uint8Array({ maxLength: 6 }).map((value) => Uint8Array.from(value));
interface Case {
  readonly type: PrimitiveType;
  readonly values: fc.Arbitrary<Value>;
  readonly garbage: Value;
  readonly transforms: readonly string[];
}
const times = ['year', 'month', 'day', 'hour'];
const cases: readonly Case[] = [
  {
    type: { kind: 'long' },
    values: fc.oneof(long, near),
    garbage: 0n,
    transforms: ['identity', 'bucket[7]', 'truncate[10]', 'void'],
  },
  {
    type: { kind: 'int' },
    values: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    garbage: 9,
    transforms: ['identity', 'bucket[3]', 'truncate[4]'],
  },
  {
    type: { kind: 'string' },
    values: fc.string({ unit: 'grapheme', maxLength: 6 }),
    garbage: 'x',
    transforms: ['identity', 'bucket[5]', 'truncate[2]'],
  },
  {
    type: { kind: 'binary' },
    values: bytes,
    garbage: new Uint8Array(2),
    transforms: ['identity', 'bucket[5]', 'truncate[2]'],
  },
  {
    type: { kind: 'decimal', precision: 20, scale: 2 },
    values: near,
    garbage: 1n,
    transforms: ['identity', 'bucket[5]', 'truncate[50]'],
  },
  { type: { kind: 'boolean' }, values: fc.boolean(), garbage: true, transforms: ['identity'] },
  {
    type: { kind: 'date' },
    values: fc.integer({ min: -700_000, max: 2_900_000 }),
    garbage: 3,
    transforms: ['identity', 'year', 'month', 'day', 'bucket[3]'],
  },
  // Microseconds whose year is one that the transform can name; far ones are beyond what a double holds exactly.
  {
    type: { kind: 'timestamp' },
    values: fc.oneof(near, fc.constantFrom(-1n, 0n, 86_399_999_999n, 2n ** 53n + 1n, -(2n ** 53n) - 1n)),
    garbage: 5n,
    transforms: [...times, 'identity', 'bucket[4]'],
  },
  {
    type: { kind: 'timestamptz_ns' },
    values: fc.oneof(near, fc.constantFrom(-1n, 2n ** 62n, -(2n ** 62n))),
    garbage: 5n,
    transforms: times,
  },
];

const someCase = fc.constantFrom(...cases).chain(({ type, values, garbage, transforms }) =>
  fc.record({
    type: fc.constant(type),
    garbage: fc.constant(garbage),
    transform: fc.constantFrom(...transforms),
    values: fc.array(fc.option(fc.oneof(values, fc.constant(garbage)), { freq: 5 }), { minLength: 1, maxLength: 40 }),
    dictionary: fc.boolean(),
    second: fc.boolean(),
  }),
);

const textOf = (value: Value | null): string =>
  value instanceof Uint8Array ? `x${Buffer.from(value).toString('hex')}` : `${typeof value} ${String(value)}`;

test('every row goes, in order, into the one partition that its transformed values name', () => {
  fc.assert(
    fc.property(someCase, ({ type, values, garbage, transform: text, dictionary, second }) => {
      const column = (dictionary ? dictionaryOf : columnOf)(type, values, garbage);
      const parity = values.map((_, row) => row % 2);
      const schema = schemaOf([optional(1, 'v', type), optional(2, 'parity', 'int')]);
      const transform = parseTransform(text);
      const fields = [
        { sourceId: fieldId(1), fieldId: 1000, name: 'p', transform },
        ...(second
          ? [{ sourceId: fieldId(2), fieldId: 1001, name: 'q', transform: { kind: 'identity' } as const }]
          : []),
      ];
      const batch: Batch = {
        schema: arrowSchemaOf(schema),
        rows: values.length,
        columns: [column, columnOf({ kind: 'int' }, parity, 0)],
      };
      const parts = partitionRows(batch, schema, { specId: 0, fields });
      const seen: number[] = [];
      for (const part of parts) {
        const rows = part.rows === null ? values.map((_, row) => row) : [...part.rows];
        assert.deepEqual(
          rows,
          rows.toSorted((a, b) => a - b),
        );
        for (const row of rows) {
          const value = values[row]!;
          const expected = [
            value === null ? null : applyTransform(transform, type, value),
            ...(second ? [parity[row]!] : []),
          ];
          assert.deepEqual(part.values.map(textOf), expected.map(textOf));
        }
        seen.push(...rows);
      }
      assert.deepEqual(
        seen.toSorted((a, b) => a - b),
        values.map((_, row) => row),
      );
      assert.equal(new Set(parts.map(({ key }) => key)).size, parts.length);
      assert.equal(new Set(parts.map((part) => part.values.map(textOf).join())).size, parts.length);
    }),
    { numRuns: 400 },
  );
});

const byValue = (sourceId: number): PartitionSpec => ({
  specId: 0,
  fields: [{ sourceId: fieldId(sourceId), fieldId: 1000, name: 'p', transform: { kind: 'identity' } }],
});

test('keys tell values of different looks apart', () => {
  const schema = schemaOf([optional(1, 'v', 'string')]);
  const values = ['null', null, '', '"', '/', 'a/b', 'x00'];
  const batch = {
    schema: arrowSchemaOf(schema),
    rows: values.length,
    columns: [columnOf({ kind: 'string' }, values, 'null')],
  };
  const parts = partitionRows(batch, schema, byValue(1));
  assert.deepEqual(
    parts.map((part) => part.values[0]),
    values,
  );
  assert.equal(new Set(parts.map(({ key }) => key)).size, values.length);
});

test('NaN is one partition, and without fields or with one value all rows are together and uncopied', () => {
  const schema = schemaOf([optional(1, 'v', 'double')]);
  const make = (values: readonly (number | null)[]): Batch => ({
    schema: arrowSchemaOf(schema),
    rows: values.length,
    columns: [columnOf({ kind: 'double' }, values, 0)],
  });
  const parts = partitionRows(make([Number.NaN, 1, Number.NaN, null]), schema, byValue(1));
  assert.deepEqual(
    parts.map(({ values, rows }) => [values[0], [...rows!]]),
    [
      [Number.NaN, [0, 2]],
      [1, [1]],
      [null, [3]],
    ],
  );
  assert.deepEqual(partitionRows(make([1, 2]), schema, { specId: 0, fields: [] }), [
    { values: [], key: '', rows: null },
  ]);
  assert.equal(partitionRows(make([1, 1]), schema, byValue(1))[0]!.rows, null);
});

test('a source inside a struct is null where the struct is, whatever lies beneath', () => {
  const schema = schemaOf([optional(1, 'home', struct(optional(2, 'zip', 'int')))]);
  const zip = columnOf({ kind: 'int' }, [1, 1, 2], 0);
  const { nullCount, validity } = columnOf({ kind: 'boolean' }, [true, null, true], false);
  const type = arrowSchemaOf(schema).fields[0]!.type;
  const home: Column = { kind: 'struct', type, length: 3, nullCount, validity, children: [zip] };
  const parts = partitionRows({ schema: arrowSchemaOf(schema), rows: 3, columns: [home] }, schema, byValue(2));
  assert.deepEqual(
    parts.map(({ values, rows }) => [values[0], [...rows!]]),
    [
      [1, [0]],
      [null, [1]],
      [2, [2]],
    ],
  );
  // A partition field whose source was dropped is the null partition (spec, "Partition Evolution").
  assert.deepEqual(
    partitionRows({ schema: arrowSchemaOf(schema), rows: 3, columns: [home] }, schema, byValue(9))[0]!.values,
    [null],
  );
});

test('a batch of a hundred thousand rows in a hundred partitions is sorted in one pass', () => {
  const schema = schemaOf([optional(1, 'v', 'int')]);
  const values = Array.from({ length: 100_000 }, (_, row) => (row * 7919) % 100);
  const batch = { schema: arrowSchemaOf(schema), rows: values.length, columns: [columnOf({ kind: 'int' }, values, 0)] };
  const parts = partitionRows(batch, schema, byValue(1));
  assert.equal(parts.length, 100);
  assert.ok(parts.every(({ rows, values: [value] }) => rows!.every((row) => values[row] === value)));
});
