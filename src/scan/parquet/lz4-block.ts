/**
 * Decodes one bare LZ4 block (lz4_Block_format.md) of exactly `bytes` bytes uncompressed. Throws RangeError for anything that reads
 * or writes outside of its buffers.
 */
export function decodeLz4Block(block: Uint8Array, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  let from = 0;
  let to = 0;
  const extended = (base: number): number => {
    if (base < 15) return base;
    let length = base;
    for (;;) {
      if (from >= block.length) throw new RangeError('the block ends in a length');
      const byte = block[from++]!;
      length += byte;
      if (byte !== 255) return length;
    }
  };
  while (from < block.length) {
    const token = block[from++]!;
    const literals = extended(token >> 4);
    if (literals > block.length - from || literals > bytes - to) throw new RangeError('literals run past the end');
    out.set(block.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === block.length) break;
    if (block.length - from < 2) throw new RangeError('the block ends in an offset');
    const distance = block[from]! | (block[from + 1]! << 8);
    from += 2;
    const length = extended(token & 15) + 4;
    if (distance === 0 || distance > to || length > bytes - to)
      throw new RangeError('a match lies outside of the block');
    if (distance >= length) out.copyWithin(to, to - distance, to - distance + length);
    else for (let index = 0; index < length; index++) out[to + index] = out[to + index - distance]!;
    to += length;
  }
  if (to !== bytes) throw new RangeError('the block is shorter than declared');
  return out;
}
