import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Report } from '../../bench/report.ts';
import { withFigures } from '../../bench/write-doc.ts';

const ours = { mb_per_s: 300, cpu_s_per_gb: 0.5, streams: 1 };
const theirs = { mb_per_s: 200, cpu_s_per_gb: 1, streams: 1 };
const comparison = { ours, rivals: { other: theirs }, ratios: { mb_per_s_vs_other: 1.5 } };
const report: Report = {
  subject: 'cold-stream',
  shows: 'streaming a table',
  ...comparison,
  variants: [{ name: 'zstd, 1 stream', rows: 10, result_hash: null, ...comparison }],
  bars: [
    {
      ...{ variant: 'zstd, 1 stream', measure: 'mb_per_s_vs_other', op: '>=', bar: 1.2, loosened: 0.8 },
      ...{ measured: 1.5, result: 'reached' },
    },
  ],
  run: {
    ...{ machine: 'two cores', commit: 'abc', versions: {}, load: 0.25, size: 'full', pairs: 7, sample_bytes: 5e9 },
    inputs: {},
  },
};
const page = 'before\n<!-- figures: written by bench/write-doc.ts -->\nstale figures\n<!-- end of figures -->\nafter\n';

test('the figures of the page are replaced by those measured, and nothing else is', () => {
  const written = withFigures(page, [report]);
  assert.ok(written.startsWith('before\n') && written.endsWith('<!-- end of figures -->\nafter\n'));
  assert.ok(!written.includes('stale'));
  assert.ok(written.includes('| zstd, 1 stream | MB/s | server CPU-s/GB |'));
  assert.ok(written.includes('| other | 200.0 (1.50) | 1.000 (0.50) |'));
  assert.ok(written.includes('| `mb_per_s_vs_other` | zstd, 1 stream | 1.500 | ≥ 1.200 | reached |'));
  assert.equal(withFigures(written, [report]), written);
});

test('a page without a place for figures is refused', () => {
  assert.throws(() => withFigures('before\nafter\n', [report]), /no lines/);
});
