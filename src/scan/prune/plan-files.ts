import { LRUCache } from 'lru-cache';
import type { DataFile, ManifestFile } from '../../catalog/manifest/types.ts';
import type { Snapshot, TableMetadata } from '../../catalog/metadata/types.ts';
import type { Schema } from '../../catalog/schema/types.ts';
import {
  isLive,
  liveDataManifests,
  manifestTypes,
  readEntries,
  readSnapshotManifests,
  type SnapshotLimits,
} from '../../catalog/snapshot/read.ts';
import { throwIfCancelled } from '../../core/cancellation.ts';
import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { BoundFilter } from '../filter/bound.ts';
import { metricsMayMatch } from './metrics.ts';
import { manifestMayMatch, type PartitionPredicate, partitionMayMatch, projectToPartition } from './partition.ts';

export interface FilePlanInput {
  readonly metadata: TableMetadata;
  readonly snapshot: Snapshot;
  /** Has every field of the filter. */
  readonly schema: Schema;
  /** What may prune (`prunablePart`); null = every file is wanted. */
  readonly filter: BoundFilter | null;
  readonly objects: ObjectStore;
  readonly limits: SnapshotLimits & Pick<Limits, 'planFilesMax' | 'manifestCacheBytesMax'>;
  readonly signal: AbortSignal;
}

export interface FilePlan {
  /** The files that may hold a passing row, in the order of the snapshot's manifests. */
  readonly files: DataFile[];
  /** Live data files of the snapshot. */
  readonly filesTotal: number;
  readonly filesPruned: number;
  /** Manifests that were not even read. */
  readonly manifestsPruned: number;
}

const manifestsReadAtOnce = 4;

/**
 * The data files of a snapshot that may hold a row which passes the filter: manifests are pruned by their partition summaries,
 * files by their partition and their statistics (table spec, "Scan Planning"). Throws UNSUPPORTED_FEATURE for snapshots with
 * row-level deletes, LIMIT_EXCEEDED for more than `planFilesMax` files, CORRUPT_FILE, CANCELLED, and what the store throws.
 */
export async function planFiles(input: FilePlanInput): Promise<FilePlan> {
  const { metadata, snapshot, filter, objects, limits, signal } = input;
  const manifests = liveDataManifests(await readSnapshotManifests(snapshot, objects, limits, signal));
  const predicates = partitionPredicates(input, manifests);
  const perManifest: (ManifestPlan | null)[] = manifests.map((manifest) => prunedManifest(manifest, predicates));
  const wanted = perManifest.flatMap((plan, at) => (plan === null ? [at] : []));
  let kept = 0;
  let next = 0;
  const readOn = async (): Promise<void> => {
    for (let at = wanted[next++]; at !== undefined; at = wanted[next++]) {
      throwIfCancelled(signal);
      const manifest = manifests[at]!;
      const live = await liveFiles(manifest, metadata, { objects, limits, signal });
      const files = live.filter((file) => fileMayMatch(file, filter, predicates.get(manifest.specId)));
      kept += files.length;
      if (kept > limits.planFilesMax) {
        throw new ServiceError(
          'LIMIT_EXCEEDED',
          `a plan has more than ${limits.planFilesMax} files: narrow the filter`,
        );
      }
      perManifest[at] = { files, live: live.length, pruned: false };
    }
  };
  const stopAll = (error: unknown): never => {
    next = wanted.length;
    throw error;
  };
  await Promise.all(Array.from({ length: manifestsReadAtOnce }, () => readOn().catch(stopAll)));
  const plans = perManifest.filter((plan) => plan !== null);
  const filesTotal = plans.reduce((sum, plan) => sum + plan.live, 0);
  return {
    files: plans.flatMap((plan) => plan.files),
    filesTotal,
    filesPruned: filesTotal - kept,
    manifestsPruned: plans.filter((plan) => plan.pruned).length,
  };
}

interface ManifestPlan {
  readonly files: readonly DataFile[];
  readonly live: number;
  readonly pruned: boolean;
}

function partitionPredicates(
  { metadata, schema, filter }: FilePlanInput,
  manifests: readonly ManifestFile[],
): Map<number, PartitionPredicate> {
  const predicates = new Map<number, PartitionPredicate>();
  if (filter === null) return predicates;
  for (const { specId } of manifests) {
    if (predicates.has(specId)) continue;
    predicates.set(specId, projectToPartition(filter, manifestTypes(metadata, specId).spec, schema));
  }
  return predicates;
}

/** Null where the manifest must be read: its files may match, or only reading it tells how many it has. */
function prunedManifest(
  { specId, partitions, addedFiles, existingFiles }: ManifestFile,
  predicates: ReadonlyMap<number, PartitionPredicate>,
): ManifestPlan | null {
  const predicate = predicates.get(specId);
  if (predicate === undefined || addedFiles === null || existingFiles === null) return null;
  return manifestMayMatch(predicate, partitions) ? null : { files: [], live: addedFiles + existingFiles, pruned: true };
}

function fileMayMatch(file: DataFile, filter: BoundFilter | null, predicate: PartitionPredicate | undefined): boolean {
  if (filter === null || predicate === undefined) return true;
  return partitionMayMatch(predicate, file.partition) && metricsMayMatch(filter, file.metrics, file.rows);
}

/** Manifests are never rewritten in place, so what was read of one holds for ever; one bounded cache for each store. */
const caches = new WeakMap<ObjectStore, LRUCache<string, readonly DataFile[]>>();
const fileBytes = 1_024;
const statisticBytes = 96;

async function liveFiles(
  manifest: ManifestFile,
  metadata: TableMetadata,
  { objects, limits, signal }: Pick<FilePlanInput, 'objects' | 'limits' | 'signal'>,
): Promise<readonly DataFile[]> {
  const cache = cacheOf(objects, limits.manifestCacheBytesMax);
  // Partition values are decoded by the table's schemas, which may have changed since.
  const key = JSON.stringify([metadata.tableUuid, metadata.currentSchemaId, manifest.path, manifest.bytes]);
  const known = cache?.get(key);
  if (known !== undefined) return known;
  const entries = await readEntries(manifest, metadata, objects, limits, signal);
  const files = entries.filter(isLive).map((entry) => entry.file);
  if (files.some((file) => file.content !== 'data')) {
    throw new ServiceError('CORRUPT_FILE', 'a manifest of data files lists delete files');
  }
  cache?.set(key, files);
  return files;
}

function cacheOf(objects: ObjectStore, bytesMax: number): LRUCache<string, readonly DataFile[]> | null {
  if (bytesMax <= 0) return null;
  const known = caches.get(objects);
  if (known !== undefined) return known;
  const cache = new LRUCache<string, readonly DataFile[]>({ maxSize: bytesMax, sizeCalculation: memoryOf });
  caches.set(objects, cache);
  return cache;
}

/** About what the parsed files take: their maps of statistics make the most of it. */
function memoryOf(files: readonly DataFile[]): number {
  let bytes = fileBytes;
  for (const { metrics } of files) {
    const statistics = Object.values(metrics).reduce((sum, map: ReadonlyMap<unknown, unknown>) => sum + map.size, 0);
    bytes += fileBytes + statisticBytes * statistics;
  }
  return bytes;
}
