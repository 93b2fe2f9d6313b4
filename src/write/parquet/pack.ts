import type { BytesColumn, Column, FixedColumn, ListColumn } from '../../scan/arrow/column.ts';
import { bitmapBytes } from '../../scan/arrow/kernels/bitmap.ts';
import { checkOffset } from '../../scan/arrow/kernels/byte-budget.ts';
import { columnBytes } from '../../scan/arrow/kernels/bytes.ts';
import { hydrate } from '../../scan/arrow/kernels/hydrate.ts';
import { sliceColumn } from '../../scan/arrow/kernels/slice.ts';

/** Bytes between buffers at most, and those of a bitmap or offset that parts share. */
const paddingBytes = 32;

/** Bytes of memory that {@link packColumns} fills with the rows of these parts. */
export function packedBytes(parts: readonly (readonly Column[])[]): number {
  return parts.reduce((sum, part) => part.reduce((inner, column) => inner + bytesOfPart(column), sum), 0);
}

function bytesOfPart(column: Column): number {
  const buffers = paddingBytes + bitmapBytes(column.length);
  switch (column.kind) {
    case 'list':
      return buffers + (column.length + 1) * 4 + bytesOfPart(column.child);
    case 'struct':
      return column.children.reduce((sum, child) => sum + bytesOfPart(child), buffers);
    default:
      return buffers + columnBytes(column);
  }
}

/** The parts' columns without dictionaries, which packing needs. */
export const hydrated = (parts: readonly (readonly Column[])[]): Column[][] =>
  parts.map((part) => part.map((column) => hydrate(column)));

/**
 * Copies the rows of all parts, one after another, into one memory that can move to another thread at once. Parts have columns of equal
 * types without dictionaries.
 */
export function packColumns(parts: readonly (readonly Column[])[], memory: ArrayBufferLike): Column[] {
  const arena = new Arena(memory);
  return parts[0]!.map((_, at) =>
    packColumn(
      arena,
      parts.map((part) => part[at]!),
    ),
  );
}

class Arena {
  readonly #memory: ArrayBufferLike;
  #at = 0;

  constructor(memory: ArrayBufferLike) {
    this.#memory = memory;
  }

  /** Undefined bytes that start at a multiple of 8. */
  bytes(length: number): Uint8Array {
    const start = this.#at;
    if (start + length > this.#memory.byteLength) throw new RangeError('the rows are larger than was reckoned');
    this.#at = (start + length + 7) & ~7;
    return new Uint8Array(this.#memory, start, length);
  }

  words(length: number): Int32Array {
    const { buffer, byteOffset } = this.bytes(length * 4);
    return new Int32Array(buffer, byteOffset, length);
  }

  bitmap(bits: number): Uint8Array {
    return this.bytes(bitmapBytes(bits)).fill(0);
  }
}

function packColumn(arena: Arena, parts: readonly Column[]): Column {
  const first = parts[0]!;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (first.kind === 'null') return { ...first, length, nullCount: length };
  const base = { length, ...packValidity(arena, parts, length) };
  switch (first.kind) {
    case 'fixed': {
      const values = arena.bytes(length * first.width);
      let at = 0;
      for (const { values: from, length: rows } of parts as readonly FixedColumn[]) {
        values.set(from.subarray(0, rows * first.width), at);
        at += rows * first.width;
      }
      return { ...first, ...base, values };
    }
    case 'bool':
      return {
        ...first,
        ...base,
        values: packBits(arena, parts, length, (part) => (part.kind === 'bool' ? part.values : null)),
      };
    case 'bytes': {
      const texts = parts as readonly BytesColumn[];
      const offsets = packOffsets(arena, texts, length);
      const values = arena.bytes(offsets[length]!);
      let at = 0;
      for (const { values: from, offsets: ends, length: rows } of texts) {
        values.set(from.subarray(0, ends[rows]!), at);
        at += ends[rows]!;
      }
      return { ...first, ...base, offsets, values };
    }
    case 'list': {
      const lists = parts as readonly ListColumn[];
      const offsets = packOffsets(arena, lists, length);
      const child = packColumn(
        arena,
        lists.map((list) => sliceColumn(list.child, 0, list.offsets[list.length]!)),
      );
      return { ...first, ...base, offsets, child };
    }
    case 'struct': {
      const children = first.children.map((_, at) =>
        packColumn(
          arena,
          parts.map((part) => (part.kind === 'struct' ? part.children[at]! : part)),
        ),
      );
      return { ...first, ...base, children };
    }
    default:
      throw new TypeError(`a column of kind ${first.kind} is not stored`);
  }
}

function packValidity(arena: Arena, parts: readonly Column[], length: number) {
  const nullCount = parts.reduce((sum, part) => sum + part.nullCount, 0);
  const validity = nullCount === 0 ? null : packBits(arena, parts, length, (part) => part.validity);
  return { nullCount, validity };
}

/** Null stands for all ones. */
function packBits(
  arena: Arena,
  parts: readonly Column[],
  length: number,
  bitsOf: (part: Column) => Uint8Array | null,
): Uint8Array {
  const bitmap = arena.bitmap(length);
  let at = 0;
  for (const part of parts) {
    orBits(bitmap, at, bitsOf(part), part.length);
    at += part.length;
  }
  return bitmap;
}

/** Sets `bits` bits from bit `at` on, which are 0, byte by byte; what the source's last byte has behind its end does not count. */
function orBits(target: Uint8Array, at: number, source: Uint8Array | null, bits: number): void {
  const shift = at & 7;
  const first = at >>> 3;
  const count = bitmapBytes(bits);
  const lastMask = (bits & 7) === 0 ? 0xff : (1 << (bits & 7)) - 1;
  for (let byte = 0; byte < count; byte++) {
    const value = (source === null ? 0xff : source[byte]!) & (byte === count - 1 ? lastMask : 0xff);
    target[first + byte]! |= value << shift;
    if (shift !== 0 && value >>> (8 - shift) !== 0) target[first + byte + 1]! |= value >>> (8 - shift);
  }
}

function packOffsets(
  arena: Arena,
  parts: readonly { readonly offsets: Int32Array; readonly length: number }[],
  length: number,
): Int32Array {
  const offsets = arena.words(length + 1);
  offsets[0] = 0;
  let row = 0;
  let shift = 0;
  for (const part of parts) {
    for (let at = 1; at <= part.length; at++) offsets[row + at] = part.offsets[at]! + shift;
    row += part.length;
    shift += part.offsets[part.length]!;
    checkOffset(shift);
  }
  return offsets;
}
