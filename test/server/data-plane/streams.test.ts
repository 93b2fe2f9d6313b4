/** Slow, stalled, cancelled and many readers and writers of the data plane. */
import assert from 'node:assert/strict';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isServiceError, type ServiceError } from '../../../src/core/errors.ts';
import type { CallContext } from '../../../src/server/streams/wire/bulk-handlers.ts';
import type { FlightMessage } from '../../../src/server/streams/wire/messages.ts';
import { toyMessages } from '../flight/toy.ts';
import { answerOf, call, descriptor, openSession, start, ticket, uploadMessage } from './client.ts';
import { startToy, type Toy } from './toy.ts';

const header = new Uint8Array(8);
const source = new Uint8Array(new SharedArrayBuffer(16 << 20));

/** A message with a body of so many bytes, which no message owns. */
const bodyOf = (bodyBytes: number): FlightMessage => ({ header, body: [source.subarray(0, bodyBytes)], bodyBytes });

/** Messages of the size that the server asks for, until the signal fires; a ticket of one byte gets a few rows instead. */
function endless() {
  const reasons: Promise<ServiceError>[] = [];
  const state = { sent: 0, returned: 0 };
  const doGet = async function* (context: CallContext, bytes: Uint8Array) {
    if (bytes.length === 1) return yield* toyMessages(5);
    reasons.push(
      new Promise((resolve) => context.signal.addEventListener('abort', () => resolve(context.signal.reason))),
    );
    try {
      for (;;) {
        state.sent++;
        yield bodyOf(context.messageBytesTarget);
      }
    } finally {
      state.returned++;
    }
  };
  return { doGet, reasons, state };
}

const idle = async (toy: Toy): Promise<void> => {
  while (toy.server.activeCalls > 0) await sleep(5);
};

/** A call whose reader takes nothing beyond HTTP/2's first window. */
const stall = (session: ClientHttp2Session): ClientHttp2Stream =>
  start(session, { method: 'DoGet', data: [ticket(2)] });

test('many stalled streams of one connection are all served, and others beside them', async () => {
  const { doGet } = endless();
  await using toy = await startToy({ doGet });
  const session = await openSession(toy.port);
  const stalled = Array.from({ length: 80 }, () => stall(session));
  while (toy.budget.openStreams < 80) await sleep(10);
  for (let at = 0; at < 20; at++) assert.equal((await call(session, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
  assert.ok(stalled.every((stream) => !stream.closed));
  session.destroy();
  await idle(toy);
  assert.equal(toy.budget.queuedBytes, 0);
});

test('1,000 stalled readers cost little memory, and a fast one gets through', async () => {
  const { doGet, state } = endless();
  await using toy = await startToy({ doGet });
  const sessions = await Promise.all(Array.from({ length: 5 }, () => openSession(toy.port)));
  global.gc?.();
  const before = process.memoryUsage().rss;
  const stalled = sessions.flatMap((session) => Array.from({ length: 200 }, () => stall(session)));
  while (toy.budget.openStreams < 1_000) await sleep(20);
  const answers = await Promise.all(sessions.map((session) => call(session, { method: 'DoGet', data: [ticket(1)] })));
  assert.ok(answers.every(({ grpc }) => grpc === '0'));
  assert.ok(stalled.every((stream) => !stream.closed));
  assert.ok(toy.budget.queuedBytes <= 512 << 20);
  assert.ok(state.sent < 6_000, `${state.sent} messages were made`);
  const grown = process.memoryUsage().rss - before;
  // Client and server are in one process here; the clients hold 64 KB each.
  assert.ok(grown < 300 << 20, `${grown} bytes more`);
  for (const session of sessions) session.destroy();
  await idle(toy);
});

test('a cancelled stream ends at once, whatever waits in it: handler, bytes and place are let go', async () => {
  const { doGet, reasons, state } = endless();
  await using toy = await startToy({ doGet });
  const session = await openSession(toy.port);
  const codes = [constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_INTERNAL_ERROR];
  for (const code of codes) {
    const stream = stall(session);
    while (toy.budget.queuedBytes < 4 << 20) await sleep(5);
    stream.close(code);
    await idle(toy);
    assert.equal(toy.budget.queuedBytes, 0);
    assert.equal(toy.budget.openStreams, 0);
  }
  assert.ok((await Promise.all(reasons)).every((reason) => isServiceError(reason, 'CANCELLED')));
  while (state.returned < codes.length) await sleep(5);
  assert.deepEqual(
    toy.ended.map(({ code }) => code),
    codes.map(() => 'CANCELLED'),
  );
  session.destroy();
});

test('an upload that is cancelled while its handler reads nothing ends too', async () => {
  const { promise: reading, resolve } = Promise.withResolvers<CallContext>();
  await using toy = await startToy({
    async *doPut(context, _descriptor, messages) {
      for await (const message of messages) {
        if (message.body.length === 0) continue;
        resolve(context);
        await new Promise(() => {});
      }
      yield new Uint8Array(1);
    },
  });
  const session = await openSession(toy.port);
  const stream = start(session, { method: 'DoPut', data: [descriptor, uploadMessage(1_000)], end: false });
  const context = await reading;
  for (let at = 0; at < 50; at++) stream.write(uploadMessage(100_000));
  await sleep(100);
  stream.close(constants.NGHTTP2_CANCEL);
  await idle(toy);
  assert.ok(isServiceError(context.signal.reason, 'CANCELLED'));
  session.destroy();
});

test('a loader that cancels 3,000 calls at once keeps its connection', async () => {
  const { doGet } = endless();
  await using toy = await startToy({ doGet });
  const session = await openSession(toy.port);
  for (let at = 0; at < 3_000; at++) {
    const stream = stall(session);
    stream.close(constants.NGHTTP2_CANCEL);
    if (at % 100 === 99) await sleep(1);
  }
  assert.equal((await call(session, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
  assert.equal(session.destroyed, false);
  session.destroy();
  await idle(toy);
});

test('a reader that takes nothing for too long loses its stream, and its bytes come back', async () => {
  const { doGet, reasons } = endless();
  await using toy = await startToy({ doGet }, { limits: { streamStallMs: 300 } });
  const session = await openSession(toy.port);
  const stream = stall(session);
  await new Promise<void>((resolve) => stream.once('response', () => resolve()));
  assert.ok(isServiceError(await reasons[0], 'LIMIT_EXCEEDED'));
  // It reads on before the lingering status is dropped: all that waited comes, then the status.
  const answer = await answerOf(stream);
  assert.deepEqual([answer.code, answer.grpc], ['LIMIT_EXCEEDED', '8']);
  await idle(toy);
  assert.equal(toy.budget.queuedBytes, 0);
  session.destroy();
});

test('a failed call whose reader stays away is dropped after a while', async () => {
  const { doGet } = endless();
  await using toy = await startToy({ doGet }, { limits: { streamStallMs: 100 } });
  const session = await openSession(toy.port);
  const stream = stall(session);
  const begun = performance.now();
  await new Promise<void>((resolve) => stream.once('close', () => resolve()));
  await idle(toy);
  assert.ok(performance.now() - begun < 8_000);
  assert.equal(stream.rstCode, constants.NGHTTP2_CANCEL);
  session.destroy();
});

test('streams beyond the number or the bytes that fit are refused with a typed error', async () => {
  const { doGet } = endless();
  await using toy = await startToy({ doGet }, { limits: { streamsMax: 3 } });
  const session = await openSession(toy.port);
  for (let at = 0; at < 3; at++) stall(session);
  while (toy.budget.openStreams < 3) await sleep(5);
  assert.equal((await call(session, { method: 'DoGet', data: [ticket(1)] })).code, 'LIMIT_EXCEEDED');
  assert.equal(toy.refused(), 1);
  session.destroy();
  await idle(toy);
});

test('an upload is read one message at a time, and what is sent ahead of it is bounded', async () => {
  let received = 0;
  const { promise: go, resolve } = Promise.withResolvers<void>();
  await using toy = await startToy(
    {
      async *doPut(_context, _descriptor, messages) {
        for await (const message of messages) {
          received += message.body.length;
          if (received > 0) await go;
        }
        yield new Uint8Array(1);
      },
    },
    { limits: { uploadWindowBytes: 2 << 20 } },
  );
  const session = await openSession(toy.port);
  const stream = start(session, { method: 'DoPut', data: [descriptor], end: false });
  let taken = 0;
  for (let at = 0; at < 40; at++) stream.write(uploadMessage(256 << 10), () => taken++);
  stream.end();
  await sleep(400);
  assert.equal(received, 256 << 10);
  // The window, the message that was read, and what the client's own buffers take.
  assert.ok(taken <= 12, `${taken} messages have left the client`);
  resolve();
  assert.equal((await answerOf(stream)).grpc, '0');
  assert.equal(received, 40 * (256 << 10));
  session.destroy();
});

test('strangers may send 64 KB ahead; an upload that found its place opens the window for a long path', async () => {
  await using toy = await startToy({
    async *doPut(_context, _descriptor, messages) {
      for await (const _ of messages);
      yield new Uint8Array(1);
    },
    async *doGet() {
      yield* toyMessages(5);
    },
  });
  const session = await openSession(toy.port);
  assert.equal((await call(session, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
  assert.equal(session.remoteSettings.initialWindowSize, 65_535);
  assert.equal((await call(session, { method: 'DoPut', data: [descriptor, uploadMessage(1 << 20)] })).grpc, '0');
  assert.equal(session.remoteSettings.initialWindowSize, 16 << 20);
  // The connection's own window is no narrower.
  assert.ok(session.state.remoteWindowSize! > 16 << 20);
  session.destroy();
});

test('a handler that gives up early answers at once, and the rest of the upload is dropped as it comes', async () => {
  await using toy = await startToy({
    async *doPut() {
      yield new Uint8Array(1);
    },
  });
  const session = await openSession(toy.port);
  const stream = start(session, { method: 'DoPut', data: [descriptor], end: false });
  const answer = answerOf(stream, false);
  await new Promise<void>((resolve) => stream.once('trailers', () => resolve()));
  for (let at = 0; at < 40; at++) stream.write(uploadMessage(256 << 10));
  stream.end();
  assert.equal((await answer).grpc, '0');
  await idle(toy);
  session.destroy();
});
