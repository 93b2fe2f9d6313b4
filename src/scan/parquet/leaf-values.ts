import { isAscii, isUtf8 } from 'node:buffer';
import { ServiceError } from '../../core/errors.ts';
import type { ArrowType, BytesColumn, Column, FixedColumn } from '../arrow/column.ts';
import { castColumn } from '../arrow/kernels/cast.ts';
import { hydrate } from '../arrow/kernels/hydrate.ts';
import { nullColumn } from '../arrow/kernels/null-column.ts';
import { withValues, wordsOf } from '../arrow/kernels/typed-views.ts';
import { naturalType } from './leaf-type.ts';
import type { ParquetLeaf } from './schema.ts';
import { divideLongs, int96ToTimestamps, scaleTimes } from './time-values.ts';

/** Turns a decoder's raw values (`rawType`) into a column of the wanted type; nulls stay where they are. */
export type LeafConversion = (column: Column) => Column;

/**
 * How a leaf's values become `to`; null where they never can. Allowed are the leaf's own type, Iceberg's promotions (table spec,
 * "Schema Evolution"), any zone of a timestamp (the table's schema decides), coarser time units made finer, and INT96, bare bytes
 * and enums as what old writers meant by them. A conversion throws SCHEMA_MISMATCH for a value that does not fit and CORRUPT_FILE
 * for text that is not UTF-8. Texts and bytes in a dictionary stay there: its entries are converted once, not once per window.
 */
export function leafConversion(leaf: ParquetLeaf, to: ArrowType): LeafConversion | null {
  const convert = plainConversion(leaf, to);
  if (convert === null || leaf.physical !== 'byte-array') return convert;
  const converted = new WeakMap<Column, Column>();
  return (column) => {
    if (column.kind !== 'dictionary') return convert(column);
    const known = converted.get(column.dictionary);
    const dictionary = known ?? convert(column.dictionary);
    if (known === undefined) converted.set(column.dictionary, dictionary);
    if (dictionary.kind === 'null') return nullColumn(to, column.length);
    const result: Column = { ...column, type: to, dictionary };
    return dictionary.kind === 'bytes' ? result : hydrate(result);
  };
}

/** {@link leafConversion} of values that stand in no dictionary. */
function plainConversion(leaf: ParquetLeaf, to: ArrowType): LeafConversion | null {
  const natural = naturalType(leaf);
  if (natural.kind === 'null') return (column) => nullColumn(to, column.length);
  if (leaf.physical === 'int96') {
    if (to.kind !== 'timestamp') return null;
    return (column) => ({ ...int96ToTimestamps(fixed(column), to.unit), type: to });
  }
  switch (to.kind) {
    case 'utf8':
      if (leaf.physical !== 'byte-array' || leaf.logical?.kind === 'bson') return null;
      return (column) => ({ ...checkUtf8(column), type: to });
    case 'binary':
      return leaf.physical === 'byte-array' && natural.kind !== 'decimal'
        ? (column) => ({ ...column, type: to })
        : null;
    case 'fixed-size-binary':
      return leaf.physical === 'fixed' && leaf.typeLength === to.byteWidth
        ? (column) => ({ ...column, type: to })
        : null;
    case 'bool':
      return natural.kind === 'bool' ? (column) => column : null;
    case 'int':
      return natural.kind === 'int' ? integers(natural, to) : null;
    case 'float':
      if (natural.kind !== 'float' || natural.bits > to.bits || (natural.bits === 16 && to.bits !== 16)) return null;
      return natural.bits === to.bits ? (column) => ({ ...column, type: to }) : (column) => castColumn(column, to);
    case 'decimal':
      if (natural.kind !== 'decimal' || natural.scale !== to.scale || natural.precision > to.precision) return null;
      return (column) => decimals(leaf, column, to);
    case 'date':
      return natural.kind === 'date' && to.unit === 'day' ? (column) => ({ ...column, type: to }) : null;
    case 'time':
      return natural.kind === 'time' ? times(natural.unit, to) : null;
    case 'timestamp':
      return timestamps(natural, to);
    default:
      return null;
  }
}

type TypeOf<Kind extends ArrowType['kind']> = Extract<ArrowType, { kind: Kind }>;

function fixed(column: Column): FixedColumn {
  if (column.kind !== 'fixed')
    throw new ServiceError('INTERNAL', `the Parquet decoder gave ${column.kind} for fixed values`);
  return column;
}

/** Physically 32 or 64 bits; narrower ones stand sign- or zero-extended in 32. */
function integers(natural: TypeOf<'int'>, to: TypeOf<'int'>): LeafConversion | null {
  if (natural.bits === to.bits && natural.signed === to.signed) {
    if (to.bits >= 32) return (column) => ({ ...column, type: to });
    return (column) => narrow(fixed(column), to);
  }
  const fits = to.signed && (natural.signed ? natural.bits < to.bits : natural.bits < to.bits);
  if (!fits || to.bits < 32) return null;
  const stored: ArrowType = natural.bits === 32 ? natural : { kind: 'int', bits: 32, signed: true };
  return (column) => castColumn({ ...column, type: stored }, to);
}

function narrow(column: FixedColumn, to: TypeOf<'int'>): FixedColumn {
  const words = wordsOf(column.values);
  const values =
    to.bits === 8
      ? Int8Array.from(words.subarray(0, column.length))
      : Int16Array.from(words.subarray(0, column.length));
  return { ...withValues(column, values, to.bits / 8), type: to };
}

function decimals(leaf: ParquetLeaf, column: Column, to: TypeOf<'decimal'>): Column {
  const width = to.bits / 8;
  if (leaf.physical === 'int32' || leaf.physical === 'int64') {
    const bits = leaf.physical === 'int32' ? 32 : 64;
    return castColumn({ ...column, type: { ...to, bits } }, to);
  }
  const values = new Uint8Array(column.length * width);
  if (column.kind === 'fixed') {
    for (let row = 0; row < column.length; row++) {
      signExtend(column.values, row * column.width, (row + 1) * column.width, values, row * width, width);
    }
  } else if (column.kind === 'bytes') {
    for (let row = 0; row < column.length; row++) {
      signExtend(column.values, column.offsets[row]!, column.offsets[row + 1]!, values, row * width, width);
    }
  }
  const { length, nullCount, validity } = column;
  return { kind: 'fixed', type: to, length, nullCount, validity, width, values };
}

/** Big-endian two's complement of any length to little-endian of `width` bytes; longer numbers must fit. */
function signExtend(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number, width: number): void {
  if (start === end) return;
  const sign = from[start]! & 0x80 ? 0xff : 0;
  const first = Math.max(start, end - width);
  for (let extra = start; extra < first; extra++) {
    if (from[extra] !== sign)
      throw new ServiceError('CORRUPT_FILE', 'a Parquet decimal has more digits than its precision');
  }
  for (let byte = end - 1, out = at; byte >= first; byte--, out++) to[out] = from[byte]!;
  if (sign !== 0) to.fill(0xff, at + end - first, at + width);
}

function times(unit: 's' | 'ms' | 'us' | 'ns', to: TypeOf<'time'>): LeafConversion | null {
  if (unit === to.unit) return (column) => ({ ...column, type: to });
  if (unit === 'ms' && to.unit === 'us') return (column) => ({ ...scaleTimes(fixed(column), 1000), type: to });
  if (unit === 'ns' && to.unit === 'us') return (column) => ({ ...divideLongs(fixed(column), 1000), type: to });
  return null;
}

const microsPerDay = 86_400_000_000;

function timestamps(natural: ArrowType, to: TypeOf<'timestamp'>): LeafConversion | null {
  if (natural.kind === 'date') {
    // Iceberg v3 promotes date to timestamp without zone.
    if (to.timezone !== null || to.unit === 's') return null;
    const micros: ArrowType = { kind: 'timestamp', unit: 'us', timezone: null };
    return (column) => castColumn({ ...scaleTimes(fixed(column), microsPerDay), type: micros }, to);
  }
  if (natural.kind !== 'timestamp') return null;
  if (natural.unit === 'ns' && to.unit === 'us') return (column) => ({ ...divideLongs(fixed(column), 1000), type: to });
  if (natural.unit === 'ns' && to.unit !== 'ns') return null;
  if (natural.unit === 'us' && to.unit === 'ms') return null;
  return (column) => castColumn({ ...column, type: { ...natural, timezone: to.timezone } }, to);
}

function checkUtf8(column: Column): BytesColumn {
  if (column.kind !== 'bytes') throw new ServiceError('INTERNAL', `the Parquet decoder gave ${column.kind} for text`);
  const { offsets, values, length } = column;
  const text = values.subarray(0, offsets[length]!);
  const bad = (): ServiceError =>
    new ServiceError('CORRUPT_FILE', 'a Parquet text column holds bytes that are not UTF-8');
  // In plain ASCII every value is sound, wherever it begins.
  if (isAscii(text)) return column;
  if (!isUtf8(text)) throw bad();
  // The whole is sound, so a value can only be wrong by beginning inside a character.
  for (let row = 0; row < length; row++) {
    const at = offsets[row]!;
    if (at < text.length && (text[at]! & 0xc0) === 0x80) throw bad();
  }
  return column;
}
