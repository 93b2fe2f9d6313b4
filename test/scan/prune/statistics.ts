import fc from 'fast-check';
import type { FileMetrics } from '../../../src/catalog/manifest/types.ts';
import type { PrimitiveType, Value } from '../../../src/catalog/schema/types.ts';
import {
  compareValues,
  encodeValue,
  truncateLowerBound,
  truncateUpperBound,
} from '../../../src/catalog/schema/value.ts';
import { type FieldId, fieldId } from '../../../src/core/ids.ts';
import type { FilterCase } from '../filter/cases.ts';

/** What a writer may leave out or cut: every combination is allowed by the specification. */
export interface WriterHabits {
  readonly bounds: 'exact' | 'cut' | 'none';
  readonly counts: boolean;
  readonly nanCounts: boolean;
}

export const anyHabits: fc.Arbitrary<WriterHabits> = fc.record({
  bounds: fc.constantFrom('exact', 'exact', 'cut', 'none'),
  counts: fc.boolean(),
  nanCounts: fc.boolean(),
});

export const exactHabits: WriterHabits = { bounds: 'exact', counts: true, nanCounts: true };

/** Statistics of the rows, as a writer with these habits puts them into a manifest. */
export function metricsOf({ schema, rows }: FilterCase, habits: WriterHabits): FileMetrics {
  const nullCounts = new Map<FieldId, number>();
  const nanCounts = new Map<FieldId, number>();
  const valueCounts = new Map<FieldId, number>();
  const lowerBounds = new Map<FieldId, Uint8Array>();
  const upperBounds = new Map<FieldId, Uint8Array>();
  for (const [at, field] of schema.fields.entries()) {
    const type = field.type as PrimitiveType;
    const present = rows.map((row) => row[at] ?? null).filter((value) => value !== null);
    const ordered = present.filter((value) => !Number.isNaN(value)).sort((a, b) => compareValues(type, a, b));
    if (habits.counts) {
      valueCounts.set(field.id, rows.length);
      nullCounts.set(field.id, rows.length - present.length);
    }
    if (habits.nanCounts) nanCounts.set(field.id, present.length - ordered.length);
    const [lower, upper] = [ordered[0], ordered[ordered.length - 1]];
    if (lower === undefined || upper === undefined || habits.bounds === 'none') continue;
    const length = habits.bounds === 'cut' ? 1 : 1_000;
    const cutUpper = truncateUpperBound(type, upper, length);
    lowerBounds.set(field.id, encodeValue(type, truncateLowerBound(type, lower, length)!));
    if (cutUpper !== null) upperBounds.set(field.id, encodeValue(type, cutUpper));
  }
  return { columnBytes: new Map(), valueCounts, nullCounts, nanCounts, lowerBounds, upperBounds };
}

export const noMetrics: FileMetrics = {
  columnBytes: new Map(),
  valueCounts: new Map(),
  nullCounts: new Map(),
  nanCounts: new Map(),
  lowerBounds: new Map(),
  upperBounds: new Map(),
};

/** Statistics of one column, field id 1, by hand. */
export function oneColumn(
  type: PrimitiveType,
  { nulls, nans, lower, upper }: { nulls?: number; nans?: number; lower?: Value; upper?: Value },
): FileMetrics {
  const one = <Item>(item: Item | undefined): ReadonlyMap<FieldId, Item> =>
    item === undefined ? new Map() : new Map([[fieldId(1), item]]);
  return {
    ...noMetrics,
    nullCounts: one(nulls),
    nanCounts: one(nans),
    lowerBounds: one(lower === undefined ? undefined : encodeValue(type, lower)),
    upperBounds: one(upper === undefined ? undefined : encodeValue(type, upper)),
  };
}
