import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { applyTransform, parseTransform } from '../../../src/catalog/partition/transform.ts';
import type { PrimitiveType, Value } from '../../../src/catalog/schema/types.ts';
import type { Mask } from '../../../src/core/access.ts';
import type { Column } from '../../../src/scan/arrow/column.ts';
import { arrowTypeOf } from '../../../src/scan/arrow/iceberg.ts';
import { sliceColumn } from '../../../src/scan/arrow/kernels/slice.ts';
import { applyMask } from '../../../src/scan/restrict/apply-mask.ts';
import { firstDayOfMonth, monthsSinceEpoch } from '../../../src/scan/restrict/calendar-days.ts';
import { maskAppliesTo, maskResultType } from '../../../src/scan/restrict/masks.ts';
import { Random } from '../arrow/sample-columns.ts';
import { leafValues, primitives, randomLeaf } from './sample-leaves.ts';

const keys = { global: Buffer.from('the key of the house'), query: Buffer.from('a key for one query') };
const string: PrimitiveType = { kind: 'string' };

const transforms = [
  'bucket[16]',
  'bucket[1000000]',
  'truncate[3]',
  'truncate[1000000000]',
  'year',
  'month',
  'day',
  'hour',
  'void',
  'identity',
  'zorder',
];
const masks: readonly Mask[] = [
  { kind: 'truncate-to-month' },
  { kind: 'truncate-to-year' },
  { kind: 'show-first-4' },
  { kind: 'show-last-4' },
  { kind: 'mask-alphanum' },
  ...transforms.map((transform): Mask => ({ kind: 'apply-transform', transform })),
  { kind: 'sha-256-global' },
  { kind: 'sha-256-query-local' },
  { kind: 'mask-to-default' },
  { kind: 'replace-with-null' },
];

/** What each mask makes of one value, the slow way. */
function maskedValue(mask: Mask, type: PrimitiveType, value: Value | null): Value | null {
  if (mask.kind === 'mask-to-default') return defaultOf(type);
  if (mask.kind === 'replace-with-null' || !maskAppliesTo(mask, type) || value === null) return null;
  switch (mask.kind) {
    case 'mask-alphanum':
      return hide([...(value as string)]);
    case 'show-first-4': {
      const points = [...(value as string)];
      return points.slice(0, 4).join('') + hide(points.slice(4));
    }
    case 'show-last-4': {
      const points = [...(value as string)];
      const hidden = Math.max(0, points.length - 4);
      return hide(points.slice(0, hidden)) + points.slice(hidden).join('');
    }
    case 'truncate-to-month':
    case 'truncate-to-year':
      return truncated(type, value, mask.kind === 'truncate-to-month');
    case 'sha-256-global':
      return hashed(type, value, keys.global);
    case 'sha-256-query-local':
      return hashed(type, value, keys.query);
    case 'apply-transform':
      return applyTransform(parseTransform(mask.transform), type, value);
    default:
      return mask satisfies never;
  }
}

const hide = (points: string[]): string =>
  points.map((point) => (/^[0-9]$/.test(point) ? 'n' : '(),.-@'.includes(point) ? point : 'x')).join('');

function truncated(type: PrimitiveType, value: Value, toMonth: boolean): Value {
  const perDay = type.kind.endsWith('_ns') ? 86_400_000_000_000n : 86_400_000_000n;
  const date = new Date(0);
  if (type.kind === 'date') date.setUTCDate(1 + (value as number));
  else {
    const days = (value as bigint) / perDay - ((value as bigint) % perDay < 0n ? 1n : 0n);
    date.setTime(Number(days) * 86_400_000);
  }
  const start = new Date(0);
  start.setUTCFullYear(date.getUTCFullYear(), toMonth ? date.getUTCMonth() : 0, 1);
  const days = start.getTime() / 86_400_000;
  return type.kind === 'date' ? days : BigInt.asIntN(64, BigInt(days) * perDay);
}

function hashed(type: PrimitiveType, value: Value, key: Uint8Array): Value {
  const hmac = createHmac('sha256', key);
  if (typeof value === 'string') return hmac.update(value, 'utf8').digest('hex');
  if (value instanceof Uint8Array) return Uint8Array.from(hmac.update(value).digest());
  const bytes = Buffer.alloc(type.kind === 'int' ? 4 : 8);
  if (type.kind === 'int') bytes.writeInt32LE(value as number);
  else bytes.writeBigInt64LE(value as bigint);
  const digest = hmac.update(bytes).digest();
  return type.kind === 'int' ? digest.readInt32LE() : digest.readBigInt64LE();
}

function defaultOf(type: PrimitiveType): Value {
  switch (type.kind) {
    case 'boolean':
      return false;
    case 'int':
    case 'date':
    case 'float':
    case 'double':
      return 0;
    case 'string':
      return 'XXXXXXXX';
    case 'uuid':
      return new Uint8Array(16);
    case 'fixed':
      return new Uint8Array(type.length);
    case 'binary':
      return new Uint8Array(0);
    default:
      return 0n;
  }
}

for (const mask of masks) {
  const name = mask.kind === 'apply-transform' ? mask.transform : mask.kind;
  test(`${name} gives every type the values that it should, or nulls where it does not apply`, () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(...primitives), (seed, type) => {
        const random = new Random(seed);
        const column = randomLeaf(random, type, random.below(40));
        const sliced = sliceColumn(column, Math.min(column.length, random.below(4)), column.length);
        const masked = applyMask(sliced, type, mask, keys);
        const result = maskResultType(mask, type);
        assert.deepEqual(masked.type, arrowTypeOf(result));
        assert.deepEqual(
          leafValues(masked, result),
          leafValues(sliced, type).map((value) => maskedValue(mask, type, value)),
        );
        if (mask.kind !== 'mask-to-default') checkZeroUnderNulls(masked);
      }),
      { numRuns: 150 },
    );
  });
}

function checkZeroUnderNulls(column: Column): void {
  if (column.kind !== 'fixed' || column.validity === null) return;
  for (let row = 0; row < column.length; row++) {
    if (((column.validity[row >> 3]! >> (row & 7)) & 1) === 1) continue;
    assert.ok(column.values.subarray(row * column.width, (row + 1) * column.width).every((byte) => byte === 0));
  }
}

const textColumn = (...values: (string | null)[]): Column => {
  const bytes = values.map((value) => Buffer.from(value ?? 'HIDDEN'));
  const offsets = new Int32Array(values.length + 1);
  bytes.forEach((part, row) => {
    offsets[row + 1] = offsets[row]! + part.length;
  });
  const validity = new Uint8Array((values.length + 7) >> 3);
  values.forEach((value, row) => {
    if (value !== null) validity[row >> 3]! |= 1 << (row & 7);
  });
  const nullCount = values.filter((value) => value === null).length;
  const type = { kind: 'utf8' } as const;
  return {
    kind: 'bytes',
    type,
    length: values.length,
    nullCount,
    validity: nullCount > 0 ? validity : null,
    offsets,
    values: Buffer.concat(bytes),
  };
};

const texts = (mask: Mask['kind'], ...values: (string | null)[]) =>
  leafValues(applyMask(textColumn(...values), string, { kind: mask } as Mask, keys), string);

test('text masks read as Iceberg specifies them', () => {
  assert.deepEqual(texts('mask-alphanum', 'Ann-Lee (42) é😀@x.org', null, ''), ['xxx-xxxx(nn)xxx@x.xxx', null, '']);
  assert.deepEqual(texts('show-first-4', '555-0199', 'éàü😀abc', 'abcd', 'ab'), ['555-nnnn', 'éàü😀xxx', 'abcd', 'ab']);
  assert.deepEqual(texts('show-last-4', '555-0199', 'abcéàü😀', 'abcd', 'ab'), ['nnn-0199', 'xxxéàü😀', 'abcd', 'ab']);
});

test('the default replaces nulls too, so that it does not tell them apart', () => {
  assert.deepEqual(texts('mask-to-default', 'a', null), ['XXXXXXXX', 'XXXXXXXX']);
});

test('broken UTF-8 does not show more than the four bytes that one code point may have', () => {
  const bytes = Buffer.alloc(100, 0x80);
  bytes.write('secret', 50);
  const column = { ...textColumn('x'), offsets: Int32Array.of(0, bytes.length), values: bytes } as Column;
  for (const kind of ['show-first-4', 'show-last-4', 'mask-alphanum'] as const) {
    const masked = applyMask(column, string, { kind }, keys);
    assert.ok(masked.kind === 'bytes' && !Buffer.from(masked.values).includes('secret'), kind);
  }
});

test('one key gives one hash, another key another, and no hash is the plain SHA-256', () => {
  const [global] = texts('sha-256-global', 'alice@example.com');
  const [query] = texts('sha-256-query-local', 'alice@example.com');
  assert.match(global as string, /^[0-9a-f]{64}$/);
  assert.notEqual(global, query);
  assert.deepEqual(texts('sha-256-global', 'alice@example.com', 'bob'), [
    global,
    createHmac('sha256', keys.global).update('bob').digest('hex'),
  ]);
  const long = 'x'.repeat(10_000);
  assert.deepEqual(texts('sha-256-global', long), [createHmac('sha256', keys.global).update(long).digest('hex')]);
  const longKey = { global: Buffer.alloc(100, 7), query: keys.query };
  const hash = leafValues(applyMask(textColumn('a'), string, { kind: 'sha-256-global' }, longKey), string);
  assert.deepEqual(hash, [createHmac('sha256', longKey.global).update('a').digest('hex')]);
});

test('a masked dictionary has one entry per masked value, in the order of the rows, and none that no row uses', () => {
  const dictionary = textColumn('unused', 'bob', 'amy', 'ann', 'elsewhere');
  const column: Column = {
    kind: 'dictionary',
    type: { kind: 'utf8' },
    length: 4,
    nullCount: 0,
    validity: null,
    indices: Int32Array.of(3, 1, 2, 3),
    dictionary,
  };
  const masked = applyMask(column, string, { kind: 'mask-alphanum' }, keys);
  assert.ok(masked.kind === 'dictionary');
  assert.deepEqual(leafValues(masked.dictionary, string), ['xxx']);
  assert.deepEqual([...masked.indices], [0, 0, 0, 0]);
  const hashes = applyMask(column, string, { kind: 'sha-256-global' }, keys);
  assert.ok(hashes.kind === 'dictionary');
  assert.equal(hashes.dictionary.length, 3);
  assert.deepEqual([...hashes.indices], [0, 1, 2, 0]);
});

test('months are counted and found again over the whole calendar', () => {
  for (let days = -800_000; days < 3_000_000; days += 17) {
    const date = new Date(days * 86_400_000);
    const months = (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
    assert.equal(monthsSinceEpoch(days), months);
    assert.equal(firstDayOfMonth(months), days - date.getUTCDate() + 1);
  }
});
