import type { PrimitiveType } from '../../../catalog/schema/types.ts';
import { ServiceError } from '../../../core/errors.ts';
import type { BoolColumn, BytesColumn, Column, FixedColumn } from '../../../scan/arrow/column.ts';
import { bitAt } from '../../../scan/arrow/kernels/bitmap.ts';
import { gatherFixed } from '../../../scan/arrow/kernels/gather.ts';
import { takeColumn } from '../../../scan/arrow/kernels/take.ts';
import { bytesOf, wordsOf } from '../../../scan/arrow/kernels/typed-views.ts';
import { decimalBytes } from '../stored-schema.ts';
import type { Leaf } from './leaves.ts';

/** The order of a leaf's values, which its bounds follow (parquet.thrift, `ColumnOrder`). */
export type FixedOrder = 'int32' | 'int64' | 'float' | 'double' | 'unsigned' | 'big-endian';

/** `count` values of `width` bytes as PLAIN encoding stores them, nulls left out. They start at a multiple of 8 bytes. */
export interface FixedValues {
  readonly kind: 'fixed';
  readonly order: FixedOrder;
  readonly width: number;
  readonly count: number;
  readonly values: Uint8Array;
}

/** `offsets` has `count` + 1 entries. */
export interface BytesValues {
  readonly kind: 'bytes';
  readonly count: number;
  readonly offsets: Int32Array;
  readonly values: Uint8Array;
}

/** One byte, 0 or 1, per value. */
export interface BoolValues {
  readonly kind: 'bool';
  readonly count: number;
  readonly values: Uint8Array;
}

export type PhysicalValues = FixedValues | BytesValues | BoolValues;

/** A leaf's values in the form that its physical type has in the file (`storageOf` in stored-schema.ts). */
export function physicalValues({ type, column, rows }: Leaf): PhysicalValues {
  switch (column.kind) {
    case 'fixed':
      return fixedValues(type, rows === null ? column : taken(column, rows));
    case 'bytes':
      return bytesValues(column, rows);
    case 'bool':
      return boolValues(column, rows);
    case 'null':
      return noValues(type);
    default:
      throw unstorable(column);
  }
}

const unstorable = (column: Column): ServiceError =>
  new ServiceError('INTERNAL', `a leaf cannot be stored from a column of kind ${column.kind}`);

const taken = (column: FixedColumn, rows: Int32Array): FixedColumn => ({
  ...column,
  length: rows.length,
  values: gatherFixed(column.values, column.width, rows),
});

function noValues(type: PrimitiveType): PhysicalValues {
  const values = new Uint8Array(0);
  if (type.kind === 'boolean') return { kind: 'bool', count: 0, values };
  if (type.kind === 'string' || type.kind === 'binary')
    return { kind: 'bytes', count: 0, offsets: new Int32Array(1), values };
  const column: FixedColumn = {
    kind: 'fixed',
    type: { kind: 'null' },
    length: 0,
    nullCount: 0,
    validity: null,
    width: 1,
    values,
  };
  return fixedValues(type, column);
}

function fixedValues(type: PrimitiveType, column: FixedColumn): FixedValues {
  const { length: count, width } = column;
  const values = column.values.subarray(0, count * width);
  switch (type.kind) {
    case 'int':
    case 'date':
      return { kind: 'fixed', order: 'int32', width: 4, count, values };
    case 'float':
      return { kind: 'fixed', order: 'float', width: 4, count, values };
    case 'double':
      return { kind: 'fixed', order: 'double', width: 8, count, values };
    case 'decimal':
      if (type.precision <= 9) return { kind: 'fixed', order: 'int32', width: 4, count, values: lowWords(column, 1) };
      if (type.precision <= 18) return { kind: 'fixed', order: 'int64', width: 8, count, values: lowWords(column, 2) };
      return {
        kind: 'fixed',
        order: 'big-endian',
        width: decimalBytes(type.precision),
        count,
        values: bigEndian(column, decimalBytes(type.precision)),
      };
    case 'uuid':
      return { kind: 'fixed', order: 'unsigned', width: 16, count, values };
    case 'fixed':
      return { kind: 'fixed', order: 'unsigned', width: type.length, count, values };
    default:
      return { kind: 'fixed', order: 'int64', width: 8, count, values };
  }
}

/** The lowest 32-bit words of each decimal: those that its precision needs. */
function lowWords(column: FixedColumn, words: number): Uint8Array {
  const each = column.width >> 2;
  const from = wordsOf(column.values);
  const to = new Int32Array(column.length * words);
  for (let row = 0; row < column.length; row++) {
    for (let word = 0; word < words; word++) to[row * words + word] = from[row * each + word]!;
  }
  return bytesOf(to);
}

function bigEndian(column: FixedColumn, bytes: number): Uint8Array {
  const { values, width, length } = column;
  const out = new Uint8Array(length * bytes);
  for (let row = 0; row < length; row++) {
    for (let byte = 0; byte < bytes; byte++) out[row * bytes + byte] = values[row * width + bytes - 1 - byte]!;
  }
  return out;
}

function bytesValues(column: BytesColumn, rows: Int32Array | null): BytesValues {
  const { offsets, values, length } =
    rows === null ? column : (takeColumn({ ...column, nullCount: 0, validity: null }, rows) as BytesColumn);
  return { kind: 'bytes', count: length, offsets, values };
}

function boolValues(column: BoolColumn, rows: Int32Array | null): BoolValues {
  const count = rows === null ? column.length : rows.length;
  const values = new Uint8Array(count);
  for (let at = 0; at < count; at++) values[at] = bitAt(column.values, rows === null ? at : rows[at]!);
  return { kind: 'bool', count, values };
}
