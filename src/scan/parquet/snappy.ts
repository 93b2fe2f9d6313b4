/**
 * Decodes the first `wanted` bytes of a raw snappy block (google/snappy, format_description.txt): all of it where the block is no
 * longer. Throws RangeError for anything that reads or writes outside of its buffers, and where the block is shorter than `wanted`.
 */
export function decodeSnappyPrefix(block: Uint8Array, wanted: number): Uint8Array {
  let from = 0;
  while (from < 5 && block[from]! >= 0x80) from++;
  from++;
  const out = new Uint8Array(wanted);
  let to = 0;
  const little = (bytes: number): number => {
    if (bytes > block.length - from) throw new RangeError('the block ends in a number');
    let value = 0;
    for (let at = 0; at < bytes; at++) value += block[from++]! * 2 ** (8 * at);
    return value;
  };
  while (to < wanted) {
    if (from >= block.length) throw new RangeError('the block is shorter than declared');
    const tag = block[from++]!;
    if ((tag & 3) === 0) {
      const short = tag >> 2;
      const length = (short < 60 ? short : little(short - 59)) + 1;
      if (length > block.length - from) throw new RangeError('a literal runs past the end');
      const taken = Math.min(length, wanted - to);
      out.set(block.subarray(from, from + taken), to);
      from += length;
      to += taken;
      continue;
    }
    const kind = tag & 3;
    const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const distance = kind === 1 ? ((tag >> 5) << 8) + little(1) : little(kind === 2 ? 2 : 4);
    if (distance === 0 || distance > to) throw new RangeError('a copy lies outside of the block');
    const taken = Math.min(length, wanted - to);
    for (let at = 0; at < taken; at++, to++) out[to] = out[to - distance]!;
  }
  return out;
}
