import { isPrimitive, type NestedField, type PrimitiveType } from '../../../catalog/schema/types.ts';
import { ServiceError } from '../../../core/errors.ts';
import type { Column, ListColumn, StructColumn } from '../../../scan/arrow/column.ts';
import { bitAt } from '../../../scan/arrow/kernels/bitmap.ts';

/**
 * One leaf of the stored schema with the levels of its slots (parquet-format, README "Nested Encoding"). A slot is a value or the
 * place where one is missing. Where `definition` is null every slot holds a value, where `repetition` is null every slot is a row.
 */
export interface Leaf {
  readonly field: NestedField;
  readonly type: PrimitiveType;
  readonly definitionMax: number;
  readonly repetitionMax: number;
  readonly slots: number;
  readonly definition: Uint8Array | null;
  readonly repetition: Uint8Array | null;
  readonly column: Column;
  /** The column's row of each value, in their order; null = all rows of the column. */
  readonly rows: Int32Array | null;
}

/** The slots of one node on the way from a column to its leaves. */
interface Slots {
  readonly count: number;
  readonly definition: Uint8Array | null;
  readonly repetition: Uint8Array | null;
  /** The row of the node's column, -1 where an ancestor is missing; null = each slot is the row of its number. */
  readonly rows: Int32Array | null;
  readonly definitionMax: number;
  readonly repetitionMax: number;
}

/** The leaves of columns that have no dictionaries, in the order of their column chunks. Fields of type unknown are not stored. */
export function leavesOf(fields: readonly NestedField[], columns: readonly Column[], rows: number): Leaf[] {
  const root: Slots = {
    count: rows,
    definition: null,
    repetition: null,
    rows: null,
    definitionMax: 0,
    repetitionMax: 0,
  };
  return fields.flatMap((field, at) => visit(field, columns[at]!, root));
}

function visit(field: NestedField, column: Column, above: Slots): Leaf[] {
  const slots = field.required ? above : optional(column, above);
  const { type } = field;
  if (isPrimitive(type)) return [leafOf(field, type, column, slots)];
  if (type.kind === 'struct' && column.kind === 'struct') {
    return type.fields.flatMap((child, at) => visit(child, column.children[at]!, slots));
  }
  if (column.kind !== 'list') throw new ServiceError('INTERNAL', `a ${type.kind} cannot be stored from ${column.kind}`);
  const inner = repeated(column, slots);
  if (type.kind === 'list') return visit(type.element, column.child, inner);
  if (type.kind !== 'map') throw new ServiceError('INTERNAL', 'a struct cannot be stored from a list');
  const [key, value] = (column.child as StructColumn).children as readonly [Column, Column];
  return [...visit({ ...type.key, required: true }, key, inner), ...visit(type.value, value, inner)];
}

function leafOf(field: NestedField, type: PrimitiveType, column: Column, slots: Slots): Leaf {
  const { count, definition, repetition, definitionMax, repetitionMax } = slots;
  const rows = slots.rows === null ? null : withoutMissing(slots.rows);
  return { field, type, definitionMax, repetitionMax, slots: count, definition, repetition, column, rows };
}

/** Slots of an optional node: one level more where there is a value. */
function optional(column: Column, above: Slots): Slots {
  const { count, definition, rows, definitionMax } = above;
  const { validity } = column;
  if (column.nullCount === 0 && definition === null) return { ...above, definitionMax: definitionMax + 1 };
  const levels = new Uint8Array(count);
  const reached = new Int32Array(count);
  const isNullColumn = column.kind === 'null';
  for (let slot = 0; slot < count; slot++) {
    const row = rows === null ? slot : rows[slot]!;
    const level = definition === null ? definitionMax : definition[slot]!;
    const valid = row >= 0 && !isNullColumn && (validity === null || bitAt(validity, row) === 1);
    levels[slot] = valid ? level + 1 : level;
    reached[slot] = valid ? row : -1;
  }
  return { ...above, definition: levels, rows: reached, definitionMax: definitionMax + 1 };
}

/** Slots of a list's elements: one per element, and one for each list that is missing or empty. */
function repeated(column: ListColumn, above: Slots): Slots {
  const { offsets } = column;
  const { rows, definitionMax } = above;
  const repetitionLevel = above.repetitionMax + 1;
  let count = 0;
  for (let slot = 0; slot < above.count; slot++) {
    const row = rows === null ? slot : rows[slot]!;
    count += row < 0 ? 1 : Math.max(1, offsets[row + 1]! - offsets[row]!);
  }
  const definition = new Uint8Array(count);
  const repetition = new Uint8Array(count);
  const reached = new Int32Array(count);
  let at = 0;
  for (let slot = 0; slot < above.count; slot++) {
    const row = rows === null ? slot : rows[slot]!;
    const level = above.definition === null ? definitionMax : above.definition[slot]!;
    const start = row < 0 ? 0 : offsets[row]!;
    const end = row < 0 ? 0 : offsets[row + 1]!;
    repetition[at] = above.repetition === null ? 0 : above.repetition[slot]!;
    if (start === end) {
      definition[at] = level;
      reached[at++] = -1;
      continue;
    }
    for (let element = start; element < end; element++, at++) {
      definition[at] = level + 1;
      if (element > start) repetition[at] = repetitionLevel;
      reached[at] = element;
    }
  }
  return {
    count,
    definition,
    repetition,
    rows: reached,
    definitionMax: definitionMax + 1,
    repetitionMax: repetitionLevel,
  };
}

function withoutMissing(rows: Int32Array): Int32Array {
  let count = 0;
  for (let slot = 0; slot < rows.length; slot++) if (rows[slot]! >= 0) count++;
  const kept = new Int32Array(count);
  let at = 0;
  for (let slot = 0; slot < rows.length; slot++) if (rows[slot]! >= 0) kept[at++] = rows[slot]!;
  return kept;
}
