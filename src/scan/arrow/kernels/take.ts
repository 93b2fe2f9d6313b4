import type { BoolColumn, BytesColumn, Column, FixedColumn, ListColumn } from '../column.ts';
import { bitAt, bitmapBytes } from './bitmap.ts';
import { type ByteBudget, checkOffset, unbounded } from './byte-budget.ts';
import { gatherFixed } from './gather.ts';

interface Taken {
  readonly length: number;
  readonly nullCount: number;
  readonly validity: Uint8Array | null;
}

/**
 * The rows of `column` that `indices` names, in that order and as often; -1 makes a null. Every other index must be a row of the
 * column; indices are never written to afterwards. Buffers are fresh and hold nothing but the rows taken; a dictionary is shared. The
 * budget is charged before each allocation; LIMIT_EXCEEDED where texts or lists outgrow 32-bit offsets.
 */
export function takeColumn(column: Column, indices: Int32Array, budget: ByteBudget = unbounded): Column {
  const length = indices.length;
  if (column.kind === 'null') return { ...column, length, nullCount: length };
  budget.charge(bitmapBytes(length));
  const base = { type: column.type, ...takeValidity(column.validity, indices) };
  switch (column.kind) {
    case 'fixed':
      return takeFixed(column, indices, base, budget);
    case 'bool':
      return takeBool(column, indices, base, budget);
    case 'bytes':
      return takeBytes(column, indices, base, budget);
    case 'list':
      return takeList(column, indices, base, budget);
    case 'fixed-list': {
      const rows = repeatRows(indices, column.size, budget);
      return { ...column, ...base, child: takeColumn(column.child, rows, budget) };
    }
    case 'struct':
      return { ...column, ...base, children: column.children.map((child) => takeColumn(child, indices, budget)) };
    case 'dictionary': {
      budget.charge(length * 4);
      const taken = new Int32Array(length);
      for (let row = 0; row < length; row++) taken[row] = indices[row]! < 0 ? 0 : column.indices[indices[row]!]!;
      return { ...column, ...base, indices: taken };
    }
    default:
      return column satisfies never;
  }
}

function takeValidity(source: Uint8Array | null, indices: Int32Array): Taken {
  const length = indices.length;
  if (source === null && !hasNegative(indices)) return { length, nullCount: 0, validity: null };
  const validity = new Uint8Array(bitmapBytes(length));
  let valid = 0;
  for (let row = 0; row < length; row++) {
    const index = indices[row]!;
    if (index < 0 || (source !== null && bitAt(source, index) === 0)) continue;
    validity[row >>> 3]! |= 1 << (row & 7);
    valid++;
  }
  return valid === length ? { length, nullCount: 0, validity: null } : { length, nullCount: length - valid, validity };
}

/** Indices that were looked through: those of one filter are taken from every column, and looking each time was a seventh of such a scan. */
const withoutNegative = new WeakSet<Int32Array>();

// A plain loop: `some` calls back per row, which costs as much as the gather itself.
function hasNegative(indices: Int32Array): boolean {
  if (withoutNegative.has(indices)) return false;
  for (let row = 0; row < indices.length; row++) if (indices[row]! < 0) return true;
  withoutNegative.add(indices);
  return false;
}

type Base = Taken & Pick<Column, 'type'>;

function takeFixed(column: FixedColumn, indices: Int32Array, base: Base, budget: ByteBudget): FixedColumn {
  budget.charge(indices.length * column.width);
  return { ...column, ...base, values: gatherFixed(column.values, column.width, indices) };
}

function takeBool(column: BoolColumn, indices: Int32Array, base: Base, budget: ByteBudget): BoolColumn {
  budget.charge(bitmapBytes(indices.length));
  const values = new Uint8Array(bitmapBytes(indices.length));
  for (let row = 0; row < indices.length; row++) {
    const index = indices[row]!;
    if (index >= 0) values[row >>> 3]! |= bitAt(column.values, index) << (row & 7);
  }
  return { ...column, ...base, values };
}

function takeOffsets(source: Int32Array, indices: Int32Array, budget: ByteBudget): Int32Array {
  budget.charge((indices.length + 1) * 4);
  const offsets = new Int32Array(indices.length + 1);
  let total = 0;
  for (let row = 0; row < indices.length; row++) {
    const index = indices[row]!;
    if (index >= 0) total += source[index + 1]! - source[index]!;
    offsets[row + 1] = total;
  }
  checkOffset(total);
  return offsets;
}

function takeBytes(column: BytesColumn, indices: Int32Array, base: Base, budget: ByteBudget): BytesColumn {
  const offsets = takeOffsets(column.offsets, indices, budget);
  budget.charge(offsets[indices.length]!);
  const width = wordWidth(column);
  if (width !== null && base.validity === null) {
    return { ...column, ...base, offsets, values: gatherFixed(column.values, width, indices) };
  }
  const values = new Uint8Array(offsets[indices.length]!);
  for (let row = 0; row < indices.length; ) {
    const first = indices[row]!;
    // Neighbouring rows, the common case of a filter, move as one run.
    let end = row + 1;
    if (first >= 0) while (end < indices.length && indices[end] === first + (end - row)) end++;
    if (first >= 0)
      copyRange(values, offsets[row]!, column.values, column.offsets[first]!, column.offsets[first + end - row]!);
    row = end;
  }
  return { ...column, ...base, offsets, values };
}

/** The length of all texts where it is one and a multiple of 4, as of hashes, and their bytes are aligned; else null. */
function wordWidth({ offsets, values, length }: BytesColumn): number | null {
  const width = length === 0 ? 0 : offsets[1]!;
  if (width === 0 || (width & 3) !== 0 || (values.byteOffset & 3) !== 0) return null;
  for (let row = 1; row < length; row++) if (offsets[row + 1]! - offsets[row]! !== width) return null;
  return width;
}

// Below this length a loop is cheaper than making the view that `set` needs (measured at 2 to 3 times for 8-byte texts).
const loopBytes = 32;

function copyRange(to: Uint8Array, at: number, from: Uint8Array, start: number, end: number): void {
  if (end - start > loopBytes) to.set(from.subarray(start, end), at);
  else for (let byte = start; byte < end; byte++) to[at++] = from[byte]!;
}

function takeList(column: ListColumn, indices: Int32Array, base: Base, budget: ByteBudget): ListColumn {
  const offsets = takeOffsets(column.offsets, indices, budget);
  budget.charge(offsets[indices.length]! * 4);
  const rows = new Int32Array(offsets[indices.length]!);
  for (let row = 0; row < indices.length; row++) {
    if (indices[row]! < 0) continue;
    let from = column.offsets[indices[row]!]!;
    for (let to = offsets[row]!; to < offsets[row + 1]!; to++) rows[to] = from++;
  }
  return { ...column, ...base, offsets, child: takeColumn(column.child, rows, budget) };
}

function repeatRows(indices: Int32Array, size: number, budget: ByteBudget): Int32Array {
  budget.charge(indices.length * size * 4);
  const rows = new Int32Array(indices.length * size);
  for (let row = 0; row < indices.length; row++) {
    for (let at = 0; at < size; at++) rows[row * size + at] = indices[row]! < 0 ? -1 : indices[row]! * size + at;
  }
  return rows;
}
