import { fileAt, type MetricColumns, type Slices } from '../../../src/catalog/manifest/columns.ts';
import type { ManifestTypes } from '../../../src/catalog/manifest/manifest.ts';
import { readManifestColumns } from '../../../src/catalog/manifest/read-columns.ts';
import type { DataFile, FileMetrics, ManifestFile } from '../../../src/catalog/manifest/types.ts';
import type { FieldId } from '../../../src/core/ids.ts';
import { defaultLimits, type Limits } from '../../../src/core/limits.ts';
import { Pace } from '../../../src/core/pace.ts';

/** What columns keep of a data file. */
export type ColumnFile = Pick<DataFile, 'path' | 'format' | 'rows' | 'bytes' | 'partition'> & {
  readonly metrics: Omit<FileMetrics, 'columnBytes'>;
};

export interface ColumnsInput {
  readonly file: ManifestFile;
  readonly types: ManifestTypes;
  readonly metricsOf: readonly FieldId[];
  readonly limits?: Limits;
}

/** A manifest's live files, read as columns and put together again; statistics are those of the fields that were asked for. */
export async function filesByColumns(bytes: Uint8Array, input: ColumnsInput): Promise<ColumnFile[]> {
  const { columns, metrics } = await readManifestColumns(bytes, {
    limits: defaultLimits,
    pace: new Pace(1_000),
    signal: new AbortController().signal,
    ...input,
  });
  return Array.from({ length: columns.files }, (_, at) => ({
    ...fileAt(columns, at),
    partition: columns.tuples[columns.tupleOf[at]!]!,
    metrics: {
      valueCounts: counts(metrics, ({ valueCounts }) => valueCounts, at),
      nullCounts: counts(metrics, ({ nullCounts }) => nullCounts, at),
      nanCounts: counts(metrics, ({ nanCounts }) => nanCounts, at),
      lowerBounds: bounds(metrics, ({ lower }) => lower, at),
      upperBounds: bounds(metrics, ({ upper }) => upper, at),
    },
  }));
}

type Metrics = ReadonlyMap<FieldId, MetricColumns>;

const counts = (metrics: Metrics, of: (columns: MetricColumns) => Float64Array, at: number): Map<FieldId, number> =>
  new Map([...metrics].flatMap(([id, columns]) => (of(columns)[at]! < 0 ? [] : [[id, of(columns)[at]!] as const])));

const bounds = (metrics: Metrics, of: (columns: MetricColumns) => Slices, at: number): Map<FieldId, Uint8Array> =>
  new Map(
    [...metrics].flatMap(([id, columns]) => {
      const { bytes, starts, lengths } = of(columns);
      return lengths[at]! < 0 ? [] : [[id, bytes.slice(starts[at]!, starts[at]! + lengths[at]!)] as const];
    }),
  );

/** The same of files that were read entry by entry. */
export function filesByEntries(files: readonly DataFile[], metricsOf: readonly FieldId[]): ColumnFile[] {
  const only = <Item>(map: ReadonlyMap<FieldId, Item>): Map<FieldId, Item> =>
    new Map(metricsOf.flatMap((id) => (map.has(id) ? [[id, map.get(id)!] as const] : [])));
  return files.map(({ path, format, rows, bytes, partition, metrics }) => ({
    path,
    format,
    rows,
    bytes,
    partition,
    metrics: {
      valueCounts: only(metrics.valueCounts),
      nullCounts: only(metrics.nullCounts),
      nanCounts: only(metrics.nanCounts),
      lowerBounds: only(metrics.lowerBounds),
      upperBounds: only(metrics.upperBounds),
    },
  }));
}
