import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { ServiceError } from '../../../src/core/errors.ts';
import { openTraces } from '../../../src/server/telemetry/open-traces.ts';
import { createTraces } from '../../../src/server/telemetry/span-traces.ts';

function recorded() {
  const exporter = new InMemorySpanExporter();
  return { exporter, traces: createTraces(new SimpleSpanProcessor({ exporter })) };
}

test('a call is one span with a span for each step below it, under the span that the caller names', async () => {
  const { exporter, traces } = recorded();
  const trace = traces.begin('DoGet', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', {
    'headrace.table': 't',
  });
  assert.equal(await trace.step('plan', async () => 7), 7);
  trace.begin('stream').end('complete', { 'headrace.bytes': 5 });
  trace.end('complete', { 'headrace.rows': 3 });
  trace.end('INTERNAL');
  const [plan, sent, call] = exporter.getFinishedSpans();
  assert.deepEqual([plan!.name, sent!.name, call!.name], ['plan', 'stream', 'DoGet']);
  assert.equal(call!.spanContext().traceId, '0af7651916cd43dd8448eb211c80319c');
  assert.equal(call!.parentSpanContext?.spanId, 'b7ad6b7169203331');
  assert.equal(plan!.parentSpanContext?.spanId, call!.spanContext().spanId);
  assert.deepEqual(sent!.attributes, { 'headrace.bytes': 5, 'headrace.outcome': 'complete' });
  assert.deepEqual(call!.attributes, { 'headrace.table': 't', 'headrace.rows': 3, 'headrace.outcome': 'complete' });
});

test('a failure is told by its code and nothing of its message', async () => {
  const { exporter, traces } = recorded();
  const trace = traces.begin('DoGet', null);
  const work = async () => {
    throw new ServiceError('NOT_FOUND', 'secret.table does not exist');
  };
  await assert.rejects(trace.step('decide', work), { code: 'NOT_FOUND' });
  trace.end('NOT_FOUND');
  assert.deepEqual(
    exporter.getFinishedSpans().map(({ name, status }) => [name, status.message]),
    [
      ['decide', 'NOT_FOUND'],
      ['DoGet', 'NOT_FOUND'],
    ],
  );
  assert.ok(
    !JSON.stringify(exporter.getFinishedSpans().map(({ events, status }) => ({ events, status }))).includes('secret'),
  );
});

test('a malformed traceparent begins a trace of its own, and one that is not sampled stays silent', () => {
  const { exporter, traces } = recorded();
  for (const parent of [
    '',
    'x',
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`,
  ]) {
    traces.begin('DoGet', parent).end('complete');
  }
  assert.ok(exporter.getFinishedSpans().every(({ parentSpanContext }) => parentSpanContext === undefined));
  assert.equal(exporter.getFinishedSpans().length, 4);
  traces.begin('DoGet', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00').end('complete');
  assert.equal(exporter.getFinishedSpans().length, 4);
});

test('without a collector nothing is recorded', async () => {
  const traces = await openTraces({});
  const trace = traces.begin('DoGet', null);
  assert.equal(await trace.step('plan', async () => 1), 1);
  trace.end('complete');
  await traces.close();
});
