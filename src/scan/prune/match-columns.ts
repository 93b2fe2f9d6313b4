import type { Value } from '../../catalog/schema/types.ts';
import { compareBytes } from '../../catalog/schema/value-order.ts';
import type { BoundCondition, BoundField, BoundFilter } from '../filter/bound.ts';
import { conditionMayMatch } from './range.ts';
import { type ByteBounds, mayBe, type NumberBounds, numberOf, type RangeColumns, rangeAt } from './range-columns.ts';

/**
 * `rangeMayMatch` for all files at once: 0 for each file in which no row can make the filter true, 1 for the others. Every field of the
 * filter has columns of the type that the filter's condition has.
 */
export function columnsMayMatch(
  filter: BoundFilter,
  files: number,
  columnsOf: (field: BoundField) => RangeColumns,
): Uint8Array {
  switch (filter.kind) {
    case 'true':
      return new Uint8Array(files).fill(1);
    case 'false':
      return new Uint8Array(files);
    case 'and':
    case 'or': {
      const isAnd = filter.kind === 'and';
      const mask = new Uint8Array(files).fill(isAnd ? 1 : 0);
      for (const child of filter.of) {
        const other = columnsMayMatch(child, files, columnsOf);
        if (isAnd) for (let at = 0; at < files; at++) mask[at]! &= other[at]!;
        else for (let at = 0; at < files; at++) mask[at]! |= other[at]!;
      }
      return mask;
    }
    default:
      return conditionMask(filter, columnsOf(filter.field));
  }
}

function conditionMask(condition: BoundCondition, columns: RangeColumns): Uint8Array {
  switch (condition.kind) {
    case 'compare':
    case 'in':
    case 'not-in': {
      const test = valueTest(condition, columns);
      return test === null ? oneByOne(condition, columns) : valueMask(condition.nan, test, columns);
    }
    case 'starts-with':
    case 'not-starts-with': {
      const test = prefixTest(condition, columns);
      return test === null ? oneByOne(condition, columns) : valueMask(false, test, columns);
    }
    case 'is-null':
      return anyFlag(columns, mayBe.null);
    case 'is-nan':
      return anyFlag(columns, mayBe.nan);
    case 'not-nan':
      return anyFlag(columns, mayBe.value);
    case 'not-null':
      return anyFlag(columns, mayBe.nan | mayBe.value);
    case 'unless-null':
      return anyFlag(columns, condition.value ? mayBe.nan | mayBe.value : 0);
    default:
      return condition satisfies never;
  }
}

function anyFlag({ flags, files }: RangeColumns, wanted: number): Uint8Array {
  const mask = new Uint8Array(files);
  for (let at = 0; at < files; at++) mask[at] = flags[at]! & wanted ? 1 : 0;
  return mask;
}

/** For bounds and literals that have no columns of their own. */
function oneByOne(condition: BoundCondition, columns: RangeColumns): Uint8Array {
  const mask = new Uint8Array(columns.files);
  for (let at = 0; at < mask.length; at++) mask[at] = conditionMayMatch(condition, rangeAt(columns, at)) ? 1 : 0;
  return mask;
}

/** Whether values between a file's bounds may satisfy a condition. */
type BoundsTest = (at: number) => boolean;

function valueMask(nan: boolean, test: BoundsTest, { flags, files }: RangeColumns): Uint8Array {
  const mask = new Uint8Array(files);
  for (let at = 0; at < files; at++) {
    const flag = flags[at]!;
    const passes = (nan && (flag & mayBe.nan) !== 0) || ((flag & mayBe.value) !== 0 && test(at));
    mask[at] = passes ? 1 : 0;
  }
  return mask;
}

type ValueCondition = Extract<BoundCondition, { readonly kind: 'compare' | 'in' | 'not-in' }>;

/** Null where the literals or the bounds can only be looked at one by one. */
function valueTest(condition: ValueCondition, { bounds }: RangeColumns): BoundsTest | null {
  switch (bounds.kind) {
    case 'numbers':
      return numberTest(condition, bounds);
    case 'bytes':
      return byteTest(condition, bounds);
    case 'values':
      return null;
    default:
      return bounds satisfies never;
  }
}

/** Every comparison with NaN is false, which keeps the files whose bounds are not known. */
function numberTest(condition: ValueCondition, { lower, upper }: NumberBounds): BoundsTest | null {
  const literals = (condition.kind === 'compare' ? [condition.literal] : condition.literals).map(placeOf);
  if (literals.some(Number.isNaN)) return null;
  const sorted = Float64Array.from(literals).sort();
  const within: BoundsTest = (at) => {
    const first = firstAtLeast(sorted, lower[at]!);
    return first < sorted.length && !(sorted[first]! > upper[at]!);
  };
  const isOne: BoundsTest = (at) => lower[at] === upper[at] && within(at);
  const op = condition.kind === 'compare' ? condition.op : condition.kind === 'in' ? '=' : '!=';
  const literal = sorted[0]!;
  switch (op) {
    case '=':
      return sorted.length === 1 ? (at) => !(lower[at]! > literal) && !(upper[at]! < literal) : within;
    case '!=':
      return (at) => !isOne(at);
    case '<':
      return (at) => !(lower[at]! >= literal);
    case '<=':
      return (at) => !(lower[at]! > literal);
    case '>':
      return (at) => !(upper[at]! <= literal);
    case '>=':
      return (at) => !(upper[at]! < literal);
    default:
      return op satisfies never;
  }
}

/** A literal among bounds that a double holds exactly: one that it cannot hold lies beyond all of them. */
function placeOf(literal: Value): number {
  const number = numberOf(literal);
  if (number !== undefined) return number;
  return typeof literal === 'bigint' ? (literal > 0n ? Infinity : -Infinity) : Number.NaN;
}

/** The first of the sorted numbers that is no less; 0 for NaN. */
function firstAtLeast(sorted: Float64Array, number: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

function byteTest(condition: ValueCondition, bounds: ByteBounds): BoundsTest | null {
  const literals = (condition.kind === 'compare' ? [condition.literal] : condition.literals).map(bytesOf);
  if (literals.includes(null)) return null;
  const sorted = (literals as Uint8Array[]).toSorted(compareBytes);
  const literal = sorted[0]!;
  const { lower, upper } = comparers(bounds);
  const within: BoundsTest = (at) => {
    // The order of the bound to a literal; a bound that is not known is on the wanted side of all of them.
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (lower(at, sorted[middle]!, -1) > 0) low = middle + 1;
      else high = middle;
    }
    return low < sorted.length && upper(at, sorted[low]!, 1) >= 0;
  };
  const op = condition.kind === 'compare' ? condition.op : condition.kind === 'in' ? '=' : '!=';
  switch (op) {
    case '=':
      return within;
    case '!=':
      return (at) => !(bounds.present[at] === 3 && isSingle(bounds, at) && within(at));
    case '<':
      return (at) => lower(at, literal, -1) < 0;
    case '<=':
      return (at) => lower(at, literal, -1) <= 0;
    case '>':
      return (at) => upper(at, literal, 1) > 0;
    case '>=':
      return (at) => upper(at, literal, 1) >= 0;
    default:
      return op satisfies never;
  }
}

/** Text with half a surrogate pair has no UTF-8 of its own. */
function bytesOf(literal: Value): Uint8Array | null {
  if (typeof literal === 'string') return literal.isWellFormed() ? Buffer.from(literal) : null;
  return literal instanceof Uint8Array ? literal : null;
}

type BoundOrder = (at: number, literal: Uint8Array, unknown: number) => number;

/** Negative, 0 or positive as a file's bound sorts before, with or after a literal. */
function comparers({ bytes, lowerEnds, upperEnds, present }: ByteBounds): {
  readonly lower: BoundOrder;
  readonly upper: BoundOrder;
} {
  return {
    lower: (at, literal, unknown) =>
      present[at]! & 1 ? order(bytes, at === 0 ? 0 : upperEnds[at - 1]!, lowerEnds[at]!, literal) : unknown,
    upper: (at, literal, unknown) =>
      present[at]! & 2 ? order(bytes, lowerEnds[at]!, upperEnds[at]!, literal) : unknown,
  };
}

function order(bytes: Uint8Array, start: number, end: number, literal: Uint8Array): number {
  const length = Math.min(end - start, literal.length);
  for (let at = 0; at < length; at++) {
    const difference = bytes[start + at]! - literal[at]!;
    if (difference !== 0) return difference;
  }
  return end - start - literal.length;
}

function isSingle({ bytes, lowerEnds, upperEnds }: ByteBounds, at: number): boolean {
  const start = at === 0 ? 0 : upperEnds[at - 1]!;
  return order(bytes, start, lowerEnds[at]!, bytes.subarray(lowerEnds[at]!, upperEnds[at]!)) === 0;
}

type PrefixCondition = Extract<BoundCondition, { readonly kind: 'starts-with' | 'not-starts-with' }>;

/** No more of a bound is looked at than the prefix has: code points end where bytes do. */
function prefixTest({ kind, prefix }: PrefixCondition, { bounds }: RangeColumns): BoundsTest | null {
  const wanted = bytesOf(prefix);
  if (bounds.kind !== 'bytes' || wanted === null) return null;
  const { bytes, lowerEnds, upperEnds, present } = bounds;
  const head = (start: number, end: number): number =>
    order(bytes, start, Math.min(end, start + wanted.length), wanted);
  const lowerHead = (at: number): number => head(at === 0 ? 0 : upperEnds[at - 1]!, lowerEnds[at]!);
  const upperHead = (at: number): number => head(lowerEnds[at]!, upperEnds[at]!);
  if (kind === 'not-starts-with') return (at) => !(present[at] === 3 && lowerHead(at) === 0 && upperHead(at) === 0);
  return (at) => !((present[at]! & 1 && lowerHead(at) > 0) || (present[at]! & 2 && upperHead(at) < 0));
}
