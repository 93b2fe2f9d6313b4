import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  gatherPacked,
  gatherPackedPairs,
  unpackBytes,
  unpackOne,
  unpackWords,
} from '../../../../src/scan/parquet/decode/bit-packed.ts';

/** The bytes that hold `values` of `width` bits behind `shift` other bits, and no byte more. */
function pack(values: readonly number[], width: number, shift: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((shift + values.length * width) / 8));
  values.forEach((value, index) => {
    for (let bit = 0; bit < width; bit++) {
      const at = shift + index * width + bit;
      if ((value >>> bit) & 1) bytes[at >> 3]! |= 1 << (at & 7);
    }
  });
  return bytes;
}

const packed = fc.integer({ min: 1, max: 32 }).chain((width) =>
  fc.record({
    width: fc.constant(width),
    shift: fc.integer({ min: 0, max: 7 }),
    values: fc.array(fc.integer({ min: 0, max: 2 ** width - 1 }), { maxLength: 40 }),
  }),
);
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer);

test('values of any width come out as they were packed, up to the last byte', () => {
  fc.assert(
    fc.property(packed, ({ width, shift, values }) => {
      const bytes = pack(values, width, shift);
      const out = new Int32Array(values.length + 2);
      unpackWords(viewOf(bytes), 0, shift, width, out, 1, values.length);
      assert.deepEqual([...out], [0, ...values.map((value) => value | 0), 0]);
      values.forEach((value, index) => {
        const bit = shift + index * width;
        assert.equal(unpackOne(viewOf(bytes), bit >> 3, bit & 7, width), value | 0);
      });
      if (width > 8) return;
      const levels = new Uint8Array(values.length);
      unpackBytes(viewOf(bytes), 0, shift, width, levels, 0, values.length);
      assert.deepEqual([...levels], values);
    }),
    { numRuns: 1000 },
  );
});

test('indices give the entries of a dictionary, and none outside of it', () => {
  fc.assert(
    fc.property(packed, fc.integer({ min: 0, max: 300 }), ({ width, shift, values }, entries) => {
      const view = viewOf(pack(values, width, shift));
      const dictionary = Int32Array.from({ length: 2 * entries }, (_, at) => at * 7 - 3);
      const inside = values.every((value) => value < entries);
      const singles = new Int32Array(values.length);
      const entriesOnly = dictionary.subarray(0, entries);
      assert.equal(gatherPacked(view, 0, shift, width, singles, 0, values.length, entriesOnly), inside);
      if (inside)
        assert.deepEqual(
          [...singles],
          values.map((value) => dictionary[value]),
        );
      const pairs = new Int32Array(2 * values.length);
      assert.equal(gatherPackedPairs(view, 0, shift, width, pairs, 0, values.length, dictionary), inside);
      const both = values.flatMap((value) => [dictionary[2 * value]!, dictionary[2 * value + 1]!]);
      if (inside) assert.deepEqual([...pairs], both);
    }),
    { numRuns: 1000 },
  );
});
