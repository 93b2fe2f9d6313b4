import { cancellationError, throwIfCancelled } from '../../core/cancellation.ts';
import { collectGarbage } from './collect-garbage.ts';
import type { PackedColumn } from './column-layout.ts';
import {
  type CacheAnswer,
  type CacheLink,
  type OpenPurpose,
  openQuestion,
  segmentKey,
  segmentStates,
  type WantedColumn,
} from './messages.ts';

/** Decoded columns that all threads share. What it holds is raw: it is reached through a scan's plan alone, after all decisions. */
export interface ColumnCache {
  /**
   * Asks which segments of columns of one row group there are. Never fails but by the signal, which ends the opening as well: a cache that
   * does not answer has nothing.
   */
  open(columns: readonly WantedColumn[], signal: AbortSignal): Promise<CacheOpening>;
  close(): void;
}

/** What the cache has, and who is to make what it has not. Disposing gives up the leases that are left. */
export interface CacheOpening extends Disposable {
  /** A segment of the column at that place in the question; null where it has to be decoded. */
  held(column: number, segment: number): PackedColumn | null;
  /**
   * To be awaited right before segments [first, end) are read: settles who decodes what is missing of those that are read whole. Waits for
   * others that decode just now, but no longer than a lease lasts. Null where all is settled.
   */
  prepare(first: number, end: number): Promise<void> | null;
  /** Whether the segment is to be decoded whole and put, or released: at once, as others wait for it. */
  isLeased(column: number, segment: number): boolean;
  /** From now on it is held. */
  put(column: number, segment: number, packed: PackedColumn): void;
  /** Gives up the lease: the segment is not put. */
  release(column: number, segment: number): void;
}

export interface ColumnCacheOptions {
  /** Segments of one opening that are asked for; others are decoded and not kept. */
  readonly segmentsMax: number;
  /** How long an answer may take. */
  readonly answerMs: number;
}

const defaults: ColumnCacheOptions = { segmentsMax: 65_536, answerMs: 1_000 };

export function connectColumnCache(link: CacheLink, options: ColumnCacheOptions = defaults): ColumnCache {
  const openings = new Map<number, Opening>();
  let last = 0;
  let waiting = 0;
  let isOver = false;

  link.listen(
    (answer) => {
      if (answer.op === 'collect') {
        collectGarbage();
        link.post({ op: 'collected', round: answer.round });
      } else openings.get(answer.opening)?.hear(answer);
    },
    () => {
      isOver = true;
      for (const opening of openings.values()) opening.end();
    },
  );

  const hold = (by: 1 | -1): void => {
    waiting += by;
    if (waiting === (by === 1 ? 1 : 0)) link.hold(waiting > 0);
  };

  return {
    async open(columns, signal) {
      throwIfCancelled(signal);
      const segments = columns.reduce((sum, { first, end }) => sum + end - first, 0);
      if (isOver || segments === 0 || segments > options.segmentsMax) return nothing;
      const opening = new Opening(++last, columns, link);
      openings.set(opening.id, opening);
      const dispose = (): void => {
        if (!openings.delete(opening.id)) return;
        signal.removeEventListener('abort', dispose);
        opening.held.clear();
        opening.leases.clear();
        if (!isOver) link.post({ op: 'close', opening: opening.id });
      };
      // What was opened ahead and is not wanted any more has nobody else to end it.
      signal.addEventListener('abort', dispose, { once: true });
      const settled = async (settling: Promise<void>): Promise<void> => {
        hold(1);
        try {
          await settling;
        } catch (error) {
          dispose();
          throw error;
        } finally {
          hold(-1);
        }
      };
      await settled(opening.look(options.answerMs, signal));
      return {
        held: (column, segment) => opening.held.get(opening.keyOf(column, segment)) ?? null,
        prepare(first, end) {
          const missing = isOver ? [] : opening.missing(first, end);
          return missing.length === 0 ? null : settled(opening.make(missing, options.answerMs, signal));
        },
        isLeased: (column, segment) => opening.leases.has(opening.keyOf(column, segment)),
        put: (column, segment, packed) => {
          const key = opening.keyOf(column, segment);
          if (!opening.leases.delete(key) || isOver) return;
          opening.held.set(key, packed);
          link.post({ op: 'put', opening: opening.id, key, packed });
        },
        release: (column, segment) => {
          const key = opening.keyOf(column, segment);
          if (opening.leases.delete(key) && !isOver) link.post({ op: 'release', opening: opening.id, key });
        },
        [Symbol.dispose]: dispose,
      };
    },
    close() {
      isOver = true;
      link.close();
      for (const opening of openings.values()) opening.end();
    },
  };
}

const nothing: CacheOpening = {
  held: () => null,
  prepare: () => null,
  isLeased: () => false,
  put: () => undefined,
  release: () => undefined,
  [Symbol.dispose]: () => undefined,
};

/** What was asked for together, and what came of it. */
class Opening {
  readonly id: number;
  readonly held = new Map<string, PackedColumn>();
  readonly leases = new Set<string>();
  readonly #prepared = new Set<number>();
  readonly #columns: readonly WantedColumn[];
  readonly #link: CacheLink;
  /** Segments that others decode, with the place of their column. */
  readonly #waits = new Map<string, { readonly column: WantedColumn; readonly segment: number }>();
  readonly #lapsed = new Set<string>();
  #asked: readonly WantedColumn[] = [];
  #leaseMs = 0;
  #isAnswered = false;
  #wake: () => void = () => undefined;

  constructor(id: number, columns: readonly WantedColumn[], link: CacheLink) {
    this.id = id;
    this.#columns = columns;
    this.#link = link;
  }

  keyOf(column: number, segment: number): string {
    return segmentKey(this.#columns[column]!.chunk, segment);
  }

  look(answerMs: number, signal: AbortSignal): Promise<void> {
    return this.#ask(this.#columns, 'look', answerMs, signal);
  }

  /** What is not held of segments that are read whole; of each segment once. */
  missing(first: number, end: number): WantedColumn[] {
    const missing: WantedColumn[] = [];
    for (let segment = first; segment < end; segment++) {
      if (this.#prepared.has(segment)) continue;
      this.#prepared.add(segment);
      for (const column of this.#columns) {
        const isWhole = segment >= column.wholeFirst && segment < column.wholeEnd;
        if (!isWhole || this.held.has(segmentKey(column.chunk, segment))) continue;
        missing.push({ ...column, first: segment, end: segment + 1 });
      }
    }
    return missing;
  }

  async make(columns: readonly WantedColumn[], answerMs: number, signal: AbortSignal): Promise<void> {
    await this.#ask(columns, 'make', answerMs, signal);
    const deadline = performance.now() + this.#leaseMs;
    for (let left = this.#leaseMs; this.#waits.size > 0 && left > 0; left = deadline - performance.now()) {
      await this.#until(() => this.#waits.size === 0 || this.#lapsed.size > 0, left, signal);
      if (this.#lapsed.size > 0) await this.#ask(this.#take(this.#lapsed), 'make', answerMs, signal);
    }
    if (this.#waits.size > 0) await this.#ask(this.#take(new Set(this.#waits.keys())), 'hurry', answerMs, signal);
  }

  /** The questions for some segments that were waited for. */
  #take(keys: Set<string>): WantedColumn[] {
    const wanted = [...keys].flatMap((key) => {
      const wait = this.#waits.get(key);
      this.#waits.delete(key);
      return wait === undefined ? [] : [{ ...wait.column, first: wait.segment, end: wait.segment + 1 }];
    });
    keys.clear();
    return wanted;
  }

  async #ask(
    columns: readonly WantedColumn[],
    purpose: OpenPurpose,
    answerMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    this.#asked = columns;
    this.#isAnswered = false;
    this.#link.post(openQuestion(this.id, columns, purpose));
    await this.#until(() => this.#isAnswered, answerMs, signal);
  }

  hear(answer: Exclude<CacheAnswer, { op: 'collect' }>): void {
    switch (answer.op) {
      case 'opened':
        this.#leaseMs = answer.leaseMs;
        this.#hearStates(answer.states, answer.held);
        this.#isAnswered = true;
        break;
      case 'ready':
        if (this.#waits.delete(answer.key)) this.held.set(answer.key, answer.packed);
        break;
      case 'lapsed':
        this.#lapsed.add(answer.key);
        break;
      default:
        answer satisfies never;
    }
    this.#wake();
  }

  #hearStates(states: Uint8Array, packed: readonly PackedColumn[]): void {
    let at = 0;
    let taken = 0;
    for (const column of this.#asked) {
      for (let segment = column.first; segment < column.end; segment++) {
        const state = states[at++];
        const key = segmentKey(column.chunk, segment);
        if (state === segmentStates.held) this.held.set(key, packed[taken++]!);
        else if (state === segmentStates.lease) this.leases.add(key);
        else if (state === segmentStates.wait) this.#waits.set(key, { column, segment });
      }
    }
  }

  /** The other side is gone: nothing comes any more. */
  end(): void {
    this.#isAnswered = true;
    this.#waits.clear();
    this.#wake();
  }

  /** Rejects with the signal's ServiceError once it fires. */
  async #until(isDone: () => boolean, ms: number, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + ms;
    while (!isDone()) {
      if (signal.aborted) throw cancellationError(signal);
      const left = deadline - performance.now();
      if (left <= 0) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      const timer = setTimeout(wake, left);
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
      try {
        await promise;
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
      }
    }
  }
}
