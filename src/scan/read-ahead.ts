import { cancellationError, throwIfCancelled } from '../core/cancellation.ts';
import type { PoolShare } from './read-pool.ts';

/** What a reader takes before it fetches, and gives back once nobody uses the bytes. */
export interface ReadRoom {
  /** Resolves when so many bytes may be held; rejects when nobody wants them any more. */
  take(bytes: number): Promise<void>;
  /** Less than nothing takes without waiting: what turns out larger than was thought. */
  give(bytes: number): void;
}

/** For readers that hold one thing at a time. */
export const unboundedRoom: ReadRoom = { take: async () => undefined, give: () => undefined };

/** What is read ahead: it holds bytes until it is released. */
export interface Releasable {
  release(): void;
}

export interface ReadAheadOptions {
  /** Bytes that all that was read and not released may take; what the consumer waits for is read in any case. */
  readonly bytesMax: number;
  /** Sources that are read at once. */
  readonly sourcesMax: number;
  /** The stream's part of what all streams may hold. */
  readonly share: PoolShare;
}

/** Gives what it reads in order, and takes room for it before. */
export type ReadAheadSource<Item> = (room: ReadRoom, signal: AbortSignal) => AsyncIterable<Item>;

/** One source that was started. */
interface Lane<Item> {
  readonly items: Item[];
  /** Taken and not yet granted. */
  readonly waiting: {
    readonly bytes: number;
    readonly grant: () => void;
    readonly refuse: (reason: unknown) => void;
  }[];
  ended: boolean;
  error: { readonly reason: unknown } | null;
  wake: () => void;
}

/**
 * The items of sources, source by source and in each one's order, read ahead of the consumer as far as there is room. Room goes to
 * earlier sources first. When the consumer leaves, the sources' signal ends and what was not taken is released.
 */
export async function* readAhead<Item extends Releasable>(
  sources: Iterable<ReadAheadSource<Item>>,
  { bytesMax, sourcesMax, share }: ReadAheadOptions,
  signal: AbortSignal,
): AsyncGenerator<Item> {
  const own = new AbortController();
  const both = AbortSignal.any([signal, own.signal]);
  const lanes: Lane<Item>[] = [];
  const pending = sources[Symbol.iterator]();
  let heldBytes = 0;
  let isStarved = false;

  const grant = (): void => {
    for (const [at, lane] of lanes.entries()) {
      while (lane.waiting.length > 0) {
        const { bytes, grant: resolve } = lane.waiting[0]!;
        const isAwaited = isStarved && at === 0 && lane.items.length === 0;
        if (heldBytes + bytes > bytesMax && !isAwaited) return;
        if (!share.take(bytes, isAwaited)) return;
        lane.waiting.shift();
        heldBytes += bytes;
        resolve();
      }
    }
  };

  const start = (source: ReadAheadSource<Item>): void => {
    const lane: Lane<Item> = { items: [], waiting: [], ended: false, error: null, wake: () => undefined };
    const room: ReadRoom = {
      take: (bytes) =>
        new Promise((resolve, reject) => {
          throwIfCancelled(both);
          lane.waiting.push({ bytes, grant: resolve, refuse: reject });
          grant();
        }),
      give(bytes) {
        heldBytes -= bytes;
        share.give(bytes);
        if (bytes > 0) grant();
      },
    };
    lanes.push(lane);
    const pump = async (): Promise<void> => {
      for await (const item of source(room, both)) {
        if (own.signal.aborted) item.release();
        else lane.items.push(item);
        lane.wake();
      }
    };
    pump()
      .catch((reason: unknown) => {
        lane.error = { reason };
      })
      .finally(() => {
        lane.ended = true;
        lane.wake();
      });
  };

  both.addEventListener('abort', () => {
    for (const { waiting } of lanes) for (const { refuse } of waiting) refuse(cancellationError(both));
  });

  share.onRoom = grant;

  const startMore = (): void => {
    while (lanes.length < sourcesMax) {
      const next = pending.next();
      if (next.done === true) return;
      start(next.value);
    }
  };

  try {
    for (startMore(); lanes.length > 0; startMore()) {
      const [lane] = lanes;
      while (lane!.items.length > 0 || !lane!.ended) {
        const item = lane!.items.shift();
        if (item !== undefined) {
          yield item;
          continue;
        }
        const woken = new Promise<void>((resolve) => {
          lane!.wake = resolve;
        });
        isStarved = true;
        grant();
        await woken;
        isStarved = false;
      }
      if (lane!.error !== null) throw lane!.error.reason;
      lanes.shift();
    }
  } finally {
    own.abort();
    for (const { items } of lanes) for (const item of items.splice(0)) item.release();
  }
}
