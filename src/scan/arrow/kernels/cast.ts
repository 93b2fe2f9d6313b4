import { ServiceError } from '../../../core/errors.ts';
import {
  type ArrowField,
  type ArrowType,
  byteWidth,
  type Column,
  type FixedColumn,
  type FixedListColumn,
  type ListColumn,
} from '../column.ts';
import { checkOffset } from './byte-budget.ts';
import { millisToDays, scaleLongs, widenDecimal } from './cast-wide.ts';
import { floatsOf, halvesOf, withValues, wordsOf } from './typed-views.ts';

/**
 * The column as another type that holds all its values: Iceberg's promotions (int to long, float to double, a decimal to a higher
 * precision; table spec, "Schema Evolution") and Arrow types that Iceberg lacks (8 and 16 bit integers, uint32, second and
 * millisecond timestamps, date64, decimals of
 * other widths, fixed-size lists). Nested columns are cast leaf by leaf, a dictionary once per entry.
 * Values under nulls become unspecified. Throws SCHEMA_MISMATCH where no such cast exists or a value does not fit.
 */
export function castColumn(column: Column, to: ArrowType): Column {
  switch (column.kind) {
    case 'null':
      return { ...column, type: to };
    case 'dictionary': {
      const dictionary = castColumn(column.dictionary, to);
      return { ...column, type: to, dictionary };
    }
    case 'bool':
    case 'bytes':
      return to.kind === column.type.kind ? column : refuse(column.type, to);
    case 'list':
      return { ...column, type: to, child: castColumn(column.child, childType(column.type, to)) };
    case 'fixed-list':
      if (to.kind === 'list') return castColumn(unfixList(column, to.element), to);
      return { ...column, type: to, child: castColumn(column.child, childType(column.type, to)) };
    case 'struct': {
      if (to.kind !== 'struct' || to.fields.length !== column.children.length) return refuse(column.type, to);
      const children = column.children.map((child, at) => castColumn(child, to.fields[at]!.type));
      return { ...column, type: to, children };
    }
    case 'fixed':
      return castFixed(column, to);
    default:
      return column satisfies never;
  }
}

function childType(from: ArrowType, to: ArrowType): ArrowType {
  if (from.kind === 'list' && to.kind === 'list') return to.element.type;
  if (from.kind === 'map' && to.kind === 'map') return { kind: 'struct', fields: [to.key, to.value] };
  if (from.kind === 'fixed-size-list' && to.kind === 'fixed-size-list' && from.size === to.size) return to.element.type;
  return refuse(from, to);
}

/** Lists of equal size as lists with offsets, for Iceberg has no other; the rows under null lists stay, unreferenced by any value. */
function unfixList(column: FixedListColumn, element: ArrowField): ListColumn {
  const { length, nullCount, validity, size, child } = column;
  checkOffset(length * size);
  const offsets = Int32Array.from({ length: length + 1 }, (_, row) => row * size);
  const type: ArrowType = { kind: 'list', element: { ...element, type: child.type } };
  return { kind: 'list', type, length, nullCount, validity, offsets, child };
}

function castFixed(column: FixedColumn, to: ArrowType): FixedColumn {
  const from = column.type;
  if (from.kind === 'int' && to.kind === 'int') return castInt(column, from, to);
  if (from.kind === 'float' && to.kind === 'float' && from.bits <= to.bits) {
    return { ...(from.bits === to.bits ? column : widenFloats(column, from.bits)), type: to };
  }
  if (from.kind === 'decimal' && to.kind === 'decimal' && from.scale === to.scale && from.precision <= to.precision) {
    if (from.bits <= to.bits) return { ...widenDecimal(column, to.bits / 8), type: to };
  }
  if (from.kind === 'date' && to.kind === 'date' && to.unit === 'day') {
    return { ...(from.unit === 'day' ? column : millisToDays(column)), type: to };
  }
  if (from.kind === 'timestamp' && to.kind === 'timestamp' && (from.timezone === null) === (to.timezone === null)) {
    const factor = unitsPerSecond[to.unit] / unitsPerSecond[from.unit];
    if (factor === 1) return { ...column, type: to };
    if (factor === 1000 || factor === 1_000_000) return { ...scaleLongs(column, factor), type: to };
  }
  if (from.kind === 'time' && to.kind === 'time' && from.unit === to.unit) return column;
  if (from.kind === 'duration' && to.kind === 'duration' && from.unit === to.unit) return column;
  if (from.kind === 'fixed-size-binary' && to.kind === from.kind && byteWidth(to) === column.width) return column;
  return refuse(from, to);
}

const unitsPerSecond = { s: 1, ms: 1000, us: 1_000_000, ns: 1_000_000_000 } as const;

type IntType = Extract<ArrowType, { kind: 'int' }>;

function castInt(column: FixedColumn, from: IntType, to: IntType): FixedColumn {
  if (from.bits === to.bits && from.signed === to.signed) return { ...column, type: to };
  const fits = to.signed && (from.signed ? from.bits <= to.bits : from.bits < to.bits);
  if (!fits || to.bits < 32) return refuse(from, to);
  const narrow = from.bits === 32 ? wordsOf(column.values) : widenToWords(column, from);
  if (to.bits === 32) return { ...withValues(column, narrow, 4), type: to };
  const wide = new Int32Array(column.length * 2);
  for (let row = 0; row < column.length; row++) {
    wide[row << 1] = narrow[row]!;
    if (from.signed) wide[(row << 1) | 1] = narrow[row]! >> 31;
  }
  return { ...withValues(column, wide, 8), type: to };
}

function widenToWords(column: FixedColumn, from: IntType): Int32Array {
  const { values, length } = column;
  const words = new Int32Array(length);
  if (from.bits === 8) {
    for (let row = 0; row < length; row++) words[row] = from.signed ? (values[row]! << 24) >> 24 : values[row]!;
  } else {
    const halves = halvesOf(values);
    for (let row = 0; row < length; row++) words[row] = from.signed ? halves[row]! : halves[row]! & 0xffff;
  }
  return words;
}

function widenFloats(column: FixedColumn, bits: number): FixedColumn {
  if (bits !== 32) return refuse(column.type, { kind: 'float', bits: 64 });
  const doubles = new Float64Array(column.length);
  const floats = floatsOf(column.values);
  for (let row = 0; row < column.length; row++) doubles[row] = floats[row]!;
  return withValues(column, doubles, 8);
}

export function refuse(from: ArrowType, to: ArrowType): never {
  throw new ServiceError('SCHEMA_MISMATCH', `${describeType(from)} cannot become ${describeType(to)} without loss`);
}

/** A type in words, as messages show it: `timestamp[us, UTC]`, `decimal128(10, 2)`, `list`. */
export function describeType(type: ArrowType): string {
  switch (type.kind) {
    case 'int':
      return `${type.signed ? 'int' : 'uint'}${type.bits}`;
    case 'float':
      return `float${type.bits}`;
    case 'decimal':
      return `decimal${type.bits}(${type.precision}, ${type.scale})`;
    case 'date':
      return type.unit === 'day' ? 'date32' : 'date64';
    case 'time':
    case 'duration':
      return `${type.kind}[${type.unit}]`;
    case 'timestamp':
      return `timestamp[${type.unit}${type.timezone === null ? '' : `, ${type.timezone}`}]`;
    case 'fixed-size-binary':
      return `fixed_size_binary(${type.byteWidth})`;
    default:
      return type.kind;
  }
}
