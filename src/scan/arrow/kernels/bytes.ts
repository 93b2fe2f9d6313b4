import type { Column, DictionaryColumn } from '../column.ts';
import { bitmapBytes } from './bitmap.ts';

/**
 * Bytes of the buffers that hold a column's rows, padding and unused capacity left out. Rows in a dictionary count as what they are
 * without one: a few bytes of indices may stand for any amount of text, and on the wire they do.
 */
export function columnBytes(column: Column): number {
  const validity = column.validity === null ? 0 : bitmapBytes(column.length);
  switch (column.kind) {
    case 'null':
      return 0;
    case 'fixed':
      return validity + column.length * column.width;
    case 'bool':
      return validity + bitmapBytes(column.length);
    case 'bytes':
      return validity + (column.length + 1) * 4 + column.offsets[column.length]!;
    case 'list':
      return validity + (column.length + 1) * 4 + columnBytes(column.child);
    case 'fixed-list':
      return validity + columnBytes(column.child);
    case 'struct':
      return column.children.reduce((sum, child) => sum + columnBytes(child), validity);
    case 'dictionary':
      return validity + hydratedBytes(column);
    default:
      return column satisfies never;
  }
}

function hydratedBytes({ dictionary, indices, length, nullCount }: DictionaryColumn): number {
  switch (dictionary.kind) {
    case 'fixed':
      return length * dictionary.width;
    case 'bytes': {
      const { offsets } = dictionary;
      let bytes = 4 * (length + 1);
      if (nullCount === length) return bytes;
      // A null has index 0, and no bytes.
      bytes -= nullCount * offsets[1]!;
      for (let row = 0; row < length; row++) bytes += offsets[indices[row]! + 1]! - offsets[indices[row]!]!;
      return bytes;
    }
    case 'null':
      return 0;
    default:
      // Dictionaries of booleans and nested values, which no file has: an estimate.
      return length * 4 + columnBytes(dictionary);
  }
}
