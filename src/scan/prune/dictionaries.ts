import type { FieldId } from '../../core/ids.ts';
import { type BoundCondition, type BoundFilter, mapConditions } from '../filter/bound.ts';
import { evaluateFilter } from '../filter/evaluate.ts';
import { type DictionaryValues, hasTellingDictionary, type WantedDictionary } from '../parquet/dictionary-values.ts';
import type { ParquetFile } from '../parquet/footer.ts';
import type { LeafMapping } from '../parquet/statistics.ts';

export interface DictionaryPruning {
  readonly file: ParquetFile;
  readonly rowGroup: number;
  /** The leaves that the filter looks at. */
  readonly mapping: LeafMapping;
  readonly dictionaries: DictionaryValues;
}

/**
 * False only where a row group's dictionaries show that no row passes: conditions which no value of a column satisfies hold in no row,
 * since all its values stand in its dictionary and nulls satisfy none of them. Reads the dictionaries of columns that are asked for
 * single values, and of them only those that the footer says hold everything. Throws CORRUPT_FILE, CANCELLED, and what the store throws.
 */
export async function dictionariesMayMatch(
  filter: BoundFilter,
  { file, rowGroup, mapping, dictionaries }: DictionaryPruning,
  signal: AbortSignal,
): Promise<{ readonly mayMatch: boolean; readonly bytesRead: number }> {
  const asked = new Map<FieldId, WantedDictionary>();
  const conditions = new Map<BoundCondition, boolean>();
  mapConditions(filter, (condition) => {
    if (asksForValues(condition)) conditions.set(condition, true);
    return condition;
  });
  for (const [leaf, { fieldId, type }] of mapping) {
    const wanted = { file, rowGroup, leaf, type };
    const isAsked = [...conditions.keys()].some((condition) => condition.field.fieldId === fieldId);
    if (isAsked && hasTellingDictionary(wanted)) asked.set(fieldId, wanted);
  }
  let bytesRead = 0;
  for (const [fieldId, wanted] of asked) {
    const read = await dictionaries.read(wanted, signal);
    const { values } = read;
    bytesRead += read.bytesRead;
    if (values === null) continue;
    for (const condition of conditions.keys()) {
      if (condition.field.fieldId !== fieldId) continue;
      conditions.set(condition, evaluateFilter(condition, () => values, values.length).includes(1));
    }
  }
  const left = mapConditions(filter, (one) => (conditions.get(one) === false ? { kind: 'false' } : one));
  return { mayMatch: left.kind !== 'false', bytesRead };
}

/** What bounds say little of, so that values may. */
const asksForValues = ({ kind, ...rest }: BoundCondition): boolean =>
  kind === 'in' || kind === 'starts-with' || (kind === 'compare' && 'op' in rest && rest.op === '=');
