import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { indexSchema } from '../../src/catalog/schema/lookup.ts';
import { isPrimitive, type NestedField, type Schema, type Type } from '../../src/catalog/schema/types.ts';
import { type FieldId, fieldId } from '../../src/core/ids.ts';
import { type Column, isValid } from '../../src/scan/arrow/column.ts';
import { arrowSchemaOf } from '../../src/scan/arrow/iceberg.ts';
import { leafIds, pruneToLeaves } from '../../src/scan/projection.ts';
import { leafColumn, shapeColumns } from '../../src/scan/shape.ts';
import { list, map, optional, schemaOf, struct } from '../catalog/schema/support.ts';
import { Random, randomColumn, valueAt, valuesOf } from './arrow/sample-columns.ts';

const schema = schemaOf([
  optional(1, 'id', 'long'),
  optional(
    2,
    'home',
    struct(
      optional(3, 'zip', 'int'),
      optional(4, 'geo', struct(optional(5, 'lat', 'double'), optional(6, 'city', 'string'))),
    ),
  ),
  optional(7, 'tags', list(8, struct(optional(9, 'k', 'string'), optional(10, 'v', 'boolean')))),
  optional(11, 'm', map(12, 13, 'string', struct(optional(14, 'a', 'int'), optional(15, 'b', 'string')))),
]);

const columnsOf = (seed: number, rows: number): Column[] => {
  const random = new Random(seed);
  return arrowSchemaOf(schema).fields.map((field) => randomColumn(random, field.type, rows));
};

/** The slow and obvious way: the values of a field with those of the fields that are not wanted left out. */
function pick(value: unknown, from: Type, to: Type): unknown {
  if (value === null) return null;
  const items = value as readonly unknown[];
  if (from.kind === 'struct' && to.kind === 'struct') {
    return to.fields.map((field) => {
      const at = from.fields.findIndex(({ id }) => id === field.id);
      return pick(items[at], from.fields[at]!.type, field.type);
    });
  }
  if (from.kind === 'list' && to.kind === 'list')
    return items.map((item) => pick(item, from.element.type, to.element.type));
  if (from.kind === 'map' && to.kind === 'map') {
    return (items as (readonly [unknown, unknown])[]).map(([key, item]) => [
      key,
      pick(item, from.value.type, to.value.type),
    ]);
  }
  return value;
}

/** What `columnBytes` and encoders see must agree with the types. */
function checkTypes(column: Column): void {
  if (column.kind === 'struct' && column.type.kind === 'struct') {
    assert.deepEqual(
      column.type.fields.map(({ type }) => type),
      column.children.map(({ type }) => type),
    );
    column.children.forEach(checkTypes);
  } else if (column.kind === 'list') {
    if (column.type.kind === 'list') assert.deepEqual(column.type.element.type, column.child.type);
    if (column.type.kind === 'map' && column.child.type.kind === 'struct') {
      assert.deepEqual(column.type.value.type, column.child.type.fields[1]!.type);
    }
    checkTypes(column.child);
  }
}

const shuffled = (fields: readonly NestedField[], random: Random): NestedField[] => {
  const order = fields.map((field) => ({ field, key: random.below(1_000) }));
  return order.sort((a, b) => a.key - b.key).map(({ field }) => field);
};

test('columns are picked by field id at every depth, in the wanted order, with the values that were there', () => {
  fc.assert(
    fc.property(fc.integer(), fc.nat({ max: 20 }), fc.subarray(leafIds(schema)), (seed, rows, wanted) => {
      const columns = columnsOf(seed, rows);
      const pruned = pruneToLeaves(schema, new Set(wanted));
      const target: Schema = { ...pruned, fields: shuffled(pruned.fields, new Random(seed)) };
      const shaped = shapeColumns(schema, columns, target);
      target.fields.forEach((field, at) => {
        const place = schema.fields.findIndex(({ id }) => id === field.id);
        const expected = valuesOf(columns[place]!).map((value) => pick(value, schema.fields[place]!.type, field.type));
        assert.deepEqual(valuesOf(shaped[at]!), expected);
        checkTypes(shaped[at]!);
      });
    }),
    { numRuns: 300 },
  );
});

test('what is wanted whole is the very column, uncopied', () => {
  const columns = columnsOf(1, 10);
  assert.deepEqual(
    shapeColumns(schema, columns, schema).map((column, at) => column === columns[at]),
    [true, true, true, true],
  );
});

test('a leaf is null wherever a struct around it is', () => {
  fc.assert(
    fc.property(fc.integer(), fc.nat({ max: 70 }), (seed, rows) => {
      const columns = columnsOf(seed, rows);
      for (const id of [1, 3, 5, 6].map(fieldId)) {
        const leaf = leafColumn(schema, columns, id)!;
        assert.equal(leaf.length, rows);
        let nulls = 0;
        for (let row = 0; row < rows; row++) {
          const expected = reach(id, columns, row);
          assert.deepEqual(valueAt(leaf, row), expected);
          if (!isValid(leaf, row)) nulls++;
        }
        assert.equal(leaf.nullCount, nulls);
      }
    }),
    { numRuns: 200 },
  );
});

/** A field's value in a row, through the structs around it. */
function reach(id: FieldId, columns: readonly Column[], row: number): unknown {
  const places: number[] = [];
  for (let entry = indexSchema(schema).byId.get(id) ?? null; entry !== null; entry = entry.parent) {
    const siblings: readonly NestedField[] =
      entry.parent === null
        ? schema.fields
        : entry.parent.field.type.kind === 'struct'
          ? entry.parent.field.type.fields
          : [];
    places.unshift(siblings.findIndex((field) => field.id === entry!.field.id));
  }
  let value: unknown = valueAt(columns[places[0]!]!, row);
  for (const place of places.slice(1)) value = value === null ? null : (value as unknown[])[place];
  return value;
}

test('a field inside a list or a map, or of no schema, has no value of a row', () => {
  const columns = columnsOf(2, 5);
  for (const id of [9, 10, 12, 14, 99]) assert.equal(leafColumn(schema, columns, fieldId(id)), null);
  assert.ok(schema.fields.some(({ type }) => !isPrimitive(type)));
});
