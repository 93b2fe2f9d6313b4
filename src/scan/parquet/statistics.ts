import type { FileMetrics } from '../../catalog/manifest/types.ts';
import type { PrimitiveType } from '../../catalog/schema/types.ts';
import type { FieldId } from '../../core/ids.ts';
import { boundConversion, type PlainBound } from './bounds.ts';
import type { ParquetFile } from './footer.ts';
import type { ColumnChunk, FileMetadata } from './metadata.ts';
import { type ParquetLeaf, repetitionLevelMax } from './schema.ts';
import { ThriftReader } from './thrift.ts';

/** A leaf's field in the table's schema: its bounds come out as that type's. */
export interface FieldOfLeaf {
  readonly fieldId: FieldId;
  readonly type: PrimitiveType;
}

export type LeafMapping = ReadonlyMap<ParquetLeaf, FieldOfLeaf>;

interface ChunkStatistics {
  readonly nullCount: number | null;
  readonly min: PlainBound | null;
  readonly max: PlainBound | null;
}

const thriftDepthMax = 8;
const none: ChunkStatistics = { nullCount: null, min: null, max: null };

/**
 * One row group's statistics as Iceberg metrics of the mapped leaves: bounds in single-value serialization (table spec, Appendix D),
 * no NaN counts. A bound that cannot be trusted is left out: one in an undefined order, a NaN, one of a wrong length, any of INT96,
 * the old unordered fields of types whose order writers disagreed on, and any below a list or map, where rows hold many values.
 */
export function rowGroupMetrics(
  file: Pick<ParquetFile, 'metadata' | 'footer'>,
  rowGroup: number,
  mapping: LeafMapping,
): FileMetrics {
  const metrics = emptyMetrics();
  const group = file.metadata.rowGroups[rowGroup];
  if (group === undefined) return metrics;
  for (const [leaf, { fieldId, type }] of mapping) {
    const chunk = group.chunks[leaf.index]!;
    if (chunk.unreadable !== null) continue;
    const statistics = readStatistics(file, leaf, chunk);
    metrics.columnBytes.set(fieldId, chunk.range.end - chunk.range.start);
    metrics.valueCounts.set(fieldId, chunk.values);
    const { nullCount } = statistics;
    if (nullCount !== null && nullCount >= 0 && nullCount <= chunk.values) metrics.nullCounts.set(fieldId, nullCount);
    const convert = repetitionLevelMax(leaf) === 0 ? boundConversion(leaf, type) : null;
    if (convert === null) continue;
    const lower = statistics.min === null ? null : convert(statistics.min, 'lower');
    const upper = statistics.max === null ? null : convert(statistics.max, 'upper');
    if (lower !== null) metrics.lowerBounds.set(fieldId, lower);
    if (upper !== null) metrics.upperBounds.set(fieldId, upper);
  }
  return metrics;
}

interface MutableMetrics extends FileMetrics {
  readonly columnBytes: Map<FieldId, number>;
  readonly valueCounts: Map<FieldId, number>;
  readonly nullCounts: Map<FieldId, number>;
  readonly nanCounts: Map<FieldId, number>;
  readonly lowerBounds: Map<FieldId, Uint8Array>;
  readonly upperBounds: Map<FieldId, Uint8Array>;
}

export const emptyMetrics = (): MutableMetrics => ({
  columnBytes: new Map(),
  valueCounts: new Map(),
  nullCounts: new Map(),
  nanCounts: new Map(),
  lowerBounds: new Map(),
  upperBounds: new Map(),
});

/** The statistics struct was passed over when the footer was read, so that it is sound as Thrift. */
function readStatistics(
  file: Pick<ParquetFile, 'metadata' | 'footer'>,
  leaf: ParquetLeaf,
  chunk: ColumnChunk,
): ChunkStatistics {
  if (chunk.statistics === null) return none;
  const { start, end } = chunk.statistics;
  const reader: ThriftReader = new ThriftReader(file.footer, 'Parquet column statistics', thriftDepthMax, start, end);
  let nullCount: number | null = null;
  const found: Partial<Record<'oldMax' | 'oldMin' | 'max' | 'min', Uint8Array>> = {};
  reader.struct((id, type) => {
    if (id === 1) found.oldMax = reader.binary(type);
    else if (id === 2) found.oldMin = reader.binary(type);
    else if (id === 3) nullCount = reader.i64(type);
    else if (id === 5) found.max = reader.binary(type);
    else if (id === 6) found.min = reader.binary(type);
    else reader.skip(type);
  });
  if (isTypeOrdered(file.metadata, leaf)) {
    const known = { nullCount, min: found.min ?? null, max: found.max ?? null };
    if (known.min !== null || known.max !== null) return known;
  }
  return { nullCount, min: oldBound(leaf, found.oldMin), max: oldBound(leaf, found.oldMax) };
}

export const isTypeOrdered = (metadata: FileMetadata, leaf: ParquetLeaf): boolean =>
  metadata.typeOrdered[leaf.index] === true;

/** The deprecated fields compare as signed: right for signed numbers only (parquet.thrift, `Statistics`). */
function oldBound(leaf: ParquetLeaf, bound: Uint8Array | undefined): Uint8Array | null {
  if (bound === undefined || leaf.physical === 'byte-array' || leaf.physical === 'fixed') return null;
  return leaf.logical?.kind === 'int' && !leaf.logical.signed ? null : bound;
}
