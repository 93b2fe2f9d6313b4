/** What packing needs to know of a manifest. */
export interface Packable {
  readonly bytes: number;
  readonly specId: number;
}

export interface MergeOptions {
  readonly enabled: boolean;
  /** Manifests below which the group of the newest one is left alone. */
  readonly minCount: number;
  readonly bytesTarget: number;
}

/** `commit.manifest.…` and `commit.manifest-merge.enabled` of a table's properties, with Iceberg's defaults. */
export function mergeOptions(properties: ReadonlyMap<string, string>): MergeOptions {
  return {
    enabled: properties.get('commit.manifest-merge.enabled') !== 'false',
    minCount: positive(properties.get('commit.manifest.min-count-to-merge'), 100),
    bytesTarget: positive(properties.get('commit.manifest.target-size-bytes'), 8 << 20),
  };
}

function positive(text: string | undefined, otherwise: number): number {
  const value = Number(text);
  return text !== undefined && Number.isSafeInteger(value) && value > 0 ? value : otherwise;
}

/**
 * Groups manifests, newest first, that belong into one: a group of several is to be merged. Manifests of one spec are packed from the
 * oldest on, neighbours only, so that the group left unfilled is the one that the next commit adds to; that group stays as it is
 * until it has `minCount` manifests.
 */
export function planMerge<Item extends Packable>(manifests: readonly Item[], options: MergeOptions): Item[][] {
  const newest = manifests[0];
  if (!options.enabled || newest === undefined) return manifests.map((manifest) => [manifest]);
  const bySpec = Map.groupBy(manifests, ({ specId }) => specId);
  const specIds = [...bySpec.keys()].sort((a, b) => b - a);
  return specIds
    .flatMap((specId) => packFromEnd(bySpec.get(specId)!, options.bytesTarget))
    .flatMap((group) =>
      group.includes(newest) && group.length < options.minCount ? group.map((manifest) => [manifest]) : [group],
    );
}

function packFromEnd<Item extends Packable>(manifests: readonly Item[], bytesTarget: number): Item[][] {
  const groups: Item[][] = [];
  let [group, bytes]: [Item[], number] = [[], 0];
  for (const manifest of manifests.toReversed()) {
    if (group.length > 0 && bytes + manifest.bytes > bytesTarget) {
      groups.push(group.reverse());
      [group, bytes] = [[], 0];
    }
    group.push(manifest);
    bytes += manifest.bytes;
  }
  if (group.length > 0) groups.push(group.reverse());
  return groups.reverse();
}
