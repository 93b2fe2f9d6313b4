import { appendBits, countBits, setBits } from '../../arrow/kernels/bitmap.ts';
import { gatherPacked, gatherPackedPairs, unpackBytes, unpackOne, unpackWords } from './bit-packed.ts';
import { damaged } from './damaged.ts';

const widthMax = 32;

/**
 * Reads the hybrid of run lengths and bit-packed groups (parquet-format, Encodings.md, "RLE / bit-packing hybrid") front to back,
 * of levels, booleans and dictionary indices. Each method continues where the last one ended; all throw CORRUPT_FILE where the
 * bytes hold fewer values than are asked for.
 */
export class HybridReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #width: number;
  /** Where the next run's header lies. */
  #at: number;
  /** Values left of the current run. */
  #left = 0;
  #isPacked = false;
  /** What a repeated run repeats. */
  #value = 0;
  /** Where the packed run begins, and how many of its values are behind us. */
  #packedAt = 0;
  #packedDone = 0;

  /** `bytes` ends where the values end. */
  constructor(bytes: Uint8Array, start: number, width: number) {
    if (width > widthMax) throw damaged(`values of ${width} bits are packed in a page`);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#width = width;
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) throw damaged('the levels or indices of a page end early');
    return this.#bytes[this.#at++]!;
  }

  #nextRun(): void {
    // Of a dictionary with one entry some writers store no indices at all.
    if (this.#width === 0 && this.#at >= this.#bytes.length) {
      this.#repeat(0, Number.MAX_SAFE_INTEGER);
      return;
    }
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      if (shift > 28) throw damaged('a run of levels or indices is too long');
      const part = this.#byte();
      head += (part & 0x7f) * 2 ** shift;
      if (part < 0x80) break;
    }
    const count = Math.floor(head / 2);
    if (head % 2 === 0) {
      let value = 0;
      for (let shift = 0; shift < this.#width; shift += 8) value |= this.#byte() << shift;
      this.#repeat(value, count);
      return;
    }
    if (this.#width === 0) {
      this.#repeat(0, count * 8);
      return;
    }
    // The last group may be cut off behind its last value.
    const there = Math.floor(((this.#bytes.length - this.#at) * 8) / this.#width);
    this.#isPacked = true;
    this.#left = Math.min(count * 8, there);
    this.#packedAt = this.#at;
    this.#packedDone = 0;
    this.#at = Math.min(this.#bytes.length, this.#at + count * this.#width);
    if (this.#left === 0 && count > 0) throw damaged('the levels or indices of a page end early');
  }

  #repeat(value: number, count: number): void {
    this.#isPacked = false;
    this.#value = value;
    this.#left = count;
  }

  /** How many of `count` values the current run holds. */
  #take(count: number): number {
    while (this.#left === 0) this.#nextRun();
    return Math.min(count, this.#left);
  }

  #advance(count: number): void {
    this.#left -= count;
    this.#packedDone += count;
  }

  // Positions are doubles: a page may hold more than 2^31 bits.
  #packedByte(): number {
    return this.#packedAt + Math.floor((this.#packedDone * this.#width) / 8);
  }

  #packedShift(): number {
    return (this.#packedDone * this.#width) % 8;
  }

  skip(count: number): void {
    for (let rest = count; rest > 0; ) {
      const run = this.#take(rest);
      this.#advance(run);
      rest -= run;
    }
  }

  /** Indices, below `limit`. */
  indices(out: Int32Array, start: number, count: number, limit: number): void {
    for (let at = start, end = start + count; at < end; ) {
      const run = this.#take(end - at);
      if (this.#isPacked) {
        unpackWords(this.#view, this.#packedByte(), this.#packedShift(), this.#width, out, at, run);
        if (!allBelow(out, at, run, limit)) throw outside();
      } else {
        if (this.#value < 0 || this.#value >= limit) throw outside();
        out.fill(this.#value, at, at + run);
      }
      this.#advance(run);
      at += run;
    }
  }

  /** Single indices, below `limit`: each after passing over as many values as `skips` says. */
  pick(skips: Int32Array, count: number, out: Int32Array, limit: number): void {
    for (let at = 0; at < count; at++) {
      let skip = skips[at]!;
      while (skip >= this.#left) {
        skip -= this.#left;
        this.#nextRun();
      }
      this.#advance(skip);
      const value = this.#isPacked
        ? unpackOne(this.#view, this.#packedByte(), this.#packedShift(), this.#width)
        : this.#value;
      if (value < 0 || value >= limit) throw outside();
      out[at] = value;
      this.#advance(1);
    }
  }

  /** The 32-bit entries of a dictionary that the next indices name. */
  gather(out: Int32Array, start: number, count: number, dictionary: Int32Array): void {
    for (let at = start, end = start + count; at < end; ) {
      const run = this.#take(end - at);
      if (this.#isPacked) {
        const [byte, shift] = [this.#packedByte(), this.#packedShift()];
        if (!gatherPacked(this.#view, byte, shift, this.#width, out, at, run, dictionary)) throw outside();
      } else {
        if (this.#value < 0 || this.#value >= dictionary.length) throw outside();
        out.fill(dictionary[this.#value]!, at, at + run);
      }
      this.#advance(run);
      at += run;
    }
  }

  /** The 64-bit entries of a dictionary that the next indices name, as pairs of words; `start` and `count` are in values. */
  gatherPairs(out: Int32Array, start: number, count: number, dictionary: Int32Array): void {
    const entries = dictionary.length >>> 1;
    for (let at = start, end = start + count; at < end; ) {
      const run = this.#take(end - at);
      if (this.#isPacked) {
        const [byte, shift] = [this.#packedByte(), this.#packedShift()];
        if (!gatherPackedPairs(this.#view, byte, shift, this.#width, out, at, run, dictionary)) throw outside();
      } else {
        if (this.#value < 0 || this.#value >= entries) throw outside();
        const [low, high] = [dictionary[2 * this.#value]!, dictionary[2 * this.#value + 1]!];
        for (let to = 2 * at; to < 2 * (at + run); to += 2) {
          out[to] = low;
          out[to + 1] = high;
        }
      }
      this.#advance(run);
      at += run;
    }
  }

  /** Levels, at most `levelMax`, which has 8 bits. */
  levels(out: Uint8Array, count: number, levelMax: number): void {
    const isAnyFine = levelMax === 2 ** this.#width - 1;
    for (let at = 0; at < count; ) {
      const run = this.#take(count - at);
      if (this.#isPacked) {
        unpackBytes(this.#view, this.#packedByte(), this.#packedShift(), this.#width, out, at, run);
        if (!isAnyFine) for (let level = at; level < at + run; level++) if (out[level]! > levelMax) throw tooHigh();
      } else {
        if (this.#value > levelMax) throw tooHigh();
        out.fill(this.#value, at, at + run);
      }
      this.#advance(run);
      at += run;
    }
  }

  /** Single bits, to bit `start` of a bitmap that is still 0 there; gives how many are set. */
  bits(out: Uint8Array, start: number, count: number): number {
    let ones = 0;
    for (let at = start, end = start + count; at < end; ) {
      const run = this.#take(end - at);
      if (this.#isPacked) {
        const first = this.#packedByte();
        appendBits(out, at, this.#bytes.subarray(first), run, this.#packedShift());
        ones += countBits(out, at, at + run);
      } else if ((this.#value & 1) === 1) {
        setBits(out, at, at + run);
        ones += run;
      }
      this.#advance(run);
      at += run;
    }
    return ones;
  }
}

function allBelow(values: Int32Array, start: number, count: number, limit: number): boolean {
  const last = limit - 1;
  let room = 0;
  for (let at = start; at < start + count; at++) room |= (last - values[at]!) | values[at]!;
  return room >= 0;
}

const tooHigh = () => damaged('a level is higher than its column goes');
const outside = () => damaged('an index lies outside of the dictionary');
