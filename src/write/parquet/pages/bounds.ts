import { bytesOf, doublesOf, floatsOf, wordsOf } from '../../../scan/arrow/kernels/typed-views.ts';
import type { LeafDictionary } from './dictionary.ts';
import type { FixedValues, PhysicalValues } from './physical.ts';

/** The least and greatest value of a page or chunk in PLAIN encoding, byte arrays without their length; NaNs are left out. */
export interface Bounds {
  readonly min: Uint8Array;
  readonly max: Uint8Array;
}

export interface BoundsAndNans {
  /** Null where there are no values, or none but NaNs. */
  readonly bounds: Bounds | null;
  readonly nans: number;
}

/** Bounds of values [start, end). With a dictionary only the entries that occur among them are compared. */
export function boundsOf(
  values: PhysicalValues,
  start: number,
  end: number,
  dictionary: LeafDictionary | null,
): BoundsAndNans {
  if (start === end) return { bounds: null, nans: 0 };
  switch (values.kind) {
    case 'bool':
      return plain(boolBounds(values.values, start, end));
    case 'bytes': {
      const spans = { values: values.values, view: viewOf(values.values), offsets: values.offsets };
      return plain(spanBounds(spans, dictionary === null ? null : seenEntries(dictionary, start, end), start, end));
    }
    case 'fixed':
      return fixedBounds(values, start, end);
    default:
      return values satisfies never;
  }
}

const plain = (bounds: Bounds): BoundsAndNans => ({ bounds, nans: 0 });

/** The same for any two values of a leaf: negative, 0 or positive. */
export function compareBounds(values: PhysicalValues, left: Uint8Array, right: Uint8Array): number {
  if (values.kind !== 'fixed') return Buffer.compare(left, right);
  const [a, b] = [viewOf(left), viewOf(right)];
  switch (values.order) {
    case 'int32':
      return a.getInt32(0, true) - b.getInt32(0, true);
    case 'int64':
      return Number(a.getBigInt64(0, true) - b.getBigInt64(0, true));
    case 'float':
      return a.getFloat32(0, true) - b.getFloat32(0, true);
    case 'double':
      return a.getFloat64(0, true) - b.getFloat64(0, true);
    case 'unsigned':
      return Buffer.compare(left, right);
    case 'big-endian':
      return compareBigEndian(left, 0, right, 0, values.width);
    default:
      return values.order satisfies never;
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function fixedBounds(column: FixedValues, start: number, end: number): BoundsAndNans {
  switch (column.order) {
    case 'int32':
      return plain(wordBounds(wordsOf(column.values), start, end));
    case 'int64':
      return plain(pairBounds(wordsOf(column.values), start, end));
    case 'float':
      return singleBounds(floatsOf(column.values), start, end);
    case 'double':
      return doubleBounds(doublesOf(column.values), start, end);
    case 'unsigned':
    case 'big-endian': {
      const { values, width } = column;
      const compare = column.order === 'unsigned' ? compareUnsigned : compareBigEndian;
      let min = start;
      let max = start;
      for (let at = start + 1; at < end; at++) {
        if (compare(values, at * width, values, min * width, width) < 0) min = at;
        if (compare(values, at * width, values, max * width, width) > 0) max = at;
      }
      const one = (at: number): Uint8Array => values.slice(at * width, (at + 1) * width);
      return plain({ min: one(min), max: one(max) });
    }
    default:
      return column.order satisfies never;
  }
}

function wordBounds(words: Int32Array, start: number, end: number): Bounds {
  let min = words[start]!;
  let max = min;
  for (let at = start; at < end; at++) {
    const value = words[at]!;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min: bytesOf(Int32Array.of(min)), max: bytesOf(Int32Array.of(max)) };
}

/** 64-bit values as two words: as BigInts each would be an object. */
function pairBounds(words: Int32Array, start: number, end: number): Bounds {
  let minLow = words[start << 1]! >>> 0;
  let minHigh = words[(start << 1) | 1]!;
  let maxLow = minLow;
  let maxHigh = minHigh;
  for (let at = start; at < end; at++) {
    const high = words[(at << 1) | 1]!;
    const low = words[at << 1]! >>> 0;
    if (high < minHigh || (high === minHigh && low < minLow)) {
      minHigh = high;
      minLow = low;
    } else if (high > maxHigh || (high === maxHigh && low > maxLow)) {
      maxHigh = high;
      maxLow = low;
    }
  }
  return { min: bytesOf(Int32Array.of(minLow, minHigh)), max: bytesOf(Int32Array.of(maxLow, maxHigh)) };
}

function singleBounds(numbers: Float32Array, start: number, end: number): BoundsAndNans {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let nans = 0;
  for (let at = start; at < end; at++) {
    const value = numbers[at]!;
    // Most values lie between the bounds so far, and only a NaN fails both comparisons.
    if (value >= min && value <= max) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    if (Number.isNaN(value)) nans++;
  }
  if (nans === end - start) return { bounds: null, nans };
  const [low, high] = withSignedZeros(min, max);
  return { bounds: { min: bytesOf(Float32Array.of(low)), max: bytesOf(Float32Array.of(high)) }, nans };
}

/** The same for doubles: one loop for both kinds of array is half as fast. */
function doubleBounds(numbers: Float64Array, start: number, end: number): BoundsAndNans {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let nans = 0;
  for (let at = start; at < end; at++) {
    const value = numbers[at]!;
    if (value >= min && value <= max) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    if (Number.isNaN(value)) nans++;
  }
  if (nans === end - start) return { bounds: null, nans };
  const [low, high] = withSignedZeros(min, max);
  return { bounds: { min: bytesOf(Float64Array.of(low)), max: bytesOf(Float64Array.of(high)) }, nans };
}

/** Zero stands as -0.0 in a lower and as 0.0 in an upper bound (parquet.thrift, `TypeDefinedOrder`). */
const withSignedZeros = (min: number, max: number): [number, number] => [min === 0 ? -0 : min, max === 0 ? 0 : max];

function boolBounds(values: Uint8Array, start: number, end: number): Bounds {
  const first = values[start]!;
  const other = values.subarray(start, end).indexOf(1 - first) >= 0;
  return { min: Uint8Array.of(other ? 0 : first), max: Uint8Array.of(other ? 1 : first) };
}

interface Spans {
  readonly values: Uint8Array;
  readonly view: DataView;
  readonly offsets: Int32Array;
}

/** Among chosen spans, or among all of [start, end). */
function spanBounds(spans: Spans, chosen: Int32Array | null, start: number, end: number): Bounds {
  const count = chosen === null ? end - start : chosen.length;
  let min = chosen === null ? start : chosen[0]!;
  let max = min;
  for (let at = 1; at < count; at++) {
    const span = chosen === null ? start + at : chosen[at]!;
    if (compareSpans(spans, span, min) < 0) min = span;
    else if (compareSpans(spans, span, max) > 0) max = span;
  }
  const one = (span: number): Uint8Array => spans.values.slice(spans.offsets[span]!, spans.offsets[span + 1]!);
  return { min: one(min), max: one(max) };
}

/** Spans that stand for the dictionary's entries which values [start, end) have. */
function seenEntries({ indices, entries }: LeafDictionary, start: number, end: number): Int32Array {
  const seen = new Uint8Array(entries.length);
  for (let at = start; at < end; at++) seen[indices[at]!] = 1;
  return entries.filter((_, entry) => seen[entry] === 1);
}

function compareSpans({ values, view, offsets }: Spans, left: number, right: number): number {
  let a = offsets[left]!;
  let b = offsets[right]!;
  const aEnd = offsets[left + 1]!;
  const bEnd = offsets[right + 1]!;
  const shared = Math.min(aEnd - a, bEnd - b);
  const end = a + shared;
  // Texts of one column often begin alike.
  for (; a + 4 <= end; a += 4, b += 4) if (view.getInt32(a) !== view.getInt32(b)) break;
  for (; a < end; a++, b++) {
    if (values[a] !== values[b]) return values[a]! - values[b]!;
  }
  return aEnd - offsets[left]! - (bEnd - offsets[right]!);
}

function compareUnsigned(left: Uint8Array, a: number, right: Uint8Array, b: number, width: number): number {
  for (let byte = 0; byte < width; byte++) {
    if (left[a + byte] !== right[b + byte]) return left[a + byte]! - right[b + byte]!;
  }
  return 0;
}

/** Two's complement of equal length, the sign in the first byte. */
function compareBigEndian(left: Uint8Array, a: number, right: Uint8Array, b: number, width: number): number {
  const order = ((left[a]! << 24) >> 24) - ((right[b]! << 24) >> 24);
  return order !== 0 ? order : compareUnsigned(left, a + 1, right, b + 1, width - 1);
}

/** Whether a page's bounds neither fall, nor rise, from page to page (parquet.thrift, `BoundaryOrder`). */
export function boundaryOrder(values: PhysicalValues, pages: readonly Bounds[]): number {
  let ascends = true;
  let descends = true;
  for (let at = 1; at < pages.length; at++) {
    const min = compareBounds(values, pages[at]!.min, pages[at - 1]!.min);
    const max = compareBounds(values, pages[at]!.max, pages[at - 1]!.max);
    if (min < 0 || max < 0) ascends = false;
    if (min > 0 || max > 0) descends = false;
  }
  return ascends ? 1 : descends ? 2 : 0;
}

/** Bounds of everything that the pages hold; null where none has any. */
export function mergeBounds(values: PhysicalValues, pages: readonly (Bounds | null)[]): Bounds | null {
  let merged: Bounds | null = null;
  for (const page of pages) {
    if (page === null) continue;
    const min: Uint8Array = merged === null || compareBounds(values, page.min, merged.min) < 0 ? page.min : merged.min;
    const max: Uint8Array = merged === null || compareBounds(values, page.max, merged.max) > 0 ? page.max : merged.max;
    merged = { min, max };
  }
  return merged;
}
