import type { FileMetrics } from '../../catalog/manifest/types.ts';
import type { PrimitiveType, Value } from '../../catalog/schema/types.ts';
import { decodeBound } from '../../catalog/schema/value.ts';
import { compareValues } from '../../catalog/schema/value-order.ts';
import type { FieldId } from '../../core/ids.ts';
import { type BoundField, type BoundFilter, hasNan } from '../filter/bound.ts';
import { type FieldRange, rangeMayMatch, rangeMustMatch } from './range.ts';

/**
 * False only where statistics show that none of the `rows` rows of a file, row group or page passes the filter. Missing, cut or
 * unreadable statistics never prune.
 */
export function metricsMayMatch(filter: BoundFilter, metrics: FileMetrics, rows: number): boolean {
  return rangeMayMatch(filter, (field) => metricsRange(field, metrics, rows));
}

/** True only where statistics show that every one of the `rows` rows passes the filter. */
export function metricsMustMatch(filter: BoundFilter, metrics: FileMetrics, rows: number): boolean {
  return rangeMustMatch(filter, (field) => metricsRange(field, metrics, rows));
}

function metricsRange({ fieldId, type }: BoundField, metrics: FileMetrics, rows: number): FieldRange {
  const all = Math.max(rows, metrics.valueCounts.get(fieldId) ?? 0);
  const nulls = count(metrics.nullCounts, fieldId);
  const nans = hasNan(type) ? count(metrics.nanCounts, fieldId) : 0;
  const bounds = usableBounds(
    type,
    readBound(type, metrics.lowerBounds.get(fieldId)),
    readBound(type, metrics.upperBounds.get(fieldId)),
  );
  return {
    mayBeNull: nulls !== 0,
    mayBeNan: nans !== 0 && !(nulls !== null && nulls >= all),
    mayBeValue: (nulls ?? 0) + (nans ?? 0) < all,
    ...bounds,
  };
}

/** Null where the count is not known. */
function count(counts: ReadonlyMap<FieldId, number>, id: FieldId): number | null {
  const known = counts.get(id);
  return known === undefined || known < 0 ? null : known;
}

export function readBound(type: PrimitiveType, bytes: Uint8Array | null | undefined): Value | null {
  return bytes === null || bytes === undefined ? null : decodeBound(type, bytes);
}

/**
 * Drops bounds that bound nothing: where either is NaN (writers that let NaN into the comparison leave the other wrong too) and
 * where they are the wrong way round.
 */
export function usableBounds(
  type: PrimitiveType,
  lower: Value | null,
  upper: Value | null,
): Pick<FieldRange, 'lower' | 'upper'> {
  const none = { lower: null, upper: null };
  if (Number.isNaN(lower) || Number.isNaN(upper)) return none;
  if (lower !== null && upper !== null && compareValues(type, lower, upper) > 0) return none;
  return type.kind === 'uuid' ? uuidBounds(lower, upper) : { lower, upper };
}

/**
 * Iceberg's Java writers have ordered UUIDs as two signed 64-bit halves where the specification says unsigned bytes
 * (apache/iceberg#14216). Both agree on the first half as long as its sign is the same in both bounds, so only that is used.
 */
function uuidBounds(lower: Value | null, upper: Value | null): Pick<FieldRange, 'lower' | 'upper'> {
  const none = { lower: null, upper: null };
  if (!(lower instanceof Uint8Array && upper instanceof Uint8Array)) return none;
  if (lower.length !== 16 || upper.length !== 16 || lower[0]! >> 7 !== upper[0]! >> 7) return none;
  return { lower: lower.slice().fill(0, 8), upper: upper.slice().fill(0xff, 8) };
}
