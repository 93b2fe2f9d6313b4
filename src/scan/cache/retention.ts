import { LRUCache } from 'lru-cache';

export interface RetentionOptions {
  /** Bytes of everything that is kept. */
  readonly bytesMax: number;
  readonly entriesMax: number;
  /** Chunks whose last use is remembered. */
  readonly chunksMax: number;
  /** What nobody used for so long gives way to anything. */
  readonly staleMs: number;
  readonly now: () => number;
  /** Told of what was kept and is not any more; `value` may still be in use. */
  readonly onEvict: (bytes: number) => void;
  /** Whether so many bytes may be evicted now. */
  readonly mayEvict: (bytes: number) => boolean;
}

/** Where something new would be kept: `brief` = only for those who read it at about the same time. */
export type Place = 'main' | 'brief' | 'none';

interface Kept<Value> {
  readonly value: Value;
  readonly bytes: number;
  /** Bytes that had been asked for in all when it was last used. */
  usedAt: number;
  usedMs: number;
}

/** The part of the room that what is read together is kept in once there is no room to spare. */
const briefShare = 1 / 16;
/**
 * A newcomer's interval of use has to be so much shorter than what it displaces has been idle: epochs over one snapshot do not come in
 * exactly the same order, and what jitters around the same interval would displace each other for nothing.
 */
const displaceFactor = 1.25;

/**
 * Which values stay when not all fit. Distances are bytes that were asked for meanwhile. With room to spare everything that is read once is
 * kept. Without, the least recently used gives way only to what comes back sooner: a chunk that is asked for again after a shorter distance
 * than the least recent has been idle. So a scan that is read once displaces nothing; and of a snapshot that is larger than the room, a
 * fixed part stays, epoch after epoch, where a plain LRU would lose each value just before its turn (the rule is LIRS', Jiang and Zhang 2002).
 */
export class Retention<Value> {
  readonly #options: RetentionOptions;
  readonly #mainMax: number;
  readonly #briefMax: number;
  readonly #main: LRUCache<string, Kept<Value>>;
  readonly #brief: LRUCache<string, Kept<Value>>;
  /** When each chunk was last asked for. */
  readonly #chunks: LRUCache<string, number>;
  #mainBytes = 0;
  #clock = 0;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#briefMax = Math.floor(options.bytesMax * briefShare);
    this.#mainMax = options.bytesMax - this.#briefMax;
    const entriesMax = Math.max(2, options.entriesMax);
    this.#main = new LRUCache({
      max: Math.ceil(entriesMax * (1 - briefShare)),
      dispose: ({ bytes }) => {
        this.#mainBytes -= bytes;
        options.onEvict(bytes);
      },
    });
    this.#brief = new LRUCache({
      max: Math.ceil(entriesMax * briefShare),
      maxSize: Math.max(1, this.#briefMax),
      sizeCalculation: ({ bytes }) => bytes,
      dispose: ({ bytes }) => options.onEvict(bytes),
    });
    this.#chunks = new LRUCache({ max: Math.max(1, options.chunksMax) });
  }

  get bytes(): number {
    return this.#mainBytes + this.#brief.calculatedSize;
  }

  get entries(): number {
    return this.#main.size + this.#brief.size;
  }

  has(key: string): boolean {
    return this.#main.has(key) || this.#brief.has(key);
  }

  /** What is kept, which is used by that. */
  use(key: string): Value | undefined {
    const kept = this.#main.get(key) ?? this.#brief.get(key);
    if (kept === undefined) return undefined;
    this.#clock += kept.bytes;
    kept.usedAt = this.#clock;
    kept.usedMs = this.#options.now();
    return kept.value;
  }

  /** Notes that something which is not kept was asked for. */
  pass(bytes: number): void {
    this.#clock += bytes;
  }

  /** The distance to the last time that a chunk was asked for, and notes that it is now. */
  visit(chunk: string): number {
    const last = this.#chunks.get(chunk);
    this.#chunks.set(chunk, this.#clock);
    return last === undefined ? Number.POSITIVE_INFINITY : this.#clock - last;
  }

  /**
   * Where a newcomer of such a distance would be kept, while `reserved` bytes are promised to others. `isShared`: others are about to want
   * it as well, though nobody may ever after.
   */
  placeFor(distance: number, bytes: number, reserved: number, isShared: boolean): Place {
    const missing = this.#mainBytes + reserved + bytes - this.#mainMax;
    if (missing <= 0 && this.#main.size < this.#main.max) return 'main';
    if (!this.#options.mayEvict(bytes)) return 'none';
    const fitsBriefly = bytes <= this.#briefMax;
    if (distance < this.#briefMax && fitsBriefly) return 'brief';
    if (this.#mayDisplace(distance, missing)) return 'main';
    return isShared && fitsBriefly ? 'brief' : 'none';
  }

  /** Keeps a value; false where it does not fit at that place. What lies in its way is evicted. */
  keep(key: string, value: Value, bytes: number, place: Exclude<Place, 'none'>, distance: number): boolean {
    const { now } = this.#options;
    const kept: Kept<Value> = { value, bytes, usedAt: this.#clock, usedMs: now() };
    if (place === 'brief') return this.#keepBriefly(key, kept);
    for (;;) {
      const isFull = this.#main.size >= this.#main.max;
      const missing = this.#mainBytes + bytes - this.#mainMax;
      if (missing <= 0 && !isFull) break;
      const victim = this.#main.rvalues().next().value;
      if (victim === undefined || !this.#yields(victim, distance) || !this.#options.mayEvict(victim.bytes))
        return false;
      this.#main.pop();
    }
    this.#main.set(key, kept);
    this.#mainBytes += bytes;
    return true;
  }

  #keepBriefly(key: string, kept: Kept<Value>): boolean {
    const missing = this.#brief.calculatedSize + kept.bytes - this.#briefMax;
    if (kept.bytes > this.#briefMax || (missing > 0 && !this.#options.mayEvict(missing))) return false;
    this.#brief.set(key, kept);
    return this.#brief.has(key);
  }

  #mayDisplace(distance: number, bytes: number): boolean {
    let found = 0;
    for (const victim of this.#main.rvalues()) {
      if (victim === undefined) continue;
      if (!this.#yields(victim, distance)) return false;
      found += victim.bytes;
      if (found >= bytes) return true;
    }
    return false;
  }

  #yields({ usedAt, usedMs }: Kept<Value>, distance: number): boolean {
    const { now, staleMs } = this.#options;
    return this.#clock - usedAt > distance * displaceFactor || now() - usedMs > staleMs;
  }
}
