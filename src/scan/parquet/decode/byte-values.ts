import { copyRun, copySlackBytes, type WordBytes, wordBytes } from '../../arrow/kernels/copy-bytes.ts';
import { damaged } from './damaged.ts';
import { decodeDelta32 } from './delta.ts';
import type { FixedValues } from './fixed-values.ts';
import type { HybridReader } from './hybrid-reader.ts';

/**
 * The byte arrays of one page, nulls left out, front to back, read in two steps so that the values' buffer is made once, in the right
 * size: first the lengths of some values, then the bytes of the same values. Reading past the last value is CORRUPT_FILE.
 */
export interface ByteValues {
  skip(count: number): void;
  /**
   * Writes the ends of the next values to `offsets[at + 1]` on, going on from `offsets[at]`. Gives the last end, which may be more than
   * 32 bits hold: then what stands in `offsets` is void.
   */
  measure(offsets: Int32Array, at: number, count: number): number;
  /** Writes the bytes of the values measured last, which begin at `start`. `out` has `copySlackBytes` behind its last value. */
  copy(out: WordBytes, offsets: Int32Array, at: number, count: number): void;
}

/** A dictionary's byte arrays. */
export interface ByteDictionary {
  readonly offsets: Int32Array;
  readonly values: Uint8Array;
  readonly length: number;
}

const sharesTooMuch = () => damaged('a value shares more with the one before than that has');
const tooFew = () => damaged('a page has fewer values than are asked for');

/** Values that can be told one by one where they stand. */
export interface LocatedValues {
  /**
   * Finds single values, each after passing over as many as `skips` says: bytes [starts, ends) of what is returned, which lasts as long as
   * the page is open.
   */
  locate(skips: Int32Array, count: number, starts: Int32Array, ends: Int32Array): WordBytes;
}

/** Each value behind its length in 4 bytes. */
export class PlainByteValues implements ByteValues, LocatedValues {
  readonly #bytes: WordBytes;
  #at: number;
  /** Where the values measured last begin. */
  #measured: number;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = wordBytes(bytes);
    this.#at = start;
    this.#measured = start;
  }

  skip(count: number): void {
    const { view } = this.#bytes;
    const end = this.#bytes.bytes.length;
    let at = this.#at;
    for (let value = 0; value < count; value++) {
      if (at + 4 > end) throw tooFew();
      at += 4 + view.getUint32(at, true);
    }
    if (at > end) throw tooFew();
    this.#at = at;
  }

  locate(skips: Int32Array, count: number, starts: Int32Array, ends: Int32Array): WordBytes {
    const { view } = this.#bytes;
    const end = this.#bytes.bytes.length;
    for (let value = 0; value < count; value++) {
      if (skips[value]! > 0) this.skip(skips[value]!);
      const at = this.#at + 4;
      if (at > end) throw tooFew();
      const length = view.getInt32(this.#at, true);
      if (length < 0 || length > end - at) throw damaged('a value runs past the end of its page');
      starts[value] = at;
      this.#at = at + length;
      ends[value] = this.#at;
    }
    return this.#bytes;
  }

  measure(offsets: Int32Array, start: number, count: number): number {
    const { view } = this.#bytes;
    const end = this.#bytes.bytes.length;
    let at = this.#at;
    this.#measured = at;
    let total = offsets[start]!;
    for (let value = start; value < start + count; value++) {
      if (at + 4 > end) throw tooFew();
      const length = view.getInt32(at, true);
      at += 4 + length;
      if (length < 0 || at > end) throw damaged('a value runs past the end of its page');
      total += length;
      offsets[value + 1] = total;
    }
    this.#at = at;
    return total;
  }

  /** The bytes of the first `count` values, measured as `size` before. */
  all(offsets: Int32Array, count: number, size: number): Uint8Array {
    const out = wordBytes(new Uint8Array(size + copySlackBytes));
    this.copy(out, offsets, 0, count);
    out.bytes.fill(0, size);
    return out.bytes.subarray(0, size);
  }

  copy(out: WordBytes, offsets: Int32Array, start: number, count: number): void {
    let at = this.#measured;
    for (let value = start; value < start + count; value++) {
      const to = offsets[value]!;
      const from = at + 4;
      at = from + offsets[value + 1]! - to;
      copyRun(out, to, this.#bytes, from, at);
    }
  }
}

/** Values by their index in a dictionary: for windows that hold others as well, which cannot stay indices. */
export class DictionaryByteValues implements ByteValues, LocatedValues {
  readonly #indices: HybridReader;
  readonly #dictionary: ByteDictionary;
  #measured = new Int32Array(0);

  constructor(indices: HybridReader, dictionary: ByteDictionary) {
    this.#indices = indices;
    this.#dictionary = dictionary;
  }

  skip(count: number): void {
    this.#indices.skip(count);
  }

  /** The indices themselves. */
  indices(out: Int32Array, at: number, count: number): void {
    if (count > 0) this.#indices.indices(out, at, count, this.#dictionary.length);
  }

  /** Single indices: each after passing over as many values as `skips` says. */
  pick(skips: Int32Array, count: number, out: Int32Array): void {
    this.#indices.pick(skips, count, out, this.#dictionary.length);
  }

  locate(skips: Int32Array, count: number, starts: Int32Array, ends: Int32Array): WordBytes {
    const { offsets, values } = this.#dictionary;
    this.pick(skips, count, starts);
    for (let value = 0; value < count; value++) {
      const index = starts[value]!;
      starts[value] = offsets[index]!;
      ends[value] = offsets[index + 1]!;
    }
    return wordBytes(values);
  }

  measure(offsets: Int32Array, at: number, count: number): number {
    this.#measured = new Int32Array(count);
    this.indices(this.#measured, 0, count);
    const entries = this.#dictionary.offsets;
    let total = offsets[at]!;
    for (let value = 0; value < count; value++) {
      const index = this.#measured[value]!;
      total += entries[index + 1]! - entries[index]!;
      offsets[at + value + 1] = total;
    }
    return total;
  }

  copy(out: WordBytes, offsets: Int32Array, at: number, count: number): void {
    const values = wordBytes(this.#dictionary.values);
    const entries = this.#dictionary.offsets;
    for (let value = 0; value < count; value++) {
      const index = this.#measured[value]!;
      copyRun(out, offsets[at + value]!, values, entries[index]!, entries[index + 1]!);
    }
  }
}

/** Values whose lengths stand before all their bytes (parquet-format, Encodings.md, "Delta-length byte array"). */
export class DeltaLengthValues implements ByteValues {
  readonly #bytes: Uint8Array;
  readonly #lengths: Int32Array;
  #next = 0;
  #at: number;
  #measured: number;

  constructor(bytes: Uint8Array, start: number, countMax: number) {
    const { words, end } = decodeDelta32(bytes, start, countMax);
    let total = end;
    for (let value = 0; value < words.length; value++) {
      if (words[value]! < 0) throw damaged('a value has a negative length');
      total += words[value]!;
    }
    if (total > bytes.length) throw damaged('values run past the end of their page');
    this.#bytes = bytes;
    this.#lengths = words;
    this.#at = end;
    this.#measured = end;
  }

  skip(count: number): void {
    this.measure(new Int32Array(count + 1), 0, count);
  }

  measure(offsets: Int32Array, at: number, count: number): number {
    if (count > this.#lengths.length - this.#next) throw tooFew();
    let total = offsets[at]!;
    for (let value = 0; value < count; value++) {
      total += this.#lengths[this.#next + value]!;
      offsets[at + value + 1] = total;
    }
    this.#next += count;
    this.#measured = this.#at;
    this.#at += total - offsets[at]!;
    return total;
  }

  copy(out: WordBytes, offsets: Int32Array, at: number): void {
    out.bytes.set(this.#bytes.subarray(this.#measured, this.#at), offsets[at]!);
  }
}

/** Values that share their beginning with the value before (parquet-format, Encodings.md, "Delta Strings"). */
export class DeltaByteValues implements ByteValues {
  readonly #bytes: WordBytes;
  readonly #prefixes: Int32Array;
  readonly #suffixes: Int32Array;
  #next = 0;
  #at: number;
  #measured = 0;
  #lastLength = 0;
  /** Begins with the value before the next one to be copied. */
  #last: Uint8Array = new Uint8Array(0);

  constructor(bytes: Uint8Array, start: number, countMax: number) {
    const prefixes = decodeDelta32(bytes, start, countMax);
    const suffixes = decodeDelta32(bytes, prefixes.end, countMax);
    if (prefixes.count !== suffixes.count) throw damaged('a page has more prefixes than suffixes, or fewer');
    let total = suffixes.end;
    for (let value = 0; value < suffixes.count; value++) {
      if (suffixes.words[value]! < 0) throw damaged('a value has a negative length');
      total += suffixes.words[value]!;
    }
    if (total > bytes.length) throw damaged('values run past the end of their page');
    this.#bytes = wordBytes(bytes);
    this.#prefixes = prefixes.words;
    this.#suffixes = suffixes.words;
    this.#at = suffixes.end;
  }

  skip(count: number): void {
    if (count > this.#prefixes.length - this.#next) throw tooFew();
    let last = this.#last;
    for (const end = this.#next + count; this.#next < end; this.#next++) {
      const prefix = this.#prefixes[this.#next]!;
      const suffix = this.#suffixes[this.#next]!;
      if (prefix < 0 || prefix > this.#lastLength) throw sharesTooMuch();
      this.#lastLength = prefix + suffix;
      if (this.#lastLength > last.length) {
        const grown = new Uint8Array(2 * this.#lastLength);
        grown.set(last);
        last = grown;
      }
      // What it shares already stands in front.
      last.set(this.#bytes.bytes.subarray(this.#at, this.#at + suffix), prefix);
      this.#at += suffix;
    }
    this.#last = last;
  }

  measure(offsets: Int32Array, at: number, count: number): number {
    if (count > this.#prefixes.length - this.#next) throw tooFew();
    let total = offsets[at]!;
    let before = this.#lastLength;
    for (let value = 0; value < count; value++) {
      const prefix = this.#prefixes[this.#next + value]!;
      if (prefix < 0 || prefix > before) throw sharesTooMuch();
      before = prefix + this.#suffixes[this.#next + value]!;
      total += before;
      offsets[at + value + 1] = total;
    }
    this.#lastLength = before;
    this.#measured = this.#next;
    this.#next += count;
    return total;
  }

  copy(out: WordBytes, offsets: Int32Array, at: number, count: number): void {
    if (count === 0) return;
    const { bytes } = out;
    for (let value = 0; value < count; value++) {
      const start = offsets[at + value]!;
      const end = offsets[at + value + 1]!;
      const prefix = this.#prefixes[this.#measured + value]!;
      if (value === 0) bytes.set(this.#last.subarray(0, prefix), start);
      else copyRun(out, start, out, offsets[at + value - 1]!, offsets[at + value - 1]! + prefix);
      const suffix = end - start - prefix;
      copyRun(out, start + prefix, this.#bytes, this.#at, this.#at + suffix);
      this.#at += suffix;
    }
    this.#last = bytes.slice(offsets[at + count - 1]!, offsets[at + count]!);
  }
}

/** Fixed-width values that were stored as byte arrays. */
export class FixedByteValues implements FixedValues {
  readonly #values: ByteValues;
  readonly #width: number;

  constructor(values: ByteValues, width: number) {
    this.#values = values;
    this.#width = width;
  }

  skip(count: number): void {
    this.#values.skip(count);
  }

  read(out: Uint8Array, at: number, count: number): void {
    const offsets = new Int32Array(count + 1);
    this.#values.measure(offsets, 0, count);
    for (let value = 1; value <= count; value++) {
      if (offsets[value] !== value * this.#width) throw damaged('a fixed-width value has another length');
    }
    const bytes = wordBytes(new Uint8Array(count * this.#width + copySlackBytes));
    this.#values.copy(bytes, offsets, 0, count);
    out.set(bytes.bytes.subarray(0, count * this.#width), at * this.#width);
  }

  pick(skips: Int32Array, count: number, out: Uint8Array, at: number): void {
    for (let value = 0; value < count; value++) {
      if (skips[value]! > 0) this.skip(skips[value]!);
      this.read(out, at + value, 1);
    }
  }

  view(): null {
    return null;
  }
}
