const c1 = 0xcc9e2d51;
const c2 = 0x1b873593;

/** Murmur3 x86 32-bit with seed 0, as a signed 32-bit number (table spec, Appendix B). */
export function murmur3(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tailStart = bytes.length & ~3;
  let hash = 0;
  for (let at = 0; at < tailStart; at += 4) {
    hash ^= scramble(view.getInt32(at, true));
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= tailStart; at--) tail = (tail << 8) | bytes[at]!;
  if (tailStart < bytes.length) hash ^= scramble(tail);
  return finish(hash ^ bytes.length);
}

function scramble(block: number): number {
  const product = Math.imul(block, c1);
  return Math.imul((product << 15) | (product >>> 17), c2);
}

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
