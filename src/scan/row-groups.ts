import type { DataFile } from '../catalog/manifest/types.ts';
import type { TableMetadata } from '../catalog/metadata/types.ts';
import { type NameMapping, nameMappingProperty, parseNameMapping } from '../catalog/schema/name-mapping.ts';
import type { PrimitiveType, Schema } from '../catalog/schema/types.ts';
import type { FieldId } from '../core/ids.ts';
import type { BoundFilter } from './filter/bind.ts';
import type { BoundCondition } from './filter/bound.ts';
import type { FooterCache } from './footers.ts';
import type { ParquetFile } from './parquet/footer.ts';
import { type PageRanges, pageRanges } from './parquet/page-ranges.ts';
import { leavesByFieldId, projectedLeaves, projectFile } from './parquet/project.ts';
import { clipRanges, type RowRange } from './parquet/row-set.ts';
import { type LeafMapping, rowGroupMetrics } from './parquet/statistics.ts';
import { type BloomFilterPruning, bloomFiltersMayMatch } from './prune/bloom-filters.ts';
import { dictionariesMayMatch } from './prune/dictionaries.ts';
import { metricsMayMatch } from './prune/metrics.ts';
import type { Sequence } from './sequence.ts';
import type { WeightedRun } from './shards.ts';

/** A row group that may hold a row; a whole file where the plan has too many files to look into each. */
export interface RowGroupRun extends WeightedRun {
  readonly rowGroup: number | null;
}

/** What of a data file reading it needs. */
export type ScanFile = Pick<DataFile, 'path' | 'format' | 'rows' | 'bytes'>;

/** What is needed to look into files: the same for planning and for reading. */
export interface FileContext {
  /** Field ids by name, for files that carry none. */
  readonly nameMapping: NameMapping | null;
  readonly files: Sequence<ScanFile>;
  /** The columns that are read, Iceberg-shaped. */
  readonly read: Schema;
  readonly pruneFilter: BoundFilter | null;
  readonly footers: FooterCache;
}

export interface RowGroupPlan {
  readonly runs: readonly RowGroupRun[];
  readonly pruned: number;
}

const footersAtOnce = 8;

/** The row groups of the files whose statistics admit a match, in order, weighted by the bytes that reading them takes. */
export async function planRowGroups(
  context: FileContext,
  footersMax: number,
  signal: AbortSignal,
): Promise<RowGroupPlan> {
  const { files } = context;
  if (files.length > footersMax) {
    const runs = Array.from(files, (file, at) => ({
      file: at,
      rowGroup: null,
      startRow: 0,
      rows: file.rows,
      bytes: file.bytes,
    }));
    return { runs, pruned: 0 };
  }
  const plans: RowGroupPlan[] = new Array(files.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < files.length; at = next++) {
      plans[at] = planFile(context, at, await context.footers.open(files.at(at)!, signal));
    }
  };
  await Promise.all(Array.from({ length: Math.min(footersAtOnce, files.length) }, work));
  return {
    runs: plans.flatMap((plan) => plan.runs),
    pruned: plans.reduce((sum, plan) => sum + plan.pruned, 0),
  };
}

function planFile(context: FileContext, at: number, file: ParquetFile): RowGroupPlan {
  const mapping = filterMapping(context, file);
  const leaves = projectedLeaves(projectionOf(context, file));
  const runs: RowGroupRun[] = [];
  file.metadata.rowGroups.forEach((group, rowGroup) => {
    if (group.rows === 0 || !mayMatch(context.pruneFilter, file, rowGroup, mapping)) return;
    const bytes = leaves.reduce((sum, leaf) => sum + rangeBytes(group.chunks[leaf.index]!.range), group.rows);
    runs.push({ file: at, rowGroup, startRow: group.startRow, rows: group.rows, bytes });
  });
  return { runs, pruned: file.metadata.rowGroups.length - runs.length };
}

const rangeBytes = (range: { readonly start: number; readonly end: number }): number => range.end - range.start;

function mayMatch(filter: BoundFilter | null, file: ParquetFile, rowGroup: number, mapping: LeafMapping): boolean {
  if (filter === null) return true;
  return metricsMayMatch(filter, rowGroupMetrics(file, rowGroup, mapping), file.metadata.rowGroups[rowGroup]!.rows);
}

/** The rows of one row group that its statistics, page index and dictionaries leave over. */
export interface ReadableGroup {
  /** Place of the file in the plan. */
  readonly at: number;
  readonly file: ParquetFile;
  readonly rowGroup: number;
  /** Ascending and apart from each other. */
  readonly rows: readonly RowRange[];
  /** Where the pages of some leaves lie, as far as their index was read. */
  readonly places: PageRanges['places'];
  readonly bytesRead: number;
}

/** The row groups of a run that may hold a row, in order; what is not needed for that is not read. */
export async function* readableGroups(
  context: FileContext,
  run: RowGroupRun,
  signal: AbortSignal,
): AsyncGenerator<ReadableGroup> {
  const file = await context.footers.open(context.files.at(run.file)!, signal);
  const mapping = filterMapping(context, file);
  const { pruneFilter } = context;
  const end = run.startRow + run.rows;
  for (const [rowGroup, group] of file.metadata.rowGroups.entries()) {
    const isWanted = run.rowGroup === null || run.rowGroup === rowGroup;
    if (!isWanted || group.startRow >= end || group.startRow + group.rows <= run.startRow) continue;
    if (!mayMatch(pruneFilter, file, rowGroup, mapping)) continue;
    const found =
      pruneFilter === null
        ? { ranges: [{ start: 0, end: group.rows }], places: new Map(), bytesRead: 0 }
        : await pageRanges({
            file,
            rowGroup,
            mapping,
            mayMatch: (metrics, rows) => metricsMayMatch(pruneFilter, metrics, rows),
            signal,
          });
    const { places } = found;
    const rows = clipRanges(found.ranges, run.startRow - group.startRow, end - group.startRow);
    if (rows.length === 0) continue;
    const told = await valuesMayMatch(context, { file, rowGroup, mapping }, signal);
    const bytesRead = found.bytesRead + told.bytesRead;
    yield { at: run.file, file, rowGroup, rows: told.mayMatch ? rows : [], places, bytesRead };
  }
}

/** What values say where bounds say nothing: bloom filters first, of which a few blocks suffice, then dictionaries. */
async function valuesMayMatch(
  { pruneFilter, footers: { dictionaries } }: FileContext,
  group: BloomFilterPruning,
  signal: AbortSignal,
): Promise<{ readonly mayMatch: boolean; readonly bytesRead: number }> {
  if (pruneFilter === null) return { mayMatch: true, bytesRead: 0 };
  const bloom = await bloomFiltersMayMatch(pruneFilter, group, signal);
  if (!bloom.mayMatch || dictionaries === undefined) return bloom;
  const { mayMatch, bytesRead } = await dictionariesMayMatch(pruneFilter, { ...group, dictionaries }, signal);
  return { mayMatch, bytesRead: bloom.bytesRead + bytesRead };
}

const projectionOf = ({ read, nameMapping }: FileContext, file: ParquetFile) =>
  projectFile(file, read, read.fields, nameMapping);

/** The leaves that the filter looks at. */
function filterMapping({ pruneFilter, nameMapping }: FileContext, file: ParquetFile): LeafMapping {
  const types = new Map<FieldId, PrimitiveType>();
  if (pruneFilter !== null) collectTypes(pruneFilter, types);
  const mapping = new Map<Parameters<LeafMapping['get']>[0], { fieldId: FieldId; type: PrimitiveType }>();
  if (types.size === 0) return mapping;
  for (const [fieldId, leaf] of leavesByFieldId(file, nameMapping)) {
    const type = types.get(fieldId);
    if (type !== undefined) mapping.set(leaf, { fieldId, type });
  }
  return mapping;
}

function collectTypes(filter: BoundFilter, types: Map<FieldId, PrimitiveType>): void {
  if (filter.kind === 'and' || filter.kind === 'or') for (const part of filter.of) collectTypes(part, types);
  else if (isCondition(filter)) types.set(filter.field.fieldId, filter.field.type);
}

const isCondition = (filter: BoundFilter): filter is BoundCondition => 'field' in filter;

const mappings = new WeakMap<TableMetadata, NameMapping | null>();

/** The table's name mapping, parsed once. */
export function nameMappingOf(metadata: TableMetadata): NameMapping | null {
  let mapping = mappings.get(metadata);
  if (mapping === undefined) {
    const text = metadata.properties.get(nameMappingProperty);
    mapping = text === undefined ? null : parseNameMapping(text);
    mappings.set(metadata, mapping);
  }
  return mapping;
}
