import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePrimitiveType } from '../../../src/catalog/schema/type-text.ts';
import type { Value } from '../../../src/catalog/schema/types.ts';
import {
  compareValues,
  decodeBound,
  decodeValue,
  encodeValue,
  truncateLowerBound,
  truncateUpperBound,
} from '../../../src/catalog/schema/value.ts';

const type = parsePrimitiveType;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const values: [string, fc.Arbitrary<Value>][] = [
  ['boolean', fc.boolean()],
  ['int', fc.integer()],
  ['date', fc.integer()],
  ['float', fc.float()],
  ['double', fc.double()],
  ['long', int64],
  ['time', int64],
  ['timestamp', int64],
  ['timestamptz_ns', int64],
  ['decimal(38, 4)', fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n })],
  ['string', fc.string({ unit: 'binary' }).map((text) => text.toWellFormed())],
  ['uuid', fc.uint8Array({ minLength: 16, maxLength: 16 })],
  ['fixed[5]', fc.uint8Array({ minLength: 5, maxLength: 5 })],
  ['binary', fc.uint8Array()],
];

test('values are serialized as Appendix D says', () => {
  assert.deepEqual(encodeValue(type('boolean'), true), bytes(1));
  assert.deepEqual(encodeValue(type('int'), -2), bytes(0xfe, 0xff, 0xff, 0xff));
  assert.deepEqual(encodeValue(type('long'), 34n), bytes(34, 0, 0, 0, 0, 0, 0, 0));
  assert.deepEqual(encodeValue(type('float'), 1), bytes(0, 0, 0x80, 0x3f));
  assert.deepEqual(encodeValue(type('decimal(9, 2)'), 1420n), bytes(0x05, 0x8c));
  assert.deepEqual(encodeValue(type('decimal(9, 2)'), -1n), bytes(0xff));
  assert.deepEqual(encodeValue(type('decimal(9, 2)'), 128n), bytes(0, 0x80));
  assert.deepEqual(encodeValue(type('decimal(9, 2)'), -128n), bytes(0x80));
  assert.deepEqual(encodeValue(type('decimal(9, 2)'), 0n), bytes(0));
  assert.deepEqual(encodeValue(type('string'), 'é'), bytes(0xc3, 0xa9));
});

test('every value decodes to what was encoded', () => {
  for (const [name, arbitrary] of values) {
    fc.assert(
      fc.property(arbitrary, (value) =>
        assert.deepEqual(decodeValue(type(name), encodeValue(type(name), value)), value),
      ),
    );
  }
});

test('bounds written before a type was widened are read by their length', () => {
  assert.equal(decodeValue(type('long'), encodeValue(type('int'), -7)), -7n);
  assert.equal(decodeValue(type('double'), encodeValue(type('float'), 0.5)), 0.5);
  assert.equal(decodeValue(type('timestamp'), encodeValue(type('date'), -1)), -86_400_000_000n);
  assert.equal(decodeValue(type('timestamp_ns'), encodeValue(type('date'), 1)), 86_400_000_000_000n);
  assert.equal(decodeValue(type('decimal(38, 2)'), bytes(0, 0, 0, 0, 0x05, 0x8c)), 1420n);
});

test('bytes that are no value of the type are CORRUPT_FILE, and as a bound nothing', () => {
  const wrong: [string, Uint8Array][] = [
    ['int', bytes(1)],
    ['int', bytes(1, 2, 3, 4, 5, 6, 7, 8)],
    ['timestamptz', bytes(1, 2, 3, 4)],
    ['decimal(9, 2)', bytes()],
    ['decimal(9, 2)', new Uint8Array(1000)],
    ['string', bytes(0xc3)],
    ['uuid', bytes(1, 2)],
    ['boolean', bytes()],
    ['fixed[2]', bytes(1, 2, 3)],
    ['unknown', bytes(1)],
  ];
  for (const [name, data] of wrong) {
    assert.throws(() => decodeValue(type(name), data), { code: 'CORRUPT_FILE' }, name);
    assert.equal(decodeBound(type(name), data), null);
  }
});

test('a value of another type or out of range is refused', () => {
  const wrong: [string, Value][] = [
    ['int', 2 ** 31],
    ['int', 1.5],
    ['long', 2n ** 63n],
    ['long', 1],
    ['string', bytes(1)],
    ['uuid', bytes(1)],
    ['fixed[1]', bytes(1, 2)],
  ];
  for (const [name, value] of wrong) {
    assert.throws(() => encodeValue(type(name), value), { code: 'SCHEMA_MISMATCH' }, name);
  }
});

test('strings and bytes compare as their bytes do', () => {
  const text = fc.string({ unit: 'binary' }).map((value) => value.toWellFormed());
  fc.assert(
    fc.property(text, text, (a, b) => {
      const order = Math.sign(compareValues(type('string'), a, b));
      assert.equal(order, Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      assert.equal(Math.sign(compareValues(type('binary'), a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
  assert.ok(compareValues(type('string'), '\uffff', '😀') < 0);
});

test('zeros of both signs are equal and NaN comes last', () => {
  assert.equal(compareValues(type('double'), -0, 0), 0);
  assert.equal(compareValues(type('double'), Number.NaN, Number.NaN), 0);
  assert.ok(compareValues(type('double'), Number.NaN, Number.POSITIVE_INFINITY) > 0);
  assert.ok(compareValues(type('double'), Number.NEGATIVE_INFINITY, Number.NaN) < 0);
});

test('a cut bound still bounds its value and has at most 16 code points or bytes', () => {
  const long = fc.string({ unit: fc.constantFrom('a', '\ud7ff', '\uffff', '😀', '\u{10ffff}'), maxLength: 24 });
  fc.assert(
    fc.property(long, (value) => {
      const lower = truncateLowerBound(type('string'), value) as string;
      const upper = truncateUpperBound(type('string'), value) as string | null;
      assert.ok(compareValues(type('string'), lower, value) <= 0 && [...lower].length <= 16);
      if (upper === null) assert.match(value, /^\u{10ffff}{17}/u);
      else {
        assert.ok(compareValues(type('string'), upper, value) >= 0 && [...upper].length <= 16);
        assert.ok(upper.isWellFormed());
      }
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 1, 254, 255), { maxLength: 20 }), (items) => {
      const value = Uint8Array.from(items);
      const upper = truncateUpperBound(type('binary'), value) as Uint8Array | null;
      assert.ok(compareValues(type('binary'), truncateLowerBound(type('binary'), value)!, value) <= 0);
      if (upper === null) assert.ok(value.length > 16 && value.subarray(0, 16).every((byte) => byte === 255));
      else assert.ok(compareValues(type('binary'), upper, value) >= 0 && upper.length <= 16);
    }),
  );
});

test('an upper bound steps over the surrogates and carries when the last code point is the highest', () => {
  assert.equal(truncateUpperBound(type('string'), 'abc', 2), 'ac');
  assert.equal(truncateUpperBound(type('string'), 'a\ud7ffz', 2), 'a\ue000');
  assert.equal(truncateUpperBound(type('string'), 'a\u{10ffff}z', 2), 'b');
  assert.equal(truncateUpperBound(type('string'), '\u{10ffff}\u{10ffff}z', 2), null);
  assert.equal(truncateUpperBound(type('string'), 'ab', 2), 'ab');
  assert.deepEqual(truncateUpperBound(type('fixed[3]'), bytes(1, 255, 3), 2), bytes(2));
  assert.equal(truncateUpperBound(type('binary'), bytes(255, 255, 3), 2), null);
  assert.equal(truncateUpperBound(type('long'), 5n, 2), 5n);
});
