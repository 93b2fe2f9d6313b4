export interface GarbageRoundsOptions {
  /** Bytes of the whole cache. */
  readonly bytesMax: number;
  readonly now: () => number;
  /** Collects the garbage of this thread. */
  readonly collect: () => void;
}

/** Part of a cache that may lie uncollected: a collection costs a thread 5 to 10 ms, and is worth some tens of megabytes. */
const share = 1 / 16;
const bytesMin = 32 << 20;
const shareMax = 1 / 4;
/** A thread that does not answer is not waited for any longer: it works, and collects by itself. */
const roundMsMax = 10_000;
/** Between two collections at least, and so many times as long as one takes: so that collecting is a few percent of a thread's work at most. */
const pauseMsMin = 250;
const pauseFactor = 20;

interface Round {
  readonly bytes: number;
  readonly startedMs: number;
  readonly missing: Set<object>;
}

/**
 * Counts shared memory that was evicted and may still lie around, and has it collected. V8 does not count SharedArrayBuffers as memory that
 * its collections could free (a loop that makes and drops them grows to 1,800 MB where one of ArrayBuffers stays below 150), so that
 * without this a cache that turns over would grow far beyond its bytes.
 */
export class GarbageRounds {
  /** Bytes that may lie around. */
  readonly bytesMax: number;
  readonly #options: GarbageRoundsOptions;
  readonly #members = new Map<object, (round: number) => void>();
  #bytes = 0;
  #round: Round | null = null;
  #number = 0;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(options: GarbageRoundsOptions) {
    this.#options = options;
    const { bytesMax } = options;
    this.bytesMax = Math.floor(Math.max(bytesMax * share, Math.min(bytesMin, bytesMax * shareMax)));
  }

  get bytes(): number {
    return this.#bytes;
  }

  hasRoom(bytes: number): boolean {
    this.#expire();
    return this.#bytes + bytes <= this.bytesMax || this.#bytes === 0;
  }

  /** A thread that sees shared memory, and has to be asked to collect. */
  join(ask: (round: number) => void): { readonly leave: () => void; readonly collected: (round: number) => void } {
    const member = {};
    this.#members.set(member, ask);
    const answer = (): void => {
      if (this.#round?.missing.delete(member)) this.#finish();
    };
    return {
      leave: () => {
        this.#members.delete(member);
        answer();
      },
      collected: (round) => {
        if (round === this.#number) answer();
      },
    };
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    this.#start();
  }

  #start(): void {
    if (this.#round !== null || this.#bytes < this.bytesMax / 2) return;
    const { now } = this.#options;
    if (now() < this.#nextMs) return;
    this.#round = { bytes: this.#bytes, startedMs: now(), missing: new Set(this.#members.keys()) };
    this.#number++;
    for (const ask of [...this.#members.values()]) ask(this.#number);
    this.#finish();
  }

  #finish(): void {
    const round = this.#round;
    if (round === null || round.missing.size > 0) return;
    const { collect, now } = this.#options;
    collect();
    this.#nextMs = now() + Math.max(pauseMsMin, (now() - round.startedMs) * pauseFactor);
    this.#bytes -= round.bytes;
    this.#round = null;
    this.#start();
  }

  #expire(): void {
    if (this.#round === null) this.#start();
    else if (this.#options.now() - this.#round.startedMs >= roundMsMax) {
      this.#round.missing.clear();
      this.#finish();
    }
  }
}
