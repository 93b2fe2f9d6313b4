/**
 * Buffers for decompressed pages whose values are copied out: used again for the next pages of this thread instead of being left to
 * the garbage collector. Sizes are powers of two, so that a buffer fits many pages.
 */
const smallest = 12;
const largest = 21;
/** Buffers of one size that are kept while nobody uses them. */
const keptMax = 4;

const free: Uint8Array[][] = Array.from({ length: largest + 1 }, () => []);

const sizeClass = (bytes: number): number => Math.max(smallest, 32 - Math.clz32(bytes - 1));

/** At least so many bytes, holding what they held before. */
export function takeBuffer(bytes: number): Uint8Array {
  const size = sizeClass(bytes);
  return size > largest ? new Uint8Array(bytes) : (free[size]!.pop() ?? new Uint8Array(2 ** size));
}

/** Gives back what `takeBuffer` gave, once nothing looks at it any more. */
export function giveBack(buffer: Uint8Array): void {
  const kept = free[sizeClass(buffer.length)];
  if (kept !== undefined && kept.length < keptMax) kept.push(buffer);
}
