import type { MessagePort } from 'node:worker_threads';

/** What the cache's thread starts with. */
export interface CacheThreadStart {
  readonly bytesMax: number;
  readonly entriesMax: number;
  readonly leaseMs: number;
  /** Doubles that the thread alone writes, see {@link tallyPlaces}. */
  readonly tally: SharedArrayBuffer;
}

/** One more thread that reads, by its port. */
export interface NewReader {
  readonly port: MessagePort;
}

export const tallyPlaces = { hit: 0, miss: 1, eviction: 2, bytes: 3, entries: 4 } as const;
export const tallyBytes = Object.keys(tallyPlaces).length * Float64Array.BYTES_PER_ELEMENT;
