import type { PrimitiveType, Value } from '../../../src/catalog/schema/types.ts';
import { type Column, isValid } from '../../../src/scan/arrow/column.ts';
import { arrowTypeOf } from '../../../src/scan/arrow/iceberg.ts';
import { hydrate } from '../../../src/scan/arrow/kernels/hydrate.ts';
import { type Random, randomColumn, randomText } from '../arrow/sample-columns.ts';

export const primitives: readonly PrimitiveType[] = [
  { kind: 'boolean' },
  { kind: 'int' },
  { kind: 'long' },
  { kind: 'float' },
  { kind: 'double' },
  { kind: 'decimal', precision: 38, scale: 2 },
  { kind: 'date' },
  { kind: 'time' },
  { kind: 'timestamp' },
  { kind: 'timestamptz' },
  { kind: 'timestamp_ns' },
  { kind: 'timestamptz_ns' },
  { kind: 'string' },
  { kind: 'uuid' },
  { kind: 'fixed', length: 5 },
  { kind: 'binary' },
];

/** Random values in the type's sensible range (years 1 to 9999), garbage under nulls, sometimes with a dictionary. */
export function randomLeaf(random: Random, type: PrimitiveType, rows: number): Column {
  const column = randomColumn(random, arrowTypeOf(type), rows);
  if (column.kind !== 'fixed') return column;
  const ticks = type.kind.endsWith('_ns') ? 9_000_000_000_000_000_000n : 200_000_000_000_000_000n;
  if (type.kind === 'date') {
    const days = new Int32Array(column.values.buffer);
    for (let row = 0; row < rows; row++) days[row] = random.below(3_650_000) - 719_000;
  } else if (type.kind.startsWith('timestamp')) {
    const times = new BigInt64Array(column.values.buffer);
    for (let row = 0; row < rows; row++) times[row] = times[row]! % (type.kind.endsWith('_ns') ? ticks : ticks / 4n);
  }
  return column;
}

export { randomText };

/** The rows as the catalog's values, the slow way. */
export function leafValues(column: Column, type: PrimitiveType): (Value | null)[] {
  const plain = hydrate(column);
  return Array.from({ length: plain.length }, (_, row) => (isValid(plain, row) ? leafValue(plain, type, row) : null));
}

function leafValue(column: Column, type: PrimitiveType, row: number): Value {
  if (column.kind === 'bool') return ((column.values[row >> 3]! >> (row & 7)) & 1) === 1;
  if (column.kind === 'bytes') {
    const bytes = Buffer.from(column.values.subarray(column.offsets[row]!, column.offsets[row + 1]!));
    return type.kind === 'string' ? bytes.toString('utf8') : Uint8Array.from(bytes);
  }
  if (column.kind !== 'fixed') throw new TypeError(column.kind);
  const bytes = column.values.slice(row * column.width, (row + 1) * column.width);
  const view = new DataView(bytes.buffer);
  switch (type.kind) {
    case 'int':
    case 'date':
      return view.getInt32(0, true);
    case 'float':
      return view.getFloat32(0, true);
    case 'double':
      return view.getFloat64(0, true);
    case 'decimal':
      return (view.getBigInt64(8, true) << 64n) | view.getBigUint64(0, true);
    case 'uuid':
    case 'fixed':
      return bytes;
    default:
      return view.getBigInt64(0, true);
  }
}
