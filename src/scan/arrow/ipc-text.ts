import { isAscii, isUtf8 } from 'node:buffer';
import type { BytesColumn } from './column.ts';
import { bitAt } from './kernels/bitmap.ts';
import type { ByteBudget } from './kernels/byte-budget.ts';
import { takeColumn } from './kernels/take.ts';

/**
 * The column if each of its texts is UTF-8, else null. Bytes under nulls may be anything (Arrow columnar format): where those
 * alone are at fault, the column comes back without them.
 */
export function checkUtf8(column: BytesColumn, budget: ByteBudget): BytesColumn | null {
  const { values, offsets, length } = column;
  const used = values.subarray(0, offsets[length]!);
  if (isAscii(used)) return column;
  if (isUtf8(used) && startsCharacters(used, offsets)) return column;
  if (column.validity === null) return null;
  const rows = new Int32Array(length);
  for (let row = 0; row < length; row++) {
    const valid = bitAt(column.validity, row) === 1;
    rows[row] = valid ? row : -1;
    if (valid && !isUtf8(used.subarray(offsets[row]!, offsets[row + 1]!))) return null;
  }
  budget.charge(length * 4);
  return takeColumn(column, rows, budget) as BytesColumn;
}

/** In valid UTF-8 a text is whole when it begins and ends at characters: continuation bytes are 10xxxxxx. */
function startsCharacters(values: Uint8Array, offsets: Int32Array): boolean {
  for (let row = 0; row < offsets.length; row++) {
    if (offsets[row]! < values.length && (values[offsets[row]!]! & 0xc0) === 0x80) return false;
  }
  return true;
}
