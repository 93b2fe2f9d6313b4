import { ServiceError } from '../../core/errors.ts';
import type { SnapshotId } from '../../core/ids.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { AvroCodec } from '../avro/codecs.ts';
import { writeManifest } from '../manifest/manifest.ts';
import type { DataFile, ManifestEntry, ManifestFile } from '../manifest/types.ts';
import type { TableMetadata } from '../metadata/types.ts';
import { mergeOptions, type Packable, planMerge } from './merge.ts';
import type { MetadataFiles } from './metadata-files.ts';
import { hasLiveFiles, isLive, manifestTypes, readEntries, type SnapshotLimits } from './read.ts';

// About 8 MB of manifest, Iceberg's target, at the 400 to 800 bytes that an entry with statistics has when compressed.
const entriesPerManifest = 10_000;

interface ChangeContext {
  readonly metadata: TableMetadata;
  /** The new snapshot's. */
  readonly snapshotId: SnapshotId;
  readonly sequenceNumber: bigint;
  readonly formatVersion: 1 | 2;
  readonly codec: AvroCodec;
}

interface ReadContext {
  readonly objects: ObjectStore;
  readonly limits: SnapshotLimits;
  readonly signal: AbortSignal;
}

/** A data manifest that exists already, or one in memory that merging may still swallow before it is written. */
type Planned = Packable &
  (
    | { readonly kind: 'existing'; readonly manifest: ManifestFile }
    | {
        readonly kind: 'new';
        readonly entries: readonly ManifestEntry[];
        readonly avro: Uint8Array;
        readonly summary: Omit<ManifestFile, 'path'>;
      }
  );

/** The manifests of a snapshot in the making: carry the parent's, add files, then write. */
export class ManifestChanges {
  /** Files that `carry` took out. */
  readonly deleted: DataFile[] = [];
  readonly #context: ChangeContext;
  readonly #read: ReadContext;
  readonly #added: Planned[] = [];
  readonly #carried: Planned[] = [];
  readonly #deletes: ManifestFile[] = [];

  constructor(context: ChangeContext, read: ReadContext) {
    this.#context = context;
    this.#read = read;
  }

  /**
   * Takes over the parent's manifests. One that holds a file to delete is written anew, with that entry as deleted and the others
   * as existing; one without live files is dropped. Throws COMMIT_CONFLICT where a file to delete is in none of them.
   */
  async carry(manifests: readonly ManifestFile[], deleted: ReadonlySet<string>): Promise<void> {
    const missing = new Set(deleted);
    for (const manifest of manifests) {
      if (!hasLiveFiles(manifest)) continue;
      if (manifest.content === 'deletes') this.#deletes.push(manifest);
      else if (missing.size === 0) this.#keep(await this.#counted(manifest));
      else this.#keep(await this.#without(manifest, deleted, missing));
    }
    if (missing.size > 0) {
      throw new ServiceError('COMMIT_CONFLICT', `${missing.size} of the files to delete are no longer in the table`);
    }
  }

  /** New files, each in a manifest of its partition spec. */
  add(files: readonly DataFile[]): void {
    const { snapshotId, sequenceNumber } = this.#context;
    for (const [specId, group] of Map.groupBy(files, (file) => file.specId)) {
      for (let at = 0; at < group.length; at += entriesPerManifest) {
        const entries = group.slice(at, at + entriesPerManifest).map((file): ManifestEntry => {
          return { status: 'added', snapshotId, sequenceNumber, fileSequenceNumber: sequenceNumber, file };
        });
        this.#added.push(this.#plan(specId, entries));
      }
    }
  }

  /** Merges what is due, writes what is new, and gives the snapshot's manifests, the newest first. */
  async write(files: MetadataFiles): Promise<ManifestFile[]> {
    const options = mergeOptions(this.#context.metadata.properties);
    const written: ManifestFile[] = [];
    for (const group of planMerge([...this.#added, ...this.#carried], options)) {
      const planned = group.length === 1 ? group[0]! : await this.#merge(group);
      if (planned.kind === 'existing') written.push(planned.manifest);
      else written.push({ ...planned.summary, path: await files.writeManifest(planned.avro) });
    }
    return [...written, ...this.#deletes];
  }

  #keep(planned: Planned | null): void {
    if (planned !== null) this.#carried.push(planned);
  }

  /** Manifest lists of v2 require the counts that a v1 writer may have left out. */
  async #counted(manifest: ManifestFile): Promise<Planned | null> {
    const known = [manifest.addedFiles, manifest.existingFiles, manifest.deletedFiles].every((count) => count !== null);
    const rowsKnown = [manifest.addedRows, manifest.existingRows, manifest.deletedRows].every(
      (count) => count !== null,
    );
    if (known && rowsKnown) return existing(manifest);
    const entries = await this.#entries(manifest);
    if (!entries.some(isLive)) return null;
    const files = (status: ManifestEntry['status']) => entries.filter((entry) => entry.status === status);
    const rows = (status: ManifestEntry['status']) =>
      files(status).reduce((sum, { file }) => sum + BigInt(file.rows), 0n);
    return existing({
      ...manifest,
      addedFiles: files('added').length,
      existingFiles: files('existing').length,
      deletedFiles: files('deleted').length,
      addedRows: rows('added'),
      existingRows: rows('existing'),
      deletedRows: rows('deleted'),
    });
  }

  async #without(manifest: ManifestFile, deleted: ReadonlySet<string>, missing: Set<string>): Promise<Planned | null> {
    const live = (await this.#entries(manifest)).filter(isLive);
    if (!live.some(({ file }) => deleted.has(file.path))) return this.#counted(manifest);
    const { snapshotId } = this.#context;
    const entries = live.map((entry): ManifestEntry => {
      if (!deleted.has(entry.file.path)) return { ...entry, status: 'existing' };
      missing.delete(entry.file.path);
      this.deleted.push(entry.file);
      return { ...entry, status: 'deleted', snapshotId };
    });
    return this.#plan(manifest.specId, entries);
  }

  /** One manifest of several: what this snapshot added or deleted stays so, older additions exist, older deletions are done. */
  async #merge(group: readonly Planned[]): Promise<Planned> {
    const { snapshotId } = this.#context;
    const entries: ManifestEntry[] = [];
    for (const planned of group) {
      const source = planned.kind === 'new' ? planned.entries : await this.#entries(planned.manifest);
      for (const entry of source) {
        if (entry.snapshotId === snapshotId && entry.status !== 'existing') entries.push(entry);
        else if (isLive(entry)) entries.push({ ...entry, status: 'existing' });
      }
    }
    return this.#plan(group[0]!.specId, entries);
  }

  #plan(specId: number, entries: readonly ManifestEntry[]): Planned {
    const { metadata, ...context } = this.#context;
    const types = manifestTypes(metadata, specId);
    const { bytes, summary } = writeManifest({ ...context, ...types, content: 'data' }, entries);
    return { kind: 'new', specId, bytes: bytes.length, entries, avro: bytes, summary };
  }

  #entries(manifest: ManifestFile): Promise<ManifestEntry[]> {
    const { objects, limits, signal } = this.#read;
    return readEntries(manifest, this.#context.metadata, objects, limits, signal);
  }
}

const existing = (manifest: ManifestFile): Planned => ({
  kind: 'existing',
  bytes: manifest.bytes,
  specId: manifest.specId,
  manifest,
});
