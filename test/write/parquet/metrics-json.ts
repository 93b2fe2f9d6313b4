import type { FileMetrics } from '../../../src/catalog/manifest/types.ts';

/** Metrics as PyIceberg's serialized statistics look in JSON: ids as text, bounds in hexadecimal. */
export function toJson(metrics: FileMetrics) {
  const counts = (map: ReadonlyMap<number, number>): Record<string, number> =>
    Object.fromEntries([...map].map(([id, count]) => [String(id), count]));
  const bounds = (map: ReadonlyMap<number, Uint8Array>): Record<string, string> =>
    Object.fromEntries([...map].map(([id, bound]) => [String(id), Buffer.from(bound).toString('hex')]));
  return {
    columnBytes: counts(metrics.columnBytes),
    valueCounts: counts(metrics.valueCounts),
    nullCounts: counts(metrics.nullCounts),
    nanCounts: counts(metrics.nanCounts),
    lowerBounds: bounds(metrics.lowerBounds),
    upperBounds: bounds(metrics.upperBounds),
  };
}
