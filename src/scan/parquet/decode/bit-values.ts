import { appendBits } from '../../arrow/kernels/bitmap.ts';
import { damaged } from './damaged.ts';
import type { HybridReader } from './hybrid-reader.ts';

/** The booleans of one page, nulls left out, front to back. Reading past the last is CORRUPT_FILE. */
export interface BitValues {
  skip(count: number): void;
  /** Writes the next values to bit `at` on of a bitmap that is still 0 there. */
  read(out: Uint8Array, at: number, count: number): void;
}

/** One bit each, lowest first, from byte `start` on. */
export class PlainBits implements BitValues {
  readonly #bytes: Uint8Array;
  #bit = 0;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes.subarray(start);
  }

  #take(count: number): number {
    const first = this.#bit;
    if (first + count > this.#bytes.length * 8)
      throw damaged(`a page has fewer than the ${count} values that are asked for`);
    this.#bit = first + count;
    return first;
  }

  skip(count: number): void {
    this.#take(count);
  }

  read(out: Uint8Array, at: number, count: number): void {
    const first = this.#take(count);
    appendBits(out, at, this.#bytes.subarray(Math.floor(first / 8)), count, first % 8);
  }
}

export class RunBits implements BitValues {
  readonly #runs: HybridReader;

  constructor(runs: HybridReader) {
    this.#runs = runs;
  }

  skip(count: number): void {
    this.#runs.skip(count);
  }

  read(out: Uint8Array, at: number, count: number): void {
    this.#runs.bits(out, at, count);
  }
}
