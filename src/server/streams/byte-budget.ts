import { cancellationError } from '../../core/cancellation.ts';
import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import { type BudgetLedger, ledgerMemory, openLedger } from './shared-ledger.ts';

export type BudgetLimits = Pick<
  Limits,
  | 'messageBytesTarget'
  | 'messageBytesMax'
  | 'streamBytesMax'
  | 'streamsBytesMax'
  | 'streamsMax'
  | 'streamReserveBytesMin'
>;

/** One stream's part of the budget. Disposing gives back everything that it still holds. */
export interface StreamBudget extends Disposable {
  /** Bytes that the stream may queue whatever the others hold: what its messages should fit in. */
  readonly reserve: number;
  /** Bytes taken and not given back. */
  readonly queued: number;
  /** Waits until `bytes` more may be queued. One call at a time. Rejects with the signal's ServiceError once it fires. */
  take(bytes: number, signal: AbortSignal): Promise<void>;
  /** Gives back bytes that have left the process. */
  give(bytes: number): void;
}

interface Stream {
  readonly reserve: number;
  queued: number;
  open: boolean;
}

interface Waiter {
  readonly stream: Stream;
  readonly bytes: number;
  readonly grant: () => void;
}

/** Which part of the process's budget a thread has. */
export interface SharedBudget {
  readonly threads: number;
  readonly ledger: BudgetLedger;
}

/**
 * Bounds the bytes that wait for readers, per stream and over all streams, so that a slow reader slows nobody but itself.
 *
 * Each open stream owns a reserve, which no other stream can take, and sends messages that fit in it: of the usual size while up to a third
 * of what is there for reserves is given out, small ones after that, so that a crowd gets through where few are fast. A stream whose reserve
 * does not fit any more is refused when it opens. A quarter of the budget is a pool for those that want more: a stream may hold no more of
 * it than is still free, so that a crowd of stalled readers always leaves a share to the next one (dynamic thresholds, Choudhury and Hahne
 * 1998). Waiters for the pool are served in the order in which they came.
 *
 * Several threads may have a budget each over one ledger: what is open and reserved then counts over all of them, and the pool is parted
 * among them.
 */
export class ByteBudget {
  readonly #limits: BudgetLimits;
  readonly #poolBytes: number;
  /** Of all threads together. */
  readonly #poolsBytes: number;
  readonly #ledger: BudgetLedger;
  readonly #waiters: Waiter[] = [];
  #pooled = 0;

  constructor(limits: BudgetLimits, shared: SharedBudget = { threads: 1, ledger: openLedger(ledgerMemory(1), 0) }) {
    this.#limits = limits;
    const { threads, ledger } = shared;
    this.#ledger = ledger;
    // Below one message of the largest size, such a message would wait until nobody else holds any of it.
    this.#poolsBytes = Math.max(limits.messageBytesMax, Math.floor(limits.streamsBytesMax / 4));
    this.#poolBytes = Math.floor(this.#poolsBytes / threads);
  }

  /** Of all threads. */
  get openStreams(): number {
    return this.#ledger.openStreams;
  }

  get queuedBytes(): number {
    return this.#ledger.queuedBytes;
  }

  /** Throws LIMIT_EXCEEDED where no further stream fits. */
  open(): StreamBudget {
    const { streamsMax, streamsBytesMax } = this.#limits;
    const reserve = this.#nextReserve();
    const { openStreams, reservedBytes } = this.#ledger;
    const fits = openStreams === 0 || reservedBytes + reserve + this.#poolsBytes <= streamsBytesMax;
    if (openStreams >= streamsMax || !fits) {
      throw new ServiceError(
        'LIMIT_EXCEEDED',
        `${openStreams} streams are open, more do not fit (limits.streamsMax, limits.streamsBytesMax): try again later`,
      );
    }
    this.#ledger.add(1, reserve, 0);
    const stream: Stream = { reserve, queued: 0, open: true };
    return {
      reserve,
      get queued() {
        return stream.queued;
      },
      take: (bytes, signal) => this.#take(stream, bytes, signal),
      give: (bytes) => this.#give(stream, bytes),
      [Symbol.dispose]: () => this.#close(stream),
    };
  }

  #nextReserve(): number {
    const { messageBytesTarget, streamReserveBytesMin, streamsBytesMax } = this.#limits;
    const { openStreams, reservedBytes } = this.#ledger;
    const forFullOnes = (streamsBytesMax - this.#poolsBytes) / 3;
    const full = openStreams === 0 || reservedBytes + messageBytesTarget <= forFullOnes;
    return full ? messageBytesTarget : Math.min(streamReserveBytesMin, messageBytesTarget);
  }

  #poolUse({ reserve }: Stream, queued: number): number {
    return Math.max(queued - reserve, 0);
  }

  async #take(stream: Stream, bytes: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw cancellationError(signal);
    const first = this.#waiters.length === 0 || stream.queued + bytes <= stream.reserve;
    if (first && this.#fits(stream, bytes)) {
      this.#add(stream, bytes);
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { stream, bytes, grant: resolve };
    const leave = (): void => {
      const place = this.#waiters.indexOf(waiter);
      if (place < 0) return;
      this.#waiters.splice(place, 1);
      reject(cancellationError(signal));
      this.#serve();
    };
    signal.addEventListener('abort', leave, { once: true });
    this.#waiters.push(waiter);
    this.#serve();
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #fits(stream: Stream, bytes: number): boolean {
    const { streamBytesMax } = this.#limits;
    const after = stream.queued + bytes;
    if (after <= stream.reserve) return true;
    if (stream.queued > 0 && after > streamBytesMax) return false;
    const free = this.#poolBytes - this.#pooled;
    const more = this.#poolUse(stream, after) - this.#poolUse(stream, stream.queued);
    if (stream.queued === 0) return more <= free || this.#pooled === 0;
    return this.#poolUse(stream, after) <= free - more;
  }

  #add(stream: Stream, bytes: number): void {
    this.#pooled += this.#poolUse(stream, stream.queued + bytes) - this.#poolUse(stream, stream.queued);
    stream.queued += bytes;
    this.#ledger.add(0, 0, bytes);
  }

  #give(stream: Stream, bytes: number): void {
    if (!stream.open) return;
    this.#add(stream, -Math.min(bytes, stream.queued));
    this.#serve();
  }

  #close(stream: Stream): void {
    if (!stream.open) return;
    this.#add(stream, -stream.queued);
    stream.open = false;
    this.#ledger.add(-1, -stream.reserve, 0);
    this.#serve();
  }

  /** Grants whoever may go on. The first whom the pool is too small for keeps those after it from the pool, but not from their reserves. */
  #serve(): void {
    let poolTaken = false;
    for (let place = 0; place < this.#waiters.length; ) {
      const { stream, bytes, grant } = this.#waiters[place]!;
      const fromReserve = stream.queued + bytes <= stream.reserve;
      const ownLimit = stream.queued > 0 && stream.queued + bytes > this.#limits.streamBytesMax;
      if ((fromReserve || !poolTaken) && this.#fits(stream, bytes)) {
        this.#waiters.splice(place, 1);
        this.#add(stream, bytes);
        grant();
        continue;
      }
      // Who waits for its own reader, and not for the pool, holds up nobody.
      if (!fromReserve && !ownLimit && stream.queued === 0) poolTaken = true;
      place++;
    }
  }
}
