import type { Allocate } from './allocate.ts';

/** Copies are made by words, which may write so many bytes behind their end. */
const slackBytes = 8;
/** A literal or copy of up to 64 bytes, the numbers before it and what its words reach beyond. */
const shortElementBytes = 80;

/**
 * Decodes a raw snappy block (google/snappy, format_description.txt) that declares exactly `bytes` bytes. Throws RangeError for
 * anything that reads or writes outside of its buffers, and for a block that is longer or shorter than declared. The result is a view of
 * what `allocate` gives.
 */
export function decodeSnappy(block: Uint8Array, bytes: number, allocate: Allocate): Uint8Array {
  const { length, start } = preamble(block);
  if (length !== bytes) throw new RangeError(`the block declares ${length} bytes`);
  const out = allocate(bytes + slackBytes);
  const end = decodeElements(block, start, out, bytes, false);
  if (end !== block.length) throw new RangeError('bytes follow the end of the block');
  return out.subarray(0, bytes);
}

/** The first `wanted` bytes of a block; shorter ones are refused like damaged ones. */
export function decodeSnappyPrefix(block: Uint8Array, wanted: number): Uint8Array {
  const out = new Uint8Array(wanted + slackBytes);
  decodeElements(block, preamble(block).start, out, wanted, true);
  return out.subarray(0, wanted);
}

/** The uncompressed length, a number of up to 32 bits. */
function preamble(block: Uint8Array): { length: number; start: number } {
  let length = 0;
  for (let at = 0; at < 5; at++) {
    if (at >= block.length) break;
    const part = block[at]!;
    length += (part & 0x7f) * 2 ** (7 * at);
    if (part < 0x80) return { length, start: at + 1 };
  }
  throw new RangeError('the block has no length');
}

/**
 * Writes `bytes` bytes to `out`, which has slack behind them, and gives the place after the last element read. Short runs are copied
 * eight bytes at a time, by two words: most literals and copies have fewer than 64, where `set` and `copyWithin` cost more to call than
 * to do.
 */
function decodeElements(block: Uint8Array, start: number, out: Uint8Array, bytes: number, cutsOff: boolean): number {
  const source = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const target = new DataView(out.buffer, out.byteOffset, out.byteLength);
  const end = block.length;
  // Before these no element of up to 64 bytes reaches an end, its words included.
  const safeFrom = end - shortElementBytes;
  const safeTo = bytes - shortElementBytes;
  let from = start;
  let to = 0;
  while (to < bytes) {
    if (from >= end) throw new RangeError('the block is shorter than declared');
    const tag = block[from++]!;
    const kind = tag & 3;
    const isSafe = from < safeFrom && to < safeTo;
    let length = (tag >>> 2) + 1;
    if (kind === 0) {
      if (length > 60) {
        const extra = length - 60;
        if (extra > end - from) throw new RangeError('the block ends in a number');
        length = little(block, from, extra) + 1;
        from += extra;
      }
      if (isSafe && length <= 64) {
        for (let at = 0; at < length; at += 8) {
          target.setInt32(to + at, source.getInt32(from + at, true), true);
          target.setInt32(to + at + 4, source.getInt32(from + at + 4, true), true);
        }
      } else {
        if (length > end - from) throw new RangeError('a literal runs past the end');
        length = fitting(length, bytes - to, cutsOff);
        out.set(block.subarray(from, from + length), to);
      }
      from += length;
      to += length;
      continue;
    }
    let distance: number;
    if (kind === 1) {
      if (from >= end) throw new RangeError('the block ends in a number');
      length = ((tag >>> 2) & 7) + 4;
      distance = ((tag >>> 5) << 8) | block[from]!;
      from++;
    } else {
      const size = kind === 2 ? 2 : 4;
      if (size > end - from) throw new RangeError('the block ends in a number');
      distance = kind === 2 ? block[from]! | (block[from + 1]! << 8) : little(block, from, 4);
      from += size;
    }
    if (distance === 0 || distance > to) throw new RangeError('a copy lies outside of the block');
    if (!isSafe) length = fitting(length, bytes - to, cutsOff);
    if (distance >= 8) {
      for (let at = to, stop = to + length; at < stop; at += 8) {
        target.setInt32(at, target.getInt32(at - distance, true), true);
        target.setInt32(at + 4, target.getInt32(at - distance + 4, true), true);
      }
    } else if (distance >= 4) {
      for (let at = to, stop = to + length; at < stop; at += 4) {
        target.setInt32(at, target.getInt32(at - distance, true), true);
      }
    } else {
      // What a copy repeats may be what it has just written.
      for (let at = to, stop = to + length; at < stop; at++) out[at] = out[at - distance]!;
    }
    to += length;
  }
  return from;
}

function fitting(length: number, room: number, cutsOff: boolean): number {
  if (length > room && !cutsOff) throw new RangeError('the block is longer than declared');
  return Math.min(length, room);
}

function little(block: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let at = 0; at < count; at++) value += block[start + at]! * 2 ** (8 * at);
  return value;
}
