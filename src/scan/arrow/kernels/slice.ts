import type { Column } from '../column.ts';
import { countSetBits, sliceBitmap } from './bitmap.ts';
import { aligned } from './typed-views.ts';

/**
 * Rows [start, end). Buffers are views of the column's where alignment allows (a fixed-width start at a multiple of 8 bytes, a
 * bitmap start at a multiple of 8 rows), else copies; offsets begin at 0 again. Views keep the whole buffer alive: a column that
 * leaves the service through `restrict` is rebuilt there.
 */
export function sliceColumn(column: Column, start: number, end: number): Column {
  if (start === 0 && end === column.length) return column;
  const length = end - start;
  if (column.kind === 'null') return { ...column, length, nullCount: length };
  const base = sliceValidity(column.validity, start, end);
  switch (column.kind) {
    case 'fixed':
      return { ...column, ...base, values: aligned(column.values.subarray(start * column.width, end * column.width)) };
    case 'bool':
      return { ...column, ...base, values: sliceBitmap(column.values, start, end) };
    case 'bytes': {
      const values = column.values.subarray(column.offsets[start]!, column.offsets[end]!);
      return { ...column, ...base, offsets: sliceOffsets(column.offsets, start, end), values };
    }
    case 'list': {
      const child = sliceColumn(column.child, column.offsets[start]!, column.offsets[end]!);
      return { ...column, ...base, offsets: sliceOffsets(column.offsets, start, end), child };
    }
    case 'fixed-list':
      return { ...column, ...base, child: sliceColumn(column.child, start * column.size, end * column.size) };
    case 'struct':
      return { ...column, ...base, children: column.children.map((child) => sliceColumn(child, start, end)) };
    case 'dictionary':
      return { ...column, ...base, indices: sliceIndices(column.indices, start, end) };
    default:
      return column satisfies never;
  }
}

/** The validity of rows [start, end), and how many of them are null. */
export function sliceValidity(validity: Uint8Array | null, start: number, end: number) {
  const length = end - start;
  if (validity === null) return { length, nullCount: 0, validity };
  const bitmap = sliceBitmap(validity, start, end);
  const nullCount = length - countSetBits(bitmap, length);
  return { length, nullCount, validity: nullCount === 0 ? null : bitmap };
}

function sliceOffsets(offsets: Int32Array, start: number, end: number): Int32Array {
  const first = offsets[start]!;
  if (start === 0) return offsets.subarray(0, end + 1);
  const out = new Int32Array(end - start + 1);
  for (let row = 0; row < out.length; row++) out[row] = offsets[start + row]! - first;
  return out;
}

const sliceIndices = (indices: Int32Array, start: number, end: number): Int32Array =>
  (start & 1) === 0 ? indices.subarray(start, end) : indices.slice(start, end);
