import { randomBytes } from 'node:crypto';
import { ServiceError } from '../../core/errors.ts';
import { type SnapshotId, snapshotId } from '../../core/ids.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { AvroCodec } from '../avro/codecs.ts';
import { writeManifestList } from '../manifest/manifest-list.ts';
import type { DataFile } from '../manifest/types.ts';
import type { TableRequirement, TableUpdate } from '../metadata/commit-types.ts';
import { mainBranch } from '../metadata/read.ts';
import type { Snapshot, SnapshotRef, TableMetadata } from '../metadata/types.ts';
import { ManifestChanges } from './manifest-changes.ts';
import { MetadataFiles } from './metadata-files.ts';
import { readSnapshotManifests, type SnapshotLimits } from './read.ts';
import { type Operation, summarizeSnapshot } from './summary.ts';

export interface SnapshotInput {
  readonly table: { readonly metadata: TableMetadata };
  /** A branch that does not exist yet begins at the current snapshot. */
  readonly branch: string;
  readonly operation: Operation;
  readonly added: readonly DataFile[];
  /** Paths of live data files that the snapshot no longer has. */
  readonly deleted: ReadonlySet<string>;
  readonly objects: ObjectStore;
  /** Further entries of the summary; the ones that Iceberg defines win over them. */
  readonly extraSummary?: ReadonlyMap<string, string>;
  readonly nowMs: number;
  /** Counts the retries of one commit; part of the manifest list's name. */
  readonly attempt?: number;
  readonly limits: SnapshotLimits;
  readonly signal: AbortSignal;
}

export interface ProducedSnapshot {
  readonly snapshot: Snapshot;
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
  /** Metadata files of this attempt, to be deleted once its commit has definitely failed. */
  readonly written: readonly string[];
}

/**
 * Writes the manifests and the manifest list of a new snapshot on top of `table` and gives the commit that adds it. Nothing refers
 * to the files until that commit succeeds; where this throws, they are removed again. A retry calls it afresh on the newer table.
 * Throws COMMIT_CONFLICT where a file to delete is no longer there, UNSUPPORTED_FEATURE for v3 tables, and what reading throws.
 */
export async function produceSnapshot(input: SnapshotInput): Promise<ProducedSnapshot> {
  const { metadata } = input.table;
  checkInput(input);
  const files = new MetadataFiles(metadata, input.objects, input.signal);
  try {
    const snapshot = await writeSnapshot(input, files);
    const ref = metadata.refs.get(input.branch);
    return {
      snapshot,
      requirements: [
        { kind: 'assert-table-uuid', uuid: metadata.tableUuid },
        { kind: 'assert-ref-snapshot-id', ref: input.branch, snapshotId: ref?.snapshotId ?? null },
      ],
      updates: [
        { kind: 'add-snapshot', snapshot },
        { kind: 'set-snapshot-ref', name: input.branch, ref: refTo(snapshot.snapshotId, ref) },
      ],
      written: files.written,
    };
  } catch (error) {
    await files.discard();
    throw error;
  }
}

function checkInput({ table: { metadata }, branch, operation, deleted }: SnapshotInput): void {
  if (metadata.formatVersion > 2) {
    throw new ServiceError('UNSUPPORTED_FEATURE', 'commits to tables of format version 3 are not supported');
  }
  if (metadata.refs.get(branch)?.type === 'tag') {
    throw new ServiceError('INVALID_REQUEST', `${JSON.stringify(branch)} is a tag: only a branch takes commits`);
  }
  if (operation === 'append' && deleted.size > 0) {
    throw new ServiceError('INVALID_REQUEST', 'an append deletes no files: use overwrite or delete');
  }
}

async function writeSnapshot(input: SnapshotInput, files: MetadataFiles): Promise<Snapshot> {
  const { objects, limits, signal, operation, added } = input;
  const { metadata } = input.table;
  const formatVersion = metadata.formatVersion === 1 ? 1 : 2;
  const parent = parentOf(metadata, input.branch);
  const id = freshSnapshotId(metadata);
  const sequenceNumber = formatVersion === 1 ? 0n : metadata.lastSequenceNumber + 1n;
  const codec = codecOf(metadata.properties);

  const existing = parent === null ? [] : await readSnapshotManifests(parent, objects, limits, signal);
  const context = { metadata, snapshotId: id, sequenceNumber, formatVersion, codec } as const;
  const changes = new ManifestChanges(context, { objects, limits, signal });
  await changes.carry(existing, input.deleted);
  changes.add(added);
  const manifests = await changes.write(files);
  if (manifests.length > limits.manifestsMax) {
    throw new ServiceError('LIMIT_EXCEEDED', `a snapshot has more than ${limits.manifestsMax} manifests`);
  }
  const header = {
    snapshotId: id,
    parentSnapshotId: parent?.snapshotId ?? null,
    sequenceNumber,
    formatVersion,
  } as const;
  const manifestList = await files.writeManifestList(
    writeManifestList(header, manifests, codec),
    id,
    input.attempt ?? 1,
  );
  return {
    snapshotId: id,
    parentSnapshotId: header.parentSnapshotId,
    sequenceNumber,
    // A clock that steps back must not put the log out of order.
    timestampMs: Math.max(input.nowMs, metadata.lastUpdatedMs),
    manifestList,
    manifests: [],
    summary: summarizeSnapshot({
      operation,
      parent,
      added,
      deleted: changes.deleted,
      manifests,
      extra: input.extraSummary ?? new Map(),
    }),
    schemaId: metadata.currentSchemaId,
    firstRowId: null,
    rest: new Map(),
  };
}

function parentOf(metadata: TableMetadata, branch: string): Snapshot | null {
  const id = (metadata.refs.get(branch) ?? metadata.refs.get(mainBranch))?.snapshotId ?? metadata.currentSnapshotId;
  if (id === null) return null;
  const parent = metadata.snapshots.find((snapshot) => snapshot.snapshotId === id);
  if (parent === undefined)
    throw new ServiceError('CORRUPT_FILE', "a table's branch names a snapshot that is not there");
  return parent;
}

/** The branch moved to a snapshot, its retention kept. */
function refTo(id: SnapshotId, ref: SnapshotRef | undefined): SnapshotRef {
  if (ref !== undefined) return { ...ref, snapshotId: id };
  return { snapshotId: id, type: 'branch', minSnapshotsToKeep: null, maxSnapshotAgeMs: null, maxRefAgeMs: null };
}

/** Random, so that writers need not agree: positive, 63 bits, not in use. */
function freshSnapshotId(metadata: TableMetadata): SnapshotId {
  const used = new Set<bigint>(metadata.snapshots.map((snapshot) => snapshot.snapshotId));
  for (;;) {
    const id = randomBytes(8).readBigUInt64LE() >> 1n;
    if (id > 0n && !used.has(id)) return snapshotId(id);
  }
}

const codecs: Readonly<Record<string, AvroCodec>> = { gzip: 'deflate', zstd: 'zstandard', uncompressed: 'null' };

/** `write.avro.compression-codec`; gzip, Iceberg's default, for codecs that Headrace does not write. */
const codecOf = (properties: ReadonlyMap<string, string>): AvroCodec =>
  codecs[properties.get('write.avro.compression-codec')?.toLowerCase() ?? 'gzip'] ?? 'deflate';
