import { unpackWords } from './bit-packed.ts';
import { damaged } from './damaged.ts';

/** Numbers that were stored as differences. */
export interface DeltaNumbers {
  /** 32-bit values, or 64-bit ones as pairs of words, low word first. */
  readonly words: Int32Array;
  readonly count: number;
  /** Where the bytes behind them begin. */
  readonly end: number;
}

/** 64-bit numbers as two words. */
interface Words64 {
  readonly low: number;
  readonly high: number;
}

interface Header {
  readonly perMiniblock: number;
  readonly miniblocks: number;
  readonly count: number;
  readonly first: Words64;
}

const valuesPerMiniblockMax = 1 << 20;

/** The bytes of one page, read number by number; lengths are checked against what remains. */
class DeltaBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;

  constructor(bytes: Uint8Array, start: number) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = start;
  }

  byte(): number {
    if (this.at >= this.bytes.length) throw early();
    return this.bytes[this.at++]!;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1, count = 0; count < 5; count++, scale *= 128) {
      const part = this.byte();
      value += (part & 0x7f) * scale;
      if (part < 0x80) return value;
    }
    throw damaged('a count in a delta-encoded page is too large');
  }

  /** A signed number of up to 64 bits, its sign in the lowest bit. */
  zigzag(): Words64 {
    let low = 0;
    let high = 0;
    for (let shift = 0; ; shift += 7) {
      if (shift > 63) throw damaged('a number in a delta-encoded page has more than 64 bits');
      const part = this.byte();
      const bits = part & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift >= 32) high |= bits << (shift - 32);
      else if (shift > 25) high |= bits >>> (32 - shift);
      if (part < 0x80) break;
    }
    const sign = -(low & 1);
    return { low: ((low >>> 1) | (high << 31)) ^ sign, high: (high >>> 1) ^ sign };
  }

  header(countMax: number): Header {
    const perBlock = this.varint();
    const miniblocks = this.varint();
    const count = this.varint();
    const first = this.zigzag();
    const perMiniblock = perBlock / miniblocks;
    if (!(perMiniblock > 0) || perMiniblock % 8 !== 0 || perMiniblock > valuesPerMiniblockMax || miniblocks > 1 << 16) {
      throw damaged(`a delta-encoded page has blocks of ${perBlock} values in ${miniblocks} parts`);
    }
    if (count > countMax) throw damaged(`a delta-encoded page of ${countMax} values holds ${count}`);
    return { perMiniblock, miniblocks, count, first };
  }
}

/** Decodes 32-bit numbers (parquet-format, Encodings.md, "Delta Encoding"); sums wrap around. Throws CORRUPT_FILE. */
export function decodeDelta32(bytes: Uint8Array, start: number, countMax: number): DeltaNumbers {
  const reader = new DeltaBytes(bytes, start);
  const { perMiniblock, miniblocks, count, first } = reader.header(countMax);
  const words = new Int32Array(count);
  let value = first.low;
  if (count > 0) words[0] = value;
  for (let at = 1; at < count; ) {
    const least = reader.zigzag().low;
    const widths = takeWidths(reader, miniblocks, 32);
    for (let block = 0; block < miniblocks && at < count; block++) {
      const width = widths[block]!;
      const wanted = Math.min(perMiniblock, count - at);
      const next = endOfMiniblock(reader, perMiniblock, wanted, width);
      if (width > 0) unpackWords(reader.view, reader.at, 0, width, words, at, wanted);
      for (const end = at + wanted; at < end; at++) {
        value = (value + least + words[at]!) | 0;
        words[at] = value;
      }
      reader.at = next;
    }
  }
  return { words, count, end: reader.at };
}

/** Like {@link decodeDelta32}, for 64-bit numbers. */
export function decodeDelta64(bytes: Uint8Array, start: number, countMax: number): DeltaNumbers {
  const reader = new DeltaBytes(bytes, start);
  const { perMiniblock, miniblocks, count, first } = reader.header(countMax);
  const words = new Int32Array(count * 2);
  const lows = new Int32Array(Math.min(perMiniblock, count));
  const highs = new Int32Array(lows.length);
  let { low, high } = first;
  if (count > 0) {
    words[0] = low;
    words[1] = high;
  }
  for (let at = 1; at < count; ) {
    const least = reader.zigzag();
    const widths = takeWidths(reader, miniblocks, 64);
    for (let block = 0; block < miniblocks && at < count; block++) {
      const width = widths[block]!;
      const wanted = Math.min(perMiniblock, count - at);
      const next = endOfMiniblock(reader, perMiniblock, wanted, width);
      unpack64(reader, width, lows, highs, wanted);
      for (let index = 0; index < wanted; index++, at++) {
        const step = (lows[index]! + least.low) | 0;
        const stepCarry = step >>> 0 < least.low >>> 0 ? 1 : 0;
        const sum = (low + step) | 0;
        const carry = sum >>> 0 < step >>> 0 ? 1 : 0;
        high = (high + highs[index]! + least.high + stepCarry + carry) | 0;
        low = sum;
        words[at << 1] = low;
        words[(at << 1) | 1] = high;
      }
      reader.at = next;
    }
  }
  return { words, count, end: reader.at };
}

function takeWidths(reader: DeltaBytes, miniblocks: number, widthMax: number): Uint8Array {
  if (miniblocks > reader.bytes.length - reader.at) throw early();
  const widths = reader.bytes.subarray(reader.at, reader.at + miniblocks);
  reader.at += miniblocks;
  for (let block = 0; block < miniblocks; block++) {
    // Parts behind the last value may carry any width.
    if (widths[block]! > widthMax) return widths.map((width) => (width > widthMax ? badWidth : width));
  }
  return widths;
}

const badWidth = 255;

/** The last part of a page is padded to its full size, though some writers cut it off behind the last value. */
function endOfMiniblock(reader: DeltaBytes, perMiniblock: number, wanted: number, width: number): number {
  if (width === badWidth) throw damaged('a delta-encoded page has numbers that are too wide');
  const remaining = reader.bytes.length - reader.at;
  if (Math.ceil((wanted * width) / 8) > remaining) throw early();
  return reader.at + Math.min(remaining, (perMiniblock / 8) * width);
}

function unpack64(reader: DeltaBytes, width: number, lows: Int32Array, highs: Int32Array, count: number): void {
  if (width <= 32) {
    highs.fill(0, 0, count);
    if (width === 0) lows.fill(0, 0, count);
    else unpackWords(reader.view, reader.at, 0, width, lows, 0, count);
    return;
  }
  for (let index = 0; index < count; index++) {
    const bit = index * width;
    unpackWords(reader.view, reader.at + (bit >>> 3), bit & 7, 32, lows, index, 1);
    unpackWords(reader.view, reader.at + ((bit + 32) >>> 3), bit & 7, width - 32, highs, index, 1);
  }
}

const early = () => damaged('a delta-encoded page ends early');
