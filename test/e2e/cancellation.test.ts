/** What is cancelled stops: no more reads, nothing held, nobody else disturbed. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { InfoAnswer } from './agent.ts';
import { bytesField } from './protobuf-bytes.ts';
import { type Caller, eventually, openWorld, type World } from './world.ts';

const rows = 600_000;
/** About 130 MB, in several files so that there is always more to read. */
const files = 3;
const request = { table: 'lake.numbers', batch_rows: 4_096 };
let world: World;
let admin: Caller;

before(async () => {
  world = await openWorld({ namespaces: ['lake'] });
  admin = await world.as('root', ['admin']);
  for (let file = 0; file < files; file++) {
    const sample = { rows: rows / files, first: (file * rows) / files, text: 200 };
    await admin.put('lake.numbers', 'numbers', { mode: file === 0 ? 'create' : 'append', with: sample });
  }
  await admin.put('lake.small', 'numbers', { mode: 'create', with: { rows: 1_000 } });
});
after(() => world[Symbol.asyncDispose]());

const activeStreams = () => world.metric('headrace_active_streams');
const scannedRows = () => world.metric('headrace_scanned_rows_total');
const noStreams = (timeoutMs = 5_000) =>
  eventually('no stream is open', async () => ((await activeStreams()) === 0 ? true : null), timeoutMs);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const cancelPlan = async (caller: Caller, info: InfoAnswer): Promise<number> => {
  const body = bytesField(1, Buffer.from(info.bytes, 'base64')).toString('base64');
  const [result] = await caller.call<string[]>('action', { type: 'CancelFlightInfo', body });
  // CancelFlightInfoResult { CancelStatus status = 1 }
  return Buffer.from(result!, 'base64')[1]!;
};
const cancelled = 1;

/** Reads the whole table slowly, and does `something` after a second of it; tells how the stream ended and what was read meanwhile. */
async function slowly(stream: string, something: (info: InfoAnswer) => Promise<unknown>) {
  const info = await admin.info(request);
  const before = await scannedRows();
  await admin.call('open', { ticket: info.tickets[0], stream });
  const drained = admin.call<{ code: string; batches: number; rows: number; seconds: number }>('drain', {
    stream,
    seconds: 20,
    pause: 0.02,
  });
  await sleep(700);
  await something(info);
  return { ...(await drained), scanned: (await scannedRows()) - before };
}

test('CancelFlightInfo ends the plan’s streams and their reading; no stream of it starts again', async () => {
  let plan: InfoAnswer | null = null;
  const ended = await slowly('cancelled', async (info) => {
    plan = info;
    assert.equal(await cancelPlan(admin, info), cancelled);
    await noStreams();
    const scanned = await scannedRows();
    await sleep(500);
    assert.equal(await scannedRows(), scanned, 'nothing is read for it any more');
  });
  assert.equal(ended.code, 'CANCELLED');
  assert.ok(ended.scanned < rows, `only ${ended.scanned} rows were read`);
  assert.equal((await admin.refused('batches', { ticket: plan!.tickets[0] })).code, 'CANCELLED');
  assert.equal((await admin.scan({ table: 'lake.small' })).rows.length, 1_000, 'another plan is not concerned');
});

test('negative control: the same stream that nobody cancels reads everything', async () => {
  const ended = await slowly('kept', async () => {});
  assert.equal(ended.code, 'COMPLETE');
  assert.equal(ended.scanned, rows);
});

test('CancelFlightInfo ends streams whose readers have stopped reading', async () => {
  const info = await admin.info(request);
  const ticket = info.tickets[0];
  for (const at of [0, 1, 2]) await admin.call('open', { ticket, stream: `stalled ${at}` });
  // Whatever the limits of a stream let through has been sent: nothing moves any more.
  await eventually('the streams have stalled', async () => {
    const scanned = await scannedRows();
    await sleep(500);
    return (await scannedRows()) === scanned ? true : null;
  });
  assert.equal(await activeStreams(), 3);
  assert.ok((await world.metric('headrace_queued_bytes')) > 20e6);
  await cancelPlan(admin, info);
  await noStreams();
  assert.equal(await world.metric('headrace_queued_bytes'), 0);
  for (const at of [0, 1, 2]) await admin.call('cancel', { stream: `stalled ${at}` });
});

test('only the plan’s own principal cancels it, and a malformed request cancels nothing', async () => {
  const info = await admin.info(request);
  await admin.call('open', { ticket: info.tickets[0], stream: 'mine' });
  const other = await world.as('oscar', ['admin']);
  const body = bytesField(1, Buffer.from(info.bytes, 'base64')).toString('base64');
  assert.equal((await other.refused('action', { type: 'CancelFlightInfo', body })).code, 'TICKET_INVALID');
  for (const malformed of ['', 'AA==', body.slice(0, 40)]) {
    const { code } = await admin.refused('action', { type: 'CancelFlightInfo', body: malformed });
    assert.ok(['INVALID_REQUEST', 'TICKET_INVALID'].includes(code), code);
  }
  assert.equal(await activeStreams(), 1);
  await admin.call('cancel', { stream: 'mine' });
  await noStreams();
});

test('a client that cancels in the middle, or goes away, stops its own stream and nobody else’s', async () => {
  const other = admin.call<{ code: string; rows: number }>('open', { request, stream: 'other', connection: 1 });
  await other;
  const whole = admin.call<{ code: string; rows: number }>('drain', { stream: 'other', seconds: 60 });
  for (let turn = 0; turn < 5; turn++) {
    await admin.call('open', { request, stream: `mine ${turn}` });
    await admin.call('read', { stream: `mine ${turn}`, count: 2 });
    await admin.call('cancel', { stream: `mine ${turn}` });
  }
  const ended = await whole;
  assert.equal(ended.code, 'COMPLETE');
  assert.equal(ended.rows + 4_096, rows);
  await noStreams();
  const scanned = await scannedRows();
  await sleep(500);
  assert.equal(await scannedRows(), scanned);
});

test('after 200 cancelled streams no file, no connection and no stream is left open', async () => {
  const fileHandles = async () => (await readdir(`/proc/${world.server.pid}/fd`)).length;
  const ticket = (await admin.info({ ...request, columns: ['id', 'grp'] })).tickets[0]!;
  await admin.call('cancel_many', { ticket, count: 20 });
  await noStreams();
  const baseline = await fileHandles();
  await Promise.all(
    [0, 1, 2, 3].map((connection) =>
      admin.call('cancel_many', { ticket, count: 50, connection: connection === 0 ? 0 : 1 }),
    ),
  );
  await noStreams();
  await eventually(
    'as many files and sockets as before are open',
    async () => ((await fileHandles()) <= baseline + 2 ? true : null),
    5_000,
  );
  assert.equal(await world.metric('headrace_queued_bytes'), 0);
  assert.equal((await admin.scan({ table: 'lake.small' })).rows.length, 1_000);
});
