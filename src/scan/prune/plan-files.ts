import type { ManifestFile } from '../../catalog/manifest/types.ts';
import type { Snapshot, TableMetadata } from '../../catalog/metadata/types.ts';
import type { Schema } from '../../catalog/schema/types.ts';
import { liveDataManifests, manifestTypes } from '../../catalog/snapshot/read.ts';
import { throwIfCancelled } from '../../core/cancellation.ts';
import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { type BoundField, type BoundFilter, boundFields } from '../filter/bound.ts';
import { type LoadedManifest, rangeKey, rangesOf } from './loaded-manifest.ts';
import { type ManifestStore, type ManifestStoreLimits, manifestStoreOf, planningPace } from './manifest-store.ts';
import { columnsMayMatch } from './match-columns.ts';
import { manifestMayMatch, type PartitionPredicate, partitionMayMatch, projectToPartition } from './partition.ts';
import { type PickedFiles, PlannedFiles } from './planned-files.ts';

export interface FilePlanInput {
  readonly metadata: TableMetadata;
  readonly snapshot: Snapshot;
  /** Has every field of the filter. */
  readonly schema: Schema;
  /** What may prune (`prunablePart`); null = every file is wanted. */
  readonly filter: BoundFilter | null;
  readonly objects: ObjectStore;
  readonly limits: ManifestStoreLimits & Pick<Limits, 'planFilesMax'>;
  readonly signal: AbortSignal;
}

export interface FilePlan {
  /** The files that may hold a passing row, in the order of the snapshot's manifests. */
  readonly files: PlannedFiles;
  /** Live data files of the snapshot. */
  readonly filesTotal: number;
  readonly filesPruned: number;
  /** Manifests that were not even read. */
  readonly manifestsPruned: number;
}

/** What one plan prunes with. */
interface Pruning {
  readonly filter: BoundFilter;
  readonly fields: readonly BoundField[];
  /** By partition spec. */
  readonly predicates: ReadonlyMap<number, PartitionPredicate>;
}

const manifestsReadAtOnce = 8;

/**
 * The data files of a snapshot that may hold a row which passes the filter: manifests are pruned by their partition summaries,
 * files by their partition and their statistics (table spec, "Scan Planning"). Throws UNSUPPORTED_FEATURE for snapshots with
 * row-level deletes, LIMIT_EXCEEDED for more than `planFilesMax` files, CORRUPT_FILE, CANCELLED, and what the store throws.
 */
export async function planFiles(input: FilePlanInput): Promise<FilePlan> {
  const { metadata, snapshot, limits, signal } = input;
  throwIfCancelled(signal);
  const store = manifestStoreOf(input.objects, limits);
  const manifests = liveDataManifests(await store.list(snapshot, metadata, limits, signal));
  const pruning = pruningOf(input, manifests);
  const perManifest: (ManifestPlan | null)[] = manifests.map((manifest) => prunedManifest(manifest, pruning));
  const wanted = perManifest.flatMap((plan, at) => (plan === null ? [at] : []));
  let kept = 0;
  let next = 0;
  const readOn = async (): Promise<void> => {
    for (let at = wanted[next++]; at !== undefined; at = wanted[next++]) {
      const plan = await planManifest(manifests[at]!, pruning, store, input);
      kept += plan.taken === null ? 0 : (plan.taken.picked?.length ?? plan.live);
      if (kept > limits.planFilesMax) {
        throw new ServiceError(
          'LIMIT_EXCEEDED',
          `a plan has more than ${limits.planFilesMax} files: narrow the filter`,
        );
      }
      perManifest[at] = plan;
      if (planningPace.isDue) await planningPace.giveWay();
      throwIfCancelled(signal);
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
    files: new PlannedFiles(plans.flatMap(({ taken }) => taken ?? [])),
    filesTotal,
    filesPruned: filesTotal - kept,
    manifestsPruned: plans.filter((plan) => plan.pruned).length,
  };
}

interface ManifestPlan {
  /** Null where none of its files is taken. */
  readonly taken: PickedFiles | null;
  readonly live: number;
  readonly pruned: boolean;
}

function pruningOf({ metadata, schema, filter }: FilePlanInput, manifests: readonly ManifestFile[]): Pruning | null {
  if (filter === null) return null;
  const predicates = new Map<number, PartitionPredicate>();
  for (const { specId } of manifests) {
    if (predicates.has(specId)) continue;
    predicates.set(specId, projectToPartition(filter, manifestTypes(metadata, specId).spec, schema));
  }
  return { filter, fields: boundFields(filter), predicates };
}

/** Null where the manifest must be read: its files may match, or only reading it tells how many it has. */
function prunedManifest(
  { specId, partitions, addedFiles, existingFiles }: ManifestFile,
  pruning: Pruning | null,
): ManifestPlan | null {
  if (pruning === null || addedFiles === null || existingFiles === null) return null;
  if (manifestMayMatch(pruning.predicates.get(specId)!, partitions)) return null;
  return { taken: null, live: addedFiles + existingFiles, pruned: true };
}

async function planManifest(
  file: ManifestFile,
  pruning: Pruning | null,
  store: ManifestStore,
  { metadata, limits, signal }: FilePlanInput,
): Promise<ManifestPlan> {
  const fields = pruning?.fields ?? [];
  const known = store.known(file, metadata);
  let manifest = known ?? (await store.load(file, metadata, fields, limits, signal));
  const live = manifest.columns.files;
  if (pruning === null) return { taken: { manifest, picked: null }, live, pruned: false };
  const mask = partitionMask(manifest, pruning.predicates.get(file.specId)!);
  if (!mask.includes(1)) return { taken: null, live, pruned: false };
  // The statistics are read only where the partitions leave a file over.
  if (fields.some((field) => !manifest.ranges.has(rangeKey(field)))) {
    manifest = await store.load(file, metadata, fields, limits, signal);
  }
  const { ranges } = manifest;
  const matches = columnsMayMatch(pruning.filter, live, (field) => rangesOf(ranges, field));
  for (let at = 0; at < live; at++) mask[at]! &= matches[at]!;
  const picked = placesOf(mask);
  return { taken: { manifest, picked: picked.length === live ? null : picked }, live, pruned: false };
}

/** Asks each distinct partition tuple once. */
function partitionMask({ columns }: LoadedManifest, predicate: PartitionPredicate): Uint8Array {
  const { tuples, tupleOf, files } = columns;
  const passes = Uint8Array.from(tuples, (tuple) => (partitionMayMatch(predicate, tuple) ? 1 : 0));
  const mask = new Uint8Array(files);
  for (let at = 0; at < files; at++) mask[at] = passes[tupleOf[at]!]!;
  return mask;
}

function placesOf(mask: Uint8Array): Uint32Array {
  let count = 0;
  for (let at = 0; at < mask.length; at++) count += mask[at]!;
  const places = new Uint32Array(count);
  for (let at = 0, to = 0; to < count; at++) if (mask[at] === 1) places[to++] = at;
  return places;
}
