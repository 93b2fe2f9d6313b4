import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { createConnection } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { ServiceError } from '../../../src/core/errors.ts';
import { encodeFlightData } from '../../../src/server/streams/wire/flight-data.ts';
import { startToy, type Toy, toyMessages } from './toy.ts';

interface Answer {
  readonly http: number;
  readonly grpc: string | undefined;
  readonly code: string | undefined;
  readonly message: string;
}

interface Request {
  readonly method: string;
  readonly data?: readonly Buffer[];
  readonly headers?: Record<string, string>;
  /** Whether the request ends; true when absent. */
  readonly end?: boolean;
}

/** Sends raw bytes as a gRPC call and gives how it ended. */
async function call(
  session: ClientHttp2Session,
  { method, data = [], headers = {}, end = true }: Request,
): Promise<Answer> {
  const stream = session.request({
    ':method': 'POST',
    ':path': `/arrow.flight.protocol.FlightService/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  let all: Record<string, unknown> = {};
  stream.on('response', (received) => {
    all = { ...all, ...received };
  });
  stream.on('trailers', (received) => {
    all = { ...all, ...received };
  });
  stream.on('error', () => {});
  stream.resume();
  for (const chunk of data) stream.write(chunk);
  if (end) stream.end();
  await once(stream, 'close');
  const text = (name: string): string | undefined => all[name]?.toString();
  return {
    http: Number(all[':status']),
    grpc: text('grpc-status'),
    code: text('headrace-error-code'),
    message: decodeURI(text('grpc-message') ?? ''),
  };
}

function frame(payload: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

const ticket = (length: number): Buffer => frame(Buffer.from([0x0a, length, ...Buffer.alloc(length, 0x41)]));
const doGet = {
  async *doGet() {
    yield* toyMessages(5);
  },
};

async function session(toy: Toy): Promise<ClientHttp2Session> {
  const client = connect(`http://127.0.0.1:${toy.port}`);
  client.on('error', () => {});
  await once(client, 'connect');
  return client;
}

async function withToy(
  handlers: Parameters<typeof startToy>[0],
  limits: NonNullable<Parameters<typeof startToy>[1]>['limits'],
  work: (client: ClientHttp2Session, toy: Toy) => Promise<void>,
): Promise<void> {
  await using toy = await startToy(handlers, { limits: limits ?? {} });
  const client = await session(toy);
  try {
    await work(client, toy);
  } finally {
    client.destroy();
  }
}

test('a well-formed raw call succeeds', () =>
  withToy(doGet, {}, async (client) => {
    const answer = await call(client, { method: 'DoGet', data: [ticket(3)] });
    assert.deepEqual([answer.http, answer.grpc, answer.code], [200, '0', undefined]);
  }));

const huge = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
for (const [name, request, code] of [
  ['a prefix that claims 4 GiB', { method: 'DoGet', data: [huge] }, 'LIMIT_EXCEEDED'],
  ['a prefix that claims 4 GiB on a DoPut', { method: 'DoPut', data: [huge] }, 'LIMIT_EXCEEDED'],
  [
    'a ticket beyond the limit of requests',
    { method: 'DoGet', data: [frame(Buffer.alloc(3 << 20))] },
    'LIMIT_EXCEEDED',
  ],
  [
    'a gzip bomb',
    { method: 'DoPut', data: [frame(gzipSync(Buffer.alloc(64 << 20)), 1)], headers: { 'grpc-encoding': 'gzip' } },
    'LIMIT_EXCEEDED',
  ],
  [
    'bytes that are not gzip',
    { method: 'DoGet', data: [frame(Buffer.from('not gzip'), 1)], headers: { 'grpc-encoding': 'gzip' } },
    'INVALID_REQUEST',
  ],
  [
    'an unknown compression',
    { method: 'DoGet', data: [frame(Buffer.from('x'), 1)], headers: { 'grpc-encoding': 'snappy' } },
    'UNSUPPORTED_FEATURE',
  ],
  ['a malformed ticket', { method: 'DoGet', data: [frame(Buffer.from([0x0a, 200, 1]))] }, 'INVALID_REQUEST'],
  ['no message', { method: 'DoGet' }, 'INVALID_REQUEST'],
  ['two messages', { method: 'DoGet', data: [ticket(1), ticket(1)] }, 'INVALID_REQUEST'],
  ['an empty descriptor', { method: 'GetFlightInfo', data: [frame(Buffer.alloc(0))] }, 'INVALID_REQUEST'],
  ['a put without a descriptor', { method: 'DoPut', data: [frame(Buffer.from([0x12, 1, 0]))] }, 'INVALID_REQUEST'],
  ['a put without a message', { method: 'DoPut' }, 'INVALID_REQUEST'],
  [
    'two cursors',
    { method: 'DoGet', data: [ticket(1)], headers: { 'headrace-cursor': 'a', 'headrace-offset': '1' } },
    'INVALID_REQUEST',
  ],
  [
    'an offset that is no number',
    { method: 'DoGet', data: [ticket(1)], headers: { 'headrace-offset': '1e3' } },
    'INVALID_REQUEST',
  ],
  [
    'a scheme that is not Bearer',
    { method: 'DoGet', data: [ticket(1)], headers: { authorization: 'Basic eA==' } },
    'UNAUTHENTICATED',
  ],
  [
    'a malformed timeout',
    { method: 'DoGet', data: [ticket(1)], headers: { 'grpc-timeout': 'soon' } },
    'INVALID_REQUEST',
  ],
] as const satisfies readonly (readonly [string, Request, string])[]) {
  test(`${name} is ${code}, and the next call works`, () =>
    withToy(doGet, {}, async (client) => {
      const answer = await call(client, request);
      assert.equal(answer.code, code);
      assert.ok(answer.message.startsWith(`${code}: `), answer.message);
      assert.equal((await call(client, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
    }));
}

test('an unknown method and another content type are refused', () =>
  withToy(doGet, {}, async (client) => {
    assert.equal((await call(client, { method: 'DoNothing', data: [ticket(1)] })).grpc, '12');
    assert.equal((await call(client, { method: 'DoGet', headers: { 'content-type': 'text/html' } })).http, 415);
  }));

test('a request that never completes ends with DEADLINE_EXCEEDED', () =>
  withToy(doGet, { requestReadMs: 200 }, async (client) => {
    const answer = await call(client, { method: 'DoGet', data: [Buffer.from([0, 0, 0, 1, 0, 1])], end: false });
    assert.equal(answer.code, 'DEADLINE_EXCEEDED');
  }));

test('uploads beyond their number are refused, and the place is given back', () => {
  const descriptor = frame(
    encodeFlightData({ header: Buffer.from([1]), body: [], bodyBytes: 0, descriptor: { kind: 'path', path: ['a'] } }),
  );
  const doPut: Parameters<typeof startToy>[0]['doPut'] = async function* (_call, _descriptor, messages) {
    for await (const _ of messages);
    yield new Uint8Array(1);
  };
  return withToy({ doPut }, { putsMax: 1 }, async (client) => {
    const running = client.request({
      ':method': 'POST',
      ':path': '/arrow.flight.protocol.FlightService/DoPut',
      'content-type': 'application/grpc',
    });
    running.write(descriptor);
    await sleep(50);
    assert.equal((await call(client, { method: 'DoPut', data: [descriptor] })).code, 'LIMIT_EXCEEDED');
    running.resume().end();
    await once(running, 'close');
    assert.equal((await call(client, { method: 'DoPut', data: [descriptor] })).grpc, '0');
  });
});

test('an upload without a valid token takes no place, and one principal cannot take all', async () => {
  const descriptor = frame(
    encodeFlightData({ header: Buffer.from([1]), body: [], bodyBytes: 0, descriptor: { kind: 'path', path: ['a'] } }),
  );
  const doPut: Parameters<typeof startToy>[0]['doPut'] = async function* (_call, _descriptor, messages) {
    for await (const _ of messages);
    yield new Uint8Array(1);
  };
  const authenticate = async ({ token }: { readonly token: string | null }): Promise<string> => {
    if (token === null) throw new ServiceError('UNAUTHENTICATED', 'no token was sent');
    return token;
  };
  await using toy = await startToy({ doPut, authenticate }, { limits: { putsMax: 2, putsPerPrincipalMax: 1 } });
  const client = connect(`http://127.0.0.1:${toy.port}`);
  const by = (name: string) => ({ authorization: `Bearer ${name}` });
  for (let at = 0; at < 3; at++) {
    assert.equal((await call(client, { method: 'DoPut', end: false })).code, 'UNAUTHENTICATED');
  }
  const idle = client.request({
    ':method': 'POST',
    ':path': '/arrow.flight.protocol.FlightService/DoPut',
    'content-type': 'application/grpc',
    ...by('ann'),
  });
  idle.on('error', () => {});
  await sleep(50);
  const second = await call(client, { method: 'DoPut', data: [descriptor], headers: by('ann') });
  assert.match(second.message, /1 uploads of ann are running \(limits\.putsPerPrincipalMax\)/);
  assert.equal((await call(client, { method: 'DoPut', data: [descriptor], headers: by('bob') })).grpc, '0');
  assert.match(await toy.metrics.exposition(), /^headrace_refused_streams_total 1$/m);
  client.destroy();
});

test('an upload whose next message does not come ends with DEADLINE_EXCEEDED; a handler that takes its time does not end it', () => {
  const descriptor = frame(
    encodeFlightData({ header: Buffer.from([1]), body: [], bodyBytes: 0, descriptor: { kind: 'path', path: ['a'] } }),
  );
  const doPut: Parameters<typeof startToy>[0]['doPut'] = async function* (_call, _descriptor, messages) {
    for await (const _ of messages) await sleep(400);
    yield new Uint8Array(1);
  };
  return withToy({ doPut }, { uploadStallMs: 200 }, async (client) => {
    const idle = await call(client, { method: 'DoPut', data: [descriptor], end: false });
    assert.equal(idle.code, 'DEADLINE_EXCEEDED');
    assert.match(idle.message, /limits\.uploadStallMs/);
    assert.equal((await call(client, { method: 'DoPut', data: [descriptor, descriptor] })).grpc, '0');
  });
});

test('1,500 quick cancels leave an honest connection usable', () =>
  withToy(doGet, { connectionStreamsMax: 2_000 }, async (client) => {
    for (let round = 0; round < 15; round++) {
      for (let at = 0; at < 100; at++) {
        const stream = client.request({
          ':method': 'POST',
          ':path': '/arrow.flight.protocol.FlightService/DoGet',
          'content-type': 'application/grpc',
        });
        stream.on('error', () => {});
        stream.close(constants.NGHTTP2_CANCEL);
      }
      await sleep(5);
    }
    assert.equal((await call(client, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
  }));

test('a flood of PING frames ends its own connection only', () =>
  withToy(doGet, { connectionPingsMax: 100 }, async (client, toy) => {
    const flood = await session(toy);
    const closed = once(flood, 'close');
    for (let at = 0; at < 10 && !flood.destroyed; at++) {
      for (let ping = 0; ping < 9; ping++) flood.ping(() => {});
      await sleep(1);
    }
    for (let at = 0; at < 100 && !flood.destroyed; at++) {
      flood.ping(() => {});
      await sleep(1);
    }
    await closed;
    assert.equal((await call(client, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
  }));

test('bytes that are not HTTP/2, and connections cut in the middle, harm nobody', () =>
  withToy(doGet, {}, async (client, toy) => {
    for (const garbage of [
      'GET / HTTP/1.1\r\n\r\n',
      '\0'.repeat(1000),
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff',
    ]) {
      const socket = createConnection(toy.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.resume().write(Buffer.from(garbage, 'latin1'));
      await sleep(20);
      socket.destroy();
    }
    assert.equal((await call(client, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
  }));

test('connections beyond their number are dropped, idle ones end', () =>
  withToy(doGet, { connectionsMax: 1, connectionIdleMs: 300 }, async (client, toy) => {
    const second = createConnection(toy.port, '127.0.0.1');
    second.on('error', () => {});
    await once(second.resume(), 'close');
    await once(client, 'close');
  }));
