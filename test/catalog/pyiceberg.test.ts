import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { murmur3 } from '../../src/catalog/partition/murmur3.ts';
import {
  parsePartitionBy,
  partitionFieldTypes,
  partitionPath,
  partitionSpecToJson,
} from '../../src/catalog/partition/spec.ts';
import { applyTransform, parseTransform, transformResultType } from '../../src/catalog/partition/transform.ts';
import { assignFreshIds } from '../../src/catalog/schema/assign-ids.ts';
import { evolveSchema, type SchemaChange } from '../../src/catalog/schema/evolve.ts';
import { schemaToJson, typeToJson } from '../../src/catalog/schema/json.ts';
import { highestFieldId } from '../../src/catalog/schema/lookup.ts';
import { nameMappingOf, nameMappingToJson } from '../../src/catalog/schema/name-mapping.ts';
import { parsePrimitiveType } from '../../src/catalog/schema/type-text.ts';
import type { Schema, Value } from '../../src/catalog/schema/types.ts';
import { decodeValue, encodeValue, truncateUpperBound } from '../../src/catalog/schema/value.ts';
import { isServiceError } from '../../src/core/errors.ts';
import { runPython } from '../support/python.ts';
import { testSeed } from '../support/seed.ts';
import { anySchema, changesOf, valuesOf } from './generated.ts';
import { optional, schemaOf } from './schema/support.ts';

const seed = testSeed;
const perCase = 40;
const sample = <Item>(arbitrary: fc.Arbitrary<Item>, numRuns = perCase, from = seed): Item[] =>
  fc.sample(arbitrary, { seed: from, numRuns });

const all = [
  'int',
  'long',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
  'string',
  'uuid',
  'binary',
];
const others = ['boolean', 'float', 'double', 'fixed[7]', 'decimal(9, 2)', 'decimal(38, 10)'];
const timestamps = ['timestamp', 'timestamptz', 'timestamp_ns', 'timestamptz_ns'];
const sourcesOf: Record<string, string[]> = {
  identity: [...all, ...others],
  'bucket[1]': all,
  'bucket[16]': [...all, 'fixed[7]', 'decimal(9, 2)', 'decimal(38, 10)'],
  'bucket[1000003]': [...all, 'decimal(38, 10)'],
  'truncate[1]': ['int', 'long', 'string', 'binary', 'decimal(9, 2)'],
  'truncate[7]': ['int', 'long', 'string', 'binary', 'decimal(9, 2)', 'decimal(38, 10)'],
  'truncate[100]': ['int', 'long'],
  year: ['date', ...timestamps],
  month: ['date', ...timestamps],
  day: ['date', ...timestamps],
  hour: timestamps,
  void: all,
};

const pathTransforms = [
  'year(d)',
  'month(d)',
  'day(d)',
  'hour(t)',
  'bucket(16, s)',
  'truncate(3, s)',
  's',
  'd',
  'i',
  'u',
];
const pathSchema = schemaOf([
  optional(1, 'd', 'date'),
  optional(2, 't', 'timestamp'),
  optional(3, 's', 'string'),
  optional(4, 'i', 'long'),
  optional(5, 'u', 'uuid'),
]);
/** Letters whose escapes Python's quote_plus and Java's URLEncoder agree on. */
const pathText = fc.string({ unit: fc.constantFrom('a', 'B', '0', ' ', '/', '=', '%', 'é', '😀', '+', '.', '-', '_') });

/** As the oracle reads and shows it. */
function show(value: Value | null): string | null {
  if (value === null) return null;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return Object.is(value, -0) ? '-0' : String(value);
}

function evolutionOf(schema: Schema, changes: SchemaChange[]): Schema | null {
  try {
    return evolveSchema(schema, highestFieldId(schema), changes).schema;
  } catch (error) {
    if (isServiceError(error)) return null;
    throw error;
  }
}

const changeToJson = (change: SchemaChange): object =>
  'type' in change ? { ...change, type: typeToJson(change.type) } : change;

/** PyIceberg writes an empty list where Iceberg's Java library writes none, and counts schema ids itself. */
function comparable(json: unknown): unknown {
  const { 'identifier-field-ids': ids, 'schema-id': _, ...rest } = json as Record<string, unknown>;
  return { ...rest, ids: ids ?? [] };
}

test(`PyIceberg agrees on hashes, transforms, bounds, schemas, paths and evolutions (seed ${seed})`, async () => {
  const hashes = sample(fc.uint8Array({ maxLength: 40 }), 200);
  const transforms = Object.entries(sourcesOf).flatMap(([transform, types]) =>
    types.map((type) => ({ transform, type, values: [null, ...sample(valuesOf(parsePrimitiveType(type)))] })),
  );
  const bounds = [...all, ...others].map((type) => ({ type, values: sample(valuesOf(parsePrimitiveType(type))) }));
  const uppers = [
    { type: 'string', length: 3, values: sample(fc.string({ unit: fc.constantFrom('a', 'z', 'é', '漢', '😀') })) },
    {
      type: 'binary',
      length: 3,
      values: sample(fc.array(fc.constantFrom(0, 1, 254)).map((items) => Uint8Array.from(items))),
    },
  ];
  const schemas = sample(anySchema, 150).map((schema) => assignFreshIds(schema, 5).schema);
  const spec = parsePartitionBy(pathTransforms.slice(0, 1), pathSchema);
  const paths = pathTransforms.map((text) => {
    const one = text === pathTransforms[0] ? spec : parsePartitionBy([text], pathSchema);
    const [type] = partitionFieldTypes(one, pathSchema);
    const range = fc.integer({ min: -500, max: 500 });
    const values = type!.kind === 'string' ? pathText : type!.kind === 'int' ? range : valuesOf(type!);
    return { spec: one, values: [null, ...sample(values)] };
  });
  const evolutions = schemas.flatMap((schema, at) =>
    sample(changesOf(schema), 12, seed + at).flatMap((changes) => {
      const evolved = evolutionOf(schema, changes);
      return evolved === null ? [] : [{ schema, changes, evolved }];
    }),
  );

  const theirs = (await runPython(readFileSync(new URL('pyiceberg-oracle.py', import.meta.url), 'utf8'), {
    hashes: hashes.map(show),
    transforms: transforms.map((one) => ({ ...one, values: one.values.map(show) })),
    bounds: bounds.map((one) => ({ ...one, values: one.values.map(show) })),
    uppers: uppers.map((one) => ({ ...one, values: one.values.map(show) })),
    schemas: schemas.map(schemaToJson),
    paths: paths.map((one) => ({
      schema: schemaToJson(pathSchema),
      fields: (partitionSpecToJson(one.spec) as { fields: unknown }).fields,
      values: one.values.map((value) => [show(value)]),
    })),
    evolutions: evolutions.map((one) => ({ schema: schemaToJson(one.schema), changes: one.changes.map(changeToJson) })),
  })) as Answers;

  assert.deepEqual(hashes.map(murmur3), theirs.hashes);
  transforms.forEach((one, at) => {
    const type = parsePrimitiveType(one.type);
    const transform = parseTransform(one.transform);
    const ours = one.values.map((value) => show(applyTransform(transform, type, value)));
    assert.deepEqual(
      ours,
      theirs.transforms[at]!.map(asFloatText(transformResultType(transform, type).kind)),
      `${one.transform} of ${one.type}`,
    );
  });
  bounds.forEach((one, at) => {
    const type = parsePrimitiveType(one.type);
    one.values.forEach((value, row) => {
      const [hex, back] = theirs.bounds[at]![row]!;
      assert.equal(show(encodeValue(type, value)), hex, one.type);
      assert.equal(show(decodeValue(type, Buffer.from(hex, 'hex'))), asFloatText(type.kind)(back), one.type);
    });
  });
  uppers.forEach((one, at) => {
    const ours = one.values.map((value) => show(truncateUpperBound(parsePrimitiveType(one.type), value, one.length)));
    assert.deepEqual(ours, theirs.uppers[at]);
  });
  schemas.forEach((schema, at) => {
    const { json, fresh, mapping } = theirs.schemas[at]!;
    assert.deepEqual(comparable(schemaToJson(schema)), comparable(json));
    assert.deepEqual(comparable(schemaToJson(assignFreshIds(schema).schema)), comparable(fresh));
    assert.deepEqual(nameMappingToJson(nameMappingOf(schema)), mapping);
  });
  paths.forEach((one, at) => {
    assert.deepEqual(
      one.values.map((value) => partitionPath(one.spec, pathSchema, [value])),
      theirs.paths[at],
    );
  });
  const compared = theirs.evolutions.filter((one) => one !== null).length;
  assert.ok(compared > 200, `only ${compared} evolutions were accepted by both`);
  evolutions.forEach((one, at) => {
    if (theirs.evolutions[at] === null) return;
    const changes = JSON.stringify(one.changes.map(changeToJson));
    assert.deepEqual(comparable(schemaToJson(one.evolved)), comparable(theirs.evolutions[at]), changes);
  });
});

interface Answers {
  readonly hashes: number[];
  readonly transforms: (string | null)[][];
  readonly bounds: [string, string][][];
  readonly uppers: (string | null)[][];
  readonly schemas: { readonly json: unknown; readonly fresh: unknown; readonly mapping: unknown }[];
  readonly paths: string[][];
  readonly evolutions: unknown[];
}

/** Python prints floats in its own way: both are compared as JavaScript prints them. */
const asFloatText =
  (kind: string) =>
  (text: string | null): string | null =>
    text === null || (kind !== 'float' && kind !== 'double') ? text : show(Number(text.replace('inf', 'Infinity')));
