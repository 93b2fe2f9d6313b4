import type {
  ArrowType,
  BoolColumn,
  BytesColumn,
  Column,
  DictionaryColumn,
  FixedColumn,
  ListColumn,
} from '../column.ts';
import { appendBits, bitmapBytes } from './bitmap.ts';
import { checkOffset } from './byte-budget.ts';
import { hydrate } from './hydrate.ts';
import { sliceColumn } from './slice.ts';

/**
 * The rows of all columns, which have one type, one after another. At least one column; one column comes back as it is. Columns
 * with dictionaries keep one where they all have one (joined where they differ), else they are hydrated. LIMIT_EXCEEDED where
 * texts or lists outgrow 32-bit offsets.
 */
export function concatColumns(columns: readonly Column[]): Column {
  const first = columns[0];
  if (first === undefined) throw new TypeError('concatColumns needs a column, for the type');
  if (columns.length === 1) return first;
  if (first.kind === 'dictionary' || columns.some((column) => column.kind === 'dictionary')) {
    return columns.every((column) => column.kind === 'dictionary')
      ? concatDictionaries(columns)
      : concatColumns(columns.map((column) => hydrate(column)));
  }
  const length = columns.reduce((sum, column) => sum + column.length, 0);
  if (first.kind === 'null') return { ...first, length, nullCount: length };
  const base = { type: first.type, length, ...concatValidity(columns, length) };
  switch (first.kind) {
    case 'fixed':
      return { ...base, kind: 'fixed', width: first.width, values: concatFixed(columns as FixedColumn[], length) };
    case 'bool':
      return { ...base, kind: 'bool', values: concatBits(columns as BoolColumn[], length) };
    case 'bytes':
      return { ...base, kind: 'bytes', ...concatBytes(columns as BytesColumn[], length) };
    case 'list': {
      const lists = columns as ListColumn[];
      const children = lists.map((column) => sliceColumn(column.child, 0, column.offsets[column.length]!));
      return { ...base, kind: 'list', offsets: concatOffsets(lists, length), child: concatColumns(children) };
    }
    case 'fixed-list': {
      const child = concatColumns(columns.map((column) => (column.kind === 'fixed-list' ? column.child : column)));
      return { ...base, kind: 'fixed-list', size: first.size, child };
    }
    case 'struct': {
      const children = first.children.map((_, at) => concatColumns(columns.map((column) => childAt(column, at))));
      return { ...base, kind: 'struct', children };
    }
    default:
      return first satisfies never;
  }
}

const childAt = (column: Column, at: number): Column => (column.kind === 'struct' ? column.children[at]! : column);

function concatValidity(columns: readonly Column[], length: number) {
  const nullCount = columns.reduce((sum, column) => sum + column.nullCount, 0);
  if (nullCount === 0) return { nullCount, validity: null };
  const validity = new Uint8Array(bitmapBytes(length));
  let at = 0;
  for (const column of columns) {
    appendBits(validity, at, column.validity, column.length);
    at += column.length;
  }
  return { nullCount, validity };
}

function concatFixed(columns: readonly FixedColumn[], length: number): Uint8Array {
  const width = columns[0]!.width;
  const values = new Uint8Array(length * width);
  let at = 0;
  for (const column of columns) {
    values.set(column.values.subarray(0, column.length * width), at);
    at += column.length * width;
  }
  return values;
}

function concatBits(columns: readonly BoolColumn[], length: number): Uint8Array {
  const values = new Uint8Array(bitmapBytes(length));
  let at = 0;
  for (const column of columns) {
    appendBits(values, at, column.values, column.length);
    at += column.length;
  }
  return values;
}

/** Each part is shifted by what its predecessors hold. */
function concatOffsets(columns: readonly { readonly offsets: Int32Array; readonly length: number }[], length: number) {
  const offsets = new Int32Array(length + 1);
  let row = 0;
  let shift = 0;
  for (const column of columns) {
    for (let at = 1; at <= column.length; at++) offsets[row + at] = column.offsets[at]! + shift;
    row += column.length;
    shift += column.offsets[column.length]!;
    checkOffset(shift);
  }
  return offsets;
}

function concatBytes(columns: readonly BytesColumn[], length: number) {
  const offsets = concatOffsets(columns, length);
  const values = new Uint8Array(offsets[length]!);
  let at = 0;
  for (const column of columns) {
    const bytes = column.offsets[column.length]!;
    values.set(column.values.subarray(0, bytes), at);
    at += bytes;
  }
  return { offsets, values };
}

function concatDictionaries(columns: readonly DictionaryColumn[]): DictionaryColumn {
  const dictionaries = [...new Set(columns.map((column) => column.dictionary))];
  const length = columns.reduce((sum, column) => sum + column.length, 0);
  const starts = new Map<Column, number>();
  let entries = 0;
  for (const dictionary of dictionaries) {
    starts.set(dictionary, entries);
    entries += dictionary.length;
  }
  const indices = new Int32Array(length);
  let row = 0;
  for (const column of columns) {
    const start = starts.get(column.dictionary)!;
    // A null's index stays inside: 0 of its own dictionary is an entry of the joined one wherever there are entries at all.
    for (let at = 0; at < column.length; at++) indices[row + at] = column.indices[at]! + start;
    row += column.length;
  }
  const type: ArrowType = columns[0]!.type;
  const dictionary = concatColumns(dictionaries);
  return clampNulls({ kind: 'dictionary', type, length, ...concatValidity(columns, length), indices, dictionary });
}

/** A null has index 0 (column.ts). */
function clampNulls(column: DictionaryColumn): DictionaryColumn {
  if (column.validity === null) return column;
  for (let row = 0; row < column.length; row++) {
    if (((column.validity[row >>> 3]! >> (row & 7)) & 1) === 0) column.indices[row] = 0;
  }
  return column;
}
