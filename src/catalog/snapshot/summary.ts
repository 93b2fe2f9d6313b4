import type { DataFile, ManifestFile } from '../manifest/types.ts';
import type { Snapshot } from '../metadata/types.ts';

export type Operation = 'append' | 'overwrite' | 'delete' | 'replace';

export interface SummaryInput {
  readonly operation: Operation;
  readonly parent: Snapshot | null;
  readonly added: readonly DataFile[];
  readonly deleted: readonly DataFile[];
  /** The new snapshot's manifests, all counts known. */
  readonly manifests: readonly ManifestFile[];
  readonly extra: ReadonlyMap<string, string>;
}

/**
 * A snapshot's summary as Iceberg's Java library writes it (table spec, Appendix F "Snapshot Summary Fields"): what changed, where
 * it is not 0, and the totals. Totals of files and records are counted from the manifests, so that they are right even after a
 * writer that left them out; the total size is carried on from the parent, and left out where the parent has none.
 */
export function summarizeSnapshot({
  operation,
  parent,
  added,
  deleted,
  manifests,
  extra,
}: SummaryInput): Map<string, string> {
  const addedBytes = sum(added, ({ bytes }) => bytes);
  const deletedBytes = sum(deleted, ({ bytes }) => bytes);
  const data = manifests.filter(({ content }) => content === 'data');
  const deletes = manifests.filter(({ content }) => content === 'deletes');
  return new Map([
    ...extra,
    ['operation', operation],
    ...unlessZero('added-data-files', BigInt(added.length)),
    ...unlessZero('deleted-data-files', BigInt(deleted.length)),
    ...unlessZero(
      'added-records',
      sum(added, ({ rows }) => rows),
    ),
    ...unlessZero(
      'deleted-records',
      sum(deleted, ({ rows }) => rows),
    ),
    ...unlessZero('added-files-size', addedBytes),
    ...unlessZero('removed-files-size', deletedBytes),
    ['changed-partition-count', `${new Set([...added, ...deleted].map(partitionKey)).size}`],
    ['total-data-files', `${sum(data, liveFiles)}`],
    ['total-records', `${data.reduce((rows, { addedRows, existingRows }) => rows + addedRows! + existingRows!, 0n)}`],
    ...carried('total-files-size', parent, addedBytes - deletedBytes),
    ['total-delete-files', `${sum(deletes, liveFiles)}`],
    ...carried('total-position-deletes', parent, 0n),
    ...carried('total-equality-deletes', parent, 0n),
  ]);
}

const liveFiles = ({ addedFiles, existingFiles }: ManifestFile): number => addedFiles! + existingFiles!;

function sum<Item>(items: readonly Item[], numberOf: (item: Item) => number): bigint {
  return items.reduce((total, item) => total + BigInt(numberOf(item)), 0n);
}

const unlessZero = (name: string, value: bigint): [string, string][] => (value === 0n ? [] : [[name, `${value}`]]);

/** The parent's total plus a change; nothing where the parent's is missing or makes no sense. */
function carried(name: string, parent: Snapshot | null, change: bigint): [string, string][] {
  const before = parent === null ? '0' : parent.summary.get(name);
  if (before === undefined || !/^\d{1,18}$/.test(before)) return [];
  const after = BigInt(before) + change;
  return after < 0n ? [] : [[name, `${after}`]];
}

const partitionKey = ({ specId, partition }: DataFile): string =>
  JSON.stringify([
    specId,
    partition.map((value) => (value === null ? null : value instanceof Uint8Array ? [...value] : `${value}`)),
  ]);
