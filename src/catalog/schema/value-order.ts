import type { PrimitiveType, Value } from './types.ts';

/**
 * Negative, 0 or positive as `a` sorts before, with or after `b`; both are values of `type`. Strings compare as their UTF-8 bytes
 * do, bytes as unsigned numbers, false before true. -0.0 equals 0.0, as in SQL's comparisons, so that a bound of either sign
 * never hides the other; NaN equals itself and sorts after every number.
 */
export function compareValues(_type: PrimitiveType, a: Value, b: Value): number {
  if (typeof a === 'string' && typeof b === 'string') return compareStrings(a, b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  if (typeof a === 'number' && typeof b === 'number' && (Number.isNaN(a) || Number.isNaN(b))) {
    return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The order of the UTF-8 bytes, which is that of code points: UTF-16 puts surrogates before U+E000 to U+FFFF. */
export function compareStrings(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return surrogatesLast(left) - surrogatesLast(right);
  }
  return a.length - b.length;
}

const surrogatesLast = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);

/** Unsigned, byte by byte; a prefix sorts before what it begins. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    if (a[at] !== b[at]) return a[at]! - b[at]!;
  }
  return a.length - b.length;
}

/**
 * A value no greater than `value` in at most `length` code points (string) or bytes (binary, fixed); other types come back as
 * they are. Never null: the signature is that of {@link truncateUpperBound}.
 */
export function truncateLowerBound(type: PrimitiveType, value: Value, length = 16): Value | null {
  if (type.kind === 'string' && typeof value === 'string') return firstCodePoints(value, length);
  if ((type.kind === 'binary' || type.kind === 'fixed') && value instanceof Uint8Array)
    return value.subarray(0, length);
  return value;
}

/**
 * A value no less than any that begins like `value`, in at most `length` code points or bytes: what is cut off is made up for by
 * the next greater last code point or byte. Null where none is greater: such a column has no upper bound.
 */
export function truncateUpperBound(type: PrimitiveType, value: Value, length = 16): Value | null {
  if (type.kind === 'string' && typeof value === 'string') return cutStringUp(value, length);
  if ((type.kind === 'binary' || type.kind === 'fixed') && value instanceof Uint8Array)
    return cutBytesUp(value, length);
  return value;
}

/** At most `count` code points from the start: a surrogate pair is never cut. */
export function firstCodePoints(text: string, count: number): string {
  if (text.length <= count) return text;
  let end = 0;
  for (let taken = 0; taken < count && end < text.length; taken++) end += text.codePointAt(end)! > 0xffff ? 2 : 1;
  return text.slice(0, end);
}

function cutStringUp(value: string, length: number): string | null {
  const cut = firstCodePoints(value, length);
  if (cut.length === value.length) return value;
  const points = Array.from(cut, (point) => point.codePointAt(0)!);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const next = last === 0xd7ff ? 0xe000 : last + 1;
    if (next <= 0x10ffff)
      return points.map((point) => String.fromCodePoint(point)).join('') + String.fromCodePoint(next);
  }
  return null;
}

function cutBytesUp(value: Uint8Array, length: number): Uint8Array | null {
  if (value.length <= length) return value;
  for (let end = length; end > 0; end--) {
    if (value[end - 1] !== 0xff) {
      const bytes = value.slice(0, end);
      bytes[end - 1]! += 1;
      return bytes;
    }
  }
  return null;
}
