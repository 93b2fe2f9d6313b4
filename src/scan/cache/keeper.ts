import type { PackedColumn } from './column-layout.ts';
import { GarbageRounds } from './garbage-rounds.ts';
import {
  type CacheAnswer,
  type CacheQuestion,
  type OpenQuestion,
  readColumns,
  segmentKey,
  segmentStates,
  type WantedColumn,
} from './messages.ts';
import { type Place, Retention } from './retention.ts';

export interface KeeperOptions {
  /** Bytes of all that is kept, and of what was evicted and is not collected yet. */
  readonly bytesMax: number;
  /** Columns of segments that are kept. */
  readonly entriesMax: number;
  /** How long one stream may take to decode what others wait for. */
  readonly leaseMs: number;
  readonly now: () => number;
  /** Collects the keeper's own garbage. */
  readonly collect: () => void;
  readonly count: (event: CacheEvent, by: number) => void;
}

/** A hit is a segment of a column that was kept or that another stream had in the making. */
export type CacheEvent = 'hit' | 'miss' | 'eviction';

/** One thread that reads. */
export interface KeeperConnection {
  receive(question: CacheQuestion): void;
  /** Gives up its leases and waits. */
  close(): void;
}

interface Client {
  readonly deliver: (answer: CacheAnswer) => void;
  readonly openings: Map<number, Opening>;
  readonly leaveRounds: () => void;
  readonly collected: (round: number) => void;
}

interface Opening {
  readonly client: Client;
  readonly id: number;
  readonly leases: Set<string>;
  readonly waits: Set<string>;
  /** By chunk. */
  readonly distances: Map<string, number>;
}

interface Lease {
  readonly holder: Opening;
  readonly distance: number;
  readonly expiresMs: number;
  readonly waiting: Set<Opening>;
  /** Bytes that are promised to it. */
  readonly reserved: number;
  readonly place: Exclude<Place, 'none'>;
}

/** What an entry takes besides its buffer. */
const entryOverheadBytes = 1_024;
/** Chunks that are remembered: of a million bytes each these are more than any room. */
const chunksMax = 50_000;
const staleMs = 600_000;

/**
 * Knows what is kept, and who decodes what is not: of several streams that want the same column at the same time one gets the lease to decode
 * it, and the others wait, for as long as leases last. One keeper serves all threads; it never touches a value.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #kept: Retention<PackedColumn>;
  readonly #leases = new Map<string, Lease>();
  /** How many openings there are of a chunk. */
  readonly #interest = new Map<string, number>();
  readonly #rounds: GarbageRounds;
  #reservedBytes = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
    const { bytesMax, entriesMax, now } = options;
    this.#rounds = new GarbageRounds({ bytesMax, now, collect: options.collect });
    this.#kept = new Retention({
      bytesMax: bytesMax - this.#rounds.bytesMax,
      entriesMax,
      chunksMax,
      staleMs,
      now,
      mayEvict: (bytes) => this.#rounds.hasRoom(bytes),
      onEvict: (bytes) => {
        options.count('eviction', 1);
        this.#rounds.add(bytes);
      },
    });
  }

  /** Bytes of what is kept. */
  get keptBytes(): number {
    return this.#kept.bytes;
  }

  /** Bytes of what is kept, of what was evicted and of what came too late, as far as those are not collected yet. */
  get bytes(): number {
    return this.#kept.bytes + this.#rounds.bytes;
  }

  get entries(): number {
    return this.#kept.entries;
  }

  get leases(): number {
    return this.#leases.size;
  }

  connect(deliver: (answer: CacheAnswer) => void): KeeperConnection {
    const { leave, collected } = this.#rounds.join((round) => deliver({ op: 'collect', round }));
    const client: Client = { deliver, openings: new Map(), leaveRounds: leave, collected };
    return {
      receive: (question) => this.#receive(client, question),
      close: () => {
        client.leaveRounds();
        for (const opening of client.openings.values()) this.#close(opening);
        client.openings.clear();
      },
    };
  }

  #receive(client: Client, question: CacheQuestion): void {
    if (question.op === 'collected') client.collected(question.round);
    else if (question.op === 'open') this.#open(client, question);
    else {
      const opening = client.openings.get(question.opening);
      if (opening !== undefined) this.#receiveFor(opening, question);
    }
  }

  #receiveFor(opening: Opening, question: Exclude<CacheQuestion, { op: 'open' | 'collected' }>): void {
    switch (question.op) {
      case 'put':
        this.#put(opening, question.key, question.packed);
        return;
      case 'release':
        this.#release(opening, question.key);
        return;
      case 'close':
        opening.client.openings.delete(opening.id);
        this.#close(opening);
        return;
      default:
        question satisfies never;
    }
  }

  #open(client: Client, question: OpenQuestion): void {
    const { opening: id } = question;
    const columns = readColumns(question);
    let opening = client.openings.get(id);
    if (opening === undefined) {
      opening = { client, id, leases: new Set(), waits: new Set(), distances: new Map() };
      client.openings.set(id, opening);
    }
    const isLook = question.purpose === 'look';
    const states = new Uint8Array(columns.reduce((sum, { first, end }) => sum + end - first, 0));
    const held: PackedColumn[] = [];
    let at = 0;
    for (const column of columns) {
      if (!opening.distances.has(column.chunk)) this.#visit(opening, column.chunk);
      for (let segment = column.first; segment < column.end; segment++) {
        const key = segmentKey(column.chunk, segment);
        const packed = this.#kept.use(key);
        if (packed !== undefined) held.push(packed);
        if (packed !== undefined) states[at++] = segmentStates.held;
        else if (isLook) states[at++] = this.#lack(column, segment);
        else states[at++] = this.#miss(opening, column, key, question.purpose === 'hurry');
      }
    }
    const { leaseMs, count } = this.#options;
    if (held.length > 0) count('hit', held.length);
    client.deliver({ op: 'opened', opening: id, states, held, leaseMs });
  }

  #visit(opening: Opening, chunk: string): void {
    opening.distances.set(chunk, this.#kept.visit(chunk));
    this.#interest.set(chunk, (this.#interest.get(chunk) ?? 0) + 1);
  }

  /** What is to be decoded whole counts when it is asked for again to that end. */
  #lack({ wholeFirst, wholeEnd, segmentBytes }: WantedColumn, segment: number): number {
    if (segment < wholeFirst || segment >= wholeEnd) {
      this.#options.count('miss', 1);
      this.#kept.pass(segmentBytes);
    }
    return segmentStates.none;
  }

  #miss(opening: Opening, { chunk, segmentBytes }: WantedColumn, key: string, hurries: boolean): number {
    const { now, leaseMs, count } = this.#options;
    const lease = this.#leases.get(key);
    const isRunning = lease !== undefined && lease.holder !== opening && lease.expiresMs > now();
    if (isRunning && !hurries) {
      lease.waiting.add(opening);
      opening.waits.add(key);
      return segmentStates.wait;
    }
    count('miss', 1);
    this.#kept.pass(segmentBytes);
    if (isRunning) return segmentStates.none;
    if (lease !== undefined) this.#end(key, lease);
    const distance = opening.distances.get(chunk)!;
    const bytes = segmentBytes + entryOverheadBytes;
    const place = this.#kept.placeFor(distance, bytes, this.#reservedBytes, this.#interest.get(chunk)! > 1);
    if (place === 'none') return segmentStates.none;
    const reserved = place === 'main' ? bytes : 0;
    this.#reservedBytes += reserved;
    this.#leases.set(key, {
      holder: opening,
      distance,
      expiresMs: now() + leaseMs,
      waiting: new Set(),
      reserved,
      place,
    });
    opening.leases.add(key);
    return segmentStates.lease;
  }

  #put(opening: Opening, key: string, packed: PackedColumn): void {
    const lease = this.#leases.get(key);
    const bytes = packed.byteLength + entryOverheadBytes;
    // A lease that lapsed and went to somebody else is that one's to fulfil.
    if (lease?.holder !== opening) {
      this.#rounds.add(bytes);
      return;
    }
    this.#leases.delete(key);
    opening.leases.delete(key);
    this.#reservedBytes -= lease.reserved;
    // What is not kept after all lies around as well.
    if (!this.#kept.keep(key, packed, bytes, lease.place, lease.distance)) this.#rounds.add(bytes);
    for (const waiter of lease.waiting) {
      waiter.waits.delete(key);
      this.#options.count('hit', 1);
      waiter.client.deliver({ op: 'ready', opening: waiter.id, key, packed });
    }
  }

  #release(opening: Opening, key: string): void {
    const lease = this.#leases.get(key);
    if (lease?.holder === opening) this.#end(key, lease);
  }

  /** Takes a lease from its holder without a value. */
  #end(key: string, lease: Lease): void {
    this.#leases.delete(key);
    lease.holder.leases.delete(key);
    this.#reservedBytes -= lease.reserved;
    for (const waiter of lease.waiting) {
      waiter.waits.delete(key);
      waiter.client.deliver({ op: 'lapsed', opening: waiter.id, key });
    }
  }

  #close(opening: Opening): void {
    for (const key of opening.waits) this.#leases.get(key)?.waiting.delete(opening);
    for (const key of [...opening.leases]) this.#release(opening, key);
    for (const chunk of opening.distances.keys()) {
      const left = this.#interest.get(chunk)! - 1;
      if (left === 0) this.#interest.delete(chunk);
      else this.#interest.set(chunk, left);
    }
  }
}
