import type { FileMetrics } from '../../catalog/manifest/types.ts';
import { indexSchema } from '../../catalog/schema/lookup.ts';
import { isPrimitive, type PrimitiveType, type Schema, type Value } from '../../catalog/schema/types.ts';
import {
  compareValues,
  decodeBound,
  encodeValue,
  truncateLowerBound,
  truncateUpperBound,
} from '../../catalog/schema/value.ts';
import { formatColumnPath } from '../../core/column-path.ts';
import type { FieldId } from '../../core/ids.ts';
import type { ParquetFile } from '../../scan/parquet/footer.ts';
import { leavesByFieldId } from '../../scan/parquet/project.ts';
import type { ParquetLeaf } from '../../scan/parquet/schema.ts';
import { emptyMetrics, type LeafMapping, rowGroupMetrics } from '../../scan/parquet/statistics.ts';
import { type MetricsMode, metricsModeOf } from './metrics-modes.ts';

/**
 * A data file's metrics for its manifest entry, from the footer as it was written and the NaNs counted on the way (table spec, "Data
 * File Fields"). Bounds follow the table's metrics modes; text and binary bounds are cut, an upper one that cannot be is left out.
 * A column that has no values but nulls and NaNs has no bounds.
 */
export function fileMetrics(
  file: Pick<ParquetFile, 'metadata' | 'footer'>,
  schema: Schema,
  modes: ReadonlyMap<FieldId, MetricsMode>,
  nans: ReadonlyMap<FieldId, number>,
): FileMetrics {
  const mapping = mappingOf(file, schema);
  const groups = file.metadata.rowGroups.map((_, at) => rowGroupMetrics(file, at, mapping));
  const metrics = emptyMetrics();
  for (const { fieldId, type } of mapping.values()) {
    const mode = modes.get(fieldId)!;
    addSum(metrics.columnBytes, fieldId, groups, (group) => group.columnBytes.get(fieldId));
    if (mode.kind === 'none') continue;
    addSum(metrics.valueCounts, fieldId, groups, (group) => group.valueCounts.get(fieldId));
    addSum(metrics.nullCounts, fieldId, groups, (group) => group.nullCounts.get(fieldId));
    const nanCount = nans.get(fieldId);
    if (nanCount !== undefined) metrics.nanCounts.set(fieldId, nanCount);
    if (mode.kind === 'counts') continue;
    const lower = foldBound(groups, fieldId, type, 'lower');
    const upper = foldBound(groups, fieldId, type, 'upper');
    const length = mode.kind === 'truncate' ? mode.length : null;
    const cutLower = lower === null || length === null ? lower : truncateLowerBound(type, lower, length);
    const cutUpper = upper === null || length === null ? upper : truncateUpperBound(type, upper, length);
    if (cutLower !== null) metrics.lowerBounds.set(fieldId, encodeValue(type, cutLower));
    if (cutUpper !== null) metrics.upperBounds.set(fieldId, encodeValue(type, cutUpper));
  }
  return metrics;
}

function mappingOf(file: Pick<ParquetFile, 'metadata' | 'footer'>, schema: Schema): LeafMapping {
  const { byId } = indexSchema(schema);
  const mapping = new Map<ParquetLeaf, { fieldId: FieldId; type: PrimitiveType }>();
  for (const [fieldId, leaf] of leavesByFieldId(file, null)) {
    const type = byId.get(fieldId)?.field.type;
    if (type !== undefined && isPrimitive(type)) mapping.set(leaf, { fieldId, type });
  }
  return mapping;
}

/** The mode of every leaf by the table's properties. Throws INVALID_REQUEST for a mode that does not exist. */
export function metricsModes(schema: Schema, properties: ReadonlyMap<string, string>): Map<FieldId, MetricsMode> {
  const leaves = indexSchema(schema).entries.filter(({ field }) => isPrimitive(field.type));
  return new Map(
    leaves.map(({ field, path }, place) => [field.id, metricsModeOf(properties, formatColumnPath(path), place)]),
  );
}

/** The sum over all row groups; nothing where any of them does not know. */
function addSum(
  into: Map<FieldId, number>,
  fieldId: FieldId,
  groups: readonly FileMetrics[],
  countOf: (group: FileMetrics) => number | undefined,
): void {
  let sum = 0;
  for (const group of groups) {
    const count = countOf(group);
    if (count === undefined) return;
    sum += count;
  }
  into.set(fieldId, sum);
}

/** The least lower or greatest upper bound; null where a row group with values has none. */
function foldBound(
  groups: readonly FileMetrics[],
  fieldId: FieldId,
  type: PrimitiveType,
  side: 'lower' | 'upper',
): Value | null {
  let best: Value | null = null;
  for (const group of groups) {
    const bytes = (side === 'lower' ? group.lowerBounds : group.upperBounds).get(fieldId);
    if (bytes === undefined) {
      const allNull = group.valueCounts.get(fieldId) === group.nullCounts.get(fieldId);
      if (allNull) continue;
      return null;
    }
    const value = decodeBound(type, bytes);
    if (value === null) return null;
    const order = best === null ? 0 : compareValues(type, value, best);
    if (best === null || (side === 'lower' ? order < 0 : order > 0)) best = value;
  }
  return best;
}
