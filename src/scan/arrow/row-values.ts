import type { PrimitiveType, Value } from '../../catalog/schema/types.ts';
import { type Column, type FixedColumn, isValid } from './column.ts';

const decoder = new TextDecoder();

/**
 * Reads single values of a primitive column, as `Value` holds them; null for nulls. For what is looked at once per distinct value:
 * a kernel that sees every row works on the buffers instead.
 */
export function valueReader(column: Column, type: PrimitiveType): (row: number) => Value | null {
  const read = rawReader(column, type);
  return (row) => (isValid(column, row) ? read(row) : null);
}

function rawReader(column: Column, type: PrimitiveType): (row: number) => Value | null {
  switch (column.kind) {
    case 'null':
      return () => null;
    case 'bool':
      return (row) => ((column.values[row >> 3]! >> (row & 7)) & 1) === 1;
    case 'bytes': {
      const bytesAt = (row: number): Uint8Array =>
        column.values.subarray(column.offsets[row]!, column.offsets[row + 1]!);
      return type.kind === 'string' ? (row) => decoder.decode(bytesAt(row)) : bytesAt;
    }
    case 'dictionary': {
      const read = valueReader(column.dictionary, type);
      return (row) => read(column.indices[row]!);
    }
    case 'fixed':
      return fixedReader(column, type);
    default:
      throw new TypeError(`a ${column.kind} column has no primitive values`);
  }
}

function fixedReader({ values, width }: FixedColumn, type: PrimitiveType): (row: number) => Value {
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  switch (type.kind) {
    case 'int':
    case 'date':
      return (row) => view.getInt32(row * 4, true);
    case 'float':
      return (row) => view.getFloat32(row * 4, true);
    case 'double':
      return (row) => view.getFloat64(row * 8, true);
    case 'decimal':
      return (row) => (view.getBigInt64(row * width + 8, true) << 64n) | view.getBigUint64(row * width, true);
    case 'uuid':
    case 'fixed':
      return (row) => values.subarray(row * width, (row + 1) * width);
    default:
      return (row) => view.getBigInt64(row * 8, true);
  }
}
