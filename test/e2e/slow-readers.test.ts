/** Readers that take nothing cost a bounded amount of memory and hold up nobody else. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { defaultLimits } from '../../src/core/limits.ts';
import type { BatchAnswer } from './agent.ts';
import { type Caller, eventually, openWorld, type World } from './world.ts';

const rows = 600_000;
/** 130 MB, more than one stream and its reader may have in flight together. */
const request = { table: 'lake.numbers' };
const stalledReaders = 20;
const megabyte = 1 << 20;

/** What may wait for readers: a pool of a quarter of the budget, and one message of the usual size for each stream. */
const queueBytesMax = defaultLimits.streamsBytesMax / 4 + stalledReaders * defaultLimits.messageBytesTarget;
/**
 * What else a stream may hold, each about two messages large: a decoded run of pages, a window of it, the rows that wait to become a
 * batch, and a message that waits for room in the queue.
 */
const streamBytesMax = 8 * defaultLimits.messageBytesTarget;
/** The decoder's memory, and what a busy V8 lets pile up before it collects, whatever the number of readers. */
const sharedBytesMax = 150 * megabyte;
const rssGrowthMax = queueBytesMax + stalledReaders * streamBytesMax + sharedBytesMax;

let home: string;

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'headrace-slow-'));
  await using world = await openWorld({ dataDir: home, namespaces: ['lake'] });
  const admin = await world.as('root', ['admin']);
  await admin.put('lake.numbers', 'numbers', { mode: 'create', with: { rows, text: 200 } });
  await admin.put('lake.small', 'numbers', { mode: 'create', with: { rows: 1_000 } });
});
after(() => rm(home, { recursive: true }));

/** Without the column cache: what waits for readers would be the cache's memory, and cost nothing more. */
const open = (env: Readonly<Record<string, string>> = {}): Promise<World> =>
  openWorld({ dataDir: home, env: { HEADRACE_CACHE_MEMORY_BYTES: '0', ...env } });

async function residentBytes({ server }: World): Promise<number> {
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

/** Starts readers that take one batch and no more, and waits until nothing moves. Each has a connection of its own. */
async function stall(world: World, caller: Caller, readers: number): Promise<void> {
  const ticket = (await caller.info(request)).tickets[0];
  for (let at = 0; at < readers; at++)
    await caller.call('open', { ticket, stream: `stalled ${at}`, connection: 100 + at });
  let last = -1;
  await eventually('nothing moves', async () => {
    const sent = await world.metric('headrace_sent_bytes_total');
    const still = sent === last;
    last = sent;
    await new Promise((resolve) => setTimeout(resolve, 400));
    return still ? true : null;
  });
}

/** Memory that stalled readers cost the server, and the bytes that wait for them. */
async function costOfStalling(world: World): Promise<{ readonly grown: number; readonly queued: number }> {
  const admin = await world.as('root', ['admin']);
  await admin.batches({ request });
  const baseline = await residentBytes(world);
  await stall(world, admin, stalledReaders);
  assert.equal(await world.metric('headrace_active_streams'), stalledReaders);
  return { grown: (await residentBytes(world)) - baseline, queued: await world.metric('headrace_queued_bytes') };
}

test('20 stalled streams hold what the limits say, and a fast one beside them gets everything', async () => {
  await using world = await open();
  const { grown, queued } = await costOfStalling(world);
  assert.ok(queued <= queueBytesMax, `${queued} of ${queueBytesMax} bytes are queued`);
  assert.ok(queued > queueBytesMax / 3, `only ${queued} bytes are queued: the readers have not stalled`);
  assert.ok(grown <= rssGrowthMax, `${grown / megabyte} MiB grown, ${rssGrowthMax / megabyte} allowed`);
  const fast = await world.as('fast', ['admin']);
  const batches = await fast.batches({ request });
  assert.equal(batches.at(-1)!.next, rows);
  assert.equal((await fast.scan({ table: 'lake.small' })).rows.length, 1_000);
  for (let at = 0; at < stalledReaders; at++) await fast.call('cancel', { stream: `stalled ${at}` });
  await eventually('all is given back', async () =>
    (await world.metric('headrace_queued_bytes')) === 0 ? true : null,
  );
  assert.equal(await world.metric('headrace_active_streams'), 0);
});

test('negative control: with a budget eight times as large the same readers make the server keep more', async () => {
  await using world = await open({ HEADRACE_LIMITS_STREAMS_BYTES_MAX: '4GiB' });
  const { grown, queued } = await costOfStalling(world);
  assert.ok(queued > 2 * queueBytesMax, `${queued} bytes are queued`);
  assert.ok(grown > rssGrowthMax, `${grown / megabyte} MiB grown`);
});

test('beyond the number of streams, and beyond the bytes that they need, the next one is LIMIT_EXCEEDED until one ends', async () => {
  for (const env of [
    { HEADRACE_LIMITS_STREAMS_MAX: '4' },
    // A pool of at least 16 MiB, one message of the largest size, and the reserves of four streams, 6 MiB each.
    {
      HEADRACE_LIMITS_STREAMS_BYTES_MAX: '40MiB',
      HEADRACE_LIMITS_MESSAGE_BYTES_TARGET: '6MiB',
      HEADRACE_LIMITS_STREAM_RESERVE_BYTES_MIN: '6MiB',
    },
  ]) {
    await using world = await open(env);
    const admin = await world.as('root', ['admin']);
    await stall(world, admin, 4);
    assert.equal(await world.metric('headrace_active_streams'), 4, JSON.stringify(env));
    const refusal = await admin.refused('batches', { request });
    assert.equal(refusal.code, 'LIMIT_EXCEEDED', JSON.stringify(env));
    assert.match(refusal.message, /limits\.streams/);
    assert.equal((await admin.info(request)).total_records, rows, 'planning is no stream');
    await admin.call('cancel', { stream: 'stalled 0' });
    const again = await eventually('there is room again', async () => {
      try {
        return await admin.batches({ request: { table: 'lake.small' } });
      } catch {
        return null;
      }
    });
    assert.equal(again.at(-1)!.next, 1_000);
  }
});

test('a reader that takes nothing for too long is LIMIT_EXCEEDED and resumes where it was', async () => {
  await using world = await open({ HEADRACE_LIMITS_STREAM_STALL_MS: '1500ms' });
  const admin = await world.as('root', ['admin']);
  const ticket = (await admin.info(request)).tickets[0];
  const first = await admin.call<BatchAnswer>('open', { ticket, stream: 'stalled' });
  await eventually('the stream is ended', async () =>
    (await world.metric('headrace_active_streams')) === 0 ? true : null,
  );
  const ended = await admin.call<{ code: string; rows: number }>('drain', { stream: 'stalled', seconds: 20 });
  assert.notEqual(ended.code, 'COMPLETE');
  assert.ok(first.rows + ended.rows < rows);
  const rest = await admin.batches({ ticket, headers: { 'headrace-cursor': first.cursor } });
  assert.equal(first.rows + rest.reduce((sum, batch) => sum + batch.rows, 0), rows);
});
