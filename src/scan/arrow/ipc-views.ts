import type { Column } from './column.ts';
import { alignedWithin, narrow } from './ipc-offsets.ts';
import { bitAt } from './kernels/bitmap.ts';
import { type ByteBudget, checkOffset } from './kernels/byte-budget.ts';
import { takeColumn } from './kernels/take.ts';
import { wordsOf } from './kernels/typed-views.ts';

const viewBytes = 16;
const inlineBytesMax = 12;

/**
 * The views of a utf8_view or binary_view column as offsets and values; nulls become empty. Null where views are too few or leave
 * their buffers (Arrow columnar format, "Variable-size Binary View Layout"). Views may share bytes, so the total is charged first.
 */
export function readView(
  views: Uint8Array,
  data: readonly Uint8Array[],
  validity: Uint8Array | null,
  rows: number,
  budget: ByteBudget,
): { readonly offsets: Int32Array; readonly values: Uint8Array } | null {
  if (views.length < rows * viewBytes) return null;
  const words = wordsOf(alignedWithin(views, budget));
  budget.charge((rows + 1) * 4);
  const offsets = new Int32Array(rows + 1);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const length = validity === null || bitAt(validity, row) === 1 ? words[row * 4]! : 0;
    if (length < 0) return null;
    if (length > inlineBytesMax) {
      const buffer = data[words[row * 4 + 2]!];
      const start = words[row * 4 + 3]!;
      if (buffer === undefined || start < 0 || start + length > buffer.length) return null;
    }
    total += length;
    offsets[row + 1] = total;
  }
  checkOffset(total);
  budget.charge(total);
  const values = new Uint8Array(total);
  for (let row = 0; row < rows; row++) {
    const length = offsets[row + 1]! - offsets[row]!;
    if (length === 0) continue;
    const inline = length <= inlineBytesMax;
    const from = inline ? views : data[words[row * 4 + 2]!]!;
    const start = inline ? row * viewBytes + 4 : words[row * 4 + 3]!;
    values.set(from.subarray(start, start + length), offsets[row]!);
  }
  return { offsets, values };
}

interface ListViews {
  readonly offsets: Uint8Array;
  readonly sizes: Uint8Array;
  readonly bits: 32 | 64;
}

/** The views of a list_view column as a list: its child's rows in the lists' order; nulls become empty. Null where out of range. */
export function readListView(
  { offsets, sizes, bits }: ListViews,
  child: Column,
  validity: Uint8Array | null,
  rows: number,
  budget: ByteBudget,
): { readonly offsets: Int32Array; readonly child: Column } | null {
  const bytes = rows * (bits / 8);
  if (offsets.length < bytes || sizes.length < bytes) return null;
  const starts = bits === 32 ? wordsOf(alignedWithin(offsets, budget)) : narrow(offsets, rows, budget);
  const counts = bits === 32 ? wordsOf(alignedWithin(sizes, budget)) : narrow(sizes, rows, budget);
  if (starts === null || counts === null) return null;
  budget.charge((rows + 1) * 4);
  const ends = new Int32Array(rows + 1);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const valid = validity === null || bitAt(validity, row) === 1;
    if (valid && (starts[row]! < 0 || counts[row]! < 0 || starts[row]! + counts[row]! > child.length)) return null;
    total += valid ? counts[row]! : 0;
    ends[row + 1] = total;
  }
  checkOffset(total);
  budget.charge(total * 4);
  const indices = new Int32Array(total);
  for (let row = 0; row < rows; row++) {
    let from = starts[row]!;
    for (let to = ends[row]!; to < ends[row + 1]!; to++) indices[to] = from++;
  }
  return { offsets: ends, child: takeColumn(child, indices, budget) };
}
