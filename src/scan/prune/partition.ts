import type { FieldSummary } from '../../catalog/manifest/types.ts';
import { applyTransform, transformResultType } from '../../catalog/partition/transform.ts';
import type { PartitionField, PartitionSpec, Transform } from '../../catalog/partition/types.ts';
import { indexSchema } from '../../catalog/schema/lookup.ts';
import { isPrimitive, type PrimitiveType, type Schema, type Value } from '../../catalog/schema/types.ts';
import { compareValues } from '../../catalog/schema/value-order.ts';
import { type FieldId, fieldId } from '../../core/ids.ts';
import {
  type BoundCondition,
  type BoundField,
  type BoundFilter,
  conjunction,
  disjunction,
  hasNan,
  mapConditions,
} from '../filter/bound.ts';
import { readBound, usableBounds } from './metrics.ts';
import { type FieldRange, rangeMayMatch } from './range.ts';

/** A filter over the partition values of one spec, which every partition with a passing row makes true. */
export interface PartitionPredicate {
  /** Its fields are the spec's partition fields, by their own ids. */
  readonly filter: BoundFilter;
  /** Of each partition field, by its id. */
  readonly positions: ReadonlyMap<FieldId, number>;
}

/**
 * Projects a filter to the partition values of a spec, inclusively: rows that pass the filter lie in partitions that pass the
 * predicate (table spec, "Scan Planning"). Conditions on columns that the spec does not partition by, and transforms that are not
 * known, become true.
 */
export function projectToPartition(filter: BoundFilter, spec: PartitionSpec, schema: Schema): PartitionPredicate {
  const { byId } = indexSchema(schema);
  const positions = new Map(spec.fields.map((field, position) => [fieldId(field.fieldId), position]));
  const bySource = Map.groupBy(spec.fields, (field) => field.sourceId);
  const projected = mapConditions(filter, (condition) => {
    const sourceType = byId.get(condition.field.fieldId)?.field.type;
    if (sourceType === undefined || !isPrimitive(sourceType)) return { kind: 'true' };
    const fields = bySource.get(condition.field.fieldId) ?? [];
    return conjunction(fields.map((field) => projectCondition(condition, field, sourceType)));
  });
  return { filter: projected, positions };
}

/** Whether a file of the partition may hold passing rows. `values` are one per field of the predicate's spec, in its order. */
export function partitionMayMatch(
  { filter, positions }: PartitionPredicate,
  values: readonly (Value | null)[],
): boolean {
  return rangeMayMatch(filter, ({ fieldId, type }) => {
    const value = values[positions.get(fieldId)!];
    return value === undefined ? nothingKnown(type) : rangeOfOne(type, value);
  });
}

/** Whether any file of a manifest may: `summaries` are one per field of the predicate's spec, null where there are none. */
export function manifestMayMatch(predicate: PartitionPredicate, summaries: readonly FieldSummary[] | null): boolean {
  const { filter, positions } = predicate;
  return rangeMayMatch(filter, ({ fieldId, type }) => {
    const summary = summaries?.length === positions.size ? summaries[positions.get(fieldId)!] : undefined;
    return summary === undefined ? nothingKnown(type) : rangeOfSummary(type, summary);
  });
}

const nothingKnown = (type: PrimitiveType): FieldRange => ({
  mayBeNull: true,
  mayBeNan: hasNan(type),
  mayBeValue: true,
  lower: null,
  upper: null,
});

function rangeOfOne(type: PrimitiveType, stored: Value | null): FieldRange {
  const value = stored === null ? null : widened(type, stored);
  const isNan = Number.isNaN(value);
  const bound = isNan ? null : value;
  return { mayBeNull: value === null, mayBeNan: isNan, mayBeValue: bound !== null, lower: bound, upper: bound };
}

/** A partition value written before its column was widened from int to long. */
const widened = (type: PrimitiveType, value: Value): Value =>
  type.kind === 'long' && typeof value === 'number' ? BigInt(value) : value;

/** Without bounds all values are null or NaN, where the summary says that there are any (table spec, "Manifest Lists"). */
function rangeOfSummary(type: PrimitiveType, summary: FieldSummary): FieldRange {
  const bounds = usableBounds(type, readBound(type, summary.lowerBound), readBound(type, summary.upperBound));
  const isEmpty = summary.lowerBound === null && summary.upperBound === null;
  return {
    mayBeNull: summary.containsNull,
    mayBeNan: hasNan(type) && summary.containsNan !== false,
    mayBeValue: !(isEmpty && (summary.containsNull || summary.containsNan === true)),
    ...bounds,
  };
}

function projectCondition(condition: BoundCondition, field: PartitionField, sourceType: PrimitiveType): BoundFilter {
  const { transform } = field;
  if (transform.kind === 'void' || transform.kind === 'unknown') return { kind: 'true' };
  const target: BoundField = {
    fieldId: fieldId(field.fieldId),
    type: transformResultType(transform, sourceType),
    path: [field.name],
  };
  if (transform.kind === 'identity') return { ...condition, field: target };
  // Every transform but void gives null for null alone.
  if (condition.kind === 'is-null') return { kind: 'is-null', field: target };
  return projectValues(condition, transform, target, sourceType) ?? { kind: 'not-null', field: target };
}

/** Null where the transform keeps nothing of the condition but that the value is not null. */
function projectValues(
  condition: Exclude<BoundCondition, { readonly kind: 'is-null' }>,
  transform: Transform,
  target: BoundField,
  sourceType: PrimitiveType,
): BoundFilter | null {
  const project = (value: Value): Value => applyTransform(transform, sourceType, value)!;
  switch (condition.kind) {
    case 'compare':
      if (condition.op === '=') return oneOf(target, [project(condition.literal)], transform, sourceType);
      if (condition.op === '!=' || transform.kind === 'bucket') return null;
      return projectRange(condition.op, condition.literal, transform, target, sourceType);
    case 'in':
      return oneOf(target, condition.literals.map(project), transform, sourceType);
    case 'starts-with':
    case 'not-starts-with':
      return transform.kind === 'truncate' ? projectPrefix(condition, transform.width, target) : null;
    case 'unless-null':
      return condition.value ? null : { kind: 'false' };
    default:
      return null;
  }
}

function oneOf(
  target: BoundField,
  projected: readonly Value[],
  transform: Transform,
  sourceType: PrimitiveType,
): BoundFilter {
  const values = new Map<string, Value>();
  for (const value of projected) {
    values.set(value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value), value);
    if (mayBeRoundedUp(transform, sourceType, value)) values.set(String(Number(value) + 1), Number(value) + 1);
  }
  const literals = [...values.values()];
  return literals.length === 1
    ? { kind: 'compare', op: '=', field: target, literal: literals[0]!, nan: false }
    : { kind: 'in', field: target, literals, nan: false };
}

/** The transforms that get here preserve order. */
function projectRange(
  op: '<' | '<=' | '>' | '>=',
  literal: Value,
  transform: Transform,
  target: BoundField,
  sourceType: PrimitiveType,
): BoundFilter | null {
  const end = op === '<' ? before(literal, sourceType) : op === '>' ? after(literal, sourceType) : literal;
  const projected = applyTransform(transform, sourceType, end)!;
  const wrapped = wrappedTruncation(transform, sourceType);
  if (op === '<' || op === '<=') {
    const last = mayBeRoundedUp(transform, sourceType, projected) ? Number(projected) + 1 : projected;
    const range = { kind: 'compare', op: '<=', field: target, literal: last, nan: false } as const;
    if (wrapped === null) return range;
    return disjunction([range, { kind: 'compare', op: '=', field: target, literal: wrapped, nan: false }]);
  }
  if (wrapped !== null && projected === wrapped) return null;
  return { kind: 'compare', op: '>=', field: target, literal: projected, nan: false };
}

/** Bits of the types whose values are whole numbers. */
const integers: ReadonlyMap<PrimitiveType['kind'], number> = new Map([
  ['int', 32],
  ['date', 32],
  ['long', 64],
  ['time', 64],
  ['timestamp', 64],
  ['timestamptz', 64],
  ['timestamp_ns', 64],
  ['timestamptz_ns', 64],
  ['decimal', 256],
]);

/** The next smaller value, so that `< 2001-01-01` leaves out the month that begins there; the value itself where none is known. */
const before = (value: Value, type: PrimitiveType): Value => stepped(value, type, -1);
const after = (value: Value, type: PrimitiveType): Value => stepped(value, type, 1);

function stepped(value: Value, type: PrimitiveType, step: -1 | 1): Value {
  const bits = integers.get(type.kind);
  if (bits === undefined) return value;
  const next = BigInt(value as number | bigint) + BigInt(step);
  if (BigInt.asIntN(bits, next) !== next) return value;
  return typeof value === 'number' ? Number(next) : next;
}

/**
 * Writers before Iceberg 0.12 rounded times before 1970 towards it, so that their files lie one partition too late (Iceberg's
 * own readers allow for it too). Days of a date were never rounded.
 */
function mayBeRoundedUp(transform: Transform, sourceType: PrimitiveType, projected: Value): boolean {
  const isTime =
    transform.kind === 'year' || transform.kind === 'month' || transform.kind === 'day' || transform.kind === 'hour';
  return isTime && !(transform.kind === 'day' && sourceType.kind === 'date') && Number(projected) < 0;
}

/** What the smallest ints or longs are truncated to where that wraps around to a great number; null where it does not. */
function wrappedTruncation(transform: Transform, sourceType: PrimitiveType): Value | null {
  if (transform.kind !== 'truncate' || (sourceType.kind !== 'int' && sourceType.kind !== 'long')) return null;
  const least = sourceType.kind === 'int' ? -(2 ** 31) : -(2n ** 63n);
  const truncated = applyTransform(transform, sourceType, least)!;
  return compareValues(sourceType, truncated, least) > 0 ? truncated : null;
}

function projectPrefix(
  condition: Extract<BoundCondition, { readonly kind: 'starts-with' | 'not-starts-with' }>,
  width: number,
  target: BoundField,
): BoundFilter | null {
  const points = [...condition.prefix];
  if (points.length <= width) return { ...condition, field: target };
  if (condition.kind === 'not-starts-with') return null;
  return { kind: 'compare', op: '=', field: target, literal: points.slice(0, width).join(''), nan: false };
}
