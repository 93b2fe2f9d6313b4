import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isServiceError } from '../../../src/core/errors.ts';
import type { ArrowType, Column, FixedColumn } from '../../../src/scan/arrow/column.ts';
import { bitmapBytes, countSetBits, sliceBitmap } from '../../../src/scan/arrow/kernels/bitmap.ts';
import { createByteBudget } from '../../../src/scan/arrow/kernels/byte-budget.ts';
import { columnBytes } from '../../../src/scan/arrow/kernels/bytes.ts';
import { castColumn } from '../../../src/scan/arrow/kernels/cast.ts';
import { concatColumns } from '../../../src/scan/arrow/kernels/concat.ts';
import { hydrate } from '../../../src/scan/arrow/kernels/hydrate.ts';
import { nullColumn } from '../../../src/scan/arrow/kernels/null-column.ts';
import { sliceColumn } from '../../../src/scan/arrow/kernels/slice.ts';
import { takeColumn } from '../../../src/scan/arrow/kernels/take.ts';
import { Random, randomColumn, randomType, valueAt, valuesOf } from './sample-columns.ts';

const runs = { numRuns: 400 };

/** Runs a property over columns of random types. */
function forColumns(property: (column: Column, random: Random, type: ArrowType) => void): void {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = new Random(seed);
      const type = randomType(random, 3);
      property(randomColumn(random, type, random.below(40)), random, type);
    }),
    runs,
  );
}

function checkNullCount(column: Column): void {
  assert.equal(column.nullCount, valuesOf(column).filter((value) => value === null).length);
  if (column.kind !== 'null') assert.equal(column.validity === null, column.nullCount === 0);
}

test('taking rows gives those rows in that order, and nulls for -1', () => {
  forColumns((column, random) => {
    const indices = Int32Array.from({ length: random.below(60) }, () =>
      column.length === 0 ? -1 : random.below(column.length + 1) - 1,
    );
    const taken = takeColumn(column, indices);
    assert.deepEqual(
      valuesOf(taken),
      [...indices].map((index) => (index < 0 ? null : valueAt(column, index))),
    );
    checkNullCount(taken);
  });
});

test('a slice holds its rows alone, from row 0, in aligned buffers', () => {
  forColumns((column, random) => {
    const start = random.below(column.length + 1);
    const end = start + random.below(column.length - start + 1);
    const slice = sliceColumn(column, start, end);
    assert.deepEqual(valuesOf(slice), valuesOf(column).slice(start, end));
    checkNullCount(slice);
    if (slice.kind === 'fixed') assert.equal(slice.values.byteOffset % 8, 0);
  });
});

test('columns joined hold the rows of each in turn', () => {
  forColumns((column, random, type) => {
    const parts = [
      column,
      ...Array.from({ length: random.below(3) }, () => randomColumn(random, type, random.below(20))),
    ];
    const cut = parts.map((part) => sliceColumn(part, Math.min(part.length, random.below(3)), part.length));
    const joined = concatColumns(cut);
    assert.deepEqual(valuesOf(joined), cut.flatMap(valuesOf));
    checkNullCount(joined);
    assert.equal(
      joined.length,
      cut.reduce((sum, part) => sum + part.length, 0),
    );
  });
});

test('a hydrated column has the same values and no dictionary', () => {
  const hasDictionary = (column: Column): boolean =>
    column.kind === 'dictionary' ||
    (column.kind === 'struct' && column.children.some(hasDictionary)) ||
    ((column.kind === 'list' || column.kind === 'fixed-list') && hasDictionary(column.child));
  forColumns((column) => {
    const plain = hydrate(column);
    assert.deepEqual(valuesOf(plain), valuesOf(column));
    assert.ok(!hasDictionary(plain));
  });
});

test('a null column is null in every row and zero in every byte', () => {
  forColumns((_, random, type) => {
    const column = nullColumn(type, random.below(20));
    assert.ok(valuesOf(column).every((value) => value === null));
    checkNullCount(column);
    if (column.kind === 'fixed') assert.ok(column.values.every((byte) => byte === 0));
  });
});

test('bits are counted and sliced at any offset', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(), fc.nat(), (bytes, a, b) => {
      const bits = bytes.length * 8;
      const [start, end] = [Math.min(a % (bits + 1), b % (bits + 1)), Math.max(a % (bits + 1), b % (bits + 1))];
      const naive = Array.from(
        { length: end - start },
        (_, at) => (bytes[(start + at) >> 3]! >> ((start + at) & 7)) & 1,
      );
      const slice = sliceBitmap(bytes, start, end);
      assert.equal(slice.length, bitmapBytes(end - start));
      assert.deepEqual(
        Array.from({ length: end - start }, (_, at) => (slice[at >> 3]! >> (at & 7)) & 1),
        naive,
      );
      assert.equal(
        countSetBits(slice, end - start),
        naive.reduce((sum, bit) => sum + bit, 0),
      );
    }),
  );
});

test('the bytes of a column are those of its buffers', () => {
  const int32 = fixed({ kind: 'int', bits: 32, signed: true }, new Int32Array(10));
  assert.equal(columnBytes(int32), 40);
  assert.equal(columnBytes({ ...int32, nullCount: 1, validity: new Uint8Array([0xfe, 3]) }), 42);
  assert.equal(columnBytes(nullColumn({ kind: 'utf8' }, 3)), 1 + 16);
});

test('taking more bytes than a budget allows is refused before they are allocated', () => {
  const list: Column = {
    kind: 'list',
    type: { kind: 'list', element: { name: 'e', type: { kind: 'bool' }, nullable: true, metadata: new Map() } },
    length: 1,
    nullCount: 0,
    validity: null,
    offsets: new Int32Array([0, 1 << 20]),
    child: {
      kind: 'bool',
      type: { kind: 'bool' },
      length: 1 << 20,
      nullCount: 0,
      validity: null,
      values: new Uint8Array(1 << 17),
    },
  };
  const indices = new Int32Array(1000);
  assert.throws(
    () => takeColumn(list, indices, createByteBudget(1 << 24)),
    (error) => isServiceError(error, 'LIMIT_EXCEEDED'),
  );
});

function fixed(type: ArrowType, values: ArrayBufferView, validity: Uint8Array | null = null): FixedColumn {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const width =
    type.kind === 'int' || type.kind === 'float' || type.kind === 'decimal'
      ? type.bits / 8
      : type.kind === 'date' && type.unit === 'day'
        ? 4
        : 8;
  const length = bytes.length / width;
  const nullCount = validity === null ? 0 : length - countSetBits(validity, length);
  return { kind: 'fixed', type, length, nullCount, validity, width, values: bytes };
}

const longs = (column: Column): bigint[] => {
  assert.ok(column.kind === 'fixed');
  return [...new BigInt64Array(column.values.buffer, column.values.byteOffset, column.length)];
};
const int = (bits: 8 | 16 | 32 | 64, signed = true): ArrowType => ({ kind: 'int', bits, signed });
const timestamp = (unit: 's' | 'ms' | 'us' | 'ns', timezone: string | null = null): ArrowType => ({
  kind: 'timestamp',
  unit,
  timezone,
});

test('integers widen with their sign', () => {
  assert.deepEqual(longs(castColumn(fixed(int(32), Int32Array.of(-1, 5, -2147483648)), int(64))), [
    -1n,
    5n,
    -2147483648n,
  ]);
  assert.deepEqual(longs(castColumn(fixed(int(8), Int8Array.of(-1, 127, -128)), int(64))), [-1n, 127n, -128n]);
  assert.deepEqual(longs(castColumn(fixed(int(16, false), Uint16Array.of(65535, 0)), int(64))), [65535n, 0n]);
  assert.deepEqual(longs(castColumn(fixed(int(32, false), Uint32Array.of(4294967295, 1)), int(64))), [4294967295n, 1n]);
  const narrow = castColumn(fixed(int(16), Int16Array.of(-5, 5)), int(32));
  assert.deepEqual(valuesOf(narrow), valuesOf(fixed(int(32), Int32Array.of(-5, 5))));
});

test('seconds and milliseconds become microseconds exactly, over the whole range', () => {
  const bounded = (factor: bigint) => fc.bigInt({ min: -(2n ** 63n) / factor, max: (2n ** 63n - 1n) / factor });
  for (const [unit, factor] of [
    ['s', 1_000_000n],
    ['ms', 1000n],
  ] as const) {
    fc.assert(
      fc.property(fc.array(bounded(factor), { minLength: 1 }), (values) => {
        const cast = castColumn(fixed(timestamp(unit, 'UTC'), BigInt64Array.from(values)), timestamp('us', 'UTC'));
        assert.deepEqual(
          longs(cast),
          values.map((value) => value * factor),
        );
      }),
    );
    const beyond = fixed(timestamp(unit), BigInt64Array.of(0n, 2n ** 63n / factor + 1n));
    assert.throws(
      () => castColumn(beyond, timestamp('us')),
      (error) => isServiceError(error, 'SCHEMA_MISMATCH') && /row 1/.test(error.message),
    );
    // The same value under a null is of no account.
    castColumn({ ...beyond, nullCount: 1, validity: Uint8Array.of(1) }, timestamp('us'));
  }
});

test('date64 becomes whole days, rounding down before 1970', () => {
  const day = 86_400_000n;
  const dates = fixed({ kind: 'date', unit: 'ms' }, BigInt64Array.of(0n, day, -1n, -day, 20_000n * day + 5n));
  assert.deepEqual(
    valuesOf(castColumn(dates, { kind: 'date', unit: 'day' })),
    valuesOf(fixed({ kind: 'date', unit: 'day' }, Int32Array.of(0, 1, -1, -1, 20_000))),
  );
});

test('decimals widen in digits and in width', () => {
  const small: ArrowType = { kind: 'decimal', precision: 9, scale: 2, bits: 32 };
  const large: ArrowType = { kind: 'decimal', precision: 30, scale: 2, bits: 128 };
  const cast = castColumn(fixed(small, Int32Array.of(-1, 77)), large);
  assert.deepEqual(longs({ ...cast, length: 4 } as Column), [-1n, -1n, 77n, 0n]);
  assert.throws(
    () => castColumn(fixed(large, new BigInt64Array(2)), small),
    (error) => isServiceError(error, 'SCHEMA_MISMATCH'),
  );
});

test('floats become doubles of the same value', () => {
  const cast = castColumn(fixed({ kind: 'float', bits: 32 }, Float32Array.of(1.5, -0, Number.POSITIVE_INFINITY)), {
    kind: 'float',
    bits: 64,
  });
  assert.ok(cast.kind === 'fixed');
  assert.deepEqual([...new Float64Array(cast.values.buffer)], [1.5, -0, Number.POSITIVE_INFINITY]);
});

test('nested columns and dictionaries are cast leaf by leaf, fixed-size lists become lists', () => {
  const element = { name: 'element', type: int(32), nullable: true, metadata: new Map<string, string>() };
  const wide = { ...element, type: int(64) };
  const list: Column = {
    kind: 'fixed-list',
    type: { kind: 'fixed-size-list', element, size: 2 },
    length: 2,
    nullCount: 0,
    validity: null,
    size: 2,
    child: fixed(int(32), Int32Array.of(1, -2, 3, 4)),
  };
  const cast = castColumn(list, { kind: 'list', element: wide });
  assert.ok(cast.kind === 'list');
  assert.deepEqual([...cast.offsets], [0, 2, 4]);
  assert.deepEqual(longs(cast.child), [1n, -2n, 3n, 4n]);
  const dictionary: Column = {
    ...list.child,
    kind: 'dictionary',
    length: 3,
    indices: Int32Array.of(1, 0, 1),
    dictionary: list.child,
  };
  assert.deepEqual(longs(hydrate(castColumn(dictionary, int(64)))), [-2n, 1n, -2n]);
});

test('a cast that would lose something is refused', () => {
  const cases: [FixedColumn, ArrowType][] = [
    [fixed(int(64), new BigInt64Array(1)), int(32)],
    [fixed(int(32), new Int32Array(1)), int(32, false)],
    [fixed(int(64, false), new BigInt64Array(1)), int(64)],
    [fixed(timestamp('ns'), new BigInt64Array(1)), timestamp('us')],
    [fixed(timestamp('us'), new BigInt64Array(1)), timestamp('us', 'UTC')],
    [fixed({ kind: 'float', bits: 64 }, new Float64Array(1)), { kind: 'float', bits: 32 }],
    [fixed(int(32), new Int32Array(1)), { kind: 'utf8' }],
  ];
  for (const [column, to] of cases) {
    assert.throws(
      () => castColumn(column, to),
      (error) => isServiceError(error, 'SCHEMA_MISMATCH'),
      JSON.stringify([column.type, to]),
    );
  }
});
