import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { civilFromDays, daysFromCivil } from '../../../src/catalog/schema/calendar.ts';
import { parsePrimitiveType } from '../../../src/catalog/schema/type-text.ts';
import type { Value } from '../../../src/catalog/schema/types.ts';
import {
  formatDate,
  formatTimestamp,
  parseDate,
  parseDecimal,
  parseTime,
  parseTimestamp,
  parseUuid,
  valueFromJson,
  valueToJson,
} from '../../../src/catalog/schema/value-json.ts';

const type = parsePrimitiveType;
const refused = { code: 'INVALID_REQUEST' };

test('single values are JSON as the examples of Appendix D', () => {
  const examples: [string, unknown, Value][] = [
    ['boolean', true, true],
    ['int', 34, 34],
    ['long', 34, 34n],
    ['float', 1.0, 1],
    ['double', 1.0, 1],
    ['decimal(9, 2)', '14.20', 1420n],
    ['date', '2017-11-16', 17486],
    ['time', '22:31:08.123456', 81068123456n],
    ['timestamp', '2017-11-16T22:31:08.123456', 1510871468123456n],
    ['timestamptz', '2017-11-16T22:31:08.123456+00:00', 1510871468123456n],
    ['timestamp_ns', '2017-11-16T22:31:08.123456789', 1510871468123456789n],
    ['timestamptz_ns', '2017-11-16T22:31:08.123456789+00:00', 1510871468123456789n],
    ['string', 'iceberg', 'iceberg'],
    ['uuid', 'f79c3e09-677c-4bbd-a479-3f349cb785e7', parseUuid('f79c3e09-677c-4bbd-a479-3f349cb785e7')],
    ['fixed[4]', '000102ff', Uint8Array.of(0, 1, 2, 255)],
    ['binary', '000102ff', Uint8Array.of(0, 1, 2, 255)],
  ];
  for (const [name, json, value] of examples) {
    assert.deepEqual(valueFromJson(type(name), json), value, name);
    assert.deepEqual(valueToJson(type(name), value), json, name);
  }
});

test('a long beyond 2^53 survives JSON as a bigint', () => {
  assert.equal(valueToJson(type('long'), 2n ** 62n), 2n ** 62n);
  assert.equal(valueFromJson(type('long'), 2n ** 62n), 2n ** 62n);
});

test('JSON of another type is refused', () => {
  const wrong: [string, unknown][] = [
    ['boolean', 1],
    ['int', 2 ** 31],
    ['int', '1'],
    ['int', null],
    ['long', 2 ** 60],
    ['long', 1.5],
    ['double', 'one'],
    ['string', 1],
    ['fixed[2]', '00'],
    ['binary', '0'],
    ['date', 1],
  ];
  for (const [name, json] of wrong) {
    assert.throws(() => valueFromJson(type(name), json), { code: 'SCHEMA_MISMATCH' }, `${name} ${json}`);
  }
});

test('days and calendar dates are each other inverse over all 32-bit days', () => {
  fc.assert(
    fc.property(fc.integer({ min: -2147483648, max: 2147483647 }), (days) => {
      assert.equal(daysFromCivil(civilFromDays(days)), days);
      assert.equal(parseDate(formatDate(days)), days);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: -100_000_000, max: 100_000_000 }), (days) => {
      const date = new Date(days * 86_400_000);
      const civil = { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
      assert.deepEqual(civilFromDays(days), civil);
    }),
  );
});

test('dates before 1970, before 0 and after 9999 are read, others refused', () => {
  assert.equal(parseDate('1970-01-01'), 0);
  assert.equal(parseDate('1969-12-31'), -1);
  assert.equal(parseDate('0000-01-01'), -719_528);
  assert.equal(parseDate('-0001-12-31'), -719_529);
  assert.equal(parseDate('+10000-01-01'), 2_932_897);
  for (const text of [
    '2020-02-30',
    '2021-02-29',
    '2020-13-01',
    '20-01-01',
    '10000-01-01',
    '2020-1-1',
    '',
    'x'.repeat(1000),
  ]) {
    assert.throws(() => parseDate(text), refused, text);
  }
  assert.throws(() => parseDate('+9999999-01-01'), refused);
});

test('times and timestamps are read exactly or refused', () => {
  assert.equal(parseTime('00:00'), 0n);
  assert.equal(parseTime('23:59:59.999999'), 86_399_999_999n);
  assert.equal(parseTimestamp('1969-12-31T23:59:59.999999', 'us', false), -1n);
  assert.equal(parseTimestamp('1969-12-31 23:59:59.999999999Z', 'ns', true), -1n);
  assert.equal(parseTimestamp('2020-01-01T01:00:00+0100', 'us', true), parseTimestamp('2020-01-01T00:00Z', 'us', true));
  assert.equal(parseTimestamp('2020-01-01', 'us', false), parseTimestamp('2020-01-01T00:00', 'us', false));
  assert.equal(parseTimestamp('2020-01-01T00:00:00.5000000', 'us', false) % 1_000_000n, 500_000n);
  for (const text of ['24:00:00', '23:60:00', '23:59:60', '1:00', '00:00:00.0000001', '00:00:00.']) {
    assert.throws(() => parseTime(text), refused, text);
  }
  const wrong: [string, 'us' | 'ns', boolean][] = [
    ['2020-01-01T00:00:00', 'us', true],
    ['2020-01-01T00:00:00Z', 'us', false],
    ['2020-01-01', 'us', true],
    ['2020-01-01T00:00:00.0000001', 'us', false],
    ['2020-01-01T00:00:00+19:00', 'us', true],
    ['2020-01-01T00:00:00 Z', 'us', true],
    ['2020-01-01T', 'us', false],
    ['2020-01-01T00:00T00:00', 'us', false],
    ['2300-01-01T00:00:00', 'ns', false],
    ['+300000-01-01T00:00:00', 'us', false],
  ];
  for (const [text, unit, zoned] of wrong) assert.throws(() => parseTimestamp(text, unit, zoned), refused, text);
});

test('every timestamp is read back as it was printed', () => {
  const value = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  fc.assert(
    fc.property(value, fc.constantFrom('us', 'ns'), fc.boolean(), (instant, unit, zoned) => {
      assert.equal(parseTimestamp(formatTimestamp(instant, unit, zoned), unit, zoned), instant);
    }),
  );
});

test('a decimal keeps every digit or is refused', () => {
  assert.equal(parseDecimal('-0.05', 2), -5n);
  assert.equal(parseDecimal('1.25e3', 2), 125_000n);
  assert.equal(parseDecimal('12.500', 2), 1250n);
  assert.equal(parseDecimal('.5', 1), 5n);
  assert.equal(parseDecimal('99999999999999999999999999999999999999', 0), 10n ** 38n - 1n);
  for (const [text, scale, precision] of [
    ['0.005', 2, 38],
    ['1', 0, 0],
    ['100', 0, 2],
    ['1e9999', 0, 38],
    ['1e150', 0, 38],
    ['', 0, 38],
    ['.', 0, 38],
    ['1_0', 0, 38],
    ['NaN', 0, 38],
    ['9'.repeat(5000), 0, 38],
  ] as const) {
    assert.throws(() => parseDecimal(text, scale, precision), refused, text.slice(0, 20));
  }
});
