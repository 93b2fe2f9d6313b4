import type { Value } from '../../catalog/schema/types.ts';
import { type BoundCondition, type BoundFilter, mapConditions } from '../filter/bound.ts';
import { bloomFilterHolds } from '../parquet/bloom-filter.ts';
import type { ParquetFile } from '../parquet/footer.ts';
import { plainLiterals } from '../parquet/plain-literal.ts';
import type { LeafMapping } from '../parquet/statistics.ts';

export interface BloomFilterPruning {
  readonly file: ParquetFile;
  readonly rowGroup: number;
  /** The leaves that the filter looks at. */
  readonly mapping: LeafMapping;
}

/**
 * False only where a row group's bloom filters show that no row passes: a column that holds none of the values that a condition asks
 * for has no row which satisfies it. Reads the filters of columns that are asked for single values, and no others: whoever calls has
 * taken conditions on masked columns out (`prunablePart`). Throws CORRUPT_FILE, CANCELLED, and what the store throws.
 */
export async function bloomFiltersMayMatch(
  filter: BoundFilter,
  { file, rowGroup, mapping }: BloomFilterPruning,
  signal: AbortSignal,
): Promise<{ readonly mayMatch: boolean; readonly bytesRead: number }> {
  const conditions = new Map<BoundCondition, boolean>();
  mapConditions(filter, (condition) => {
    if (literalsOf(condition) !== null) conditions.set(condition, true);
    return condition;
  });
  let bytesRead = 0;
  for (const condition of conditions.keys()) {
    const { field } = condition;
    const leaf = [...mapping].find(([, { fieldId }]) => fieldId === field.fieldId)?.[0];
    const chunk = leaf && file.metadata.rowGroups[rowGroup]!.chunks[leaf.index]!;
    if (leaf === undefined || !chunk?.bloomFilter || chunk.unreadable !== null) continue;
    const encoded = literalsOf(condition)!.map((literal) => plainLiterals(leaf, field.type, literal));
    if (encoded.includes(null)) continue;
    const read = await bloomFilterHolds(
      file,
      chunk.bloomFilter,
      encoded.flatMap((values) => values ?? []),
      signal,
    );
    bytesRead += read.bytesRead;
    conditions.set(condition, read.holds.includes(true));
  }
  const left = mapConditions(filter, (one) => (conditions.get(one) === false ? { kind: 'false' } : one));
  return { mayMatch: left.kind !== 'false', bytesRead };
}

/** Literals of which a row that satisfies the condition holds one. More than these many cost more than they save. */
const literalsMax = 200;

function literalsOf(condition: BoundCondition): readonly Value[] | null {
  if (condition.kind === 'compare') return condition.op === '=' ? [condition.literal] : null;
  return condition.kind === 'in' && condition.literals.length <= literalsMax ? condition.literals : null;
}
