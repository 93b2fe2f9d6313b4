/** A server with a bystander who reads while something hostile is done to it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { openRawFlight, type RawAnswer, type RawFlight } from './raw-flight.ts';
import { type Caller, openWorld } from './world.ts';

const rows = 200_000;
const firstBatchRows = 4_096;
const megabyte = 1 << 20;
/** A message of the largest size, read and decoded a few times over, and what V8 lets pile up. */
const rssGrowthMax = 400 * megabyte;

export interface AttackedWorld extends AsyncDisposable {
  readonly admin: Caller;
  readonly raw: RawFlight;
  /** Starts a stream of somebody else's, on a connection of its own; what it gives checks that nobody noticed anything. */
  watch(): Promise<() => Promise<void>>;
}

/** The namespaces `lake`, with a large and a small table, and `raw`, with an empty `raw.target`. */
export async function openAttackedWorld(): Promise<AttackedWorld> {
  await using opened = new AsyncDisposableStack();
  const world = opened.use(await openWorld({ namespaces: ['lake', 'raw'] }));
  const admin = await world.as('root', ['admin']);
  await admin.put('lake.numbers', 'numbers', { mode: 'create', with: { rows, text: 100 } });
  await admin.put('lake.small', 'numbers', { mode: 'create', with: { rows: 100 } });
  await admin.put('raw.target', 'numbers', { mode: 'create', with: { rows: 0 } });
  const raw = opened.use(openRawFlight(world.server.flight, admin.token, world.bulk));
  await admin.batches({ request: { table: 'lake.numbers' } });
  const highWater = async (): Promise<number> => {
    const status = await readFile(`/proc/${world.server.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
  };
  const baseline = await highWater();
  const owned = opened.move();
  return {
    admin,
    raw,
    async watch() {
      const request = { table: 'lake.numbers', batch_rows: firstBatchRows };
      await admin.call('open', { request, stream: 'bystander', connection: 7 });
      const drained = admin.call<{ code: string; rows: number }>('drain', {
        stream: 'bystander',
        seconds: 60,
        pause: 0.01,
      });
      return async () => {
        const ended = await drained;
        assert.equal(ended.code, 'COMPLETE');
        assert.equal(ended.rows + firstBatchRows, rows, 'the bystander misses nothing');
        assert.equal((await admin.scan({ table: 'lake.small' })).rows.length, 100);
        const grown = (await highWater()) - baseline;
        assert.ok(grown < rssGrowthMax, `${grown / megabyte} MiB`);
      };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A refusal that tells what was wrong: one of the given codes, in the form of the table of errors, without anything of the server's inside. */
export function refusedWith(answer: RawAnswer, codes: readonly string[], what: string): void {
  const told = `${what}: ${answer.status} ${answer.code} ${answer.message}`;
  assert.ok(answer.code !== null && codes.includes(answer.code), told);
  assert.ok(answer.message.startsWith(`${answer.code}: `), told);
  assert.doesNotMatch(answer.message, /node_modules|\bat .*\.ts:|\.ts:\d/, told);
}

/** What a malformed upload may be refused with. */
export const callersFault: readonly string[] = [
  'INVALID_REQUEST',
  'SCHEMA_MISMATCH',
  'LIMIT_EXCEEDED',
  'UNSUPPORTED_FEATURE',
];
