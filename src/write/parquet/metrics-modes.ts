import { ServiceError } from '../../core/errors.ts';

/** Which metrics a column gets (Iceberg's write properties). */
export type MetricsMode =
  | { readonly kind: 'none' }
  | { readonly kind: 'counts' }
  | { readonly kind: 'full' }
  /** Bounds of strings and binaries of so many code points or bytes. */
  | { readonly kind: 'truncate'; readonly length: number };

export const defaultModeProperty = 'write.metadata.metrics.default';
export const columnModePrefix = 'write.metadata.metrics.column.';
export const inferredColumnsProperty = 'write.metadata.metrics.max-inferred-column-defaults';

const inferredColumnsDefault = 100;
const truncateLengthMax = 1 << 20;

/**
 * The mode of a leaf by its dotted path and its place among the leaves: its own property, else the table's default, else truncate(16)
 * for the first hundred leaves and none for the rest. Throws INVALID_REQUEST for a mode that does not exist.
 */
export function metricsModeOf(properties: ReadonlyMap<string, string>, path: string, place: number): MetricsMode {
  const own = properties.get(columnModePrefix + path);
  if (own !== undefined) return parseMode(columnModePrefix + path, own);
  const preset = properties.get(defaultModeProperty);
  if (preset !== undefined) return parseMode(defaultModeProperty, preset);
  const inferred = Number(properties.get(inferredColumnsProperty) ?? inferredColumnsDefault);
  return place < inferred ? { kind: 'truncate', length: 16 } : { kind: 'none' };
}

function parseMode(property: string, text: string): MetricsMode {
  const mode = text.trim().toLowerCase();
  if (mode === 'none') return { kind: 'none' };
  if (mode === 'counts') return { kind: 'counts' };
  if (mode === 'full') return { kind: 'full' };
  const length = Number(/^truncate\((\d+)\)$/.exec(mode)?.[1] ?? 0);
  if (length > 0 && length <= truncateLengthMax) return { kind: 'truncate', length };
  throw new ServiceError(
    'INVALID_REQUEST',
    `the table property ${property} is ${JSON.stringify(text)}: it must be none, counts, truncate(LENGTH) or full`,
  );
}
