import type { Column } from '../column.ts';
import { bitmapBytes } from './bitmap.ts';

/** Bytes of the buffers that hold a column's rows, dictionaries included, padding and unused capacity not. */
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
      return validity + column.length * 4 + columnBytes(column.dictionary);
    default:
      return column satisfies never;
  }
}
