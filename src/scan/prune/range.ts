import type { PrimitiveType, Value } from '../../catalog/schema/types.ts';
import { compareValues, firstCodePoints } from '../../catalog/schema/value-order.ts';
import type { BoundCondition, BoundField, BoundFilter } from '../filter/bound.ts';

/**
 * What is known of a field's values in a set of rows. Every "may" is true unless statistics rule it out; bounds hold for the
 * values that are neither null nor NaN, may be wider than the values, and are null where nothing is known.
 */
export interface FieldRange {
  readonly mayBeNull: boolean;
  readonly mayBeNan: boolean;
  /** Some row may hold a value that is neither null nor NaN. */
  readonly mayBeValue: boolean;
  readonly lower: Value | null;
  readonly upper: Value | null;
}

type RangeOf = (field: BoundField) => FieldRange;

/** False only where no row can make the filter true (inclusive evaluation). */
export function rangeMayMatch(filter: BoundFilter, rangeOf: RangeOf): boolean {
  switch (filter.kind) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'and':
      return filter.of.every((child) => rangeMayMatch(child, rangeOf));
    case 'or':
      return filter.of.some((child) => rangeMayMatch(child, rangeOf));
    default:
      return conditionMayMatch(filter, rangeOf(filter.field));
  }
}

/** True only where every row makes the filter true (strict evaluation). */
export function rangeMustMatch(filter: BoundFilter, rangeOf: RangeOf): boolean {
  switch (filter.kind) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'and':
      return filter.of.every((child) => rangeMustMatch(child, rangeOf));
    case 'or':
      return filter.of.some((child) => rangeMustMatch(child, rangeOf));
    default:
      return conditionMustMatch(filter, rangeOf(filter.field));
  }
}

export function conditionMayMatch(condition: BoundCondition, range: FieldRange): boolean {
  const { mayBeNull, mayBeNan, mayBeValue } = range;
  switch (condition.kind) {
    case 'is-null':
      return mayBeNull;
    case 'not-null':
      return mayBeNan || mayBeValue;
    case 'is-nan':
      return mayBeNan;
    case 'not-nan':
      return mayBeValue;
    case 'unless-null':
      return condition.value && (mayBeNan || mayBeValue);
    case 'compare':
    case 'in':
    case 'not-in':
      return (condition.nan && mayBeNan) || (mayBeValue && valueMayMatch(condition, range));
    case 'starts-with':
      return mayBeValue && !isOutsidePrefix(condition.prefix, range);
    case 'not-starts-with':
      return mayBeValue && !isInsidePrefix(condition.prefix, range);
    default:
      return condition satisfies never;
  }
}

function conditionMustMatch(condition: BoundCondition, range: FieldRange): boolean {
  const { mayBeNull, mayBeNan, mayBeValue } = range;
  switch (condition.kind) {
    case 'is-null':
      return !mayBeNan && !mayBeValue;
    case 'not-null':
      return !mayBeNull;
    case 'is-nan':
      return !mayBeNull && !mayBeValue;
    case 'not-nan':
      return !mayBeNull && !mayBeNan;
    case 'unless-null':
      return condition.value && !mayBeNull;
    case 'compare':
    case 'in':
    case 'not-in':
      return !mayBeNull && (condition.nan || !mayBeNan) && (!mayBeValue || valueMustMatch(condition, range));
    case 'starts-with':
      return !mayBeNull && (!mayBeValue || isInsidePrefix(condition.prefix, range));
    case 'not-starts-with':
      return !mayBeNull && (!mayBeValue || isOutsidePrefix(condition.prefix, range));
    default:
      return condition satisfies never;
  }
}

type ValueCondition = Extract<BoundCondition, { readonly kind: 'compare' | 'in' | 'not-in' }>;

function valueMayMatch(condition: ValueCondition, range: FieldRange): boolean {
  const { type } = condition.field;
  if (condition.kind !== 'compare') {
    const literals = sortedLiterals(condition);
    return condition.kind === 'in' ? anyWithin(literals, type, range) : !isOneOf(literals, type, range);
  }
  const { lower, upper } = range;
  const { literal } = condition;
  switch (condition.op) {
    case '=':
      return anyWithin([literal], type, range);
    case '!=':
      return !isOneOf([literal], type, range);
    case '<':
      return lower === null || compareValues(type, lower, literal) < 0;
    case '<=':
      return lower === null || compareValues(type, lower, literal) <= 0;
    case '>':
      return upper === null || compareValues(type, upper, literal) > 0;
    case '>=':
      return upper === null || compareValues(type, upper, literal) >= 0;
    default:
      return condition.op satisfies never;
  }
}

function valueMustMatch(condition: ValueCondition, range: FieldRange): boolean {
  const { type } = condition.field;
  if (condition.kind !== 'compare') {
    const literals = sortedLiterals(condition);
    return condition.kind === 'in' ? isOneOf(literals, type, range) : !anyWithin(literals, type, range);
  }
  const { lower, upper } = range;
  const { literal } = condition;
  switch (condition.op) {
    case '=':
      return isOneOf([literal], type, range);
    case '!=':
      return !anyWithin([literal], type, range);
    case '<':
      return upper !== null && compareValues(type, upper, literal) < 0;
    case '<=':
      return upper !== null && compareValues(type, upper, literal) <= 0;
    case '>':
      return lower !== null && compareValues(type, lower, literal) > 0;
    case '>=':
      return lower !== null && compareValues(type, lower, literal) >= 0;
    default:
      return condition.op satisfies never;
  }
}

const sortedByCondition = new WeakMap<ValueCondition, readonly Value[]>();

/** Sorted once for a condition, which is asked about every file of a table. */
function sortedLiterals(condition: Extract<ValueCondition, { readonly kind: 'in' | 'not-in' }>): readonly Value[] {
  const known = sortedByCondition.get(condition);
  if (known !== undefined) return known;
  const sorted = [...condition.literals].sort((a, b) => compareValues(condition.field.type, a, b));
  sortedByCondition.set(condition, sorted);
  return sorted;
}

/** Whether any of the sorted literals lies within the bounds. */
function anyWithin(sorted: readonly Value[], type: PrimitiveType, { lower, upper }: FieldRange): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lower !== null && compareValues(type, sorted[middle]!, lower) < 0) low = middle + 1;
    else high = middle;
  }
  const first = sorted[low];
  return first !== undefined && (upper === null || compareValues(type, first, upper) <= 0);
}

/** Whether all values are one and the same and that is among the sorted literals. */
function isOneOf(sorted: readonly Value[], type: PrimitiveType, range: FieldRange): boolean {
  const { lower, upper } = range;
  return lower !== null && upper !== null && compareValues(type, lower, upper) === 0 && anyWithin(sorted, type, range);
}

/** No string between the bounds begins with the prefix. */
function isOutsidePrefix(prefix: string, { lower, upper }: FieldRange): boolean {
  const length = [...prefix].length;
  const head = (bound: Value): string => firstCodePoints(String(bound), length);
  const type = { kind: 'string' } as const;
  return (
    (lower !== null && compareValues(type, head(lower), prefix) > 0) ||
    (upper !== null && compareValues(type, head(upper), prefix) < 0)
  );
}

/** Every string between the bounds begins with the prefix. */
function isInsidePrefix(prefix: string, { lower, upper }: FieldRange): boolean {
  return lower !== null && upper !== null && String(lower).startsWith(prefix) && String(upper).startsWith(prefix);
}
