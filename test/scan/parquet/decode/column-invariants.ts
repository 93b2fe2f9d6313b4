import assert from 'node:assert/strict';
import type { Column } from '../../../../src/scan/arrow/column.ts';
import { bitmapBytes, countSetBits } from '../../../../src/scan/arrow/kernels/bitmap.ts';

/** What column.ts promises of every column, at any depth: whoever consumes one relies on it without looking. */
export function assertInvariants(column: Column): void {
  const { length, nullCount, validity } = column;
  if (column.kind === 'null') return;
  assert.equal(validity === null, nullCount === 0);
  if (validity !== null) {
    assert.ok(validity.length >= bitmapBytes(length));
    assert.equal(length - countSetBits(validity, length), nullCount);
  }
  switch (column.kind) {
    case 'fixed':
      assert.ok(column.values.length >= length * column.width);
      assert.equal(column.values.byteOffset % 8, 0);
      return;
    case 'bool':
      assert.ok(column.values.length >= bitmapBytes(length));
      return;
    case 'bytes':
      assertOffsets(column.offsets, length, column.values.length);
      return;
    case 'list':
      assertOffsets(column.offsets, length, column.child.length);
      assertInvariants(column.child);
      return;
    case 'struct':
      for (const child of column.children) {
        assert.equal(child.length, length);
        assertInvariants(child);
      }
      return;
    case 'dictionary':
      assert.ok(column.indices.length >= length);
      for (let row = 0; row < length; row++) {
        const isNull = validity !== null && ((validity[row >> 3]! >> (row & 7)) & 1) === 0;
        assert.ok(isNull ? column.indices[row] === 0 : column.indices[row]! < column.dictionary.length);
        assert.ok(column.indices[row]! >= 0);
      }
      assertInvariants(column.dictionary);
      return;
    default:
      assert.fail(`no decoder makes a ${column.kind} column`);
  }
}

function assertOffsets(offsets: Int32Array, length: number, end: number): void {
  assert.ok(offsets.length >= length + 1);
  assert.equal(offsets[0], 0);
  for (let row = 0; row < length; row++) assert.ok(offsets[row]! <= offsets[row + 1]!);
  assert.ok(offsets[length]! <= end);
}
