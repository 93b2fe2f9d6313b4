/** One data-plane worker: started by worker-pool.ts in a thread of its own. Knows no policy and no catalog; it asks. */
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { createSealer } from '../../auth/sealing.ts';
import { connectColumnCache } from '../../scan/cache/cache.ts';
import { portLink } from '../../scan/cache/port-link.ts';
import { createFooterCache } from '../../scan/footers.ts';
import { createReadPool } from '../../scan/read-pool.ts';
import { openStore } from '../../storage/stores.ts';
import { createBulkHandlers } from '../streams/bulk-calls.ts';
import { ByteBudget } from '../streams/byte-budget.ts';
import { openLedger } from '../streams/shared-ledger.ts';
import { createCursorSealer } from '../streams/tickets.ts';
import { createLog, publicError } from '../telemetry/log.ts';
import type { DataPlane } from './options.ts';
import { startDataPlane } from './server.ts';
import { Channel } from './worker-channel.ts';
import { type MainChannel, WorkerDesk } from './worker-desk.ts';
import { asksMax, type MainMethods, type WorkerMethods, type WorkerStart } from './worker-protocol.ts';

/** What calls get to say that they have ended, once their connections are gone. */
const lastWordsMs = 1_000;

async function start(port: NonNullable<typeof parentPort>, data: WorkerStart): Promise<void> {
  const { limits, tls, controlPort, listeners, ticketTtlMs } = data;
  const log = createLog(data.logLevel);
  const changes = new Int32Array(data.changes);
  let plane: DataPlane | null = null;
  const desk = new WorkerDesk({
    channel: () => channel as MainChannel,
    changes: () => Atomics.load(changes, 0),
    now: Date.now,
    connections: () => plane?.connections ?? 0,
  });
  const leave = async (): Promise<void> => {
    for (let waited = 0; desk.openCalls > 0 && waited < lastWordsMs; waited += 10) await delay(10);
    await desk[Symbol.asyncDispose]();
  };
  const methods: WorkerMethods = {
    ...desk.methods,
    async drain(graceMs) {
      await plane?.drain(graceMs);
      await leave();
    },
    async close() {
      await plane?.close();
      await leave();
    },
  };
  const publish = (error: unknown) => publicError(log, error);
  const channel = new Channel<WorkerMethods, MainMethods>(port, { methods, asksMax, publish });
  const objects = openStore({ warehouse: data.warehouse });
  const footers = createFooterCache({ objects, limits });
  const cache = data.cache === null ? null : connectColumnCache(portLink(data.cache));
  const scan = { objects, footers, limits, cache, pool: createReadPool(limits) };
  const now = Date.now;
  const handlers = createBulkHandlers(desk, {
    scan,
    limits,
    now,
    ticketTtlMs,
    cursors: createCursorSealer(createSealer(data.cursorKey)),
    write: { ingest: { objects, footers, limits, now }, limits },
  });
  const ledger = openLedger(data.ledger, data.thread);
  plane = await startDataPlane({
    listeners,
    tls,
    handlers,
    limits,
    budget: new ByteBudget(limits, { threads: data.threads, ledger }),
    uploads: {
      async open(principal) {
        const place = await channel.ask('openUpload', principal);
        return { [Symbol.dispose]: () => channel.tell('closeUpload', place) };
      },
    },
    log,
    controlPort,
    ended: (call) => channel.tell('callEnded', call),
    refused: () => channel.tell('refused'),
  });
  channel.tell('ready', plane.ports);
}

if (parentPort === null) throw new Error('a data-plane worker runs in a thread of its own');
// A failure ends the thread, and its message the start: see worker-pool.ts.
await start(parentPort, workerData as WorkerStart);
