import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  applyTransform,
  formatTransform,
  hashValue,
  parseTransform,
  transformResultType,
} from '../../../src/catalog/partition/transform.ts';
import { parsePrimitiveType } from '../../../src/catalog/schema/type-text.ts';
import type { PrimitiveType, Value } from '../../../src/catalog/schema/types.ts';
import { compareValues } from '../../../src/catalog/schema/value.ts';
import {
  parseDate,
  parseDecimal,
  parseTime,
  parseTimestamp,
  parseUuid,
} from '../../../src/catalog/schema/value-json.ts';

const type = parsePrimitiveType;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const apply = (transform: string, source: string, value: Value | null): Value | null =>
  applyTransform(parseTransform(transform), type(source), value);

test('hashes are those of the specification, Appendix B', () => {
  const vectors: [string, Value, number][] = [
    ['int', 34, 2017239379],
    ['long', 34n, 2017239379],
    ['decimal(9, 2)', parseDecimal('14.20', 2), -500754589],
    ['date', parseDate('2017-11-16'), -653330422],
    ['time', parseTime('22:31:08'), -662762989],
    ['timestamp', parseTimestamp('2017-11-16T22:31:08', 'us', false), -2047944441],
    ['timestamp', parseTimestamp('2017-11-16T22:31:08.000001', 'us', false), -1207196810],
    ['timestamptz', parseTimestamp('2017-11-16T14:31:08-08:00', 'us', true), -2047944441],
    ['timestamptz', parseTimestamp('2017-11-16T14:31:08.000001-08:00', 'us', true), -1207196810],
    ['timestamp_ns', parseTimestamp('2017-11-16T22:31:08', 'ns', false), -2047944441],
    ['timestamp_ns', parseTimestamp('2017-11-16T22:31:08.000001001', 'ns', false), -1207196810],
    ['timestamptz_ns', parseTimestamp('2017-11-16T14:31:08-08:00', 'ns', true), -2047944441],
    ['timestamptz_ns', parseTimestamp('2017-11-16T14:31:08.000001001-08:00', 'ns', true), -1207196810],
    ['string', 'iceberg', 1210000089],
    ['uuid', parseUuid('f79c3e09-677c-4bbd-a479-3f349cb785e7'), 1488055340],
    ['fixed[4]', bytes(0, 1, 2, 3), -188683207],
    ['binary', bytes(0, 1, 2, 3), -188683207],
  ];
  for (const [source, value, hash] of vectors) assert.equal(hashValue(type(source), value), hash, source);
});

test('a bucket drops the sign bit of the hash', () => {
  assert.equal(apply('bucket[16]', 'decimal(9, 2)', 1420n), (-500754589 & 0x7fffffff) % 16);
  assert.equal(apply('bucket[100]', 'string', 'iceberg'), 1210000089 % 100);
});

test('nanoseconds fall in the bucket of the microsecond below, before 1970 too', () => {
  for (const nanos of [-1n, -999n, -1000n, -1001n, 1n, 999n, 1000n]) {
    const micros = nanos < 0n ? -((-nanos + 999n) / 1000n) : nanos / 1000n;
    assert.equal(apply('bucket[1000]', 'timestamp_ns', nanos), apply('bucket[1000]', 'timestamp', micros));
  }
});

test('parts of time before 1970 round down', () => {
  const rows: [string, string, Value, number][] = [
    ['year', 'date', -1, -1],
    ['month', 'date', -1, -1],
    ['day', 'date', -1, -1],
    ['year', 'date', parseDate('1969-01-01'), -1],
    ['year', 'date', parseDate('1968-12-31'), -2],
    ['month', 'date', parseDate('1969-01-01'), -12],
    ['month', 'date', parseDate('2017-11-16'), 574],
    ['year', 'date', parseDate('2017-11-16'), 47],
    ['day', 'timestamp', -1n, -1],
    ['hour', 'timestamp', -1n, -1],
    ['hour', 'timestamp', -3_600_000_000n, -1],
    ['hour', 'timestamp', -3_600_000_001n, -2],
    ['day', 'timestamp', -86_400_000_000n, -1],
    ['month', 'timestamp', -1n, -1],
    ['year', 'timestamp', -1n, -1],
    ['hour', 'timestamptz_ns', -1n, -1],
    ['day', 'timestamp_ns', -86_400_000_000_001n, -2],
    ['year', 'timestamp_ns', -(2n ** 63n), -293],
    ['year', 'timestamp', -(2n ** 63n), -292_278],
    ['day', 'timestamp', parseTimestamp('2017-12-01T10:30:55', 'us', false), 17_501],
    ['hour', 'timestamp', parseTimestamp('2017-12-01T10:30:55', 'us', false), 420_034],
  ];
  for (const [transform, source, value, expected] of rows) {
    assert.equal(apply(transform, source, value), expected, `${transform}(${source} ${value})`);
  }
});

test('truncate rounds down, by code points, by bytes, and by the scale of a decimal', () => {
  assert.equal(apply('truncate[10]', 'int', 1), 0);
  assert.equal(apply('truncate[10]', 'int', -1), -10);
  assert.equal(apply('truncate[10]', 'long', 1n), 0n);
  assert.equal(apply('truncate[10]', 'long', -1n), -10n);
  assert.equal(apply('truncate[50]', 'decimal(9, 2)', parseDecimal('10.65', 2)), parseDecimal('10.50', 2));
  assert.equal(apply('truncate[10]', 'decimal(9, 2)', parseDecimal('-0.05', 2)), parseDecimal('-0.10', 2));
  assert.equal(apply('truncate[3]', 'string', 'iceberg'), 'ice');
  assert.equal(apply('truncate[2]', 'string', '😀😁😂'), '😀😁');
  assert.deepEqual(apply('truncate[3]', 'binary', bytes(1, 2, 3, 4, 5)), bytes(1, 2, 3));
  assert.equal(apply('truncate[8]', 'int', -2147483648), -2147483648);
});

test('null stays null and void makes null of everything', () => {
  for (const transform of ['identity', 'void', 'bucket[4]', 'truncate[4]']) {
    assert.equal(apply(transform, 'string', null), null);
  }
  assert.equal(apply('void', 'double', 1.5), null);
});

test('result types are those of the specification', () => {
  const resultOf = (transform: string, source: string): PrimitiveType =>
    transformResultType(parseTransform(transform), type(source));
  assert.deepEqual(resultOf('day', 'timestamp'), { kind: 'date' });
  for (const part of ['year', 'month']) assert.deepEqual(resultOf(part, 'date'), { kind: 'int' });
  assert.deepEqual(resultOf('hour', 'timestamptz_ns'), { kind: 'int' });
  assert.deepEqual(resultOf('bucket[4]', 'uuid'), { kind: 'int' });
  assert.deepEqual(resultOf('truncate[4]', 'decimal(9, 2)'), { kind: 'decimal', precision: 9, scale: 2 });
  assert.deepEqual(resultOf('identity', 'fixed[3]'), { kind: 'fixed', length: 3 });
});

test('a transform is refused for a type that it does not apply to', () => {
  const pairs = [
    ['hour', 'date'],
    ['year', 'time'],
    ['day', 'string'],
    ['bucket[4]', 'double'],
    ['bucket[4]', 'boolean'],
    ['truncate[4]', 'uuid'],
    ['truncate[4]', 'fixed[4]'],
  ] as const;
  for (const [transform, source] of pairs) {
    assert.throws(() => transformResultType(parseTransform(transform), type(source)), { code: 'INVALID_REQUEST' });
  }
});

test('a transform of a later specification is kept as text and never applied', () => {
  const transform = parseTransform('zorder[3]');
  assert.deepEqual(transform, { kind: 'unknown', text: 'zorder[3]' });
  assert.equal(formatTransform(transform), 'zorder[3]');
  assert.throws(() => applyTransform(transform, type('int'), 1), { code: 'UNSUPPORTED_FEATURE' });
  assert.throws(() => parseTransform('bucket[0]'), { code: 'INVALID_REQUEST' });
  assert.throws(() => parseTransform('truncate[2147483648]'), { code: 'INVALID_REQUEST' });
});

test('transforms that preserve order do', () => {
  const cases: [string, string, fc.Arbitrary<Value>][] = [
    ['truncate[7]', 'int', fc.integer({ min: -2147483641, max: 2147483647 })],
    ['truncate[7]', 'decimal(20, 3)', fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n })],
    ['truncate[2]', 'string', fc.string({ unit: 'binary' })],
    ['truncate[2]', 'binary', fc.uint8Array({ maxLength: 5 })],
    ['year', 'date', fc.integer({ min: -2147483648, max: 2147483647 })],
    ['month', 'date', fc.integer({ min: -2147483648, max: 2147483647 })],
    ['day', 'timestamp', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
    ['hour', 'timestamp_ns', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  ];
  for (const [text, source, values] of cases) {
    const transform = parseTransform(text);
    const result = transformResultType(transform, type(source));
    fc.assert(
      fc.property(values, values, (a, b) => {
        const [low, high] = compareValues(type(source), a, b) <= 0 ? [a, b] : [b, a];
        const order = compareValues(result, apply(text, source, low)!, apply(text, source, high)!);
        assert.ok(order <= 0, `${text}(${source}): ${low} ${high}`);
      }),
    );
  }
});
