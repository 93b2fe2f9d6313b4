/** How the data plane's connections come, stay and go. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants } from 'node:http2';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isServiceError } from '../../../src/core/errors.ts';
import { canSharePorts, requireFreePort, workerListeners } from '../../../src/server/data-plane/ports.ts';
import { toyMessages } from '../flight/toy.ts';
import { answerOf, call, openSession, start, ticket } from './client.ts';
import { ack, connectRaw, endStream, frameType, headersFrame, rawFrame } from './raw.ts';
import { startToy } from './toy.ts';

const doGet = {
  async *doGet() {
    yield* toyMessages(5);
  },
};

/** A ticket of two bytes goes on until `go`, one of three for ever. */
function slow() {
  const { promise, resolve: go } = Promise.withResolvers<void>();
  const handlers = {
    async *doGet(_call: unknown, bytes: Uint8Array) {
      yield* toyMessages(5);
      if (bytes.length === 2) await promise;
      if (bytes.length === 3) await new Promise(() => {});
    },
  };
  return { handlers, go };
}

test('draining lets running calls finish, says which was the last, and ends the late with UNAVAILABLE', async () => {
  const { handlers, go } = slow();
  await using toy = await startToy(handlers);
  const session = await openSession(toy.port);
  const done = answerOf(start(session, { method: 'DoGet', data: [ticket(2)] }));
  const late = answerOf(start(session, { method: 'DoGet', data: [ticket(3)] }));
  while (toy.server.activeCalls < 2) await sleep(5);
  using raw = await connectRaw(toy.port);
  await raw.send(Buffer.concat([headersFrame(1), rawFrame(frameType.data, endStream, 1, ticket(2))]));
  while (toy.server.activeCalls < 3) await sleep(5);
  const drained = toy.server.drain(700);
  const goodbye = () => raw.received.find(({ type }) => type === frameType.goaway);
  while (goodbye() === undefined) await sleep(5);
  assert.deepEqual([...goodbye()!.payload.subarray(0, 8)], [0, 0, 0, 1, 0, 0, 0, 0]);
  await raw.send(Buffer.concat([headersFrame(3), rawFrame(frameType.data, endStream, 3, ticket(1))]));
  await assert.rejects(openSession(toy.port));
  go();
  assert.equal((await done).grpc, '0');
  const answer = await late;
  assert.deepEqual([answer.code, answer.grpc], ['UNAVAILABLE', '14']);
  await drained;
  const ended = (id: number) => raw.received.some(({ stream, flags }) => stream === id && (flags & endStream) > 0);
  assert.deepEqual([ended(1), ended(3)], [true, false]);
  assert.equal(toy.server.activeCalls, 0);
  while (toy.server.connections > 0) await sleep(5);
});

test('draining ends by itself once the last call has', async () => {
  const { handlers, go } = slow();
  await using toy = await startToy(handlers);
  const session = await openSession(toy.port);
  const done = answerOf(start(session, { method: 'DoGet', data: [ticket(2)] }));
  while (toy.server.activeCalls < 1) await sleep(5);
  const begun = performance.now();
  const drained = toy.server.drain(60_000);
  go();
  assert.equal((await done).grpc, '0');
  await drained;
  assert.ok(performance.now() - begun < 10_000);
});

test('closing ends everything at once, handlers included', async () => {
  const { handlers } = slow();
  const toy = await startToy(handlers);
  const session = await openSession(toy.port);
  const late = answerOf(start(session, { method: 'DoGet', data: [ticket(3)] }));
  while (toy.server.activeCalls < 1) await sleep(5);
  await toy.server.close();
  await late;
  while (toy.server.activeCalls > 0) await sleep(5);
  assert.equal(toy.ended[0]?.code, 'CANCELLED');
});

test('an idle connection is closed; one with a call is not', async () => {
  const { handlers, go } = slow();
  await using toy = await startToy(handlers, { limits: { connectionIdleMs: 500 } });
  const [silent, busy] = [await openSession(toy.port), await openSession(toy.port)];
  const running = answerOf(start(busy, { method: 'DoGet', data: [ticket(2)] }));
  await once(silent, 'close');
  await sleep(1_500);
  assert.equal(busy.destroyed, false);
  go();
  assert.equal((await running).grpc, '0');
  await once(busy, 'close');
});

test('an old connection takes no new calls, and finishes those that it has', async () => {
  const { handlers, go } = slow();
  await using toy = await startToy(handlers, { limits: { connectionAgeMs: 300 } });
  const session = await openSession(toy.port);
  const running = answerOf(start(session, { method: 'DoGet', data: [ticket(2)] }));
  await once(session, 'goaway');
  go();
  assert.equal((await running).grpc, '0');
  await once(session, 'close');
});

test('an old connection does not outlive its grace', async () => {
  const { handlers } = slow();
  await using toy = await startToy(handlers, { limits: { connectionAgeMs: 300, connectionAgeGraceMs: 300 } });
  const session = await openSession(toy.port);
  const stream = start(session, { method: 'DoGet', data: [ticket(3)] });
  await new Promise<void>((resolve) => stream.once('close', () => resolve()));
  while (toy.server.connections > 0) await sleep(10);
});

test('a client that gives signs of life keeps its connection, and its pings are answered', async () => {
  const { handlers, go } = slow();
  await using toy = await startToy(handlers, { limits: { keepaliveMs: 300, keepaliveTimeoutMs: 300 } });
  const session = await openSession(toy.port);
  const running = answerOf(start(session, { method: 'DoGet', data: [ticket(2)] }));
  let asked = 0;
  session.on('ping', () => asked++);
  await sleep(2_500);
  assert.ok(asked >= 1);
  await new Promise<void>((resolve, reject) => {
    session.ping((error) => (error === null ? resolve() : reject(error)));
  });
  go();
  assert.equal((await running).grpc, '0');
  session.destroy();
});

test('connections beyond their number are ended, and take nothing from the others', async () => {
  await using toy = await startToy(doGet, { limits: { connectionsMax: 2 } });
  const sessions = [await openSession(toy.port), await openSession(toy.port)];
  using third = await connectRaw(toy.port);
  await third.closed;
  for (const session of sessions) {
    assert.equal((await call(session, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
    session.destroy();
  }
});

test('calls beyond a connection’s number are refused, and end the connection of a client that knows better', async () => {
  await using toy = await startToy(slow().handlers, { limits: { connectionStreamsMax: 2 } });
  using connection = await connectRaw(toy.port);
  await connection.send(Buffer.concat([1, 3, 5].map((id) => headersFrame(id))));
  const reset = () => connection.received.find(({ type }) => type === frameType.rstStream);
  while (reset() === undefined) await sleep(5);
  assert.equal(reset()!.stream, 5);
  assert.equal(reset()!.payload.readUInt32BE(), constants.NGHTTP2_REFUSED_STREAM);
  await connection.send(rawFrame(frameType.settings, ack, 0, Buffer.alloc(0)));
  await connection.send(headersFrame(7));
  await connection.closed;
});

test('workers share one port, each has one of its own, and calls reach them on all', async () => {
  assert.equal(canSharePorts, true);
  const host = '127.0.0.1';
  await using first = await startToy(doGet, { listeners: workerListeners({ host, own: 0, shared: 0 }) });
  const shared = first.server.ports[1]!;
  await using second = await startToy(doGet, { listeners: workerListeners({ host, own: 0, shared }) });
  assert.equal(second.server.ports[1], shared);
  const ports = [...first.server.ports, ...second.server.ports];
  assert.equal(new Set(ports).size, 3);
  for (const port of ports) {
    const session = await openSession(port);
    assert.equal((await call(session, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
    session.destroy();
  }
  // Each connection is one worker's: over enough of them, both get some.
  for (let at = 0; at < 64; at++) {
    const session = await openSession(shared);
    await call(session, { method: 'DoGet', data: [ticket(1)] });
    session.destroy();
  }
  for (const { ended } of [first, second]) assert.ok(ended.length > 2 && ended.length < 66);
});

test('with port 0 each listener that shares gets another port: the first one’s number is to be passed on', async () => {
  const listener = { host: '127.0.0.1', port: 0, shared: true };
  await using first = await startToy(doGet, { listeners: [listener] });
  await using second = await startToy(doGet, { listeners: [listener] });
  assert.notEqual(first.port, second.port);
});

test('another server of the same user would join a shared port silently: asking for the port first tells', async () => {
  const shared = { host: '127.0.0.1', port: 0, shared: true };
  await using first = await startToy(doGet, { listeners: [shared] });
  await using joined = await startToy(doGet, { listeners: [{ ...shared, port: first.port }] });
  assert.equal(joined.port, first.port);
  await assert.rejects(requireFreePort('127.0.0.1', first.port), (error) => isServiceError(error, 'UNAVAILABLE'));
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as { port: number };
  await assert.rejects(startToy(doGet, { listeners: [{ host: '127.0.0.1', port, shared: false }] }), (error) =>
    isServiceError(error, 'UNAVAILABLE'),
  );
  holder.close();
  await once(holder, 'close');
  await requireFreePort('127.0.0.1', port);
});

test('where ports cannot be shared, a worker has its own alone', () => {
  const ports = { host: '::', own: 5, shared: 6 };
  assert.deepEqual(workerListeners(ports, false), [{ host: '::', port: 5, shared: false }]);
});
