import { isUtf8 } from 'node:buffer';
import type { MetricColumns, Slices } from '../../catalog/manifest/columns.ts';
import type { PrimitiveType, Value } from '../../catalog/schema/types.ts';
import { decodeBound } from '../../catalog/schema/value.ts';
import { compareBytes } from '../../catalog/schema/value-order.ts';
import { type BoundField, hasNan } from '../filter/bound.ts';
import { usableBounds } from './metrics.ts';
import type { FieldRange } from './range.ts';

/**
 * What statistics say of one field, file by file: the `FieldRange` of each, as columns. Bounds that bound nothing (see
 * `usableBounds`) are left out when the column is made.
 */
export interface RangeColumns {
  readonly field: BoundField;
  readonly files: number;
  /** {@link mayBe} flags. */
  readonly flags: Uint8Array;
  readonly bounds: NumberBounds | ByteBounds | ValueBounds;
}

/** Booleans as 0 and 1, all numbers, and whole numbers that a double holds exactly. */
export interface NumberBounds {
  readonly kind: 'numbers';
  /** NaN = nothing known. */
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/** Strings as UTF-8, whose order is theirs, and binaries. */
export interface ByteBounds {
  readonly kind: 'bytes';
  readonly bytes: Uint8Array;
  readonly lowerEnds: Uint32Array;
  /** Each file's upper bound lies behind its lower one. */
  readonly upperEnds: Uint32Array;
  /** Bit 0: has a lower bound, bit 1: an upper one. */
  readonly present: Uint8Array;
}

/** Anything else, and numbers that a double cannot hold. */
export interface ValueBounds {
  readonly kind: 'values';
  readonly lower: readonly (Value | null)[];
  readonly upper: readonly (Value | null)[];
}

export const mayBe = { null: 1, nan: 2, value: 4 } as const;

/** The columns of a field from its statistics, by the type that it has there; `rows` are the files' row counts. */
export function rangeColumns(field: BoundField, metrics: MetricColumns, rows: ArrayLike<number>): RangeColumns {
  const { type } = field;
  const files = rows.length;
  const flags = new Uint8Array(files);
  const countsNan = hasNan(type);
  for (let at = 0; at < files; at++) {
    const all = Math.max(rows[at]!, metrics.valueCounts[at]!);
    const nulls = metrics.nullCounts[at]!;
    const nans = countsNan ? metrics.nanCounts[at]! : 0;
    // Counts are -1 where they are not known.
    const isNull = nulls !== 0 ? mayBe.null : 0;
    const isNan = nans !== 0 && !(nulls >= 0 && nulls >= all) ? mayBe.nan : 0;
    const isValue = Math.max(nulls, 0) + Math.max(nans, 0) < all ? mayBe.value : 0;
    flags[at] = isNull | isNan | isValue;
  }
  return { field, files, flags, bounds: boundsOf(type, metrics, files) };
}

function boundsOf(type: PrimitiveType, metrics: MetricColumns, files: number): RangeColumns['bounds'] {
  if (type.kind === 'string' || type.kind === 'binary' || type.kind === 'fixed')
    return byteBounds(type, metrics, files);
  const numbers = isNumeric(type) ? numberBounds(type, metrics, files) : null;
  return numbers ?? valueBounds(type, metrics, files);
}

const isNumeric = ({ kind }: PrimitiveType): boolean => kind !== 'uuid' && kind !== 'unknown';

/** Null where some bound is too great for a double. */
function numberBounds(type: PrimitiveType, metrics: MetricColumns, files: number): NumberBounds | null {
  const read = numberReader(type);
  const lower = numbersOf(metrics.lower, files, read);
  const upper = lower === null ? null : numbersOf(metrics.upper, files, read);
  if (lower === null || upper === null) return null;
  const isNan = ({ lengths }: Slices, numbers: Float64Array, at: number): boolean =>
    hasNan(type) && Number.isNaN(numbers[at]) && (lengths[at] === 4 || (lengths[at] === 8 && type.kind === 'double'));
  for (let at = 0; at < files; at++) {
    // A bound that was written as NaN makes the other useless too; one that is absent does not.
    if (lower[at]! > upper[at]! || isNan(metrics.lower, lower, at) || isNan(metrics.upper, upper, at)) {
      lower[at] = Number.NaN;
      upper[at] = Number.NaN;
    }
  }
  return { kind: 'numbers', lower, upper };
}

/** NaN for no number; undefined for one that a double cannot hold. */
type NumberReader = (view: DataView, start: number, length: number) => number | undefined;

function numbersOf({ bytes, starts, lengths }: Slices, files: number, read: NumberReader): Float64Array | null {
  const numbers = new Float64Array(files);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < files; at++) {
    const length = lengths[at]!;
    const number = length < 0 ? Number.NaN : read(view, starts[at]!, length);
    if (number === undefined) return null;
    numbers[at] = number;
  }
  return numbers;
}

function numberReader(type: PrimitiveType): NumberReader {
  switch (type.kind) {
    case 'int':
    case 'date':
      return (view, start, length) => (length === 4 ? view.getInt32(start, true) : Number.NaN);
    case 'double':
      return (view, start, length) => {
        if (length === 8) return view.getFloat64(start, true);
        return length === 4 ? view.getFloat32(start, true) : Number.NaN;
      };
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return (view, start, length) => {
        if (length === 8) return safe(view.getInt32(start + 4, true) * 2 ** 32 + view.getUint32(start, true));
        return decoded(type, view, start, length);
      };
    default:
      return (view, start, length) => decoded(type, view, start, length);
  }
}

const safe = (number: number): number | undefined => (Number.isSafeInteger(number) ? number : undefined);

function decoded(type: PrimitiveType, view: DataView, start: number, length: number): number | undefined {
  const value = decodeBound(type, new Uint8Array(view.buffer, view.byteOffset + start, length));
  return value === null ? Number.NaN : numberOf(value);
}

/** A value as {@link NumberBounds} holds it; undefined where it cannot. */
export function numberOf(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'bigint' ? safe(Number(value)) : undefined;
}

function byteBounds(type: PrimitiveType, { lower, upper }: MetricColumns, files: number): ByteBounds {
  const lowerEnds = new Uint32Array(files);
  const upperEnds = new Uint32Array(files);
  const present = new Uint8Array(files);
  let length = 0;
  for (let at = 0; at < files; at++) {
    const [low, high] = [readable(type, lower, at), readable(type, upper, at)];
    const isReversed = low !== null && high !== null && compareBytes(low, high) > 0;
    if (low !== null && !isReversed) present[at]! |= 1;
    if (high !== null && !isReversed) present[at]! |= 2;
    length += present[at]! & 1 ? low!.length : 0;
    lowerEnds[at] = length;
    length += present[at]! & 2 ? high!.length : 0;
    upperEnds[at] = length;
  }
  const bytes = new Uint8Array(length);
  for (let at = 0; at < files; at++) {
    if (present[at]! & 1) bytes.set(sliceAt(lower, at), at === 0 ? 0 : upperEnds[at - 1]!);
    if (present[at]! & 2) bytes.set(sliceAt(upper, at), lowerEnds[at]!);
  }
  return { kind: 'bytes', bytes, lowerEnds, upperEnds, present };
}

const sliceAt = ({ bytes, starts, lengths }: Slices, at: number): Uint8Array =>
  bytes.subarray(starts[at]!, starts[at]! + lengths[at]!);

function readable(type: PrimitiveType, slices: Slices, at: number): Uint8Array | null {
  if (slices.lengths[at]! < 0) return null;
  const bytes = sliceAt(slices, at);
  if (type.kind === 'fixed' && bytes.length > type.length) return null;
  return type.kind !== 'string' || isUtf8(bytes) ? bytes : null;
}

function valueBounds(type: PrimitiveType, metrics: MetricColumns, files: number): ValueBounds {
  const lower: (Value | null)[] = [];
  const upper: (Value | null)[] = [];
  const read = (slices: Slices, at: number): Value | null =>
    slices.lengths[at]! < 0 ? null : decodeBound(type, sliceAt(slices, at).slice());
  for (let at = 0; at < files; at++) {
    const usable = usableBounds(type, read(metrics.lower, at), read(metrics.upper, at));
    lower.push(usable.lower);
    upper.push(usable.upper);
  }
  return { kind: 'values', lower, upper };
}

/** What the columns say of one file. */
export function rangeAt(columns: RangeColumns, at: number): FieldRange {
  const flags = columns.flags[at]!;
  return {
    mayBeNull: (flags & mayBe.null) !== 0,
    mayBeNan: (flags & mayBe.nan) !== 0,
    mayBeValue: (flags & mayBe.value) !== 0,
    ...boundsAt(columns, at),
  };
}

function boundsAt({ field: { type }, bounds }: RangeColumns, at: number): Pick<FieldRange, 'lower' | 'upper'> {
  switch (bounds.kind) {
    case 'numbers':
      return { lower: boundValue(type, bounds.lower[at]!), upper: boundValue(type, bounds.upper[at]!) };
    case 'bytes': {
      const { bytes, lowerEnds, upperEnds } = bounds;
      const start = at === 0 ? 0 : upperEnds[at - 1]!;
      const value = (from: number, to: number): Value | null => decodeBound(type, bytes.subarray(from, to));
      return {
        lower: bounds.present[at]! & 1 ? value(start, lowerEnds[at]!) : null,
        upper: bounds.present[at]! & 2 ? value(lowerEnds[at]!, upperEnds[at]!) : null,
      };
    }
    case 'values':
      return { lower: bounds.lower[at]!, upper: bounds.upper[at]! };
    default:
      return bounds satisfies never;
  }
}

function boundValue({ kind }: PrimitiveType, number: number): Value | null {
  if (Number.isNaN(number)) return null;
  if (kind === 'boolean') return number !== 0;
  return kind === 'int' || kind === 'date' || kind === 'float' || kind === 'double' ? number : BigInt(number);
}

const valueBytes = 48;

/** About what the columns take in memory. */
export function memoryOfRanges({ bounds, files }: RangeColumns): number {
  switch (bounds.kind) {
    case 'numbers':
      return 17 * files;
    case 'bytes':
      return 10 * files + bounds.bytes.length;
    case 'values':
      return (1 + 2 * valueBytes) * files;
    default:
      return bounds satisfies never;
  }
}
