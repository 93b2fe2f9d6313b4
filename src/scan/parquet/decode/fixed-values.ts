import { wordsOf } from '../../arrow/kernels/typed-views.ts';
import { damaged } from './damaged.ts';
import type { HybridReader } from './hybrid-reader.ts';

/** The fixed-width values of one page, nulls left out, front to back. Reading past its last value is CORRUPT_FILE. */
export interface FixedValues {
  skip(count: number): void;
  /** Writes the next values to `out` from its value `at` on. */
  read(out: Uint8Array, at: number, count: number): void;
  /** Writes single values to `out` from its value `at` on: each after passing over as many as `skips` says. */
  pick(skips: Int32Array, count: number, out: Uint8Array, at: number): void;
  /** The next values where they already lie as a column needs them, at a multiple of 8 bytes; else null and nothing is taken. */
  view(count: number): Uint8Array | null;
}

/** Values that stand one after another in bytes [start, end). */
export class PlainValues implements FixedValues {
  readonly #bytes: Uint8Array;
  readonly #width: number;
  readonly #end: number;
  readonly #viewable: boolean;
  #at: number;

  /** `viewable`: the bytes are never written to again, so that columns may be views of them. */
  constructor(bytes: Uint8Array, start: number, end: number, width: number, viewable: boolean) {
    this.#viewable = viewable;
    this.#bytes = bytes;
    this.#width = width;
    this.#at = start;
    this.#end = end;
  }

  #take(count: number): Uint8Array {
    const start = this.#at;
    const end = start + count * this.#width;
    if (end > this.#end) throw damaged(`a page has fewer than the ${count} values that are asked for`);
    this.#at = end;
    return this.#bytes.subarray(start, end);
  }

  skip(count: number): void {
    this.#take(count);
  }

  read(out: Uint8Array, at: number, count: number): void {
    out.set(this.#take(count), at * this.#width);
  }

  pick(skips: Int32Array, count: number, out: Uint8Array, at: number): void {
    const width = this.#width;
    const bytes = this.#bytes;
    let from = this.#at;
    let to = at * width;
    for (let value = 0; value < count; value++, from += width) {
      from += skips[value]! * width;
      if (from + width > this.#end) throw damaged('a page has fewer values than are asked for');
      for (let byte = from; byte < from + width; byte++) out[to++] = bytes[byte]!;
    }
    this.#at = from;
  }

  view(count: number): Uint8Array | null {
    return this.#viewable && ((this.#bytes.byteOffset + this.#at) & 7) === 0 ? this.#take(count) : null;
  }
}

/** Values by their index in a dictionary. */
export class DictionaryValues implements FixedValues {
  readonly #indices: HybridReader;
  readonly #dictionary: Uint8Array;
  readonly #width: number;

  /** The dictionary's values begin at a multiple of 4 bytes. */
  constructor(indices: HybridReader, dictionary: Uint8Array, width: number) {
    this.#indices = indices;
    this.#dictionary = dictionary;
    this.#width = width;
  }

  skip(count: number): void {
    this.#indices.skip(count);
  }

  read(out: Uint8Array, at: number, count: number): void {
    if (count === 0) return;
    if (this.#width === 4) {
      this.#indices.gather(wordsOf(out), at, count, wordsOf(this.#dictionary));
      return;
    }
    if (this.#width === 8) {
      this.#indices.gatherPairs(wordsOf(out), at, count, wordsOf(this.#dictionary));
      return;
    }
    const indices = scratchIndices(count);
    this.#indices.indices(indices, 0, count, this.#entries());
    this.#gather(indices, count, out, at);
  }

  pick(skips: Int32Array, count: number, out: Uint8Array, at: number): void {
    const indices = scratchIndices(count);
    this.#indices.pick(skips, count, indices, this.#entries());
    this.#gather(indices, count, out, at);
  }

  #entries(): number {
    return this.#width === 0 ? 0x7fffffff : this.#dictionary.length / this.#width;
  }

  #gather(indices: Int32Array, count: number, out: Uint8Array, at: number): void {
    const width = this.#width;
    if (width === 8) gatherPairs(wordsOf(this.#dictionary), indices, count, wordsOf(out), at);
    else if (width % 4 === 0) gatherWords(wordsOf(this.#dictionary), indices, count, wordsOf(out), at, width / 4);
    else gatherBytes(this.#dictionary, indices, count, out, at, width);
  }

  view(): null {
    return null;
  }
}

function gatherPairs(dictionary: Int32Array, indices: Int32Array, count: number, out: Int32Array, at: number): void {
  for (let value = 0, to = at * 2; value < count; value++, to += 2) {
    const from = indices[value]! << 1;
    out[to] = dictionary[from]!;
    out[to + 1] = dictionary[from + 1]!;
  }
}

function gatherWords(
  dictionary: Int32Array,
  indices: Int32Array,
  count: number,
  out: Int32Array,
  at: number,
  words: number,
): void {
  for (let value = 0, to = at * words; value < count; value++) {
    const from = indices[value]! * words;
    for (let word = from; word < from + words; word++) out[to++] = dictionary[word]!;
  }
}

function gatherBytes(
  dictionary: Uint8Array,
  indices: Int32Array,
  count: number,
  out: Uint8Array,
  at: number,
  width: number,
): void {
  for (let value = 0, to = at * width; value < count; value++) {
    const from = indices[value]! * width;
    for (let byte = from; byte < from + width; byte++) out[to++] = dictionary[byte]!;
  }
}

let scratch = new Int32Array(0);
const scratchKeptMax = 1 << 20;

/** Room for indices that are used up before anybody else asks for room: decoding is synchronous. */
export function scratchIndices(count: number): Int32Array {
  if (count <= scratch.length) return scratch;
  const room = new Int32Array(Math.max(count, Math.min(scratchKeptMax, 2 * scratch.length)));
  if (room.length <= scratchKeptMax) scratch = room;
  return room;
}
