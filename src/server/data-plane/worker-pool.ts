import { setTimeout as delay } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { ServiceError } from '../../core/errors.ts';
import { clearLedger } from '../streams/shared-ledger.ts';
import type { Log } from '../telemetry/log.ts';
import type { Listener } from './options.ts';
import { canSharePorts, requireFreePort } from './ports.ts';
import type { HostServices } from './worker-host.ts';
import type { WorkerStart } from './worker-protocol.ts';
import { startWorkerThread, type WorkerThread } from './worker-thread.ts';

export interface WorkerPoolOptions {
  readonly count: number;
  readonly host: string;
  /** The port that all workers listen on; 0 = any free one. */
  readonly sharedPort: number;
  /** The first worker's own port, followed by the others'; null = any free ones. */
  readonly workerPorts: number | null;
  /** Which places in the ledger are the workers': those from this one on. */
  readonly firstThread: number;
  readonly start: Omit<WorkerStart, 'listeners' | 'thread' | 'cache'>;
  /** A way to the column cache, for each worker that is started; null = there is no cache. */
  readonly connectCache: () => MessagePort | null;
  readonly services: HostServices;
  readonly log: Log;
  /** How often a worker is replaced within `restartsWithinMs` before it is left alone. */
  readonly restartsMax?: number;
  readonly restartsWithinMs?: number;
  /** Heap of one worker; what outgrows it ends that worker alone. */
  readonly heapMbMax?: number;
}

/** The threads of the data plane. */
export interface WorkerPool extends AsyncDisposable {
  readonly sharedPort: number;
  /** The own ports of the workers that live. */
  readonly ports: readonly number[];
  readonly connections: number;
  /** Takes no new calls, lets running ones finish for `graceMs`, then ends them with UNAVAILABLE. */
  drain(graceMs: number): Promise<void>;
  close(): Promise<void>;
}

const restartWaitMs = 100;

/** Starts the workers. Throws UNAVAILABLE where one of their ports cannot be listened on. */
export async function startWorkerPool(options: WorkerPoolOptions): Promise<WorkerPool> {
  const { count, host, workerPorts, log, restartsMax = 10, restartsWithinMs = 60_000, heapMbMax = 512 } = options;
  await requireFreePort(host, options.sharedPort);
  const workers: (WorkerThread | null)[] = Array.from({ length: count }, () => null);
  const ownPorts = workers.map((_, at) => (workerPorts === null ? 0 : workerPorts + at));
  let sharedPort = options.sharedPort;
  let leaving = false;

  const start = async (at: number): Promise<WorkerThread> => {
    const own: Listener = { host, port: ownPorts[at]!, shared: false };
    // Where ports cannot be shared the first worker has this one to itself, and the others are found by theirs.
    const common: Listener = { host, port: sharedPort, shared: canSharePorts };
    const listeners = canSharePorts || at === 0 ? [own, common] : [own];
    const thread = options.firstThread + at;
    const worker = await startWorkerThread(
      { ...options.start, listeners, thread, cache: options.connectCache() },
      { services: options.services, log, heapMbMax },
    );
    // Those that endpoints name stay theirs, also of the worker that takes this one's place.
    [ownPorts[at], sharedPort] = [worker.ports[0]!, worker.ports[1] ?? sharedPort];
    workers[at] = worker;
    void worker.ended.then((failure) => {
      workers[at] = null;
      clearLedger(options.start.ledger, thread);
      if (failure === null || leaving) return;
      log.error('a data-plane worker ended; its streams are to be resumed', { port: ownPorts[at]! }, failure);
      void replace(at);
    });
    return worker;
  };

  const restarts = workers.map((): number[] => []);
  const replace = async (at: number): Promise<void> => {
    const recent = restarts[at]!.filter((time) => performance.now() - time < restartsWithinMs);
    if (recent.length >= restartsMax) {
      log.error('a data-plane worker ended too often, and is not replaced any more', { port: ownPorts[at]! });
      return;
    }
    restarts[at] = [...recent, performance.now()];
    await delay(restartWaitMs * recent.length, undefined, { ref: false });
    if (leaving) return;
    try {
      const worker = await start(at);
      if (leaving) await worker.close();
    } catch (error) {
      log.error('a data-plane worker could not be replaced', { port: ownPorts[at]! }, error);
      if (!leaving) void replace(at);
    }
  };

  const alive = (): WorkerThread[] => workers.filter((worker) => worker !== null);
  const endAll = async (end: (worker: WorkerThread) => Promise<void>): Promise<void> => {
    leaving = true;
    await Promise.all(alive().map(end));
  };
  const close = (): Promise<void> => endAll((worker) => worker.close());
  try {
    // The first finds the number of the shared port.
    await start(0);
    await Promise.all(workers.slice(1).map((_, at) => start(at + 1)));
  } catch (error) {
    await close();
    throw error instanceof ServiceError ? error : unavailable(error);
  }
  return {
    sharedPort,
    get ports() {
      return workers.flatMap((worker, at) => (worker === null ? [] : [ownPorts[at]!]));
    },
    get connections() {
      return alive().reduce((sum, worker) => sum + worker.connections, 0);
    },
    drain: (graceMs) => endAll((worker) => worker.drain(graceMs)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

const unavailable = (cause: unknown): ServiceError =>
  new ServiceError(
    'UNAVAILABLE',
    'the data plane cannot start: are its ports free (flight.dataPort, flight.workerPorts)?',
    {
      cause,
    },
  );
