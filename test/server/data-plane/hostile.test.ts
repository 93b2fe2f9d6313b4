/** Attacks on the data plane's connections, each beside a bystander whose calls must go on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { toyMessages } from '../flight/toy.ts';
import { call, frame, openSession, ticket } from './client.ts';
import {
  ack,
  connectRaw,
  endHeaders,
  endStream,
  frameType,
  grpcHeaders,
  headerBlock,
  headersFrame,
  preface,
  type RawConnection,
  rawFrame,
} from './raw.ts';
import { startToy, type Toy, type ToyOptions } from './toy.ts';

const doGet = {
  async *doGet() {
    yield* toyMessages(5);
  },
};
const nothing = Buffer.alloc(0);
const zeros = (bytes: number): Buffer => Buffer.alloc(bytes);
/** A bystander may wait for its turn, but not for the attack's end. */
const answerMsMax = 2_000;

interface Attack {
  /** What the attacker sends; may read what came back. */
  readonly run: (connection: RawConnection, toy: Toy) => Promise<void>;
  readonly greeting?: Buffer;
  /** Whether the server ends the attacker's connection: `either` where it is no matter. */
  readonly ends: boolean | 'either';
  readonly limits?: ToyOptions['limits'];
}

/** Sends the same bytes again and again, many at a time. */
async function flood({ send }: RawConnection, bytes: Buffer, times: number): Promise<void> {
  const perWrite = Math.max(1, Math.floor((64 << 10) / bytes.length));
  for (let sent = 0; sent < times; sent += perWrite) {
    const count = Math.min(perWrite, times - sent);
    if (!(await send(Buffer.concat(Array.from({ length: count }, () => bytes))))) return;
  }
}

/** As `flood`, but so few at a time that each can be answered. */
async function drip({ send }: RawConnection, bytes: Buffer, times: number): Promise<void> {
  for (let sent = 0; sent < times; sent += 100) {
    if (!(await send(Buffer.concat(Array.from({ length: 100 }, () => bytes))))) return;
    await sleep(2);
  }
}

async function eachStream({ send }: RawConnection, count: number, of: (stream: number) => Buffer): Promise<void> {
  for (let at = 0; at < count; at += 50) {
    const chunk = Array.from({ length: Math.min(50, count - at) }, (_, index) => of(2 * (at + index) + 1));
    if (!(await send(Buffer.concat(chunk)))) return;
  }
}

const rst = (stream: number): Buffer => rawFrame(frameType.rstStream, 0, stream, Buffer.from([0, 0, 0, 8]));

const attacks: Readonly<Record<string, Attack>> = {
  'rapid reset (CVE-2023-44487)': {
    run: (connection) => eachStream(connection, 13_000, (id) => Buffer.concat([headersFrame(id), rst(id)])),
    ends: true,
  },
  'resets that the server is made to send (CVE-2025-8671)': {
    // A window update of zero is an error of the stream.
    run: (connection) =>
      eachStream(connection, 20_000, (id) =>
        Buffer.concat([headersFrame(id), rawFrame(frameType.windowUpdate, 0, id, zeros(4))]),
      ),
    ends: 'either',
  },
  'an endless header block (CVE-2024-27316)': {
    run: async (connection) => {
      await connection.send(headersFrame(1, 0));
      const more = headerBlock([['x-padding', 'y'.repeat(10_000)]]);
      await flood(connection, rawFrame(frameType.continuation, 0, 1, more), 5_000);
    },
    ends: true,
  },
  'empty CONTINUATION frames': {
    run: async (connection) => {
      await connection.send(headersFrame(1, 0));
      await flood(connection, rawFrame(frameType.continuation, 0, 1, nothing), 100_000);
    },
    ends: true,
  },
  'a header block that stalls': {
    run: async (connection) => {
      await connection.send(headersFrame(1, 0));
      await connection.closed;
    },
    ends: true,
    limits: { connectionIdleMs: 1_000 },
  },
  'PING frames': {
    run: (connection) => flood(connection, rawFrame(frameType.ping, 0, 0, zeros(8)), 200_000),
    ends: true,
  },
  'PING frames, each of which can be answered': {
    run: (connection) => drip(connection, rawFrame(frameType.ping, 0, 0, zeros(8)), 5_000),
    ends: true,
  },
  'SETTINGS frames, each of which can be answered': {
    run: (connection) => drip(connection, rawFrame(frameType.settings, 0, 0, nothing), 5_000),
    ends: true,
  },
  'answers to PING frames that nobody sent': {
    run: (connection) => flood(connection, rawFrame(frameType.ping, ack, 0, zeros(8)), 50_000),
    ends: 'either',
  },
  'SETTINGS frames': {
    run: (connection) => flood(connection, rawFrame(frameType.settings, 0, 0, nothing), 200_000),
    ends: true,
  },
  'SETTINGS frames that change something': {
    run: (connection) =>
      flood(connection, rawFrame(frameType.settings, 0, 0, Buffer.from([0, 4, 0, 0, 255, 255])), 200_000),
    ends: true,
  },
  'empty DATA frames (CVE-2019-9518)': {
    run: async (connection) => {
      await connection.send(headersFrame(1));
      await flood(connection, rawFrame(frameType.data, 0, 1, nothing), 200_000);
    },
    ends: 'either',
  },
  'PRIORITY frames': {
    run: (connection) => flood(connection, rawFrame(frameType.priority, 0, 1, zeros(5)), 200_000),
    ends: 'either',
  },
  'frames of an unknown type': {
    run: (connection) => flood(connection, rawFrame(200, 0, 0, zeros(100)), 50_000),
    ends: 'either',
  },
  'a frame larger than was agreed on': {
    run: async (connection) => void (await connection.send(rawFrame(frameType.data, 0, 1, zeros(100), 1 << 23))),
    ends: true,
  },
  'a frame of a stream that is not open': {
    run: async (connection) => void (await connection.send(rawFrame(frameType.data, 0, 99, zeros(100)))),
    ends: true,
  },
  'a stream id of the server’s own': {
    run: async (connection) => void (await connection.send(headersFrame(2))),
    ends: true,
  },
  'a header block that is no HPACK': {
    run: async (connection) =>
      void (await connection.send(rawFrame(frameType.headers, endHeaders, 1, Buffer.from([0xff, 0xff, 0xff, 0xff])))),
    ends: true,
  },
  'a window update beyond the largest window': {
    run: async (connection) =>
      void (await flood(connection, rawFrame(frameType.windowUpdate, 0, 0, Buffer.from([0x7f, 255, 255, 255])), 2)),
    ends: true,
  },
  'a promise to push': {
    run: async (connection) => void (await connection.send(rawFrame(frameType.pushPromise, endHeaders, 1, zeros(4)))),
    ends: true,
  },
  'more data than the window holds': {
    run: async (connection) => {
      await connection.send(headersFrame(1, endHeaders, 'DoPut'));
      await flood(connection, rawFrame(frameType.data, 0, 1, zeros(16_384)), 2_000);
    },
    ends: 'either',
  },
  'a message that claims 4 GiB': {
    run: async (connection) => {
      await connection.send(headersFrame(1, endHeaders, 'DoPut'));
      await connection.send(rawFrame(frameType.data, 0, 1, Buffer.from([0, 255, 255, 255, 255])));
      await flood(connection, rawFrame(frameType.data, 0, 1, zeros(1_000)), 50);
    },
    ends: 'either',
  },
  'messages of no bytes without end': {
    run: async (connection) => {
      await connection.send(headersFrame(1, endHeaders, 'DoGet'));
      await connection.send(
        rawFrame(frameType.data, 0, 1, Buffer.concat(Array.from({ length: 3_000 }, () => frame(nothing)))),
      );
    },
    ends: 'either',
  },
  'thousands of calls at once': {
    run: (connection) => eachStream(connection, 20_000, (id) => headersFrame(id)),
    ends: 'either',
  },
  'a call that ends before it began': {
    run: (connection) => eachStream(connection, 2_000, (id) => headersFrame(id, endHeaders | endStream)),
    ends: 'either',
  },
  'headers that are indexed to grow (HPACK bomb)': {
    run: async (connection) => {
      const name = Buffer.from('x-bomb');
      const value = Buffer.alloc(3_000, 0x61);
      const literal = Buffer.concat([
        Buffer.from([0x40, name.length]),
        name,
        Buffer.from([127, ((value.length - 127) % 128) | 128, Math.floor((value.length - 127) / 128)]),
        value,
      ]);
      const block = Buffer.concat([headerBlock(grpcHeaders()), literal, Buffer.alloc(12_000, 0x80 | 62)]);
      await flood(connection, rawFrame(frameType.headers, endHeaders, 1, block), 1);
      await eachStream(connection, 500, (id) =>
        rawFrame(
          frameType.headers,
          endHeaders,
          id + 2,
          Buffer.concat([headerBlock(grpcHeaders()), Buffer.alloc(12_000, 0x80 | 62)]),
        ),
      );
    },
    ends: 'either',
  },
  'bytes that are not HTTP/2': {
    greeting: Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'),
    run: async () => {},
    ends: true,
  },
  'half a greeting': {
    greeting: preface.subarray(0, 10),
    run: async ({ closed }) => closed,
    ends: true,
    limits: { requestReadMs: 500 },
  },
  silence: {
    greeting: nothing,
    run: async ({ closed }) => closed,
    ends: true,
    limits: { requestReadMs: 500 },
  },
  'a client that answers no sign of life': {
    run: async (connection) => {
      await connection.send(headersFrame(1, endHeaders, 'DoPut'));
      await connection.closed;
    },
    ends: true,
    limits: { keepaliveMs: 500, keepaliveTimeoutMs: 500 },
  },
};

for (const [name, attack] of Object.entries(attacks)) {
  test(`${name}: others go on`, async () => {
    await using toy = await startToy(doGet, { limits: attack.limits ?? {} });
    const bystander = await openSession(toy.port);
    using connection = await connectRaw(toy.port, attack.greeting);
    let attacking = true;
    const attacked = attack.run(connection, toy).finally(() => {
      attacking = false;
    });
    let slowest = 0;
    do {
      const begun = performance.now();
      assert.equal((await call(bystander, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
      slowest = Math.max(slowest, performance.now() - begun);
      await sleep(5);
    } while (attacking);
    await attacked;
    assert.ok(slowest < answerMsMax, `the bystander waited for ${slowest} ms`);
    if (attack.ends === true) {
      const { promise: late, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(() => reject(new Error('the attacker’s connection is still open')), 5_000);
      await Promise.race([connection.closed, late]);
      clearTimeout(timer);
    }
    connection.socket.destroy();
    assert.equal((await call(bystander, { method: 'DoGet', data: [ticket(1)] })).grpc, '0');
    while (toy.server.activeCalls > 0 || toy.server.connections > 1) await sleep(5);
    assert.equal(toy.budget.openStreams, 0);
    bystander.destroy();
  });
}
