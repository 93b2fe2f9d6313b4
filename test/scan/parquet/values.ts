import type { Column, FixedColumn } from '../../../src/scan/arrow/column.ts';
import { isValid } from '../../../src/scan/arrow/column.ts';

export type PlainValue = unknown;

/** A column's rows as JavaScript values, for comparing small results: 64-bit values and decimals as bigint, bytes as hex. */
export function valuesOf(column: Column): PlainValue[] {
  return Array.from({ length: column.length }, (_, row) => valueAt(column, row));
}

function valueAt(column: Column, row: number): PlainValue {
  if (!isValid(column, row)) return null;
  switch (column.kind) {
    case 'null':
      return null;
    case 'bool':
      return ((column.values[row >> 3]! >> (row & 7)) & 1) === 1;
    case 'fixed':
      return fixedAt(column, row);
    case 'bytes': {
      const bytes = Buffer.from(column.values.subarray(column.offsets[row]!, column.offsets[row + 1]!));
      return column.type.kind === 'utf8' ? bytes.toString('utf8') : bytes.toString('hex');
    }
    case 'list': {
      const items: PlainValue[] = [];
      for (let at = column.offsets[row]!; at < column.offsets[row + 1]!; at++) items.push(valueAt(column.child, at));
      return items;
    }
    case 'struct': {
      const fields = column.type.kind === 'struct' ? column.type.fields.map((field) => field.name) : ['key', 'value'];
      return Object.fromEntries(column.children.map((child, at) => [fields[at], valueAt(child, row)]));
    }
    case 'dictionary':
      return valueAt(column.dictionary, column.indices[row]!);
    default:
      throw new Error(`values of ${column.kind} columns are not compared`);
  }
}

function fixedAt(column: FixedColumn, row: number): PlainValue {
  const view = new DataView(column.values.buffer, column.values.byteOffset + row * column.width, column.width);
  const { type } = column;
  if (type.kind === 'float') return type.bits === 32 ? view.getFloat32(0, true) : view.getFloat64(0, true);
  if (type.kind === 'fixed-size-binary') {
    return Buffer.from(column.values.subarray(row * column.width, (row + 1) * column.width)).toString('hex');
  }
  if (column.width === 4) return view.getInt32(0, true);
  if (column.width === 8) return view.getBigInt64(0, true);
  return (view.getBigInt64(8, true) << 64n) | view.getBigUint64(0, true);
}
