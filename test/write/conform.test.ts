import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NestedField, Schema } from '../../src/catalog/schema/types.ts';
import { isServiceError } from '../../src/core/errors.ts';
import type { ArrowField, ArrowType, Batch, Column, ListColumn, StructColumn } from '../../src/scan/arrow/column.ts';
import { arrowSchemaOf } from '../../src/scan/arrow/iceberg.ts';
import { planConform } from '../../src/write/conform.ts';
import { list, map, optional, required, schemaOf, struct } from '../catalog/schema/support.ts';
import { field } from '../scan/arrow/sample-columns.ts';
import { columnOf, dictionaryOf } from '../scan/filter/columns.ts';
import { valuesOf } from '../scan/parquet/values.ts';

const long = (values: readonly (bigint | null)[]): Column => columnOf({ kind: 'long' }, values, 0n);
const int = (values: readonly (number | null)[]): Column => columnOf({ kind: 'int' }, values, 0);
const text = (values: readonly (string | null)[]): Column => columnOf({ kind: 'string' }, values, 'garbage');

type Named = readonly (readonly [string, Column])[];
const batch = (columns: Named): Batch => ({
  schema: { fields: columns.map(([name, column]) => field(name, column.type)), metadata: new Map() },
  rows: columns[0]?.[1].length ?? 0,
  columns: columns.map(([, column]) => column),
});

const structColumn = (children: Named, present: readonly boolean[]): StructColumn => {
  const { length, nullCount, validity } = columnOf(
    { kind: 'boolean' },
    present.map((value) => value || null),
    false,
  );
  const fields = children.map(([name, column]) => field(name, column.type));
  return {
    kind: 'struct',
    type: { kind: 'struct', fields },
    length,
    nullCount,
    validity,
    children: children.map(([, column]) => column),
  };
};

const listColumn = (child: Column, offsets: readonly number[], present: readonly boolean[]): ListColumn => {
  const { length, nullCount, validity } = columnOf(
    { kind: 'boolean' },
    present.map((value) => value || null),
    false,
  );
  const type: ArrowType = { kind: 'list', element: field('item', child.type) };
  return { kind: 'list', type, length, nullCount, validity, offsets: Int32Array.from(offsets), child };
};

function conform(table: readonly NestedField[], columns: Named, firstRow = 0): readonly unknown[][] {
  const given = batch(columns);
  const schema: Schema = schemaOf([...table]);
  const conformed = planConform(given.schema, schema).conform(given, firstRow);
  assert.deepEqual(conformed.schema, arrowSchemaOf(schema));
  for (const [at, column] of conformed.columns.entries()) {
    if (column.kind !== 'dictionary') assert.deepEqual(column.type, conformed.schema.fields[at]!.type);
  }
  return conformed.columns.map(valuesOf);
}

const refuses = (table: readonly NestedField[], columns: Named, message: RegExp, firstRow = 0): void =>
  assert.throws(
    () => conform(table, columns, firstRow),
    (error) => isServiceError(error, 'SCHEMA_MISMATCH') && message.test(error.message),
  );

test("columns are put in the table's order by name, and a missing optional one is null", () => {
  const table = [optional(1, 'a', 'long'), optional(2, 'b', 'string'), optional(3, 'c', 'int')];
  assert.deepEqual(
    conform(table, [
      ['b', text(['x', null])],
      ['a', long([1n, 2n])],
    ]),
    [
      [1n, 2n],
      ['x', null],
      [null, null],
    ],
  );
  assert.deepEqual(conform(table, [['c', int([])]]), [[], [], []]);
});

test('a column that the table lacks is refused with its path and the nearest name', () => {
  const table = [optional(1, 'delay', 'long'), optional(2, 'home', struct(optional(3, 'zip', 'int')))];
  refuses(table, [['dely', long([1n])]], /column dely is not in the table\. Did you mean delay\?/);
  refuses(table, [['Delay', long([1n])]], /column Delay is not in the table/);
  refuses(table, [['home', structColumn([['zap', int([1])]], [true])]], /column home\.zap is not in the table/);
  refuses(
    table,
    [
      ['delay', long([1n])],
      ['delay', long([1n])],
    ],
    /column delay comes twice/,
  );
});

test('a required column that is missing, or null, is refused with its row', () => {
  const table = [required(1, 'id', 'long'), optional(2, 'note', 'string')];
  refuses(table, [['note', text(['x'])]], /column id is required and missing/);
  refuses(table, [['id', long([1n, null])]], /column id is required and null in row 101 /, 100);
  refuses(
    table,
    [['id', { kind: 'null', type: { kind: 'null' }, length: 1, nullCount: 1, validity: null }]],
    /only nulls/,
  );
  const untyped: Column = { kind: 'null', type: { kind: 'null' }, length: 2, nullCount: 2, validity: null };
  assert.deepEqual(
    conform(table, [
      ['id', long([1n, 2n])],
      ['note', untyped],
    ]),
    [
      [1n, 2n],
      [null, null],
    ],
  );
});

test('a required field below a null struct is no null of its own, and below a present one it is', () => {
  const table = [optional(1, 'home', struct(required(2, 'zip', 'int'), optional(3, 'city', 'string')))];
  const zips = int([1, null, 3]);
  assert.deepEqual(conform(table, [['home', structColumn([['zip', zips]], [true, false, true])]]), [
    [{ zip: 1, city: null }, null, { zip: 3, city: null }],
  ]);
  refuses(
    table,
    [['home', structColumn([['zip', zips]], [true, true, true])]],
    /column home\.zip is required and null in row 1 /,
  );
  refuses(table, [['home', structColumn([['city', text(['x'])]], [true])]], /column home\.zip is required and missing/);
});

test('the row of a null element is the row of its list', () => {
  const table = [optional(1, 'tags', { kind: 'list', element: required(2, 'element', 'string') })];
  const tags = listColumn(text(['a', 'b', null]), [0, 0, 2, 3], [true, true, true]);
  refuses(table, [['tags', tags]], /column tags\.element is required and null in row 12 /, 10);
  assert.deepEqual(conform(table, [['tags', listColumn(text(['a', 'b']), [0, 0, 2, 2], [true, true, false])]]), [
    [[], ['a', 'b'], null],
  ]);
});

test('elements of a null list, and behind the last list, are values of no row', () => {
  const table = [optional(1, 'tags', { kind: 'list', element: required(2, 'element', 'string') })];
  const spanning = listColumn(text(['a', null, 'c', null]), [0, 1, 2, 3], [true, false, true]);
  assert.deepEqual(conform(table, [['tags', spanning]]), [[['a'], null, ['c']]]);
});

test('nested fields are filled by name at every depth', () => {
  const inner = struct(optional(4, 'x', 'long'), optional(5, 'y', 'string'));
  const table = [optional(1, 'l', list(3, inner))];
  const child = structColumn(
    [
      ['y', text(['a', null])],
      ['x', int([1, 2])],
    ],
    [true, true],
  );
  assert.deepEqual(conform(table, [['l', listColumn(child, [0, 1, 2], [true, true])]]), [
    [[{ x: 1n, y: 'a' }], [{ x: 2n, y: null }]],
  ]);
});

test('a map keeps its entries, its values widen, and a null key is refused', () => {
  const table = [optional(1, 'm', map(2, 3, 'string', 'long'))];
  const make = (keys: readonly (string | null)[]): ListColumn => {
    const entries = structColumn(
      [
        ['key', text(keys)],
        ['value', int([1, null])],
      ],
      [true, true],
    );
    const [key, value] = (entries.type as ArrowType & { kind: 'struct' }).fields as [ArrowField, ArrowField];
    return { ...listColumn(entries, [0, 2], [true]), type: { kind: 'map', key, value, keysSorted: false } };
  };
  assert.deepEqual(conform(table, [['m', make(['a', 'b'])]]), [
    [
      [
        { key: 'a', value: 1n },
        { key: 'b', value: null },
      ],
    ],
  ]);
  refuses(table, [['m', make(['a', null])]], /column m\.key is required and null in row 0 /);
});

test('types widen and never narrow', () => {
  assert.deepEqual(conform([optional(1, 'a', 'long')], [['a', int([1, null, -5])]]), [[1n, null, -5n]]);
  assert.deepEqual(conform([optional(1, 'a', 'double')], [['a', columnOf({ kind: 'float' }, [1.5, null], 0)]]), [
    [1.5, null],
  ]);
  const narrowing: readonly (readonly [NestedField, Column])[] = [
    [optional(1, 'a', 'int'), long([1n])],
    [optional(1, 'a', 'float'), columnOf({ kind: 'double' }, [1], 0)],
    [optional(1, 'a', 'string'), long([1n])],
    [optional(1, 'a', 'long'), text(['1'])],
    [optional(1, 'a', 'date'), columnOf({ kind: 'timestamp' }, [0n], 0n)],
    [optional(1, 'a', 'timestamp'), columnOf({ kind: 'timestamptz' }, [0n], 0n)],
    [
      optional(1, 'a', { kind: 'decimal', precision: 5, scale: 2 }),
      columnOf({ kind: 'decimal', precision: 9, scale: 2 }, [1n], 0n),
    ],
    [
      optional(1, 'a', { kind: 'fixed', length: 4 }),
      columnOf({ kind: 'fixed', length: 3 }, [new Uint8Array(3)], new Uint8Array(3)),
    ],
    [optional(1, 'a', struct(optional(2, 'x', 'int'))), int([1])],
    [optional(1, 'a', list(2, 'int')), int([1])],
  ];
  for (const [wanted, given] of narrowing) refuses([wanted], [['a', given]], /column a is .* in the input/);
});

test('a type that does not fit is refused before any row is seen', () => {
  assert.throws(
    () => planConform(batch([['a', long([])]]).schema, schemaOf([optional(1, 'a', 'int')])),
    (error) => isServiceError(error, 'SCHEMA_MISMATCH'),
  );
});

test('a dictionary stays one, and a null in it is a null', () => {
  const values = ['a', null, 'a'];
  const given = batch([['s', dictionaryOf({ kind: 'string' }, values, 'garbage')]]);
  const [column] = planConform(given.schema, schemaOf([optional(1, 's', 'string')])).conform(given, 0).columns;
  assert.equal(column?.kind, 'dictionary');
  refuses([required(1, 's', 'string')], [['s', given.columns[0]!]], /required and null in row 1 /);
});

test('a fixed-size list becomes a list', () => {
  const element = field('item', { kind: 'int', bits: 32, signed: true });
  const type: ArrowType = { kind: 'fixed-size-list', element, size: 2 };
  const column: Column = {
    kind: 'fixed-list',
    type,
    length: 2,
    nullCount: 0,
    validity: null,
    size: 2,
    child: int([1, 2, 3, null]),
  };
  assert.deepEqual(conform([optional(1, 'v', list(2, 'long'))], [['v', column]]), [
    [
      [1n, 2n],
      [3n, null],
    ],
  ]);
});

test('a field outside of the rights reads as if the table lacked it', () => {
  const table = schemaOf([optional(1, 'id', 'long'), optional(2, 'secret', 'string')]);
  const rights = { writable: (id: number) => id !== 2, named: (id: number) => id !== 2 };
  const message = (name: string): string => {
    try {
      planConform(batch([[name, text(['x'])]]).schema, table, rights);
      return 'accepted';
    } catch (error) {
      assert.ok(isServiceError(error, 'SCHEMA_MISMATCH'));
      return error.message;
    }
  };
  assert.equal(message('secret'), message('secreu').replace('secreu', 'secret'));
  const hiddenRequired = schemaOf([optional(1, 'id', 'long'), required(2, 'secret', 'string')]);
  assert.throws(
    () => planConform(batch([['id', long([1n])]]).schema, hiddenRequired, rights),
    (error) => isServiceError(error, 'SCHEMA_MISMATCH') && !error.message.includes('secret'),
  );
});
