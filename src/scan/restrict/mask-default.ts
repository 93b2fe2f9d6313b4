import type { PrimitiveType } from '../../catalog/schema/types.ts';
import type { Column } from '../arrow/column.ts';
import { arrowTypeOf } from '../arrow/iceberg.ts';
import { nullColumn } from '../arrow/kernels/null-column.ts';

// Text alone is not empty or zero: a masked text must not pass for one that is really empty (Iceberg's read restrictions).
const defaultText = new TextEncoder().encode('XXXXXXXX');

/**
 * `length` times the fixed value that Iceberg's `mask-to-default` (merged as `mask-to-fixed-value`) gives a type: zero, false, the
 * epoch, empty bytes, the text XXXXXXXX. Nulls are replaced as well, so that the mask does not tell them apart.
 */
export function defaultColumn(type: PrimitiveType, length: number): Column {
  const column = nullColumn(arrowTypeOf(type), length);
  if (column.kind === 'null') return column;
  const filled: Column = { ...column, nullCount: 0, validity: null };
  if (filled.kind !== 'bytes' || type.kind !== 'string') return filled;
  const offsets = Int32Array.from({ length: length + 1 }, (_, row) => row * defaultText.length);
  const values = new Uint8Array(length * defaultText.length);
  for (let row = 0; row < length; row++) values.set(defaultText, row * defaultText.length);
  return { ...filled, offsets, values };
}
