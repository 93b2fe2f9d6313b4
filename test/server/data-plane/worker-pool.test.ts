/** Real workers over a real table; only what policy says is given. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError } from '../../../src/core/errors.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import {
  startWorkerPool,
  type WorkerPool,
  type WorkerPoolOptions,
} from '../../../src/server/data-plane/worker-pool.ts';
import { ledgerMemory } from '../../../src/server/streams/shared-ledger.ts';
import type { DeskCall, OpenRead, StreamDesk, StreamOutcome } from '../../../src/server/streams/stream-desk.ts';
import { specOf } from '../../../src/server/streams/stream-spec.ts';
import type { Ticket } from '../../../src/server/streams/tickets.ts';
import { UploadSlots } from '../../../src/server/streams/upload-slots.ts';
import type { EndedCall } from '../../../src/server/streams/wire/serve-call.ts';
import { createLog } from '../../../src/server/telemetry/log.ts';
import { openSmallTable, type SmallTable, wholeRange } from '../../scan/small-table.ts';
import { type Answer, answerOf, frame, openSession, start } from './client.ts';

const account = { team: 'readers', workload: 'none' };
const maskKeys = { global: new Uint8Array(32), query: new Uint8Array(32) };
const rows = 3_000;

let table: SmallTable;

before(async () => {
  table = await openSmallTable();
});
after(() => table[Symbol.asyncDispose]());

interface Opened {
  readonly call: DeskCall;
  readonly outcome: Promise<StreamOutcome>;
  sentRows: number;
  checks: number;
}

/** A pool whose desk does what a ticket's text says, and remembers what it opened. */
interface Stage extends AsyncDisposable {
  readonly pool: WorkerPool;
  readonly opened: Opened[];
  readonly ended: EndedCall[];
  readonly lines: string[];
  session(port?: number): Promise<ClientHttp2Session>;
}

async function openStage(options: Partial<WorkerPoolOptions> = {}, limits = {}): Promise<Stage> {
  const opened: Opened[] = [];
  const ended: EndedCall[] = [];
  const lines: string[] = [];
  const sessions: ClientHttp2Session[] = [];
  const changes = new SharedArrayBuffer(4);
  const log = createLog('error', { write: (line: string) => void lines.push(line) });
  const plan = await table.plan({});
  const work = (text: string, call: DeskCall): OpenRead => {
    const end = Promise.withResolvers<StreamOutcome>();
    const state: Opened = { call, outcome: end.promise, sentRows: 0, checks: 0 };
    opened.push(state);
    const ticket = {
      id: text,
      policyDigest: 'digest',
      form: { batchRows: 100, compression: 'none', dictionaries: false },
      range: wholeRange(plan),
    } as Ticket;
    const spec = specOf(
      ticket,
      plan,
      { position: { file: 0, row: 0 }, rows: 0, dropRows: 0 },
      { name: 'ann' },
      maskKeys,
    );
    // More objects than a worker's heap has room for.
    const ballast = text === 'huge' ? Array.from({ length: 3_000_000 }, (_, at) => ({ at: `${at}` })) : [];
    return {
      account,
      spec: { ...spec, ...{ ballast } },
      validUntilMs: text === 'expired' ? 0 : Number.MAX_SAFE_INTEGER,
      async check() {
        state.checks++;
        if (text === 'silent') {
          await once(call.signal, 'abort');
          throw call.signal.reason;
        }
        if (text === 'revoked') throw new ServiceError('REVOKED', 'no more');
      },
      scanned: () => {},
      sent: (_bytes, sent) => {
        state.sentRows += sent;
      },
      end: end.resolve,
    };
  };
  const desk: StreamDesk = {
    authenticate: async () => ({ name: 'ann', account }),
    async openTicket(call, bytes) {
      const text = new TextDecoder().decode(bytes);
      if (text === 'refused')
        throw new ServiceError('TICKET_INVALID', 'not one of ours', { cause: new Error('secret') });
      if (text === 'broken') throw new TypeError('secret');
      if (text === 'waiting') {
        const end = Promise.withResolvers<StreamOutcome>();
        opened.push({ call, outcome: end.promise, sentRows: 0, checks: 0 });
        await once(call.signal, 'abort');
        end.resolve('CANCELLED');
        throw call.signal.reason;
      }
      // As if something changed between the decision and the first batch.
      if (text === 'revoked' || text === 'silent') Atomics.add(new Int32Array(changes), 0, 1);
      return work(text, call);
    },
    openExchange: () => Promise.reject(new ServiceError('UNSUPPORTED_FEATURE', 'not here')),
    openPut: () => Promise.reject(new ServiceError('UNSUPPORTED_FEATURE', 'not here')),
  };
  const count = options.count ?? 2;
  const pool = await startWorkerPool({
    count,
    host: '127.0.0.1',
    sharedPort: 0,
    workerPorts: null,
    firstThread: 0,
    connectCache: () => null,
    log,
    services: {
      desk,
      uploads: new UploadSlots(defaultLimits),
      ended: (call) => void ended.push(call),
      refused: () => {},
    },
    start: {
      controlPort: 1,
      tls: null,
      warehouse: table.catalog.warehouse,
      limits: { ...defaultLimits, ...limits },
      logLevel: 'silent',
      cursorKey: { id: 'a', key: new Uint8Array(32) },
      ticketTtlMs: 60_000,
      changes,
      ledger: ledgerMemory(count),
      threads: count,
    },
    ...options,
  });
  const stage: Stage = {
    pool,
    opened,
    ended,
    lines,
    async session(port = pool.sharedPort) {
      const session = await openSession(port);
      sessions.push(session);
      return session;
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      await pool.close();
    },
  };
  return stage;
}

/** A Ticket message of this text. */
const ticketOf = (text: string): Buffer => {
  const bytes = Buffer.from(text);
  return frame(Buffer.from([0x0a, bytes.length, ...bytes]));
};
const get = (session: ClientHttp2Session, text: string) =>
  start(session, { method: 'DoGet', data: [ticketOf(text)], headers: { authorization: 'Bearer t' } });
const read = (session: ClientHttp2Session, text: string): Promise<Answer> => answerOf(get(session, text));

async function eventually(what: string, probe: () => boolean): Promise<void> {
  for (let turn = 0; !probe(); turn++) {
    if (turn > 1_000) throw new Error(`not in 10 s: ${what}`);
    await delay(10);
  }
}

test('every worker sends the same stream, on its own port and on the one that they share', async () => {
  await using stage = await openStage();
  const { pool, opened } = stage;
  assert.equal(new Set([...pool.ports, pool.sharedPort]).size, 3);
  const answers: Answer[] = [];
  for (const port of [...pool.ports, pool.sharedPort]) answers.push(await read(await stage.session(port), 'all'));
  for (const { grpc, data } of answers) {
    assert.equal(grpc, '0');
    assert.ok(Math.abs(data.length - answers[0]!.data.length) < 100, 'all but the cursors is equal');
  }
  for (const stream of opened) {
    assert.equal(await stream.outcome, 'complete');
    assert.equal(stream.sentRows, rows, 'what was sent is told before the end is');
  }
  await eventually('each call is counted', () => stage.ended.length === 3);
});

test('connections to the shared port are spread over the workers', async () => {
  await using stage = await openStage({ count: 3 }, { streamBytesMax: 16 << 20 });
  for (let at = 0; at < 40; at++) await read(await stage.session(), 'all');
  await eventually('the connections are counted', () => stage.pool.connections === 40);
});

test('an error of the deciding thread crosses with its code and message; an unforeseen one as INTERNAL, logged once under the id told', async () => {
  await using stage = await openStage();
  const session = await stage.session();
  const refused = await read(session, 'refused');
  assert.deepEqual(
    [refused.grpc, refused.code, refused.message],
    ['7', 'TICKET_INVALID', 'TICKET_INVALID: not one of ours'],
  );
  const broken = await read(session, 'broken');
  assert.equal(broken.code, 'INTERNAL');
  assert.equal(stage.lines.length, 1);
  assert.ok(broken.message.includes((JSON.parse(stage.lines[0]!) as { errorId: string }).errorId));
  assert.doesNotMatch(broken.message, /secret/);
});

test('a stream asks before a batch once something changed, and ends where its right does not hold', async () => {
  await using stage = await openStage();
  const session = await stage.session();
  await read(session, 'all');
  assert.equal(stage.opened[0]!.checks, 0, 'nothing changed, so that nothing was asked');
  assert.equal((await read(session, 'revoked')).code, 'REVOKED');
  assert.equal(await stage.opened[1]!.outcome, 'REVOKED');
  assert.equal(stage.opened[1]!.sentRows, 0);
  const expired = await read(session, 'expired');
  assert.deepEqual([expired.code, await stage.opened[2]!.outcome], ['UNAUTHENTICATED', 'UNAUTHENTICATED']);
});

test('a stream that gets no answer sends nothing, and whoever decides can end it', async () => {
  await using stage = await openStage();
  const answer = read(await stage.session(), 'silent');
  await eventually('it asks', () => stage.opened[0]?.checks === 1);
  await delay(100);
  stage.opened[0]!.call.fail(new ServiceError('REVOKED', 'from outside'));
  assert.equal((await answer).code, 'REVOKED');
  assert.equal(await stage.opened[0]!.outcome, 'REVOKED');
  assert.equal(stage.opened[0]!.sentRows, 0);
});

test('a caller who goes ends the question that its call waits for', async () => {
  await using stage = await openStage();
  const session = await stage.session();
  const waiting = get(session, 'waiting');
  await eventually('it is asked', () => stage.opened.length === 1);
  waiting.close(8);
  assert.equal(await stage.opened[0]!.outcome, 'CANCELLED');
});

test('a worker that dies ends its own streams alone, is replaced on its port, and its streams are on record', async () => {
  await using stage = await openStage({ heapMbMax: 64 });
  const { pool, opened } = stage;
  const [first, second] = pool.ports;
  const bystander = await stage.session(second);
  const victim = await stage.session(first);
  const idle = get(victim, 'waiting');
  await eventually('one waits', () => opened.length === 1);
  const lost = read(victim, 'huge');
  await eventually('the worker is gone', () => !pool.ports.includes(first!));
  await lost;
  assert.equal(idle.destroyed || idle.closed, true);
  assert.equal(await opened[0]!.outcome, 'CANCELLED', 'its question was given up');
  assert.equal(await opened[1]!.outcome, 'UNAVAILABLE');
  assert.equal((await read(bystander, 'all')).grpc, '0');
  await eventually('another took its place', () => pool.ports.length === 2);
  assert.deepEqual(pool.ports, [first, second]);
  assert.equal((await read(await stage.session(first), 'all')).grpc, '0');
  assert.ok(stage.lines.some((line) => line.includes('a data-plane worker ended')));
});

test('a worker that keeps dying is left alone in the end', async () => {
  await using stage = await openStage({ count: 1, heapMbMax: 64, restartsMax: 1 });
  const { pool } = stage;
  const [port] = pool.ports;
  for (let turn = 0; turn < 2; turn++) {
    await eventually('it lives', () => pool.ports.length === 1);
    await read(await stage.session(port), 'huge');
    await eventually('it is gone', () => pool.ports.length === 0);
  }
  await eventually('that is said', () => stage.lines.some((line) => line.includes('not replaced any more')));
  await delay(300);
  assert.deepEqual(pool.ports, []);
});

test('draining lets streams finish, and ends those that do not with UNAVAILABLE', async () => {
  await using stage = await openStage({ count: 1 });
  const { pool, opened } = stage;
  const session = await stage.session();
  const stuck = answerOf(get(session, 'waiting'));
  await eventually('it runs', () => opened.length === 1);
  await pool.drain(300);
  assert.equal((await stuck).code, 'UNAVAILABLE');
  assert.deepEqual(pool.ports, []);
});
