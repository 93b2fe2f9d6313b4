import type { PrimitiveType, Value } from '../../catalog/schema/types.ts';
import type { ColumnPath } from '../../core/column-path.ts';
import type { CompareOp } from '../../core/expression.ts';
import type { FieldId } from '../../core/ids.ts';

/** A primitive field that a filter reads. */
export interface BoundField {
  readonly fieldId: FieldId;
  readonly type: PrimitiveType;
  readonly path: ColumnPath;
}

/**
 * A filter whose columns are field ids and whose literals are values of the columns' types. There is no NOT: it was pushed down to
 * the conditions, each of which has its negation, so every condition stands in a positive place and the logic stays three-valued
 * (Kleene): a condition on a null is unknown, `is-null` and `not-null` excepted.
 *
 * Floats compare as IEEE 754 says and as pyarrow and numpy do: NaN equals nothing, itself included, and is neither below nor
 * above anything, so `x != 1` and `NOT x < 1` hold for NaN. (DuckDB and Spark hold NaN equal to NaN and above infinity.) `nan` is
 * what a condition gives for NaN, and false for types that have none. -0.0 equals 0.0. `is-nan` of null is unknown.
 */
export type BoundFilter =
  | { readonly kind: 'true' }
  | { readonly kind: 'false' }
  | { readonly kind: 'and' | 'or'; readonly of: readonly BoundFilter[] }
  | BoundCondition;

export type BoundCondition =
  | {
      readonly kind: 'compare';
      readonly op: CompareOp;
      readonly field: BoundField;
      readonly literal: Value;
      readonly nan: boolean;
    }
  /** At least two literals, all different. */
  | {
      readonly kind: 'in' | 'not-in';
      readonly field: BoundField;
      readonly literals: readonly Value[];
      readonly nan: boolean;
    }
  | { readonly kind: 'is-null' | 'not-null' | 'is-nan' | 'not-nan'; readonly field: BoundField }
  /** String fields only. */
  | { readonly kind: 'starts-with' | 'not-starts-with'; readonly field: BoundField; readonly prefix: string }
  /** `value` for every value of the field, NaN included, unknown for null: what a comparison with an unreachable literal says. */
  | { readonly kind: 'unless-null'; readonly field: BoundField; readonly value: boolean };

const negatedOps: Readonly<Record<CompareOp, CompareOp>> = {
  '=': '!=',
  '!=': '=',
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
};
const negatedKinds = {
  in: 'not-in',
  'not-in': 'in',
  'is-null': 'not-null',
  'not-null': 'is-null',
  'is-nan': 'not-nan',
  'not-nan': 'is-nan',
  'starts-with': 'not-starts-with',
  'not-starts-with': 'starts-with',
} as const;

export const hasNan = (type: PrimitiveType): boolean => type.kind === 'float' || type.kind === 'double';

/** The filter that is true where `filter` is false, false where it is true, and unknown where it is unknown. */
export function negateFilter(filter: BoundFilter): BoundFilter {
  switch (filter.kind) {
    case 'true':
      return { kind: 'false' };
    case 'false':
      return { kind: 'true' };
    case 'and':
      return { kind: 'or', of: filter.of.map(negateFilter) };
    case 'or':
      return { kind: 'and', of: filter.of.map(negateFilter) };
    case 'compare':
      return { ...filter, op: negatedOps[filter.op], nan: hasNan(filter.field.type) && !filter.nan };
    case 'in':
    case 'not-in':
      return { ...filter, kind: negatedKinds[filter.kind], nan: hasNan(filter.field.type) && !filter.nan };
    case 'starts-with':
    case 'not-starts-with':
      return { ...filter, kind: negatedKinds[filter.kind] };
    case 'unless-null':
      return { ...filter, value: !filter.value };
    default:
      return { ...filter, kind: negatedKinds[filter.kind] };
  }
}

/** Both (all) of them; `true` operands fall away and one `false` makes the whole false. */
export function conjunction(filters: readonly BoundFilter[]): BoundFilter {
  return joined('and', filters);
}

/** At least one of them; the dual of {@link conjunction}. */
export function disjunction(filters: readonly BoundFilter[]): BoundFilter {
  return joined('or', filters);
}

function joined(kind: 'and' | 'or', filters: readonly BoundFilter[]): BoundFilter {
  const [neutral, absorbing] = kind === 'and' ? (['true', 'false'] as const) : (['false', 'true'] as const);
  const kept = filters.filter((filter) => filter.kind !== neutral);
  if (kept.some((filter) => filter.kind === absorbing)) return { kind: absorbing };
  if (kept.length === 0) return { kind: neutral };
  return kept.length === 1 ? kept[0]! : { kind, of: kept };
}

/** The same filter with every condition replaced by another filter, and the constants folded. */
export function mapConditions(filter: BoundFilter, replace: (condition: BoundCondition) => BoundFilter): BoundFilter {
  switch (filter.kind) {
    case 'true':
    case 'false':
      return filter;
    case 'and':
    case 'or':
      return joined(
        filter.kind,
        filter.of.map((child) => mapConditions(child, replace)),
      );
    default:
      return replace(filter);
  }
}

/** Every field that the filter reads: what a scan must decode to evaluate it. */
export const referencedFields = (filter: BoundFilter): Set<FieldId> =>
  new Set(boundFields(filter).map(({ fieldId }) => fieldId));

/** The field of each of the filter's conditions, in their order. */
export function boundFields(filter: BoundFilter): BoundField[] {
  const fields: BoundField[] = [];
  const visit = (node: BoundFilter): void => {
    switch (node.kind) {
      case 'true':
      case 'false':
        return;
      case 'and':
      case 'or':
        node.of.forEach(visit);
        return;
      default:
        fields.push(node.field);
    }
  };
  visit(filter);
  return fields;
}
