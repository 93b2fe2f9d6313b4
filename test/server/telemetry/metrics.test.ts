import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instruments } from '../../../src/server/telemetry/instruments.ts';
import { createMetrics } from '../../../src/server/telemetry/metrics.ts';

const account = { team: 'fraud', workload: 'train' };

test('counters, histograms and gauges appear in Prometheus’ text format with their labels', async () => {
  const metrics = createMetrics(10);
  metrics.add('scannedBytes', 5, account);
  metrics.add('scannedBytes', 7, account);
  metrics.record('callSeconds', 0.2, { call: 'DoGet', code: 'OK' });
  const stop = metrics.observe('queuedBytes', () => 3);
  metrics.observe('queuedBytes', () => 4);
  const text = await metrics.exposition();
  assert.match(text, /^headrace_scanned_bytes_total\{team="fraud",workload="train"\} 12$/m);
  assert.match(text, /^headrace_call_duration_seconds_bucket\{call="DoGet",code="OK",le="0\.25"\} 1$/m);
  assert.match(text, /^headrace_queued_bytes 7$/m);
  stop();
  assert.match(await metrics.exposition(), /^headrace_queued_bytes 4$/m);
  await metrics.close();
});

test('label values beyond their number are counted together, so that callers cannot grow the series', async () => {
  const metrics = createMetrics(3);
  for (let at = 0; at < 50; at++) metrics.add('sentRows', 1, { team: `team-${at}`, workload: 'w' });
  const text = await metrics.exposition();
  assert.equal(text.match(/^headrace_sent_rows_total\{/gm)?.length, 4);
  assert.match(text, /^headrace_sent_rows_total\{team="other",workload="w"\} 47$/m);
  await metrics.close();
});

test('a label cannot break out of its quotes', async () => {
  const metrics = createMetrics(3);
  metrics.add('sentRows', 1, { team: 'a"} 1\nheadrace_evil 1', workload: '\\' });
  const text = await metrics.exposition();
  assert.doesNotMatch(text, /^headrace_evil/m);
  await metrics.close();
});

test('every instrument has a name of its own, in the service’s namespace', () => {
  const names = Object.values(instruments).map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^headrace_[a-z_]+$/);
});
