import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FileMetrics } from '../../../src/catalog/manifest/types.ts';
import type { PrimitiveType } from '../../../src/catalog/schema/types.ts';
import { formatFilter } from '../../../src/core/expression/format.ts';
import { parseFilter } from '../../../src/core/expression/parse.ts';
import { fieldId } from '../../../src/core/ids.ts';
import { bindFilter } from '../../../src/scan/filter/bind.ts';
import { evaluateFilter } from '../../../src/scan/filter/evaluate.ts';
import { metricsMayMatch, metricsMustMatch } from '../../../src/scan/prune/metrics.ts';
import { limits } from '../../core/expression/expressions.ts';
import { type FilterCase, filterCase } from '../filter/cases.ts';
import { anyHabits, exactHabits, metricsOf, noMetrics, oneColumn } from './statistics.ts';

const bound = ({ expression, schema }: FilterCase) => bindFilter(expression, schema, () => true);

test('a pruned file never holds a row that passes, a file that must match holds no other', () => {
  const seen = { pruned: 0, strict: 0 };
  fc.assert(
    fc.property(filterCase(undefined, 4), anyHabits, (given, habits) => {
      const metrics = metricsOf(given, habits);
      const truths = given.rows.map(given.holds);
      const [may, must] = [
        metricsMayMatch(bound(given), metrics, given.rows.length),
        metricsMustMatch(bound(given), metrics, given.rows.length),
      ];
      if (!may) seen.pruned++;
      if (must) seen.strict++;
      assert.ok(may || !truths.includes(1), `wrongly pruned by ${formatFilter(given.expression)}`);
      assert.ok(
        !must || truths.every((truth) => truth === 1),
        `wrongly taken whole by ${formatFilter(given.expression)}`,
      );
    }),
    { numRuns: 4_000 },
  );
  assert.ok(
    seen.pruned > 100 && seen.strict > 100,
    `the property must not hold for want of pruning: ${JSON.stringify(seen)}`,
  );
});

test('without statistics nothing is pruned and nothing taken whole but by constants', () => {
  fc.assert(
    fc.property(filterCase(undefined, 4), (given) => {
      const filter = bound(given);
      const constant = evaluateFilter(filter, (id) => given.columns.get(id)!, given.rows.length);
      if (constant.includes(1)) assert.ok(metricsMayMatch(filter, noMetrics, given.rows.length));
      if (metricsMustMatch(filter, noMetrics, given.rows.length)) assert.ok(constant.every((truth) => truth === 1));
    }),
  );
});

function matches(type: PrimitiveType, metrics: FileMetrics, rows = 10): (text: string) => string {
  const schema = {
    schemaId: 0,
    identifierFieldIds: [],
    fields: [{ id: fieldId(1), name: 'x', required: false, type }],
  };
  return (text) => {
    const filter = bindFilter(parseFilter(text, limits), schema, () => true);
    const [may, must] = [metricsMayMatch(filter, metrics, rows), metricsMustMatch(filter, metrics, rows)];
    return must ? 'all' : may ? 'some' : 'none';
  };
}

test('bounds of whole numbers decide comparisons exactly', () => {
  const on = matches({ kind: 'int' }, oneColumn({ kind: 'int' }, { nulls: 0, lower: 10, upper: 20 }));
  const expected: Readonly<Record<string, string>> = {
    'x < 10': 'none',
    'x <= 10': 'some',
    'x < 21': 'all',
    'x > 20': 'none',
    'x >= 10': 'all',
    'x = 9.5': 'none',
    'x != 9': 'all',
    'x = 15': 'some',
    'x IN (1, 9, 21)': 'none',
    'x IN (1, 15)': 'some',
    'x NOT IN (1, 21)': 'all',
    'x BETWEEN 10 AND 20': 'all',
    'x IS NULL': 'none',
    'x IS NOT NULL': 'all',
    'x < 99999999999': 'all',
    'NOT x < 10': 'all',
  };
  for (const [text, result] of Object.entries(expected)) assert.equal(on(text), result, text);
});

test('nulls keep a file from matching whole, a file of nulls matches no comparison', () => {
  const some = matches({ kind: 'long' }, oneColumn({ kind: 'long' }, { nulls: 3, lower: 1n, upper: 2n }));
  assert.equal(some('x > 0'), 'some');
  assert.equal(some('x IS NULL'), 'some');
  const all = matches({ kind: 'long' }, oneColumn({ kind: 'long' }, { nulls: 10 }));
  assert.equal(all('x = 1'), 'none');
  assert.equal(all('x != 1'), 'none');
  assert.equal(all('x IS NULL'), 'all');
  assert.equal(all('x < 99999999999999999999'), 'none');
});

test('a bound written before the column was widened is read by its old type', () => {
  const bytes = oneColumn({ kind: 'int' }, { nulls: 0, lower: -5, upper: 7 });
  assert.equal(matches({ kind: 'long' }, bytes)('x > 7'), 'none');
  assert.equal(matches({ kind: 'long' }, bytes)('x >= -5'), 'all');
  const floats = oneColumn({ kind: 'float' }, { nulls: 0, nans: 0, lower: 1.5, upper: 2 });
  assert.equal(matches({ kind: 'double' }, floats)('x >= 1.5'), 'all');
});

test('NaN is outside the bounds: it keeps NOT conditions from pruning and others from matching whole', () => {
  const type = { kind: 'double' } as const;
  const uncounted = matches(type, oneColumn(type, { nulls: 0, lower: 1, upper: 2 }));
  assert.equal(uncounted('x >= 1'), 'some');
  assert.equal(uncounted('NOT x >= 1'), 'some');
  assert.equal(uncounted('x < 1'), 'none');
  const none = matches(type, oneColumn(type, { nulls: 0, nans: 0, lower: 1, upper: 2 }));
  assert.equal(none('x >= 1'), 'all');
  assert.equal(none('NOT x >= 1'), 'none');
  assert.equal(none('x IS NAN'), 'none');
  const all = matches(type, oneColumn(type, { nulls: 0, nans: 10 }));
  assert.equal(all('x IS NAN'), 'all');
  assert.equal(all('x < 5'), 'none');
  assert.equal(all('x != 5'), 'all');
});

test('bounds that are NaN, unreadable or the wrong way round bound nothing', () => {
  const type = { kind: 'double' } as const;
  for (const [lower, upper] of [
    [Number.NaN, 2],
    [1, Number.NaN],
    [2, 1],
  ] as const) {
    const on = matches(type, oneColumn(type, { nulls: 0, nans: 0, lower, upper }));
    assert.equal(on('x > 1000'), 'some');
    assert.equal(on('x < -1000'), 'some');
  }
  const cut = { ...noMetrics, lowerBounds: new Map([[fieldId(1), Uint8Array.of(1, 2, 3)]]) };
  assert.equal(matches(type, cut)('x < -1000'), 'some');
  const broken = { ...noMetrics, lowerBounds: new Map([[fieldId(1), Uint8Array.of(0x61, 0xff)]]) };
  assert.equal(matches({ kind: 'string' }, broken)("x < 'A'"), 'some');
});

test('a zero of either sign meets bounds of the other', () => {
  const type = { kind: 'double' } as const;
  assert.equal(matches(type, oneColumn(type, { nulls: 0, nans: 0, lower: 0, upper: 1 }))('x = -0'), 'some');
  assert.equal(matches(type, oneColumn(type, { nulls: 0, nans: 0, lower: -1, upper: -0 }))('x >= 0'), 'some');
});

test('prefixes are pruned by bounds shorter and longer than they are', () => {
  const type = { kind: 'string' } as const;
  const on = matches(type, oneColumn(type, { nulls: 0, lower: 'abc', upper: 'abf' }));
  assert.equal(on("x LIKE 'ab%'"), 'all');
  assert.equal(on("x LIKE 'abcdef%'"), 'some');
  assert.equal(on("x LIKE 'b%'"), 'none');
  assert.equal(on("x LIKE 'abb%'"), 'none');
  assert.equal(on("x NOT LIKE 'ab%'"), 'none');
  assert.equal(on("x NOT LIKE 'b%'"), 'all');
});

test('uuid bounds prune under both of the orders that writers have used', () => {
  const type = { kind: 'uuid' } as const;
  const uuid = (first: number, last: number): Uint8Array =>
    Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? first : at === 15 ? last : 0));
  const text = (first: string): string => `x = UUID '${first}000000-0000-0000-0000-000000000005'`;
  assert.equal(matches(type, oneColumn(type, { lower: uuid(0x10, 9), upper: uuid(0x20, 0) }))(text('30')), 'none');
  assert.equal(matches(type, oneColumn(type, { lower: uuid(0x10, 9), upper: uuid(0x20, 0) }))(text('10')), 'some');
  assert.equal(matches(type, oneColumn(type, { lower: uuid(0x90, 0), upper: uuid(0x20, 0) }))(text('30')), 'some');
  assert.equal(matches(type, oneColumn(type, { lower: uuid(0x10, 0), upper: uuid(0x90, 0) }))(text('f0')), 'some');
});

test('full statistics of exact bounds are used', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (value, literal) => {
      const metrics = metricsOf(
        {
          rows: [[value]],
          schema: {
            schemaId: 0,
            identifierFieldIds: [],
            fields: [{ id: fieldId(1), name: 'x', required: false, type: { kind: 'int' } }],
          },
        } as unknown as FilterCase,
        exactHabits,
      );
      assert.equal(matches({ kind: 'int' }, metrics, 1)(`x < ${literal}`), value < literal ? 'all' : 'none');
    }),
  );
});
