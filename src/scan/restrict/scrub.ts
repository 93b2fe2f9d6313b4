import type {
  ArrowType,
  BoolColumn,
  BytesColumn,
  Column,
  FixedColumn,
  FixedListColumn,
  ListColumn,
} from '../arrow/column.ts';
import { allOnes, bitAt, bitmapBytes, countSetBits, intersect } from '../arrow/kernels/bitmap.ts';
import { sliceColumn } from '../arrow/kernels/slice.ts';
import { takeColumn } from '../arrow/kernels/take.ts';
import { compactDictionary } from './dictionary.ts';

/**
 * The same values with nothing beside them: zeros under nulls (of the column and of the structs and lists around a value), lists'
 * children cut to what the lists hold, dictionaries cut to what is used. Buffers without nulls are shared, not copied.
 */
export const scrubColumn = (column: Column): Column => scrubUnder(column, null, true);

/**
 * The same below a parent whose bitmap (1 = valid, null = all) decides first. Where the field may be null, the parent's nulls
 * become its own, so that not even the presence of a value shows; where it may not, only the value goes.
 */
export function scrubUnder(column: Column, outer: Uint8Array | null, nullable: boolean): Column {
  if (column.kind === 'null') return column;
  const visible = intersect(outer, column.validity, column.length);
  if (column.kind === 'struct') {
    const children = column.children.map((child, at) => scrubUnder(child, visible, childNullable(column.type, at)));
    return { ...withValidity(column, visible, nullable), children };
  }
  if (column.kind === 'list') {
    const emptied = { ...emptyHiddenLists(column, visible), nullCount: column.nullCount };
    return {
      ...withValidity(emptied, visible, nullable),
      child: scrubUnder(emptied.child, null, childNullable(column.type, 0)),
    };
  }
  if (column.kind === 'fixed-list') {
    const child = scrubUnder(column.child, repeatBits(visible, column), childNullable(column.type, 0));
    return { ...withValidity(column, visible, nullable), child };
  }
  if (column.kind === 'dictionary') {
    // The bitmap stays even where the field is not nullable: index 0 of a hidden row would name another row's value, or none.
    const compact = compactDictionary(withValidity(column, visible, true));
    return { ...compact, dictionary: scrubColumn(compact.dictionary) };
  }
  if (visible === null) return column;
  if (isZeroUnder(column, visible)) return withValidity(column, visible, nullable);
  const zeroed = takeColumn(column, visibleRows(visible, column.length)) as typeof column;
  return withValidity({ ...zeroed, nullCount: column.nullCount }, visible, nullable);
}

/** Whether nothing stands under the nulls already, as where a decoder left them out: then the buffers are shared. */
function isZeroUnder(column: FixedColumn | BoolColumn | BytesColumn, visible: Uint8Array): boolean {
  if (column.kind === 'bool') return false;
  if (column.kind === 'bytes' && column.values.length !== column.offsets[column.length]) return false;
  for (let row = 0; row < column.length; row++) {
    if (bitAt(visible, row) === 1) continue;
    if (column.kind === 'bytes') {
      if (column.offsets[row] !== column.offsets[row + 1]) return false;
    } else {
      for (let at = row * column.width; at < (row + 1) * column.width; at++) if (column.values[at] !== 0) return false;
    }
  }
  return true;
}

/** The column with a bitmap in place of its own, or, where its field is not nullable and all nulls are a parent's, without one. */
export function withValidity<T extends Exclude<Column, { kind: 'null' }>>(
  column: T,
  visible: Uint8Array | null,
  nullable: boolean,
): T {
  if (visible === null || (!nullable && column.nullCount === 0)) return { ...column, nullCount: 0, validity: null };
  const nullCount = column.length - countSetBits(visible, column.length);
  return { ...column, nullCount, validity: nullCount === 0 ? null : visible };
}

function childNullable(type: ArrowType, at: number): boolean {
  switch (type.kind) {
    case 'struct':
      return type.fields[at]?.nullable ?? true;
    case 'list':
    case 'fixed-size-list':
      return type.element.nullable;
    case 'map':
      return false;
    default:
      return true;
  }
}

export function visibleRows(visible: Uint8Array, length: number): Int32Array {
  const rows = new Int32Array(length);
  for (let row = 0; row < length; row++) rows[row] = bitAt(visible, row) === 1 ? row : -1;
  return rows;
}

/** Lists under nulls become empty and the child holds only what the others refer to. */
export function emptyHiddenLists(column: ListColumn, visible: Uint8Array | null): ListColumn {
  const { length, offsets } = column;
  if (visible !== null && hidesElements(column, visible)) {
    return takeColumn({ ...column, validity: null, nullCount: 0 }, visibleRows(visible, length)) as ListColumn;
  }
  return { ...column, child: sliceColumn(column.child, 0, offsets[length]!) };
}

function hidesElements({ length, offsets }: ListColumn, visible: Uint8Array): boolean {
  for (let row = 0; row < length; row++) {
    if (bitAt(visible, row) === 0 && offsets[row] !== offsets[row + 1]) return true;
  }
  return false;
}

/** The bits of fixed-size lists for their children. */
export function repeatBits(visible: Uint8Array | null, { length, size }: FixedListColumn): Uint8Array | null {
  if (visible === null) return null;
  const bits =
    countSetBits(visible, length) === length ? allOnes(length * size) : new Uint8Array(bitmapBytes(length * size));
  for (let row = 0; row < length; row++) {
    if (bitAt(visible, row) === 0) continue;
    for (let at = row * size; at < (row + 1) * size; at++) bits[at >>> 3]! |= 1 << (at & 7);
  }
  return bits;
}
