import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FieldSummary } from '../../../src/catalog/manifest/types.ts';
import { applyTransform, transformResultType } from '../../../src/catalog/partition/transform.ts';
import type { PartitionSpec, Transform } from '../../../src/catalog/partition/types.ts';
import { isPrimitive, type PrimitiveType, type Schema, type Value } from '../../../src/catalog/schema/types.ts';
import { compareValues, encodeValue } from '../../../src/catalog/schema/value.ts';
import { parseDate } from '../../../src/catalog/schema/value-json.ts';
import { formatFilter } from '../../../src/core/expression/format.ts';
import { parseFilter } from '../../../src/core/expression/parse.ts';
import { fieldId } from '../../../src/core/ids.ts';
import { bindFilter } from '../../../src/scan/filter/bind.ts';
import { manifestMayMatch, partitionMayMatch, projectToPartition } from '../../../src/scan/prune/partition.ts';
import { limits } from '../../core/expression/expressions.ts';
import { filterCase, type Row } from '../filter/cases.ts';

const transforms: readonly Transform[] = [
  { kind: 'identity' },
  { kind: 'void' },
  { kind: 'year' },
  { kind: 'month' },
  { kind: 'day' },
  { kind: 'hour' },
  { kind: 'bucket', buckets: 4 },
  { kind: 'truncate', width: 1 },
  { kind: 'truncate', width: 2 },
  { kind: 'truncate', width: 10 },
  { kind: 'unknown', text: 'zorder[3]' },
];

function applies(transform: Transform, type: PrimitiveType): boolean {
  if (transform.kind === 'unknown') return true;
  try {
    transformResultType(transform, type);
    return true;
  } catch {
    return false;
  }
}

const primitive = (schema: Schema, at: number): PrimitiveType => {
  const type = schema.fields[at]!.type;
  assert.ok(isPrimitive(type));
  return type;
};

/** Up to three partition fields over the schema's columns, several on one column at times. */
function specOver(schema: Schema): fc.Arbitrary<PartitionSpec> {
  const choices = schema.fields.flatMap((_, at) =>
    transforms.filter((transform) => applies(transform, primitive(schema, at))).map((transform) => ({ at, transform })),
  );
  return fc.array(fc.constantFrom(...choices), { minLength: 1, maxLength: 3 }).map((chosen) => ({
    specId: 0,
    fields: chosen.map(({ at, transform }, position) => ({
      sourceId: schema.fields[at]!.id,
      fieldId: 1000 + position,
      name: `p${position}`,
      transform,
    })),
  }));
}

function partitionOf(row: Row, spec: PartitionSpec, schema: Schema): (Value | null)[] {
  return spec.fields.map(({ sourceId, transform }) =>
    transform.kind === 'unknown'
      ? null
      : applyTransform(transform, primitive(schema, sourceId - 1), row[sourceId - 1]!),
  );
}

function summaries(
  partitions: readonly (readonly (Value | null)[])[],
  spec: PartitionSpec,
  schema: Schema,
  saysNan: boolean,
): FieldSummary[] {
  return spec.fields.map(({ sourceId, transform }, at) => {
    const values = partitions.map((partition) => partition[at] ?? null);
    if (transform.kind === 'unknown')
      return { containsNull: true, containsNan: null, lowerBound: null, upperBound: null };
    const type = transformResultType(transform, primitive(schema, sourceId - 1));
    const ordered = values
      .filter((value) => value !== null && !Number.isNaN(value))
      .sort((a, b) => compareValues(type, a!, b!));
    return {
      containsNull: values.includes(null),
      containsNan: saysNan ? values.some((value) => Number.isNaN(value)) : null,
      lowerBound: ordered.length === 0 ? null : encodeValue(type, ordered[0]!),
      upperBound: ordered.length === 0 ? null : encodeValue(type, ordered[ordered.length - 1]!),
    };
  });
}

test('a pruned partition never holds a row that passes, over all transforms and types', () => {
  let pruned = 0;
  const cases = filterCase(undefined, 6).chain((given) => specOver(given.schema).map((spec) => ({ given, spec })));
  fc.assert(
    fc.property(cases, fc.boolean(), ({ given, spec }, saysNan) => {
      const { schema, rows } = given;
      const filter = bindFilter(given.expression, schema, () => true);
      const predicate = projectToPartition(filter, spec, schema);
      const partitions = rows.map((row) => partitionOf(row, spec, schema));
      // The hour of the farthest timestamps is no int: no table can hold them.
      fc.pre(
        partitions.every((partition) =>
          partition.every((value) => typeof value !== 'number' || !(Math.abs(value) > 2 ** 31)),
        ),
      );
      for (const [at, row] of rows.entries()) {
        const may = partitionMayMatch(predicate, partitions[at]!);
        if (!may) pruned++;
        assert.ok(may || given.holds(row) !== 1, `${formatFilter(given.expression)} by ${JSON.stringify(spec.fields)}`);
      }
      const anyRow = rows.some((row) => given.holds(row) === 1);
      assert.ok(!anyRow || manifestMayMatch(predicate, summaries(partitions, spec, schema, saysNan)));
      assert.ok(!anyRow || manifestMayMatch(predicate, null));
    }),
    { numRuns: 6_000 },
  );
  assert.ok(pruned > 1_000, `the property must not hold for want of pruning: ${pruned}`);
});

const schema: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: (
    [
      ['date', { kind: 'date' }],
      ['name', { kind: 'string' }],
      ['n', { kind: 'int' }],
      ['at', { kind: 'timestamptz' }],
    ] as const
  ).map(([name, type], at) => ({ id: fieldId(at + 1), name, required: false, type })),
};

function predicateOf(text: string, source: string, transform: Transform) {
  const sourceId = schema.fields.find((field) => field.name === source)!.id;
  const spec: PartitionSpec = { specId: 0, fields: [{ sourceId, fieldId: 1000, name: 'p', transform }] };
  return projectToPartition(
    bindFilter(parseFilter(text, limits), schema, () => true),
    spec,
    schema,
  );
}

const kept = (
  text: string,
  source: string,
  transform: Transform,
  values: readonly (Value | null)[],
): (Value | null)[] => values.filter((value) => partitionMayMatch(predicateOf(text, source, transform), [value]));

test('a range of dates keeps the months that it touches and no other', () => {
  const months = [371, 372, 373, 374, null];
  const month = { kind: 'month' } as const;
  assert.deepEqual(kept("date >= DATE '2001-02-01' AND date < DATE '2001-03-01'", 'date', month, months), [373]);
  assert.deepEqual(kept("date > DATE '2001-01-31'", 'date', month, months), [373, 374]);
  assert.deepEqual(kept("date = DATE '2001-02-14'", 'date', month, months), [373]);
  assert.deepEqual(kept("date != DATE '2001-02-14'", 'date', month, months), [371, 372, 373, 374]);
  assert.deepEqual(kept('date IS NULL', 'date', month, months), [null]);
  assert.deepEqual(kept("NOT (date IS NULL OR date < DATE '2001-02-01')", 'date', month, months), [373, 374]);
});

test('times before 1970 also keep the partition that old writers rounded them to', () => {
  const days = [-2, -1, 0, 1];
  assert.deepEqual(kept("at = TIMESTAMP '1969-12-31T12:00:00Z'", 'at', { kind: 'day' }, days), [-1, 0]);
  assert.deepEqual(kept("at < TIMESTAMP '1969-12-31T00:00:00Z'", 'at', { kind: 'day' }, days), [-2, -1]);
  assert.deepEqual(kept("at < TIMESTAMP '1970-01-02T00:00:00Z'", 'at', { kind: 'day' }, days), [-2, -1, 0]);
  assert.deepEqual(kept("date = DATE '1969-12-31'", 'date', { kind: 'day' }, days), [-1]);
});

test('equality finds its bucket, prefixes their truncation', () => {
  const bucket = { kind: 'bucket', buckets: 16 } as const;
  const all = Array.from({ length: 16 }, (_, at) => at);
  const hit = applyTransform(bucket, { kind: 'int' }, 34) as number;
  assert.deepEqual(kept('n = 34', 'n', bucket, all), [hit]);
  assert.deepEqual(kept('n > 34', 'n', bucket, [...all, null]), all);
  const truncate = { kind: 'truncate', width: 3 } as const;
  const names = ['abc', 'abd', 'ab', 'b', null];
  assert.deepEqual(kept("name LIKE 'ab%'", 'name', truncate, names), ['abc', 'abd', 'ab']);
  assert.deepEqual(kept("name LIKE 'abcdef%'", 'name', truncate, names), ['abc']);
  assert.deepEqual(kept("name NOT LIKE 'ab%'", 'name', truncate, names), ['b']);
  assert.deepEqual(kept("name NOT LIKE 'abcd%'", 'name', truncate, names), ['abc', 'abd', 'ab', 'b']);
  assert.deepEqual(kept("name = 'abcd'", 'name', truncate, names), ['abc']);
});

test('the least integers are found although their truncation wraps around', () => {
  const truncate = { kind: 'truncate', width: 10 } as const;
  const least = applyTransform(truncate, { kind: 'int' }, -(2 ** 31)) as number;
  assert.ok(least > 0);
  assert.deepEqual(kept('n < 0', 'n', truncate, [least, 10, -10]), [least, -10]);
  assert.deepEqual(kept('n >= -2147483648', 'n', truncate, [least, 10, -10]), [least, 10, -10]);
});

test('manifests are pruned by their summaries', () => {
  const identity = { kind: 'identity' } as const;
  const summary = (from: string | null, to: string | null, containsNull = false): FieldSummary[] => {
    const bound = (text: string | null) => (text === null ? null : encodeValue({ kind: 'date' }, parseDate(text)));
    return [{ containsNull, containsNan: false, lowerBound: bound(from), upperBound: bound(to) }];
  };
  const on = predicateOf("date = DATE '2001-02-14'", 'date', identity);
  assert.equal(manifestMayMatch(on, summary('2001-01-01', '2001-01-31')), false);
  assert.equal(manifestMayMatch(on, summary('2001-01-01', '2001-02-28')), true);
  assert.equal(manifestMayMatch(on, summary(null, null, true)), false);
  assert.equal(manifestMayMatch(on, summary(null, null)), true, 'a writer that says nothing prunes nothing');
  assert.equal(manifestMayMatch(on, []), true, 'summaries of another number of fields are not those of the spec');
});

test('a summary that does not say whether there are NaNs may have them', () => {
  const doubles: Schema = {
    ...schema,
    fields: [{ id: fieldId(1), name: 'x', required: false, type: { kind: 'double' } }],
  };
  const spec: PartitionSpec = {
    specId: 0,
    fields: [{ sourceId: fieldId(1), fieldId: 1000, name: 'p', transform: { kind: 'identity' } }],
  };
  const on = projectToPartition(
    bindFilter(parseFilter('x IS NAN', limits), doubles, () => true),
    spec,
    doubles,
  );
  const one = encodeValue({ kind: 'double' }, 1);
  const summary = (containsNan: boolean | null) => [
    { containsNull: false, containsNan, lowerBound: one, upperBound: one },
  ];
  assert.deepEqual(
    [null, true, false].map((says) => manifestMayMatch(on, summary(says))),
    [true, true, false],
  );
});
