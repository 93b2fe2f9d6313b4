import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../../src/core/errors.ts';
import { ThriftReader, ThriftWriter } from '../../../src/scan/parquet/thrift.ts';

const depthMax = 16;
const readerOf = (bytes: Uint8Array): ThriftReader => new ThriftReader(bytes, 'the test', depthMax);

test('what is written is read back, fields in any distance from each other', () => {
  const value = fc.record({
    small: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    large: fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }),
    text: fc.string({ unit: 'grapheme' }),
    flag: fc.boolean(),
    numbers: fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 40 }),
    gap: fc.integer({ min: 1, max: 300 }),
  });
  fc.assert(
    fc.property(value, (expected) => {
      const writer = new ThriftWriter();
      writer.struct(() => {
        writer.i32(1, expected.small);
        writer.i64(2, expected.large);
        writer.binary(3, expected.text);
        writer.bool(4, expected.flag);
        writer.i32s(5, expected.numbers);
        writer.structField(5 + expected.gap, () => writer.bool(1, true));
        writer.byte(6 + expected.gap, -7);
      });
      const reader = readerOf(writer.finish());
      const read: Record<string, unknown> = { gap: expected.gap };
      reader.struct((id, type) => {
        if (id === 1) read.small = reader.i32(type);
        else if (id === 2) read.large = reader.i64(type);
        else if (id === 3) read.text = reader.string(type);
        else if (id === 4) read.flag = reader.bool(type);
        else if (id === 5) {
          const numbers: number[] = [];
          reader.list(type, 100, (element) => numbers.push(reader.i32(element)));
          read.numbers = numbers;
        } else reader.skip(type);
      });
      assert.deepEqual(read, { ...expected });
      const skipping = readerOf(writer.finish());
      skipping.struct((_, type) => skipping.skip(type));
      assert.equal(skipping.at, writer.finish().length);
    }),
  );
});

test('random bytes are read or refused as damaged, within their length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const reader = readerOf(bytes);
      try {
        reader.struct((_, type) => reader.skip(type));
        assert.ok(reader.at <= bytes.length);
      } catch (error) {
        assert.ok(error instanceof ServiceError && error.code === 'CORRUPT_FILE');
      }
    }),
    { numRuns: 2000 },
  );
});

test('deep nesting, long lists and overlong numbers are refused', () => {
  const nested = Uint8Array.from({ length: 1000 }, () => 0x1c);
  const skipNested = readerOf(nested);
  assert.throws(() => skipNested.struct((_, type) => skipNested.skip(type)), /deeper than 16/);
  const list = readerOf(Uint8Array.of(0x19, 0xf5, 0xff, 0xff, 0xff, 0x7f, 0));
  assert.throws(() => list.struct((_, type) => list.skip(type)), /runs past its end/);
  const number = readerOf(Uint8Array.of(0x16, ...new Array(11).fill(0xff), 0));
  assert.throws(() => number.struct((_, type) => number.i64(type)), /more than 10 bytes/);
});
