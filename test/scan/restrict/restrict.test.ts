import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { NestedField, Schema, Type } from '../../../src/catalog/schema/types.ts';
import type { ColumnAccess, Mask } from '../../../src/core/access.ts';
import { type FieldId, fieldId } from '../../../src/core/ids.ts';
import type { Batch, Column } from '../../../src/scan/arrow/column.ts';
import { arrowSchemaOf } from '../../../src/scan/arrow/iceberg.ts';
import { encodeBatch } from '../../../src/scan/arrow/ipc-write.ts';
import { sliceColumn } from '../../../src/scan/arrow/kernels/slice.ts';
import { restrictBatch } from '../../../src/scan/restrict/restrict.ts';
import { scrubColumn } from '../../../src/scan/restrict/scrub.ts';
import { visibleSchema } from '../../../src/scan/visible-schema.ts';
import { Random, randomColumn, randomType, valuesOf } from '../arrow/sample-columns.ts';
import { primitives } from './sample-leaves.ts';

const keys = { global: Buffer.from('global'), query: Buffer.from('query') };
const masks: readonly Mask[] = [
  { kind: 'truncate-to-month' },
  { kind: 'mask-alphanum' },
  { kind: 'show-last-4' },
  { kind: 'apply-transform', transform: 'bucket[16]' },
  { kind: 'sha-256-global' },
  { kind: 'mask-to-default' },
  { kind: 'replace-with-null' },
];

// What must never be sent. Eight ASCII bytes, so that it fits a long, a double and a binary alike.
const canary = 'CANARY99';

/** A random table schema with ids, and a column type per field that may be nested. */
function randomSchema(random: Random): Schema {
  let last = 0;
  const make = (name: string, required: boolean, depth: number): NestedField => {
    const id = fieldId(++last);
    return { id, name, required, type: makeType(depth) };
  };
  const makeType = (depth: number): Type => {
    switch (depth === 0 ? 0 : random.below(7)) {
      case 4:
        return {
          kind: 'struct',
          fields: ['a', 'b', 'c']
            .slice(0, 1 + random.below(3))
            .map((name) => make(name, random.chance(0.3), depth - 1)),
        };
      case 5:
        return { kind: 'list', element: make('element', random.chance(0.3), depth - 1) };
      case 6:
        return { kind: 'map', key: make('key', true, 0), value: make('value', random.chance(0.3), depth - 1) };
      default:
        return random.chance(0.5) ? { kind: 'string' } : random.pick(primitives);
    }
  };
  const fields = Array.from({ length: 1 + random.below(4) }, (_, at) => make(`c${at}`, random.chance(0.3), 3));
  return { schemaId: 0, fields, identifierFieldIds: [] };
}

function leavesOf(field: NestedField): NestedField[] {
  const { type } = field;
  switch (type.kind) {
    case 'struct':
      return type.fields.flatMap(leavesOf);
    case 'list':
      return leavesOf(type.element);
    case 'map':
      return [...leavesOf(type.key), ...leavesOf(type.value)];
    default:
      return [field];
  }
}

function randomAccess(random: Random, schema: Schema, rawShare: number): Map<FieldId, ColumnAccess> {
  const access = new Map<FieldId, ColumnAccess>();
  for (const leaf of schema.fields.flatMap(leavesOf)) {
    if (random.chance(rawShare)) access.set(leaf.id, { kind: 'raw' });
    else if (random.chance(0.6)) access.set(leaf.id, { kind: 'masked', mask: random.pick(masks) });
  }
  return access;
}

function randomBatch(random: Random, schema: Schema): Batch {
  const arrow = arrowSchemaOf(schema);
  const rows = random.below(30);
  return {
    schema: arrow,
    rows,
    columns: arrow.fields.map((field) => randomColumn(random, field.type, rows, field.nullable)),
  };
}

test('what is left of a batch has the schema that the principal was promised, and every raw value as it was', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = new Random(seed);
      const schema = randomSchema(random);
      const access = randomAccess(random, schema, 0.6);
      const batch = randomBatch(random, schema);
      const restricted = restrictBatch(batch, access, keys);
      assert.deepEqual(restricted.schema, arrowSchemaOf(visibleSchema(schema, access)));
      restricted.columns.forEach((column, at) => {
        const field = restricted.schema.fields[at]!;
        assert.equal(column.length, batch.rows);
        assert.deepEqual(column.type, field.type);
        const from = batch.schema.fields.findIndex((candidate) => candidate.name === field.name);
        const leaves = leavesOf(schema.fields[from]!);
        if (leaves.every((leaf) => access.get(leaf.id)?.kind === 'raw')) {
          assert.deepEqual(valuesOf(column), valuesOf(batch.columns[from]!));
        }
      });
    }),
    { numRuns: 300 },
  );
});

test('scrubbing changes no value', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = new Random(seed);
      const column = randomColumn(random, randomType(random, 3), random.below(40));
      const start = random.below(Math.min(4, column.length + 1));
      const slice = sliceColumn(column, start, column.length);
      assert.deepEqual(valuesOf(scrubColumn(slice)), valuesOf(slice));
    }),
    { numRuns: 300 },
  );
});

/** The same column with the canary in place of every value that its bytes hold: shown, hidden under nulls, or used by no row. */
function poison(column: Column): Column {
  switch (column.kind) {
    case 'fixed': {
      const values = new Uint8Array(column.values.length);
      for (let at = 0; at < values.length; at++) values[at] = canary.charCodeAt((at % column.width) % canary.length);
      return { ...column, values };
    }
    case 'bytes': {
      const offsets = Int32Array.from({ length: column.length + 1 }, (_, row) => row * canary.length);
      return { ...column, offsets, values: Buffer.from(canary.repeat(column.length)) };
    }
    case 'list':
    case 'fixed-list':
      return { ...column, child: poison(column.child) };
    case 'struct':
      return { ...column, children: column.children.map(poison) };
    case 'dictionary':
      return { ...column, dictionary: poison(column.dictionary) };
    default:
      return column;
  }
}

function wire(batch: Batch): Buffer {
  return Buffer.concat(
    [true, false].flatMap((dictionaries) =>
      encodeBatch(batch, { compression: 'none', dictionaries }).flatMap((message) => [message.header, ...message.body]),
    ),
  );
}

const hiding: readonly Mask[] = masks.filter(
  (mask) => mask.kind !== 'show-last-4' && mask.kind !== 'truncate-to-month',
);

test('no byte of a masked or excluded value is sent, wherever it was; unrestricted, it would be', () => {
  let leaks = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = new Random(seed);
      const schema = randomSchema(random);
      const access = randomAccess(random, schema, 0);
      for (const [id, rule] of access)
        if (rule.kind === 'masked') access.set(id, { kind: 'masked', mask: random.pick(hiding) });
      const clean = randomBatch(random, schema);
      const batch = { ...clean, columns: clean.columns.map(poison) };
      assert.ok(!wire(restrictBatch(batch, access, keys)).includes(canary));
      if (wire(batch).includes(canary)) leaks++;
    }),
    { numRuns: 300 },
  );
  assert.ok(leaks > 100, `the control leaked only ${leaks} times`);
});

/** The same column with the canary only where nothing shows: under nulls of its own or of what holds it, and in unused entries. */
function poisonHidden(column: Column, hidden: (row: number) => boolean): Column {
  const isHidden = (row: number): boolean =>
    hidden(row) || (column.validity !== null && ((column.validity[row >> 3]! >> (row & 7)) & 1) === 0);
  const rows = Array.from({ length: column.length }, (_, row) => row);
  switch (column.kind) {
    case 'fixed': {
      const values = new Uint8Array(column.values.length);
      for (const row of rows.filter(isHidden)) {
        for (let at = 0; at < column.width; at++)
          values[row * column.width + at] = canary.charCodeAt(at % canary.length);
      }
      return { ...column, values };
    }
    case 'bytes': {
      const parts = rows.map((row) => Buffer.from(isHidden(row) ? canary : 'shown'));
      const offsets = new Int32Array(column.length + 1);
      for (const row of rows) offsets[row + 1] = offsets[row]! + parts[row]!.length;
      return { ...column, offsets, values: Buffer.concat(parts) };
    }
    case 'list': {
      const shown = new Set(
        rows.filter((row) => !isHidden(row)).flatMap((row) => between(column.offsets[row]!, column.offsets[row + 1]!)),
      );
      return { ...column, child: poisonHidden(column.child, (at) => !shown.has(at)) };
    }
    case 'fixed-list':
      return { ...column, child: poisonHidden(column.child, (at) => isHidden(Math.floor(at / column.size))) };
    case 'struct':
      return { ...column, children: column.children.map((child) => poisonHidden(child, isHidden)) };
    case 'dictionary': {
      const used = new Set(rows.filter((row) => !isHidden(row)).map((row) => column.indices[row]!));
      return { ...column, dictionary: poisonHidden(column.dictionary, (entry) => !used.has(entry)) };
    }
    default:
      return column;
  }
}

const between = (start: number, end: number): number[] => Array.from({ length: end - start }, (_, at) => start + at);

test('a raw column is sent without what lies under its nulls, beside its lists and in unused dictionary entries', () => {
  let leaks = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = new Random(seed);
      const schema = randomSchema(random);
      const access = new Map(schema.fields.flatMap(leavesOf).map((leaf) => [leaf.id, { kind: 'raw' } as const]));
      const clean = randomBatch(random, schema);
      const batch = { ...clean, columns: clean.columns.map((column) => poisonHidden(column, () => false)) };
      const restricted = restrictBatch(batch, access, keys);
      assert.ok(!wire(restricted).includes(canary));
      assert.deepEqual(restricted.columns.map(valuesOf), batch.columns.map(valuesOf));
      if (wire(batch).includes(canary)) leaks++;
    }),
    { numRuns: 300 },
  );
  assert.ok(leaks > 50, `the control leaked only ${leaks} times`);
});

const arrow = (fields: readonly NestedField[]) => arrowSchemaOf({ schemaId: 0, fields, identifierFieldIds: [] });
const leaf = (id: number, name: string): NestedField => ({
  id: fieldId(id),
  name,
  required: true,
  type: { kind: 'string' },
});

test('a map whose key is masked is gone as a whole, one whose value is masked is not', () => {
  const map: NestedField = {
    id: fieldId(1),
    name: 'm',
    required: false,
    type: { kind: 'map', key: leaf(2, 'key'), value: leaf(3, 'value') },
  };
  const schema = arrow([map]);
  const batch = { schema, rows: 3, columns: [randomColumn(new Random(1), schema.fields[0]!.type, 3)] };
  const masked: ColumnAccess = { kind: 'masked', mask: { kind: 'mask-to-default' } };
  const raw: ColumnAccess = { kind: 'raw' };
  const fields = (key: ColumnAccess, value: ColumnAccess) =>
    restrictBatch(
      batch,
      new Map([
        [fieldId(2), key],
        [fieldId(3), value],
      ]),
      keys,
    ).schema.fields.length;
  assert.equal(fields(masked, raw), 0);
  assert.equal(fields(raw, masked), 1);
  assert.equal(restrictBatch(batch, new Map([[fieldId(3), raw]]), keys).columns.length, 0);
});

test('a field without an id does not exist for a restricted principal', () => {
  const batch: Batch = {
    schema: {
      fields: [{ name: 'x', type: { kind: 'utf8' }, nullable: true, metadata: new Map() }],
      metadata: new Map(),
    },
    rows: 2,
    columns: [randomColumn(new Random(1), { kind: 'utf8' }, 2)],
  };
  assert.deepEqual(restrictBatch(batch, new Map([[fieldId(0), { kind: 'raw' }]]), keys).columns, []);
});
