import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BytesColumn, DictionaryColumn } from '../../../src/scan/arrow/column.ts';
import { appendBits, bitAt, bitmapBytes, countBits, setBits } from '../../../src/scan/arrow/kernels/bitmap.ts';
import { columnBytes } from '../../../src/scan/arrow/kernels/bytes.ts';
import { dictionaryRows, hydrate } from '../../../src/scan/arrow/kernels/hydrate.ts';
import { takeColumn } from '../../../src/scan/arrow/kernels/take.ts';

function bytesColumn(texts: readonly string[]): BytesColumn {
  const parts = texts.map((text) => Buffer.from(text));
  const offsets = new Int32Array(texts.length + 1);
  parts.forEach((part, at) => {
    offsets[at + 1] = offsets[at]! + part.length;
  });
  const values = new Uint8Array(Buffer.concat(parts));
  return { kind: 'bytes', type: { kind: 'utf8' }, length: texts.length, nullCount: 0, validity: null, offsets, values };
}

const rowsOf = (column: BytesColumn): string[] =>
  Array.from({ length: column.length }, (_, row) =>
    Buffer.from(column.values.subarray(column.offsets[row]!, column.offsets[row + 1]!)).toString(),
  );

/** Texts of all lengths around those where copying goes another way, indices in order and out of it, nulls or none. */
const columns = fc
  .array(
    fc.string({ maxLength: 12 }).chain((text) => fc.constantFrom(text, text.repeat(3), text.repeat(40))),
    {
      minLength: 1,
      maxLength: 20,
    },
  )
  .chain((texts) =>
    fc.record({
      texts: fc.constant(texts),
      rows: fc.array(fc.option(fc.nat({ max: texts.length - 1 })), { maxLength: 60 }),
      sorted: fc.boolean(),
    }),
  );

test('texts come out of a dictionary as taking them by row gives them, and as large as columnBytes says', () => {
  fc.assert(
    fc.property(columns, ({ texts, rows, sorted }) => {
      const found = sorted ? rows.filter((row) => row !== null).sort((a, b) => a - b) : rows;
      const validity = new Uint8Array(bitmapBytes(found.length));
      found.forEach((row, at) => {
        if (row !== null) validity[at >> 3]! |= 1 << (at & 7);
      });
      const nullCount = found.filter((row) => row === null).length;
      const column: DictionaryColumn = {
        kind: 'dictionary',
        type: { kind: 'utf8' },
        length: found.length,
        nullCount,
        validity: nullCount === 0 ? null : validity,
        indices: Int32Array.from(found, (row) => row ?? 0),
        dictionary: bytesColumn(texts),
      };
      const plain = hydrate(column) as BytesColumn;
      assert.deepEqual(
        rowsOf(plain),
        found.map((row) => (row === null ? '' : texts[row])),
      );
      assert.deepEqual(rowsOf(plain), rowsOf(takeColumn(column.dictionary, dictionaryRows(column)) as BytesColumn));
      assert.equal(columnBytes(column), columnBytes(plain));
    }),
    { numRuns: 500 },
  );
});

test('bits are copied, set and counted as one by one', () => {
  const cases = fc.record({
    source: fc.uint8Array({ minLength: 30, maxLength: 30 }),
    from: fc.nat({ max: 40 }),
    at: fc.nat({ max: 40 }),
    bits: fc.nat({ max: 150 }),
  });
  fc.assert(
    fc.property(cases, ({ source, from, at, bits }) => {
      const copied = new Uint8Array(40);
      appendBits(copied, at, source, bits, from);
      const ones = new Uint8Array(40);
      setBits(ones, at, at + bits);
      let count = 0;
      for (let bit = 0; bit < 320; bit++) {
        const inside = bit >= at && bit < at + bits;
        const expected = inside ? bitAt(source, from + bit - at) : 0;
        assert.equal(bitAt(copied, bit), expected);
        assert.equal(bitAt(ones, bit), inside ? 1 : 0);
        count += expected;
      }
      assert.equal(countBits(copied, at, at + bits), count);
      assert.equal(countBits(source, from, from + bits), count);
    }),
    { numRuns: 500 },
  );
});
