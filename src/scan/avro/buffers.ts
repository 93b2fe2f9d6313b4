import { ServiceError } from '../../core/errors.ts';
import type { ByteBudget } from '../arrow/kernels/byte-budget.ts';

/** What one batch may hold: a byte of Avro can stand for megabytes of Arrow (a null of a wide struct, a long enum symbol). */
export class BatchBudget implements ByteBudget {
  used = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  charge(bytes: number): void {
    this.used += bytes;
    if (this.used > this.#bytesMax) {
      throw new ServiceError('LIMIT_EXCEEDED', `a row of an Avro file takes more than ${this.#bytesMax} bytes`);
    }
  }
}

const initialBytes = 1024;

/** A buffer that grows, zero where nothing was written. */
export class GrowingBytes {
  bytes = Buffer.alloc(initialBytes);
  length = 0;
  readonly #budget: BatchBudget;

  constructor(budget: BatchBudget) {
    this.#budget = budget;
  }

  /** Makes room for `count` more bytes, all zero, and gives where they begin. */
  reserve(count: number): number {
    const start = this.length;
    this.#budget.charge(count);
    this.length = start + count;
    if (this.length > this.bytes.length) {
      const grown = Buffer.alloc(Math.max(this.length, 2 * this.bytes.length));
      this.bytes.copy(grown, 0, 0, start);
      this.bytes = grown;
    }
    return start;
  }

  /** The bytes written, in an ArrayBuffer that begins with them. */
  finish(): Uint8Array {
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset, this.length);
  }
}

/** A bitmap that grows by one bit a row, LSB first. */
export class GrowingBits {
  length = 0;
  /** Bits that are 0. */
  zeros = 0;
  readonly #bytes: GrowingBytes;

  constructor(budget: BatchBudget) {
    this.#bytes = new GrowingBytes(budget);
  }

  push(bit: boolean): void {
    const at = this.length++;
    if ((at & 7) === 0) this.#bytes.reserve(1);
    if (bit) this.#bytes.bytes[at >> 3]! |= 1 << (at & 7);
    else this.zeros++;
  }

  finish(): Uint8Array {
    return this.#bytes.finish();
  }
}
