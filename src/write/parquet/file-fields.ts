import type { NestedField } from '../../catalog/schema/types.ts';
import type { FieldId } from '../../core/ids.ts';
import type { Column } from '../../scan/arrow/column.ts';

/**
 * The fields as a file of v1 pages has them: those that never held a null are required, for the levels of an optional column lie
 * inside of a v1 page's frame, and its values would not pass as they are. Whether a field may be null is the table's to say.
 */
export function requiredWithoutNulls(fields: readonly NestedField[], nullable: ReadonlySet<FieldId>): NestedField[] {
  return fields.map((field) => {
    const type =
      field.type.kind === 'struct'
        ? { ...field.type, fields: requiredWithoutNulls(field.type.fields, nullable) }
        : field.type;
    return { ...field, type, required: field.required || !nullable.has(field.id) };
  });
}

/** Adds the fields, down through structs, that hold a null. */
export function findNulls(fields: readonly NestedField[], columns: readonly Column[], nullable: Set<FieldId>): void {
  for (const [at, field] of fields.entries()) {
    const column = columns[at]!;
    if (column.nullCount > 0) nullable.add(field.id);
    if (field.type.kind === 'struct' && column.kind === 'struct')
      findNulls(field.type.fields, column.children, nullable);
  }
}
