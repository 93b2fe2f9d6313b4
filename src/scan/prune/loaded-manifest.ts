import { type ManifestColumns, memoryOfColumns } from '../../catalog/manifest/columns.ts';
import { formatPrimitiveType } from '../../catalog/schema/type-text.ts';
import type { BoundField } from '../filter/bound.ts';
import { memoryOfRanges, type RangeColumns } from './range-columns.ts';

/** A manifest's live files, with the statistics that some filter has asked for so far. Never changed: more fields make another one. */
export interface LoadedManifest {
  readonly columns: ManifestColumns;
  /** By {@link rangeKey}. */
  readonly ranges: ReadonlyMap<string, RangeColumns>;
}

/** A field is read as the type that its filter has; an older schema may have it narrower. */
export const rangeKey = ({ fieldId, type }: BoundField): string => `${fieldId} ${formatPrimitiveType(type)}`;

/** The columns of a field that the manifest was loaded with. */
export const rangesOf = (ranges: LoadedManifest['ranges'], field: BoundField): RangeColumns =>
  ranges.get(rangeKey(field))!;

export function memoryOfManifest({ columns, ranges }: LoadedManifest): number {
  let bytes = memoryOfColumns(columns);
  for (const range of ranges.values()) bytes += memoryOfRanges(range);
  return bytes;
}
