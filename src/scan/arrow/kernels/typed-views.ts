import type { FixedColumn } from '../column.ts';

/** The bytes as 32-bit words. They start at a multiple of 4, which the invariants of column.ts promise. */
export const wordsOf = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);

export const halvesOf = (bytes: Uint8Array): Int16Array =>
  new Int16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 1);

export const floatsOf = (bytes: Uint8Array): Float32Array =>
  new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);

export const doublesOf = (bytes: Uint8Array): Float64Array =>
  new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 3);

export const bytesOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** A fixed-width column of fresh values with the validity of another. */
export function withValues(column: FixedColumn, values: ArrayBufferView, width: number): FixedColumn {
  return { ...column, width, values: bytesOf(values) };
}

/** The bytes themselves where they start at a multiple of 8, else an aligned copy. */
export function aligned(bytes: Uint8Array): Uint8Array {
  return (bytes.byteOffset & 7) === 0 ? bytes : copyBytes(bytes);
}

/** A copy in an ArrayBuffer of its own: `slice` of a Node Buffer would be a view. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length);
  out.set(bytes);
  return out;
}
