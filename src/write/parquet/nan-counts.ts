import type { NestedField } from '../../catalog/schema/types.ts';
import type { FieldId } from '../../core/ids.ts';
import type { Column, FixedColumn } from '../../scan/arrow/column.ts';
import { bitAt } from '../../scan/arrow/kernels/bitmap.ts';
import { hydrate } from '../../scan/arrow/kernels/hydrate.ts';
import { doublesOf, floatsOf } from '../../scan/arrow/kernels/typed-views.ts';

/** Adds the NaNs among the valid values of every float and double field, at any depth, to the counts by field id. */
export function countNans(
  fields: readonly NestedField[],
  columns: readonly Column[],
  counts: Map<FieldId, number>,
): void {
  for (const [at, field] of fields.entries()) countField(field, columns[at]!, counts);
}

function countField(field: NestedField, column: Column, counts: Map<FieldId, number>): void {
  const { type } = field;
  if (type.kind === 'float' || type.kind === 'double') {
    const plain = hydrate(column);
    const nans = plain.kind === 'fixed' ? nansIn(plain) : 0;
    counts.set(field.id, (counts.get(field.id) ?? 0) + nans);
  } else if (type.kind === 'struct' && column.kind === 'struct') countNans(type.fields, column.children, counts);
  else if (type.kind === 'list' && column.kind === 'list') countField(type.element, column.child, counts);
  else if (type.kind === 'map' && column.kind === 'list' && column.child.kind === 'struct') {
    countNans([type.key, type.value], column.child.children, counts);
  }
}

function nansIn(column: FixedColumn): number {
  const { values, length, validity } = column;
  const numbers = column.width === 4 ? floatsOf(values) : doublesOf(values);
  let nans = 0;
  for (let row = 0; row < length; row++) {
    const value = numbers[row]!;
    // Only NaN differs from itself.
    // biome-ignore lint/suspicious/noSelfCompare: it is the cheapest test for NaN in a loop over every value.
    if (value !== value && (validity === null || bitAt(validity, row) === 1)) nans++;
  }
  return nans;
}
