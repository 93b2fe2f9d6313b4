import { murmur3 } from '../../catalog/partition/murmur3.ts';
import { applyTransform } from '../../catalog/partition/transform.ts';
import type { Transform } from '../../catalog/partition/types.ts';
import type { PrimitiveType } from '../../catalog/schema/types.ts';
import type { ArrowType, BytesColumn, Column, FixedColumn } from '../arrow/column.ts';
import { bitAt } from '../arrow/kernels/bitmap.ts';
import { nullColumn } from '../arrow/kernels/null-column.ts';
import { copyBytes, withValues, wordsOf } from '../arrow/kernels/typed-views.ts';
import { monthsSinceEpoch, yearsSinceEpoch } from './calendar-days.ts';
import { truncateTexts } from './mask-text.ts';
import { clearNulls, daysOf, hoursOf } from './mask-time.ts';
import { factorMax, floorDivide, floorToMultiple } from './words64.ts';

type KnownTransform = Exclude<Transform, { kind: 'unknown' }>;

/**
 * A partition transform of every value of a plain column (table spec, "Partition Transforms"), of the type that
 * `transformResultType` says. Nulls stay null. The transform must apply to the type.
 */
export function transformColumn(column: Column, type: PrimitiveType, transform: KnownTransform): Column {
  if (transform.kind === 'void') return nullColumn(column.type, column.length);
  if (column.kind === 'bytes') return transformBytes(column, transform);
  if (column.kind === 'fixed') return transformFixed(column, type, transform);
  return column;
}

const int32: ArrowType = { kind: 'int', bits: 32, signed: true };

function asInts(column: FixedColumn | BytesColumn, ints: Int32Array, type: ArrowType = int32): FixedColumn {
  const { length, nullCount, validity } = column;
  return clearNulls({ ...withValues(emptyFixed, ints, 4), type, length, nullCount, validity });
}

const emptyFixed: FixedColumn = {
  kind: 'fixed',
  type: int32,
  length: 0,
  nullCount: 0,
  validity: null,
  width: 4,
  values: new Uint8Array(0),
};

function transformBytes(column: BytesColumn, transform: KnownTransform): Column {
  switch (transform.kind) {
    case 'bucket': {
      const { values, offsets } = column;
      const message = (row: number) => values.subarray(offsets[row]!, offsets[row + 1]!);
      return asInts(column, buckets(column.length, transform.buckets, message));
    }
    case 'truncate':
      return truncateTexts(column, transform.width);
    default:
      return { ...column, offsets: column.offsets.slice(), values: copyBytes(column.values) };
  }
}

function transformFixed(column: FixedColumn, type: PrimitiveType, transform: KnownTransform): Column {
  switch (transform.kind) {
    case 'bucket':
      return asInts(column, buckets(column.length, transform.buckets, hashedBytes(column, type)));
    case 'truncate':
      return truncateNumbers(column, type, transform.width);
    case 'year':
      return asInts(column, Int32Array.from(daysOf(column, type), yearsSinceEpoch));
    case 'month':
      return asInts(column, Int32Array.from(daysOf(column, type), monthsSinceEpoch));
    case 'day':
      return asInts(column, Int32Array.from(daysOf(column, type)), { kind: 'date', unit: 'day' });
    case 'hour':
      return asInts(column, Int32Array.from(hoursOf(column, type)));
    default:
      return { ...column, values: copyBytes(column.values) };
  }
}

function buckets(rows: number, count: number, message: (row: number) => Uint8Array): Int32Array {
  const ints = new Int32Array(rows);
  for (let row = 0; row < rows; row++) ints[row] = (murmur3(message(row)) & 0x7fffffff) % count;
  return ints;
}

/** The bytes that the specification hashes (Appendix B): integers as 8 bytes, nanoseconds as microseconds, decimals unscaled. */
function hashedBytes(column: FixedColumn, type: PrimitiveType): (row: number) => Uint8Array {
  const { values, width } = column;
  switch (type.kind) {
    case 'int':
    case 'date': {
      const long = new Uint8Array(8);
      const words = wordsOf(long);
      const source = wordsOf(values);
      return (row) => {
        words[0] = source[row]!;
        words[1] = source[row]! >> 31;
        return long;
      };
    }
    case 'timestamp_ns':
    case 'timestamptz_ns': {
      const micros = copyBytes(values);
      floorDivide(wordsOf(micros), 1000);
      return (row) => micros.subarray(row * 8, row * 8 + 8);
    }
    case 'decimal':
      return (row) => unscaledBytes(values.subarray(row * width, (row + 1) * width));
    default:
      return (row) => values.subarray(row * width, (row + 1) * width);
  }
}

/** Little-endian two's complement as the fewest big-endian bytes. */
function unscaledBytes(value: Uint8Array): Uint8Array {
  let bytes = value.length;
  const sign = value[bytes - 1]! >= 0x80 ? 0xff : 0;
  while (bytes > 1 && value[bytes - 1] === sign && (value[bytes - 2]! & 0x80) === (sign & 0x80)) bytes--;
  return value.slice(0, bytes).reverse();
}

function truncateNumbers(column: FixedColumn, type: PrimitiveType, width: number): FixedColumn {
  const values = copyBytes(column.values);
  if (column.width === 4) {
    const ints = wordsOf(values);
    for (let row = 0; row < ints.length; row++) ints[row] = Math.floor(ints[row]! / width) * width;
  } else if (column.width === 8 && width <= factorMax) {
    floorToMultiple(wordsOf(values), width);
  } else {
    truncateBigs(column, type, width, values);
  }
  return clearNulls({ ...column, values });
}

/** Decimals, and longs by a width beyond 2^21: rare enough for one BigInt a row. */
function truncateBigs(column: FixedColumn, type: PrimitiveType, width: number, values: Uint8Array): void {
  const view = new DataView(values.buffer, values.byteOffset);
  for (let row = 0; row < column.length; row++) {
    if (column.validity !== null && bitAt(column.validity, row) === 0) continue;
    const at = row * column.width;
    let value = view.getBigInt64(at + column.width - 8, true);
    for (let word = column.width - 16; word >= 0; word -= 8)
      value = (value << 64n) | view.getBigUint64(at + word, true);
    let truncated = applyTransform({ kind: 'truncate', width }, type, value) as bigint;
    for (let word = 0; word < column.width; word += 8) {
      view.setBigInt64(at + word, BigInt.asIntN(64, truncated), true);
      truncated >>= 64n;
    }
  }
}
