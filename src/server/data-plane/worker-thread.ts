import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ServiceError } from '../../core/errors.ts';
import { type Log, publicError } from '../telemetry/log.ts';
import { Channel } from './worker-channel.ts';
import { type HostServices, type WorkerChannel, WorkerHost } from './worker-host.ts';
import { asksMax, type MainMethods, type WorkerMethods, type WorkerStart } from './worker-protocol.ts';

/** One worker that listens. */
export interface WorkerThread {
  readonly ports: readonly number[];
  readonly connections: number;
  /** Resolves when the thread has ended; its calls are over then. The value is why, where nobody asked it to. */
  readonly ended: Promise<unknown>;
  /** Lets running calls finish for `graceMs`, and ends the thread. */
  drain(graceMs: number): Promise<void>;
  /** Ends calls and thread now. */
  close(): Promise<void>;
}

export interface WorkerThreadOptions {
  readonly services: HostServices;
  readonly log: Log;
  /** Of JavaScript objects. What streams is in ArrayBuffers, outside of it. */
  readonly heapMbMax: number;
}

/** Objects are young in this much: collected often, they free the buffers of batches that were sent before many have piled up. */
const youngHeapMb = 16;
/** What a worker gets to say that its calls have ended. */
const goodbyeMs = 3_000;

/** Starts a worker; rejects where it cannot start, with the ServiceError of a port that cannot be listened on. */
export async function startWorkerThread(start: WorkerStart, options: WorkerThreadOptions): Promise<WorkerThread> {
  const { services, log, heapMbMax } = options;
  // A packed Headrace has the same file without its types.
  const worker = new Worker(new URL(`./worker${extname(import.meta.url)}`, import.meta.url), {
    workerData: start,
    transferList: start.cache === null ? [] : [start.cache],
    name: `data-${start.thread}`,
    resourceLimits: { maxOldGenerationSizeMb: heapMbMax, maxYoungGenerationSizeMb: youngHeapMb },
  });
  const listening = Promise.withResolvers<readonly number[]>();
  const host = new WorkerHost(services, () => channel, listening.resolve);
  const publish = (error: unknown): ServiceError => publicError(log, error);
  const channel: WorkerChannel = new Channel<MainMethods, WorkerMethods>(worker, {
    methods: host.methods,
    asksMax,
    publish,
  });
  let asked = false;
  let failure: unknown = null;
  worker.on('error', (error) => {
    failure = error;
  });
  const ended = new Promise<unknown>((resolve) => {
    worker.once('exit', (code) => {
      channel.close(new ServiceError('UNAVAILABLE', 'the part of the server that served the call is gone'));
      host.abandon();
      const reason = failure ?? new Error(`the thread ended with code ${code}`);
      listening.reject(reason);
      resolve(asked ? null : reason);
    });
  });
  const ports = await listening.promise;
  const end = async (goodbye: Promise<void>): Promise<void> => {
    asked = true;
    await goodbye.catch(() => {});
    await worker.terminate();
    await ended;
  };
  const within = (promise: Promise<void>, timeoutMs: number): Promise<void> => {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  };
  return {
    ports,
    get connections() {
      return host.connections;
    },
    ended,
    drain: (graceMs) => end(within(channel.ask('drain', graceMs), graceMs + goodbyeMs)),
    close: () => end(within(channel.ask('close'), goodbyeMs)),
  };
}
