import { once } from 'node:events';
import { totalmem } from 'node:os';
import { extname } from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { Limits } from '../../core/limits.ts';
import { type ColumnCache, connectColumnCache } from '../../scan/cache/cache.ts';
import { portLink } from '../../scan/cache/port-link.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type CacheThreadStart, type NewReader, tallyBytes, tallyPlaces } from './thread-protocol.ts';

/** The decoded columns that all threads of this process share. */
export interface SharedColumnCache extends AsyncDisposable {
  /** For streams of this thread. */
  readonly local: ColumnCache;
  /** A way to it for another thread, to be transferred there. */
  connect(): MessagePort;
}

export interface SharedColumnCacheOptions {
  readonly bytesMax: number;
  readonly limits: Pick<Limits, 'cacheEntriesMax' | 'cacheLeaseMs'>;
  readonly metrics: Metrics;
  readonly log: Log;
}

/**
 * A quarter of the machine's memory, or of what the process may take of it: Headrace itself needs little, and what lies in the files is
 * cached again by the system.
 */
export function defaultCacheBytes(): number {
  return Math.floor(Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY) / 4);
}

/** Keys and buffers' names of the most entries. */
const resourceLimits = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 16 };

/**
 * Starts the cache's thread. A thread of its own, because its garbage has to be collected whenever memory is to be let go of (see
 * garbage-rounds.ts), which costs 2 ms there and up to 100 where the catalog lives; and because streams that read what is cached must not
 * wait for a main thread that plans. Where the thread ends, streams decode for themselves.
 */
export async function openColumnCache(options: SharedColumnCacheOptions): Promise<SharedColumnCache> {
  const { bytesMax, limits, metrics, log } = options;
  const memory = new SharedArrayBuffer(tallyBytes);
  const tally = new Float64Array(memory);
  const start: CacheThreadStart = {
    bytesMax,
    entriesMax: limits.cacheEntriesMax,
    leaseMs: limits.cacheLeaseMs,
    tally: memory,
  };
  // A packed Headrace has the same file without its types.
  const worker = new Worker(new URL(`./cache-thread${extname(import.meta.url)}`, import.meta.url), {
    workerData: start,
    name: 'column-cache',
    resourceLimits,
  });
  await once(worker, 'online');
  let leaving = false;
  worker.on('error', (error) => log.error('the column cache ended: streams decode for themselves', {}, error));
  worker.on('exit', () => {
    tally.fill(0, tallyPlaces.bytes);
    if (!leaving) log.error('the column cache ended: streams decode for themselves', {});
  });
  worker.unref();
  const stops = (['bytes', 'entries', 'hit', 'miss', 'eviction'] as const).map((name) =>
    metrics.observe(instrumentOf[name], () => tally[tallyPlaces[name]]!),
  );
  const connect = (): MessagePort => {
    const { port1, port2 } = new MessageChannel();
    const reader: NewReader = { port: port1 };
    worker.postMessage(reader, [port1]);
    return port2;
  };
  const local = connectColumnCache(portLink(connect()));
  return {
    local,
    connect,
    async [Symbol.asyncDispose]() {
      leaving = true;
      for (const stop of stops) stop();
      local.close();
      await worker.terminate();
    },
  };
}

const instrumentOf = {
  bytes: 'cacheBytes',
  entries: 'cacheEntries',
  hit: 'cacheHits',
  miss: 'cacheMisses',
  eviction: 'cacheEvictions',
} as const;
