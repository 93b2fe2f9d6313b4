const wordRange = 4294967296;

/**
 * Signed 64-bit numbers as two 32-bit words, low first, for arithmetic in loops without an object per value. Divisors and factors
 * are at most 2^21, so that every intermediate is a safe integer.
 */
export const factorMax = 1 << 21;

/** Floor of each number by a divisor: [low, high] written over the words. */
export function floorDivide(words: Int32Array, divisor: number): void {
  for (let at = 0; at < words.length; at += 2) {
    const high = Math.floor(words[at + 1]! / divisor);
    const rest = words[at + 1]! - high * divisor;
    words[at] = Math.floor((rest * wordRange + (words[at]! >>> 0)) / divisor);
    words[at + 1] = high;
  }
}

/** Each number times a factor, modulo 2^64, written over the words. */
export function multiply(words: Int32Array, factor: number): void {
  for (let at = 0; at < words.length; at += 2) {
    const low = (words[at]! >>> 0) * factor;
    const carry = Math.floor(low / wordRange);
    words[at] = low - carry * wordRange;
    words[at + 1] = words[at + 1]! * factor + carry;
  }
}

/** Each number less its remainder by a divisor (the remainder is never negative), written over the words. */
export function floorToMultiple(words: Int32Array, divisor: number): void {
  floorDivide(words, divisor);
  multiply(words, divisor);
}

/** The number whose words stand at `at`; exact within ±2^53. */
export const numberAt = (words: Int32Array, at: number): number => words[at + 1]! * wordRange + (words[at]! >>> 0);

/** Writes a safe integer as two words. */
export function storeNumber(words: Int32Array, at: number, value: number): void {
  const high = Math.floor(value / wordRange);
  words[at] = value - high * wordRange;
  words[at + 1] = high;
}
