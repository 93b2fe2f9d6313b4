import { describeType as describeIcebergType } from '../catalog/schema/type-text.ts';
import {
  isPrimitive,
  type ListType,
  type MapType,
  type NestedField,
  type Schema,
  type StructType,
} from '../catalog/schema/types.ts';
import { type ColumnPath, formatColumnPath } from '../core/column-path.ts';
import { isServiceError, ServiceError } from '../core/errors.ts';
import type { FieldId } from '../core/ids.ts';
import { didYouMean } from '../core/nearest.ts';
import {
  type ArrowField,
  type ArrowSchema,
  type ArrowType,
  type Batch,
  type Column,
  isValid,
  type ListColumn,
  type StructColumn,
} from '../scan/arrow/column.ts';
import { arrowSchemaOf } from '../scan/arrow/iceberg.ts';
import { castColumn, describeType } from '../scan/arrow/kernels/cast.ts';
import { hydrate } from '../scan/arrow/kernels/hydrate.ts';
import { nullColumn } from '../scan/arrow/kernels/null-column.ts';

/** Turns incoming batches into the table's columns: its order, its types, its field ids. */
export interface Conformer {
  /** What `conform` returns. */
  readonly schema: ArrowSchema;
  /**
   * `firstRow` is the place of the batch's first row in the whole input, for messages. Throws SCHEMA_MISMATCH naming column and
   * row where a required value is null.
   */
  conform(batch: Batch, firstRow: number): Batch;
}

/** What a writer may know of a table's fields. A field that it may not write does not exist for it. */
export interface FieldRights {
  readonly writable: (id: FieldId) => boolean;
  /** Whether messages may name a field that the input does not name itself. */
  readonly named: (id: FieldId) => boolean;
}

const allRights: FieldRights = { writable: () => true, named: () => true };

/** Fills one table field from the incoming columns of its level; null where the input lacks it. */
type Fill = (column: Column | null, rows: number) => Column;

/**
 * Decides how a schema fits a table, by name at every level of structs. A column that the table lacks, a required one that the
 * input lacks, and a type that does not widen to the table's are SCHEMA_MISMATCH with the column's path; a missing optional
 * column is null. Dictionaries are kept as they are. Fields outside `rights` read as if the table lacked them.
 */
export function planConform(incoming: ArrowSchema, table: Schema, rights: FieldRights = allRights): Conformer {
  const schema = arrowSchemaOf(table);
  const places = placesByName(incoming.fields, table.fields, [], rights);
  const fills = table.fields.map((field, at) =>
    planField(field, schema.fields[at]!, incoming.fields[places[at] ?? -1] ?? null, [field.name], rights),
  );
  return {
    schema,
    conform(batch, firstRow) {
      const columns = fills.map((fill, at) => fill(batch.columns[places[at] ?? -1] ?? null, batch.rows));
      table.fields.forEach((field, at) => {
        requireValues(field, columns[at]!, null, [field.name], firstRow);
      });
      return { schema, rows: batch.rows, columns };
    },
  };
}

/** For each wanted field the place of its namesake, or null. */
function placesByName(
  given: readonly ArrowField[],
  wanted: readonly NestedField[],
  parent: ColumnPath,
  rights: FieldRights,
): readonly (number | null)[] {
  const places = new Map<string, number>();
  given.forEach((field, at) => {
    if (places.has(field.name)) throw mismatch([...parent, field.name], 'comes twice in the input');
    places.set(field.name, at);
  });
  const writable = wanted.filter((field) => rights.writable(field.id));
  const names = new Set(writable.map((field) => field.name));
  for (const { name } of given) {
    if (names.has(name)) continue;
    const suggested = writable.filter((field) => rights.named(field.id)).map((field) => field.name);
    throw mismatch([...parent, name], `is not in the table.${didYouMean(name, suggested)}`);
  }
  // Whatever is given is writable by now: a field that is not has no place.
  return wanted.map((field) => places.get(field.name) ?? null);
}

function planField(
  field: NestedField,
  to: ArrowField,
  from: ArrowField | null,
  path: ColumnPath,
  rights: FieldRights,
): Fill {
  if (from === null) {
    if (field.required && !rights.named(field.id)) throw new ServiceError('SCHEMA_MISMATCH', unnamedMissing);
    if (field.required) throw mismatch(path, 'is required and missing from the input');
    return (_, rows) => nullColumn(to.type, rows);
  }
  if (from.type.kind === 'null') {
    if (field.required) throw mismatch(path, 'is required and has only nulls in the input');
    return (_, rows) => nullColumn(to.type, rows);
  }
  const fill = planType(field, to.type, from.type, path, rights);
  return (column) => fill(column!, column!.length);
}

function planType(field: NestedField, to: ArrowType, from: ArrowType, path: ColumnPath, rights: FieldRights): Fill {
  const { type } = field;
  switch (type.kind) {
    case 'struct':
      if (from.kind === 'struct' && to.kind === 'struct') return planStruct(type, to, from.fields, path, rights);
      break;
    case 'list':
      if ((from.kind === 'list' || from.kind === 'fixed-size-list') && to.kind === 'list')
        return planList(type, to, from.element, path, rights);
      break;
    case 'map':
      if (from.kind === 'map' && to.kind === 'map') return planMap(type, to, from, path, rights);
      break;
    default: {
      requireCast(field, to, from, path);
      return (column) => castColumn(column!, to);
    }
  }
  throw mismatch(path, `is ${describeType(from)} in the input and ${describeIcebergType(type)} in the table`);
}

/** Tries the cast on no rows, so that a type that does not fit is refused before any data is read. */
function requireCast(field: NestedField, to: ArrowType, from: ArrowType, path: ColumnPath): void {
  try {
    castColumn(nullColumn(from, 0), to);
  } catch (error) {
    if (!isServiceError(error, 'SCHEMA_MISMATCH')) throw error;
    const wanted = isPrimitive(field.type) ? describeIcebergType(field.type) : field.type.kind;
    throw mismatch(path, `is ${describeType(from)} in the input, which does not fit into ${wanted}`);
  }
}

function planStruct(
  type: StructType,
  to: ArrowType & { kind: 'struct' },
  given: readonly ArrowField[],
  path: ColumnPath,
  rights: FieldRights,
): Fill {
  const places = placesByName(given, type.fields, path, rights);
  const fills = type.fields.map((field, at) =>
    planField(field, to.fields[at]!, given[places[at] ?? -1] ?? null, [...path, field.name], rights),
  );
  return (incoming) => {
    const column = hydrate(incoming!) as StructColumn;
    const children = fills.map((fill, at) => fill(column.children[places[at] ?? -1] ?? null, column.length));
    return { ...column, type: to, children };
  };
}

function planList(
  type: ListType,
  to: ArrowType & { kind: 'list' },
  given: ArrowField,
  path: ColumnPath,
  rights: FieldRights,
): Fill {
  const fill = planField(type.element, to.element, given, [...path, type.element.name], rights);
  return (incoming) => {
    const column = asList(hydrate(incoming!));
    return { ...column, type: to, child: fill(column.child, column.child.length) };
  };
}

function planMap(
  type: MapType,
  to: ArrowType & { kind: 'map' },
  from: ArrowType & { kind: 'map' },
  path: ColumnPath,
  rights: FieldRights,
): Fill {
  const key = planField(type.key, to.key, from.key, [...path, type.key.name], rights);
  const value = planField(type.value, to.value, from.value, [...path, type.value.name], rights);
  return (incoming) => {
    const column = hydrate(incoming!) as ListColumn;
    const entries = column.child as StructColumn;
    const [keys, values] = entries.children as readonly [Column, Column];
    const children = [key(keys, keys.length), value(values, values.length)];
    const child: StructColumn = { ...entries, type: { kind: 'struct', fields: [to.key, to.value] }, children };
    return { ...column, type: to, child };
  };
}

/** A fixed-size list with offsets of its own. */
function asList(column: Column): ListColumn {
  if (column.kind === 'list') return column;
  if (column.kind !== 'fixed-list') throw new TypeError(`a list column cannot be ${column.kind}`);
  const { size, child, length, nullCount, validity, type } = column;
  const offsets = Int32Array.from({ length: length + 1 }, (_, row) => row * size);
  return { kind: 'list', type, length, nullCount, validity, offsets, child };
}

/**
 * Throws where a required field is null in a row whose parent is not. `rowOf` maps the column's rows to rows of the batch; null =
 * they are the same.
 */
function requireValues(
  field: NestedField,
  column: Column,
  around: { readonly present: (row: number) => boolean; readonly rowOf: (row: number) => number } | null,
  path: ColumnPath,
  firstRow: number,
): void {
  const rowOf = around?.rowOf ?? ((row: number) => row);
  if (field.required && column.nullCount > 0) {
    for (let row = 0; row < column.length; row++) {
      if (!isValid(column, row) && (around === null || around.present(row))) {
        throw mismatch(path, `is required and null in row ${firstRow + rowOf(row)} of the input`);
      }
    }
  }
  if (!needsCheck(field)) return;
  const present = (row: number): boolean => isValid(column, row) && (around === null || around.present(row));
  if (field.type.kind === 'struct' && column.kind === 'struct') {
    field.type.fields.forEach((child, at) => {
      requireValues(child, column.children[at]!, { present, rowOf }, [...path, child.name], firstRow);
    });
  } else if (column.kind === 'list') {
    // A null list may span elements, and elements may lie behind the last list: neither are values of any row.
    const inner = {
      present: (element: number) =>
        element < column.offsets[column.length]! && present(parentOf(column.offsets, element)),
      rowOf: (element: number) => rowOf(parentOf(column.offsets, element)),
    };
    if (field.type.kind === 'list') {
      requireValues(field.type.element, column.child, inner, [...path, field.type.element.name], firstRow);
    } else if (field.type.kind === 'map' && column.child.kind === 'struct') {
      const [keys, values] = column.child.children as readonly [Column, Column];
      requireValues(field.type.key, keys, inner, [...path, field.type.key.name], firstRow);
      requireValues(field.type.value, values, inner, [...path, field.type.value.name], firstRow);
    }
  }
}

/** Whether a field below this one is required. */
function needsCheck({ type }: NestedField): boolean {
  switch (type.kind) {
    case 'struct':
      return type.fields.some((field) => field.required || needsCheck(field));
    case 'list':
      return type.element.required || needsCheck(type.element);
    case 'map':
      return true;
    default:
      return false;
  }
}

/** The list that holds an element: the last offset not beyond it. */
function parentOf(offsets: Int32Array, element: number): number {
  let [low, high] = [0, offsets.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (offsets[middle]! <= element) low = middle;
    else high = middle;
  }
  return low;
}

const unnamedMissing = 'the table has a required column that the input lacks and that its writer may not know of';

const mismatch = (path: ColumnPath, problem: string): ServiceError =>
  new ServiceError('SCHEMA_MISMATCH', `column ${formatColumnPath(path)} ${problem}`);
