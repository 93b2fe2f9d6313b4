import type { PrimitiveType, Value } from '../../../catalog/schema/types.ts';
import { truncateLowerBound, truncateUpperBound } from '../../../catalog/schema/value.ts';
import type { Bounds } from './bounds.ts';

export interface CutBounds {
  readonly min: Uint8Array;
  /** Null where nothing short enough is greater than all that begin so. */
  readonly max: Uint8Array | null;
  readonly isMinExact: boolean;
  readonly isMaxExact: boolean;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();
/** Bytes of the longest code point in UTF-8. */
const codePointBytesMax = 4;

/** Bounds of texts and binaries in at most about `bytesMax` bytes, so that indexes and footers stay small; others as they are. */
export function cutBounds(type: PrimitiveType, { min, max }: Bounds, bytesMax: number): CutBounds {
  if (type.kind !== 'string' && type.kind !== 'binary') return { min, max, isMinExact: true, isMaxExact: true };
  const isMinExact = min.length <= bytesMax;
  const isMaxExact = max.length <= bytesMax;
  return {
    min: isMinExact ? min : cut(type, min, bytesMax, truncateLowerBound)!,
    max: isMaxExact ? max : cut(type, max, bytesMax, truncateUpperBound),
    isMinExact,
    isMaxExact,
  };
}

function cut(
  type: PrimitiveType,
  bytes: Uint8Array,
  bytesMax: number,
  truncate: (type: PrimitiveType, value: Value, length: number) => Value | null,
): Uint8Array | null {
  const kept = type.kind === 'string' ? decoder.decode(bytes.subarray(0, bytesMax + codePointBytesMax)) : bytes;
  const length = typeof kept === 'string' ? codePointsIn(bytes, bytesMax) : bytesMax;
  const value = truncate(type, kept, length);
  return typeof value === 'string' ? encoder.encode(value) : (value as Uint8Array | null);
}

/** Whole code points among the first `end` bytes: those whose successor begins no later. */
function codePointsIn(bytes: Uint8Array, end: number): number {
  let count = 0;
  for (let at = 1; at <= end; at++) if ((bytes[at]! & 0xc0) !== 0x80) count++;
  return count;
}
