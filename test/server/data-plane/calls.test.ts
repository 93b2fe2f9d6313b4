/** How the data plane answers single calls, well-formed and not, as raw HTTP/2 shows it. */
import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../../../src/core/errors.ts';
import type { CallContext } from '../../../src/server/streams/wire/bulk-handlers.ts';
import { toyMessages } from '../flight/toy.ts';
import {
  answerOf,
  call,
  descriptor,
  frame,
  openSession,
  type Request,
  start,
  ticket,
  uploadMessage,
} from './client.ts';
import { startToy, type Toy } from './toy.ts';

type Handlers = Parameters<typeof startToy>[0];
type Limits = NonNullable<NonNullable<Parameters<typeof startToy>[1]>['limits']>;

const doGet = {
  async *doGet() {
    yield* toyMessages(5);
  },
};

async function withToy(
  handlers: Handlers,
  limits: Limits,
  work: (client: ClientHttp2Session, toy: Toy) => Promise<void>,
): Promise<void> {
  await using toy = await startToy(handlers, { limits });
  const client = await openSession(toy.port);
  try {
    await work(client, toy);
  } finally {
    client.destroy();
  }
}

test('a well-formed call succeeds, with its status in the trailers', () =>
  withToy(doGet, {}, async (client, toy) => {
    const answer = await call(client, { method: 'DoGet', data: [ticket(3)] });
    assert.deepEqual([answer.http, answer.grpc, answer.code, answer.rstCode], [200, '0', undefined, 0]);
    assert.equal(answer.headers['content-type'], 'application/grpc');
    assert.equal(answer.headers['grpc-accept-encoding'], 'identity');
    assert.ok(answer.data.length > 100);
    assert.deepEqual(
      toy.ended.map(({ method, code }) => [method, code]),
      [['DoGet', 'OK']],
    );
  }));

const huge = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
for (const [name, request, code, grpc] of [
  ['a prefix that claims 4 GiB', { method: 'DoGet', data: [huge] }, 'LIMIT_EXCEEDED', 8],
  ['a prefix that claims 4 GiB on a DoPut', { method: 'DoPut', data: [huge] }, 'LIMIT_EXCEEDED', 8],
  ['a ticket beyond the limit', { method: 'DoGet', data: [frame(Buffer.alloc(3 << 20))] }, 'LIMIT_EXCEEDED', 8],
  [
    'a compressed call',
    { method: 'DoGet', data: [ticket(1)], headers: { 'grpc-encoding': 'gzip' } },
    'UNSUPPORTED_FEATURE',
    12,
  ],
  ['a message marked as compressed', { method: 'DoGet', data: [frame(Buffer.from('x'), 1)] }, 'INVALID_REQUEST', 3],
  ['a malformed ticket', { method: 'DoGet', data: [frame(Buffer.from([0x0a, 200, 1]))] }, 'INVALID_REQUEST', 3],
  ['no message', { method: 'DoGet' }, 'INVALID_REQUEST', 3],
  ['two messages', { method: 'DoGet', data: [ticket(1), ticket(1)] }, 'INVALID_REQUEST', 3],
  ['half a message', { method: 'DoGet', data: [ticket(9).subarray(0, 9)] }, 'INVALID_REQUEST', 3],
  ['half a prefix', { method: 'DoGet', data: [Buffer.alloc(3)] }, 'INVALID_REQUEST', 3],
  ['bytes behind the message', { method: 'DoGet', data: [ticket(1), Buffer.alloc(2)] }, 'INVALID_REQUEST', 3],
  ['half a message of an upload', { method: 'DoPut', data: [descriptor, huge.subarray(0, 4)] }, 'INVALID_REQUEST', 3],
  ['a put without a descriptor', { method: 'DoPut', data: [frame(Buffer.from([0x12, 1, 0]))] }, 'INVALID_REQUEST', 3],
  ['a put without a message', { method: 'DoPut' }, 'INVALID_REQUEST', 3],
  [
    'two cursors',
    { method: 'DoGet', headers: { 'headrace-cursor': 'a', 'headrace-offset': '1' } },
    'INVALID_REQUEST',
    3,
  ],
  ['a cursor given twice', { method: 'DoGet', headers: { 'headrace-cursor': ['a', 'b'] } }, 'INVALID_REQUEST', 3],
  ['a scheme that is not Bearer', { method: 'DoGet', headers: { authorization: 'Basic eA==' } }, 'UNAUTHENTICATED', 16],
  ['a malformed timeout', { method: 'DoGet', headers: { 'grpc-timeout': 'soon' } }, 'INVALID_REQUEST', 3],
  ['no te: trailers', { method: 'DoGet', data: [ticket(1)], headers: { te: null } }, 'INVALID_REQUEST', 3],
  [
    'a call of the control plane',
    { method: 'GetFlightInfo', data: [frame(Buffer.alloc(0))] },
    'UNSUPPORTED_FEATURE',
    12,
  ],
] as const satisfies readonly (readonly [string, Request, string, number])[]) {
  test(`${name} is ${code}, and the next call works`, () =>
    withToy(
      {
        ...doGet,
        async *doPut(_call, _descriptor, messages) {
          for await (const _ of messages);
          yield new Uint8Array(1);
        },
      },
      {},
      async (client) => {
        const answer = await call(client, request);
        assert.deepEqual([answer.http, answer.code, answer.grpc], [200, code, String(grpc)]);
        assert.ok(answer.message.startsWith(`${code}: `), answer.message);
        assert.equal((await call(client, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
      },
    ));
}

test('what is no gRPC gets an HTTP status', () =>
  withToy(doGet, {}, async (client) => {
    const statuses = [];
    for (const headers of [{ 'content-type': 'text/html' }, { 'content-type': null }, { ':method': 'GET' }]) {
      statuses.push((await call(client, { method: 'DoGet', headers })).http);
    }
    assert.deepEqual(statuses, [415, 415, 405]);
  }));

test('headers and trailers together stay below 8 KB, and the message is what was thrown, cut where it is too long', () =>
  withToy(
    {
      async *doGet(_call, bytes) {
        if (bytes.length === 1) throw new ServiceError('NOT_FOUND', 'naïve\n100 % – 名前 \ud800');
        yield toyMessages(5)[0];
        throw new ServiceError('LIMIT_EXCEEDED', '名'.repeat(20_000));
      },
    },
    {},
    async (client) => {
      const short = await call(client, { method: 'DoGet', data: [ticket(1)] });
      assert.equal(short.message, 'NOT_FOUND: naïve\n100 % – 名前 \ufffd');
      assert.match(short.headers['grpc-message']!, /^[ -~]+$/);
      const long = await call(client, { method: 'DoGet', data: [ticket(2)] });
      assert.equal(long.grpc, '8');
      assert.match(long.message, /^LIMIT_EXCEEDED: 名+…$/);
      assert.ok(long.headerBytes < 8_000, `${long.headerBytes} bytes`);
    },
  ));

test('what a handler throws unforeseen is INTERNAL with an id, and its text stays in the log’s hands', () =>
  withToy(
    {
      async *doGet() {
        yield toyMessages(5)[0];
        throw new Error('secret of the house');
      },
    },
    {},
    async (client, toy) => {
      const answer = await call(client, { method: 'DoGet', data: [ticket(1)] });
      assert.deepEqual([answer.code, answer.grpc], ['INTERNAL', '13']);
      assert.match(answer.message, /internal error [0-9a-f-]{36}/);
      assert.doesNotMatch(JSON.stringify(answer) + toy.log(), /secret of the house/);
    },
  ));

test('a handler sees token, resume point and peer, and an end of the call on its signal', async () => {
  const { promise: seen, resolve } = Promise.withResolvers<CallContext>();
  await withToy(
    {
      async *doGet(context) {
        resolve(context);
        yield* toyMessages(5);
      },
    },
    {},
    async (client) => {
      const headers = { authorization: 'Bearer abc', 'headrace-offset': '7' };
      await call(client, { method: 'DoGet', data: [ticket(1)], headers });
    },
  );
  const context = await seen;
  assert.equal(context.token, 'abc');
  assert.deepEqual(context.resume, { kind: 'offset', rows: 7 });
  assert.match(context.peer, /^127\.0\.0\.1:\d+$/);
  assert.equal(context.method, 'DoGet');
  assert.equal(context.signal.aborted, true);
});

test('a token may come as binary metadata, as clients send what a handshake gave them', async () => {
  const tokens: (string | null)[] = [];
  await withToy(
    {
      async *doGet(context) {
        tokens.push(context.token);
        yield* toyMessages(5);
      },
    },
    {},
    async (client) => {
      const headers = { 'auth-token-bin': Buffer.from('from a handshake').toString('base64').replace(/=+$/, '') };
      await call(client, { method: 'DoGet', data: [ticket(1)], headers });
      await call(client, { method: 'DoGet', data: [ticket(1)] });
    },
  );
  assert.deepEqual(tokens, ['from a handshake', null]);
});

test('headers beyond the limit end the call, not the connection, whether the client knows the limit yet or not', () =>
  withToy(doGet, {}, async (client) => {
    const request = { method: 'DoGet', data: [ticket(1)], headers: { padding: 'x'.repeat(70_000) } };
    assert.equal((await call(client, request)).code, 'LIMIT_EXCEEDED');
    assert.equal((await call(client, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
    const known = await call(client, request);
    assert.equal(known.rstCode, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    assert.equal((await call(client, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
  }));

test('a request that never completes, and an upload that stalls, end with DEADLINE_EXCEEDED', () =>
  withToy(
    {
      async *doPut(_call, _descriptor, messages) {
        for await (const _ of messages);
        yield new Uint8Array(1);
      },
    },
    { requestReadMs: 200, uploadStallMs: 200 },
    async (client) => {
      const half = await call(client, { method: 'DoGet', data: [ticket(3).subarray(0, 6)], end: false });
      assert.equal(half.code, 'DEADLINE_EXCEEDED');
      const silent = await call(client, { method: 'DoPut', end: false });
      assert.equal(silent.code, 'DEADLINE_EXCEEDED');
      const stalled = await call(client, { method: 'DoPut', data: [descriptor, uploadMessage(10)], end: false });
      assert.equal(stalled.code, 'DEADLINE_EXCEEDED');
      assert.match(stalled.message, /limits\.uploadStallMs/);
    },
  ));

test('a deadline ends the call on time, whatever its handler does', () =>
  withToy(
    {
      async *doGet() {
        yield toyMessages(5)[0];
        await new Promise(() => {});
      },
    },
    {},
    async (client, toy) => {
      const begun = performance.now();
      const answer = await call(client, { method: 'DoGet', data: [ticket(1)], headers: { 'grpc-timeout': '200m' } });
      assert.deepEqual([answer.code, answer.grpc], ['DEADLINE_EXCEEDED', '4']);
      assert.ok(performance.now() - begun < 3_000);
      assert.equal(toy.ended[0]?.code, 'DEADLINE_EXCEEDED');
    },
  ));

test('a caller that never ends its request is let go after a while, and so is its stream', () =>
  withToy(doGet, {}, async (client, toy) => {
    const stream = start(client, { method: 'DoPut', data: [huge], end: false });
    const answer = await answerOf(stream, false);
    assert.equal(answer.code, 'LIMIT_EXCEEDED');
    while (toy.server.activeCalls > 0) await sleep(10);
  }));

test('places of uploads are counted, for callers who said who they are, and given back', async () => {
  const doPut: Handlers['doPut'] = async function* (_call, _descriptor, messages) {
    for await (const _ of messages);
    yield new Uint8Array(1);
  };
  const authenticate: Handlers['authenticate'] = async ({ token }) => {
    if (token === null) throw new ServiceError('UNAUTHENTICATED', 'who is there?');
    return token;
  };
  await withToy({ doPut, authenticate }, { putsMax: 2, putsPerPrincipalMax: 1 }, async (client, toy) => {
    const request = (token?: string): Request => ({
      method: 'DoPut',
      data: [descriptor],
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    const running = start(client, { ...request('a'), end: false });
    await sleep(50);
    assert.equal((await call(client, request())).code, 'UNAUTHENTICATED');
    assert.equal((await call(client, request('a'))).code, 'LIMIT_EXCEEDED');
    assert.equal((await call(client, request('b'))).grpc, '0');
    assert.equal(toy.refused(), 1);
    running.end();
    assert.equal((await answerOf(running)).grpc, '0');
    assert.equal((await call(client, request('a'))).grpc, '0');
  });
});

test('messages that a handler gives in shared memory arrive as they are', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(300_000));
  for (let at = 0; at < shared.length; at++) shared[at] = at % 251;
  return withToy(
    {
      async *doGet() {
        const body = [shared.subarray(0, 100), shared.subarray(100, 200_000), shared.subarray(200_000)];
        yield { header: new Uint8Array(8).fill(9), body, bodyBytes: shared.length };
      },
    },
    {},
    async (client) => {
      const answer = await call(client, { method: 'DoGet', data: [ticket(1)] });
      assert.equal(answer.grpc, '0');
      assert.deepEqual(answer.data.subarray(-shared.length), Buffer.from(shared));
      assert.equal((answer.data.length - 5 - shared.length) % 64, 0);
    },
  );
});

test('HTTP/1 is not spoken', async () => {
  await using toy = await startToy(doGet);
  await assert.rejects(fetch(`http://127.0.0.1:${toy.port}/`));
  const client = connect(`http://127.0.0.1:${toy.port}`);
  client.on('error', () => {});
  assert.equal((await call(client, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
  client.destroy();
});
