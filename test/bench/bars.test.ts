import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bar, judge } from '../../bench/bars.ts';

const variant = (name: string, ratios: Record<string, number>, ours = {}) => ({
  ...{ name, ours, rivals: {}, ratios, rows: 1, resultHash: null },
});
const resultsOf = (bar: Bar, ...values: readonly number[]) =>
  judge(
    [bar],
    values.map((value, at) => variant(`v${at}`, { [bar.measure]: value })),
  ).map(({ result }) => result);

test('an upper bound is loosened to one and a half, a lower bound to two thirds', () => {
  const upper = { measure: 'cpu_s_per_gb_vs_other', op: '<=', bar: 0.8 } as const;
  assert.deepEqual(resultsOf(upper, 0.8, 0.81, 1.2, 1.21), ['reached', 'loosened', 'loosened', 'missed']);
  const lower = { measure: 'mb_per_s_vs_other', op: '>=', bar: 1.2 } as const;
  assert.deepEqual(resultsOf(lower, 1.2, 1.1, 0.8, 0.79), ['reached', 'loosened', 'loosened', 'missed']);
});

test('a bar judges only the variants that it is for, and what was measured', () => {
  const bar: Bar = { measure: 'rss_mb', op: '<=', bar: 300, of: (name) => name.startsWith('cold') };
  const variants = [
    variant('cold', {}, { rss_mb: 200 }),
    variant('hot', {}, { rss_mb: 900 }),
    variant('cold, too', {}),
  ];
  assert.deepEqual(
    judge([bar], variants).map(({ variant: name, result }) => `${name} ${result}`),
    ['cold reached'],
  );
});
