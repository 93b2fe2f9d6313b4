/** Bytes that a bitmap of so many bits takes. */
export const bitmapBytes = (bits: number): number => (bits + 7) >>> 3;

/** Set bits among the first `bits` of an LSB-first bitmap; what lies behind them does not count. */
export function countSetBits(bitmap: Uint8Array, bits: number): number {
  const whole = bits >>> 3;
  let count = 0;
  let at = 0;
  if (((bitmap.byteOffset & 3) | 0) === 0) {
    const words = new Int32Array(bitmap.buffer, bitmap.byteOffset, whole >>> 2);
    for (let word = 0; word < words.length; word++) count += popCount(words[word]!);
    at = words.length << 2;
  }
  for (; at < whole; at++) count += popCount(bitmap[at]!);
  const rest = bits & 7;
  return rest === 0 ? count : count + popCount(bitmap[whole]! & ((1 << rest) - 1));
}

function popCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

export const bitAt = (bitmap: Uint8Array, at: number): number => (bitmap[at >>> 3]! >> (at & 7)) & 1;

/** Bits [start, end) from bit 0: a view where `start` falls on a byte, else a copy. Bits behind the end are undefined in a view. */
export function sliceBitmap(bitmap: Uint8Array, start: number, end: number): Uint8Array {
  const bytes = bitmapBytes(end - start);
  const first = start >>> 3;
  if ((start & 7) === 0) return bitmap.subarray(first, first + bytes);
  const out = new Uint8Array(bytes);
  const shift = start & 7;
  for (let at = 0; at < bytes; at++) {
    out[at] = (bitmap[first + at]! >> shift) | ((bitmap[first + at + 1] ?? 0) << (8 - shift));
  }
  clearTail(out, end - start);
  return out;
}

/** Sets the bits behind the first `bits` to 0, in place. */
export function clearTail(bitmap: Uint8Array, bits: number): void {
  const rest = bits & 7;
  const last = bits >>> 3;
  if (rest !== 0) bitmap[last] = bitmap[last]! & ((1 << rest) - 1);
  bitmap.fill(0, bitmapBytes(bits));
}

/** A fresh bitmap of `bits` ones, zeros behind them. */
export function allOnes(bits: number): Uint8Array {
  const bitmap = new Uint8Array(bitmapBytes(bits)).fill(0xff);
  clearTail(bitmap, bits);
  return bitmap;
}

/** Copies `bits` bits of `source` (null = all ones) from bit `from` on to bit `at` of `target`, whose bits there are still 0. */
export function appendBits(target: Uint8Array, at: number, source: Uint8Array | null, bits: number, from = 0): void {
  if (source === null) {
    setBits(target, at, at + bits);
    return;
  }
  // Whole bytes of the target come from one or two of the source's; the ends go bit by bit.
  const head = Math.min(bits, -at & 7);
  for (let bit = 0; bit < head; bit++) target[at >>> 3]! |= bitAt(source, from + bit) << ((at + bit) & 7);
  const first = (at + head) >>> 3;
  const whole = (bits - head) >>> 3;
  const start = (from + head) >>> 3;
  const shift = (from + head) & 7;
  if (shift === 0) target.set(source.subarray(start, start + whole), first);
  else {
    for (let byte = 0; byte < whole; byte++) {
      target[first + byte] = (source[start + byte]! >>> shift) | (source[start + byte + 1]! << (8 - shift));
    }
  }
  for (let bit = head + whole * 8; bit < bits; bit++) {
    target[(at + bit) >>> 3]! |= bitAt(source, from + bit) << ((at + bit) & 7);
  }
}

/** Sets bits [start, end). */
export function setBits(target: Uint8Array, start: number, end: number): void {
  if (start >= end) return;
  const [first, last] = [start >>> 3, end >>> 3];
  const headMask = 0xff << (start & 7);
  const tailMask = (1 << (end & 7)) - 1;
  if (first === last) {
    target[first]! |= headMask & tailMask;
    return;
  }
  target[first]! |= headMask;
  target.fill(0xff, first + 1, last);
  if (tailMask !== 0) target[last]! |= tailMask;
}

/** Set bits among bits [start, end). */
export function countBits(bitmap: Uint8Array, start: number, end: number): number {
  const [first, last] = [start >>> 3, end >>> 3];
  const tail = (end & 7) === 0 ? 0 : bitmap[last]! & ((1 << (end & 7)) - 1);
  if (first === last) return popCount(tail >>> (start & 7));
  let count = popCount(bitmap[first]! >>> (start & 7)) + popCount(tail);
  for (let at = first + 1; at < last; at++) count += popCount(bitmap[at]!);
  return count;
}

/** Bits set in both; null stands for all ones. The result is fresh, or null where both are null. */
export function intersect(left: Uint8Array | null, right: Uint8Array | null, bits: number): Uint8Array | null {
  if (left === null && right === null) return null;
  const out = new Uint8Array(bitmapBytes(bits));
  for (let at = 0; at < out.length; at++) out[at] = (left?.[at] ?? 0xff) & (right?.[at] ?? 0xff);
  clearTail(out, bits);
  return out;
}
