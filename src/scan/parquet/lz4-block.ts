import type { Allocate } from './allocate.ts';

/** Copies are made by words, which may write so many bytes behind their end. */
const slackBytes = 8;
/** From here on runs are copied by `set` and `copyWithin`, whose cost is that of the call. */
const callBytesMin = 128;

/**
 * Decodes one bare LZ4 block (lz4_Block_format.md) of exactly `bytes` bytes uncompressed, into a view of what `allocate` gives. Throws
 * RangeError for anything that reads or writes outside of its buffers.
 */
export function decodeLz4Block(block: Uint8Array, bytes: number, allocate: Allocate): Uint8Array {
  const out = allocate(bytes + slackBytes);
  const source = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const target = new DataView(out.buffer, out.byteOffset, out.byteLength);
  const end = block.length;
  let from = 0;
  let to = 0;
  while (from < end) {
    const token = block[from++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      const more = lengthBytes(block, from);
      from += more;
      literals += 255 * (more - 1) + block[from - 1]!;
    }
    if (literals > end - from || literals > bytes - to) throw new RangeError('literals run past the end');
    if (literals < callBytesMin && from + literals + slackBytes <= end) {
      for (let at = 0; at < literals; at += 8) {
        target.setInt32(to + at, source.getInt32(from + at, true), true);
        target.setInt32(to + at + 4, source.getInt32(from + at + 4, true), true);
      }
    } else out.set(block.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === end) break;
    if (end - from < 2) throw new RangeError('the block ends in an offset');
    const distance = block[from]! | (block[from + 1]! << 8);
    from += 2;
    let length = (token & 15) + 4;
    if (length === 19) {
      const more = lengthBytes(block, from);
      from += more;
      length += 255 * (more - 1) + block[from - 1]!;
    }
    if (distance === 0 || distance > to || length > bytes - to)
      throw new RangeError('a match lies outside of the block');
    if (distance >= 8) {
      if (length >= callBytesMin && distance >= length) out.copyWithin(to, to - distance, to - distance + length);
      else {
        for (let at = to, stop = to + length; at < stop; at += 8) {
          target.setInt32(at, target.getInt32(at - distance, true), true);
          target.setInt32(at + 4, target.getInt32(at - distance + 4, true), true);
        }
      }
    } else if (distance === 1) out.fill(out[to - 1]!, to, to + length);
    else {
      // What a match repeats may be what it has just written.
      for (let at = to, stop = to + length; at < stop; at++) out[at] = out[at - distance]!;
    }
    to += length;
  }
  if (to !== bytes) throw new RangeError('the block is shorter than declared');
  return out.subarray(0, bytes);
}

/** How many bytes go on with a length: all that are 255, and one more. */
function lengthBytes(block: Uint8Array, start: number): number {
  let at = start;
  while (block[at] === 255) at++;
  if (at >= block.length) throw new RangeError('the block ends in a length');
  return at - start + 1;
}
