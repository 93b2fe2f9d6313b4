import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PrimitiveType } from '../../../src/catalog/schema/types.ts';
import { decodeValue } from '../../../src/catalog/schema/value.ts';
import { fieldId } from '../../../src/core/ids.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { boundConversion } from '../../../src/scan/parquet/bounds.ts';
import { parseMetadata } from '../../../src/scan/parquet/metadata.ts';
import type { LogicalType, ParquetLeaf, PhysicalType } from '../../../src/scan/parquet/schema.ts';
import { rowGroupMetrics } from '../../../src/scan/parquet/statistics.ts';
import { ThriftWriter } from '../../../src/scan/parquet/thrift.ts';

function leafOf(physical: PhysicalType, logical: LogicalType | null, typeLength = 0): ParquetLeaf {
  const base = {
    kind: 'leaf',
    name: 'c',
    path: ['c'],
    fieldId: null,
    repetition: 'optional',
    chain: [],
    index: 0,
  } as const;
  return { ...base, physical, logical, typeLength };
}

function bytes(write: (view: DataView) => void, length: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(length));
  write(view);
  return new Uint8Array(view.buffer);
}
const int32 = (value: number): Uint8Array => bytes((view) => view.setInt32(0, value, true), 4);
const int64 = (value: bigint): Uint8Array => bytes((view) => view.setBigInt64(0, value, true), 8);
const float = (value: number): Uint8Array => bytes((view) => view.setFloat32(0, value, true), 4);
const double = (value: number): Uint8Array => bytes((view) => view.setFloat64(0, value, true), 8);

const long = { kind: 'long' } as const;
const timestamp = { kind: 'timestamp' } as const;
const unit = (kind: 'time' | 'timestamp', of: 'ms' | 'us' | 'ns'): LogicalType => ({ kind, unit: of, utc: false });

function bound(leaf: ParquetLeaf, type: PrimitiveType, value: Uint8Array, side: 'lower' | 'upper' = 'lower') {
  const converted = boundConversion(leaf, type)?.(value, side) ?? null;
  return converted === null ? null : decodeValue(type, converted);
}

test('bounds become those of the field that the column is read as', () => {
  const unsigned = leafOf('int32', { kind: 'int', bits: 32, signed: false });
  assert.equal(bound(leafOf('int32', null), { kind: 'int' }, int32(-5)), -5);
  assert.equal(bound(leafOf('int32', null), long, int32(-5)), -5n);
  assert.equal(bound(unsigned, long, int32(-1)), 4294967295n);
  assert.equal(bound(leafOf('float', null), { kind: 'double' }, float(1.5)), 1.5);
  assert.equal(bound(leafOf('int32', unit('time', 'ms')), { kind: 'time' }, int32(5)), 5000n);
  assert.equal(bound(leafOf('int64', unit('timestamp', 'ms')), timestamp, int64(-5n)), -5000n);
  const decimal = (precision: number): LogicalType => ({ kind: 'decimal', precision, scale: 2 });
  const type: PrimitiveType = { kind: 'decimal', precision: 30, scale: 2 };
  assert.equal(bound(leafOf('int32', decimal(9)), type, int32(-129)), -129n);
  assert.equal(
    bound(leafOf('fixed', decimal(25), 11), type, Uint8Array.from([...new Array(10).fill(255), 0x7f])),
    -129n,
  );
});

test('nanoseconds become microseconds that still enclose them', () => {
  const leaf = leafOf('int64', unit('timestamp', 'ns'));
  for (const value of [1999n, -1n, 2000n]) {
    const lower = bound(leaf, timestamp, int64(value), 'lower') as bigint;
    const upper = bound(leaf, timestamp, int64(value), 'upper') as bigint;
    assert.ok(lower * 1000n <= value && value <= upper * 1000n, `${lower} ${value} ${upper}`);
    assert.ok(upper - lower <= 1n);
  }
});

test('bounds that say nothing sure are left out', () => {
  assert.equal(bound(leafOf('double', null), { kind: 'double' }, double(Number.NaN)), null);
  assert.equal(bound(leafOf('int32', null), { kind: 'int' }, new Uint8Array(3)), null);
  assert.equal(boundConversion(leafOf('int96', null), timestamp), null);
  assert.equal(boundConversion(leafOf('fixed', { kind: 'interval' }, 12), { kind: 'uuid' }), null);
  assert.equal(boundConversion(leafOf('int64', { kind: 'int', bits: 64, signed: false }), long), null);
  assert.equal(boundConversion(leafOf('int64', null), timestamp), null);
  assert.equal(
    bound(
      leafOf('byte-array', { kind: 'decimal', precision: 9, scale: 2 }),
      { kind: 'decimal', precision: 9, scale: 2 },
      Uint8Array.of(1),
    ),
    null,
  );
  assert.ok(
    Object.is(bound(leafOf('float', null), { kind: 'float' }, float(0), 'lower'), -0),
    'a zero includes the other zero',
  );
  assert.ok(Object.is(bound(leafOf('float', null), { kind: 'float' }, float(-0), 'upper'), 0));
});

/** A footer of one row group with a text, an int and an unsigned int, each with statistics in the given fields of the struct. */
function footerWith(fields: { readonly max: number; readonly min: number }, ordered: boolean): Uint8Array {
  const columns = [
    { name: 'a', physical: 6, converted: 0, min: Uint8Array.of(97), max: Uint8Array.of(98) },
    { name: 'b', physical: 1, converted: null, min: int32(-1), max: int32(5) },
    { name: 'c', physical: 1, converted: 13, min: int32(1), max: int32(-1) },
  ];
  const writer = new ThriftWriter();
  writer.struct(() => {
    writer.structs(2, [null, ...columns], (column) => {
      writer.i32(1, column?.physical ?? null);
      writer.i32(3, 1);
      writer.binary(4, column?.name ?? 'root');
      writer.i32(5, column === null ? columns.length : null);
      writer.i32(6, column?.converted ?? null);
    });
    writer.i64(3, 10);
    writer.structs(4, [null], () => {
      writer.structs(1, columns, (column) => {
        writer.structField(3, () => {
          writer.i32(1, column.physical);
          writer.i32(4, 0);
          writer.i64(5, 10);
          writer.i64(6, 20);
          writer.i64(7, 20);
          writer.i64(9, 4);
          writer.structField(12, () => {
            const values = { [fields.max]: column.max, [fields.min]: column.min };
            for (const id of [1, 2]) writer.binary(id, values[id] ?? null);
            writer.i64(3, 2);
            for (const id of [5, 6]) writer.binary(id, values[id] ?? null);
          });
        });
      });
      writer.i64(3, 10);
    });
    if (ordered) writer.structs(7, columns, () => writer.structField(1, () => {}));
  });
  return writer.finish();
}

function boundsOf(footer: Uint8Array): Record<string, unknown> {
  const metadata = parseMetadata(footer, 100, defaultLimits);
  const types: PrimitiveType[] = [{ kind: 'string' }, { kind: 'int' }, long];
  const mapping = new Map(
    metadata.schema.leaves.map((leaf, at) => [leaf, { fieldId: fieldId(at + 1), type: types[at]! }]),
  );
  const metrics = rowGroupMetrics({ metadata, footer }, 0, mapping);
  assert.deepEqual([...metrics.nullCounts.values()], [2, 2, 2]);
  const decode = (bounds: ReadonlyMap<number, Uint8Array>) =>
    Object.fromEntries([...bounds].map(([id, value]) => ['abc'[id - 1], decodeValue(types[id - 1]!, value)]));
  return { lower: decode(metrics.lowerBounds), upper: decode(metrics.upperBounds) };
}

test('ordered statistics count for every type', () => {
  const bounds = { lower: { a: 'a', b: -1, c: 1n }, upper: { a: 'b', b: 5, c: 4294967295n } };
  assert.deepEqual(boundsOf(footerWith({ max: 5, min: 6 }, true)), bounds);
});

test('without a column order the ordered fields say nothing, and the old ones count for signed numbers alone', () => {
  assert.deepEqual(boundsOf(footerWith({ max: 5, min: 6 }, false)), { lower: {}, upper: {} });
  assert.deepEqual(boundsOf(footerWith({ max: 1, min: 2 }, false)), { lower: { b: -1 }, upper: { b: 5 } });
  assert.deepEqual(boundsOf(footerWith({ max: 1, min: 2 }, true)), { lower: { b: -1 }, upper: { b: 5 } });
});
