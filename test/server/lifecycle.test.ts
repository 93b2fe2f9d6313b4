import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { readyLine, startLifecycle } from '../../src/server/lifecycle.ts';
import { createLog } from '../../src/server/telemetry/log.ts';

function start(stages: Parameters<typeof startLifecycle>[0]) {
  const signals = new EventEmitter();
  const hurried: string[] = [];
  const log = createLog('silent');
  const lifecycle = startLifecycle(stages, { graceMs: 50, log, impatient: () => hurried.push('now'), signals });
  return { signals, hurried, lifecycle };
}

test('a signal stops the stages one after another, once', async () => {
  const order: string[] = [];
  const part = (name: string) => ({
    name,
    stop: async (graceMs: number) => {
      order.push(`${name} ${graceMs}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      order.push(`${name} done`);
    },
  });
  const { signals, hurried, lifecycle } = start([[part('flight'), part('http')], [part('store')]]);
  assert.equal(lifecycle.isDraining(), false);
  signals.emit('SIGTERM');
  assert.equal(lifecycle.isDraining(), true);
  signals.emit('SIGTERM');
  signals.emit('SIGINT');
  assert.equal(await lifecycle.stopped, 'SIGTERM');
  assert.deepEqual(order, ['flight 50', 'http 50', 'flight done', 'http done', 'store 50', 'store done']);
  assert.deepEqual(hurried, ['now']);
  assert.equal(signals.listenerCount('SIGTERM'), 0);
});

test('a part that fails does not keep the others from stopping', async () => {
  let stopped = false;
  const { lifecycle } = start([
    [{ name: 'broken', stop: () => Promise.reject(new Error('x')) }],
    [
      {
        name: 'store',
        stop: async () => {
          stopped = true;
        },
      },
    ],
  ]);
  lifecycle.stop('test');
  await lifecycle.stopped;
  assert.ok(stopped);
});

test('SIGHUP reloads and stops nothing', () => {
  const { signals, lifecycle } = start([]);
  let reloads = 0;
  lifecycle.onReload(() => reloads++);
  signals.emit('SIGHUP');
  assert.equal(reloads, 1);
  assert.equal(lifecycle.isDraining(), false);
});

test('the ready line is one JSON object on one line', () => {
  assert.equal(readyLine({ flight: 1, data: 2, http: 3 }), '{"ready":true,"flight":1,"data":2,"http":3}\n');
});
