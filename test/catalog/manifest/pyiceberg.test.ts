import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { writeManifest } from '../../../src/catalog/manifest/manifest.ts';
import { readManifestList, writeManifestList } from '../../../src/catalog/manifest/manifest-list.ts';
import type { ManifestEntry, ManifestFile } from '../../../src/catalog/manifest/types.ts';
import { parseTableMetadata } from '../../../src/catalog/metadata/read.ts';
import type { Snapshot, TableMetadata } from '../../../src/catalog/metadata/types.ts';
import type { Value } from '../../../src/catalog/schema/types.ts';
import {
  isLive,
  manifestTypes,
  readEntries,
  readManifestBytes,
  readSnapshotManifests,
} from '../../../src/catalog/snapshot/read.ts';
import type { FieldId } from '../../../src/core/ids.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import { fileLocation } from '../../../src/storage/locations.ts';
import { runPython } from '../../support/python.ts';
import { filesByColumns, filesByEntries } from './columns-of.ts';
import { describe, type PyEntry, type PyManifest, type PyTable, writeTables } from './pyiceberg-tables.ts';

const { signal } = new AbortController();
const store = openLocalStore();
let folder: string;
let tables: readonly PyTable[];

before(async () => {
  ({ folder, tables } = await writeTables());
});
after(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const text = (value: Value | null): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString('hex') : `${value}`;
const hex = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString('hex'));
const object = <From, To>(map: ReadonlyMap<FieldId, From>, of: (value: From) => To): Record<string, To> =>
  Object.fromEntries([...map].map(([id, value]) => [`${id}`, of(value)]));
const same = <Value>(value: Value): Value => value;

function entryAsPython({ status, snapshotId, sequenceNumber, fileSequenceNumber, file }: ManifestEntry): PyEntry {
  const { metrics } = file;
  return {
    status: ['existing', 'added', 'deleted'].indexOf(status),
    snapshot: `${snapshotId}`,
    sequence: `${sequenceNumber}`,
    fileSequence: `${fileSequenceNumber}`,
    path: file.path,
    format: file.format,
    partition: file.partition.map(text),
    rows: file.rows,
    bytes: file.bytes,
    columnBytes: object(metrics.columnBytes, same),
    valueCounts: object(metrics.valueCounts, same),
    nullCounts: object(metrics.nullCounts, same),
    nanCounts: object(metrics.nanCounts, same),
    lower: object(metrics.lowerBounds, (bytes) => hex(bytes)!),
    upper: object(metrics.upperBounds, (bytes) => hex(bytes)!),
    splitOffsets: file.splitOffsets,
  };
}

function manifestAsPython(manifest: ManifestFile, entries: readonly ManifestEntry[]): PyManifest {
  return {
    path: manifest.path,
    bytes: manifest.bytes,
    spec: manifest.specId,
    content: 0,
    sequence: `${manifest.sequenceNumber}`,
    minSequence: `${manifest.minSequenceNumber}`,
    snapshot: `${manifest.addedSnapshotId}`,
    counts: [manifest.addedFiles!, manifest.existingFiles!, manifest.deletedFiles!],
    rows: [manifest.addedRows, manifest.existingRows, manifest.deletedRows].map(Number),
    partitions: (manifest.partitions ?? []).map((summary) => {
      return [summary.containsNull, summary.containsNan, hex(summary.lowerBound), hex(summary.upperBound)];
    }),
    entries: entries.map(entryAsPython),
  };
}

const metadataOf = async (table: PyTable): Promise<TableMetadata> =>
  parseTableMetadata(await readFile(table.metadataPath, 'utf8'));

async function readAsPython(snapshot: Snapshot, metadata: TableMetadata): Promise<PyManifest[]> {
  const manifests = await readSnapshotManifests(snapshot, store, defaultLimits, signal);
  return Promise.all(
    manifests.map(async (manifest) =>
      manifestAsPython(manifest, await readEntries(manifest, metadata, store, defaultLimits, signal)),
    ),
  );
}

test('every manifest that PyIceberg wrote reads as PyIceberg reads it, v1 and v2, every codec and partition type', async () => {
  assert.equal(tables.length, 6);
  for (const table of tables) {
    const metadata = await metadataOf(table);
    for (const { id, manifests } of table.snapshots) {
      const snapshot = metadata.snapshots.find(({ snapshotId }) => `${snapshotId}` === id)!;
      assert.deepEqual(await readAsPython(snapshot, metadata), manifests, `${table.name} ${id}`);
    }
  }
});

test('columns hold the live files of every manifest that PyIceberg wrote', async () => {
  let files = 0;
  for (const table of tables) {
    const metadata = await metadataOf(table);
    const ids = metadata.schemas[0]!.fields.map(({ id }) => id);
    for (const snapshot of metadata.snapshots) {
      for (const manifest of await readSnapshotManifests(snapshot, store, defaultLimits, signal)) {
        const entries = await readEntries(manifest, metadata, store, defaultLimits, signal);
        const expected = filesByEntries(
          entries.filter(isLive).map(({ file }) => file),
          ids,
        );
        const bytes = await readManifestBytes(manifest, store, defaultLimits, signal);
        const types = manifestTypes(metadata, manifest.specId);
        const found = await filesByColumns(bytes, { file: manifest, types, metricsOf: ids });
        assert.deepEqual(found, expected, table.name);
        files += found.length;
      }
    }
  }
  assert.ok(files > 50, `${files} files`);
});

test('a v1 snapshot that lists its manifests inline reads the same entries', async () => {
  for (const table of tables.filter(({ name }) => name.endsWith('1'))) {
    const metadata = await metadataOf(table);
    const { id, manifests } = table.snapshots.at(-1)!;
    const listed = metadata.snapshots.find(({ snapshotId }) => `${snapshotId}` === id)!;
    const inline = { ...listed, manifestList: null, manifests: manifests.map(({ path }) => path) };
    const read = await readSnapshotManifests(inline, store, defaultLimits, signal);
    for (const [at, manifest] of read.entries()) {
      const entries = await readEntries(manifest, metadata, store, defaultLimits, signal);
      assert.deepEqual(entries.map(entryAsPython), manifests[at]!.entries);
    }
  }
});

test('PyIceberg reads what we write as it reads the original', async () => {
  const rewritten: { readonly list: string; readonly expected: PyManifest[] }[] = [];
  for (const table of tables) {
    const metadata = await metadataOf(table);
    const snapshot = metadata.snapshots.find(({ snapshotId }) => `${snapshotId}` === table.snapshots.at(-1)!.id)!;
    const formatVersion = metadata.formatVersion === 1 ? 1 : 2;
    const manifests: ManifestFile[] = [];
    const expected: PyManifest[] = [];
    for (const original of await readSnapshotManifests(snapshot, store, defaultLimits, signal)) {
      const entries = await readEntries(original, metadata, store, defaultLimits, signal);
      const { bytes, summary } = writeManifest(
        {
          ...manifestTypes(metadata, original.specId),
          content: 'data',
          snapshotId: original.addedSnapshotId,
          sequenceNumber: original.sequenceNumber,
          formatVersion,
          codec: (['deflate', 'zstandard', 'null'] as const)[manifests.length % 3]!,
        },
        entries,
      );
      const path = fileLocation(`${folder}/rewritten-${table.name}-${manifests.length}.avro`);
      await put(path, bytes);
      const manifest = { ...summary, path };
      assert.deepEqual({ ...manifest, path: original.path, bytes: original.bytes }, original, table.name);
      manifests.push(manifest);
      expected.push(manifestAsPython(manifest, entries));
    }
    const list = fileLocation(`${folder}/rewritten-${table.name}.avro`);
    await put(list, writeManifestList({ ...snapshot, formatVersion }, manifests));
    const reread = readManifestList(await store.readAll(list, 1 << 20, signal), snapshot, defaultLimits);
    assert.deepEqual(reread, manifests);
    rewritten.push({ list, expected });
  }
  const script = `${describe}
from pyiceberg.io.pyarrow import PyArrowFileIO
io = PyArrowFileIO()
output = [manifests_of(io, path) for path in input]`;
  assert.deepEqual(
    await runPython(
      script,
      rewritten.map(({ list }) => list),
    ),
    rewritten.map(({ expected }) => expected),
  );
});

async function put(location: string, bytes: Uint8Array): Promise<void> {
  await using writer = await store.create(location, signal);
  await writer.write(bytes);
  await writer.commit();
}
