import type { ByteBudget } from './kernels/byte-budget.ts';
import { aligned, wordsOf } from './kernels/typed-views.ts';

/** Offsets from 0 on, and the range of the values that they point into. */
export interface NormalOffsets {
  readonly offsets: Int32Array;
  readonly start: number;
  readonly end: number;
}

/**
 * 32 or 64 bit offsets of `rows` rows as 32-bit ones that begin at 0; null where they are too few, decrease or leave `limit`.
 * No bytes at all are allowed for no rows (Arrow columnar format, "Variable-size Binary Layout").
 */
export function normalizeOffsets(
  bytes: Uint8Array,
  bits: 32 | 64,
  rows: number,
  limit: number,
  budget: ByteBudget,
): NormalOffsets | null {
  if (rows === 0 && bytes.length === 0) return { offsets: new Int32Array(1), start: 0, end: 0 };
  if (bytes.length < (rows + 1) * (bits / 8)) return null;
  const offsets =
    bits === 32 ? wordsOf(alignedWithin(bytes, budget)).subarray(0, rows + 1) : narrow(bytes, rows + 1, budget);
  if (offsets === null) return null;
  const start = offsets[0]!;
  const end = offsets[rows]!;
  if (start < 0 || end > limit) return null;
  for (let row = 0; row < rows; row++) if (offsets[row]! > offsets[row + 1]!) return null;
  return start === 0 ? { offsets, start, end } : { offsets: rebase(offsets, budget), start, end };
}

/** 64-bit numbers that all fit 31 bits, else null. Shared with views and dictionary indices. */
export function narrow(bytes: Uint8Array, count: number, budget: ByteBudget): Int32Array | null {
  const words = wordsOf(alignedWithin(bytes, budget));
  budget.charge(count * 4);
  const out = new Int32Array(count);
  for (let at = 0; at < count; at++) {
    if (words[(at << 1) | 1] !== 0 || words[at << 1]! < 0) return null;
    out[at] = words[at << 1]!;
  }
  return out;
}

function rebase(offsets: Int32Array, budget: ByteBudget): Int32Array {
  budget.charge(offsets.length * 4);
  const first = offsets[0]!;
  return offsets.map((offset) => offset - first);
}

/** The bytes at a multiple of 8; a copy is charged. Pooled Buffers and unaligned writers make it necessary. */
export function alignedWithin(bytes: Uint8Array, budget: ByteBudget): Uint8Array {
  if ((bytes.byteOffset & 7) !== 0) budget.charge(bytes.length);
  return aligned(bytes);
}

/** A copy with the bytes of each `unit` turned round: what a big-endian writer means. */
export function swapped(bytes: Uint8Array, unit: number, budget: ByteBudget): Uint8Array {
  if (unit <= 1) return bytes;
  budget.charge(bytes.length);
  const out = new Uint8Array(bytes.length);
  const last = unit - 1;
  for (let at = 0; at + last < bytes.length; at += unit) {
    for (let byte = 0; byte < unit; byte++) out[at + byte] = bytes[at + last - byte]!;
  }
  return out;
}
