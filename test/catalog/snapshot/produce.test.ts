import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { DataFile } from '../../../src/catalog/manifest/types.ts';
import { applyUpdates } from '../../../src/catalog/metadata/apply.ts';
import { parseTableMetadata } from '../../../src/catalog/metadata/read.ts';
import { checkRequirements } from '../../../src/catalog/metadata/requirements.ts';
import { resolveSnapshot } from '../../../src/catalog/metadata/time-travel.ts';
import type { TableMetadata } from '../../../src/catalog/metadata/types.ts';
import { serializeTableMetadata } from '../../../src/catalog/metadata/write.ts';
import { type ProducedSnapshot, produceSnapshot, type SnapshotInput } from '../../../src/catalog/snapshot/produce.ts';
import { liveDataFiles, readSnapshotManifests } from '../../../src/catalog/snapshot/read.ts';
import { type ErrorCode, isServiceError } from '../../../src/core/errors.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import { localPath } from '../../../src/storage/locations.ts';
import { runPython } from '../../support/python.ts';

const { signal } = new AbortController();
const objects = openLocalStore();
const fails = (code: ErrorCode) => (error: unknown) => isServiceError(error, code);
let folder: string;
/** A table of each format version that PyIceberg made, with three rows in three partitions. */
let bases: readonly TableMetadata[];
let [v1, v2]: TableMetadata[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-snapshot-'));
  const paths = (await runPython(makeTables, { folder })) as string[];
  bases = await Promise.all(paths.map(async (path) => parseTableMetadata(await readFile(path, 'utf8'))));
  [v1, v2] = bases as [TableMetadata, TableMetadata];
});
after(async () => {
  await objects[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const makeTables = `
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, StringType, NestedField
from pyiceberg.partitioning import PartitionSpec, PartitionField
from pyiceberg.transforms import IdentityTransform
folder = input['folder']
catalog = SqlCatalog('test', uri=f'sqlite:///{folder}/catalog.db', warehouse=f'file://{folder}/warehouse')
catalog.create_namespace('ns')
schema = Schema(NestedField(1, 'id', LongType(), required=False), NestedField(2, 'region', StringType(), required=False))
output = []
for version in ('1', '2'):
    table = catalog.create_table(f'ns.t{version}', schema, partition_spec=PartitionSpec(PartitionField(2, 1000, IdentityTransform(), 'region')),
        properties={'format-version': version, 'commit.manifest.min-count-to-merge': '5'})
    table.append(pa.table({'id': [1, 2, 3], 'region': ['eu', 'us', None]}))
    output.append(table.metadata_location.removeprefix('file://'))
`;

type Change = Pick<SnapshotInput, 'operation'> & Partial<SnapshotInput>;

const produce = (metadata: TableMetadata, change: Change): Promise<ProducedSnapshot> =>
  produceSnapshot({
    table: { metadata },
    branch: 'main',
    added: [],
    deleted: new Set(),
    objects,
    nowMs: Date.now(),
    limits: defaultLimits,
    signal,
    ...change,
  });

async function commit(metadata: TableMetadata, change: Change): Promise<TableMetadata> {
  const { requirements, updates } = await produce(metadata, change);
  checkRequirements(metadata, requirements);
  return applyUpdates(metadata, updates, { nowMs: Date.now() });
}

async function files(metadata: TableMetadata, branch = 'main'): Promise<DataFile[]> {
  const snapshot = resolveSnapshot(metadata, { kind: 'ref', name: branch })!;
  const live: DataFile[] = [];
  for await (const { file } of liveDataFiles(snapshot, metadata, objects, defaultLimits, signal)) live.push(file);
  return live;
}

/** The same rows under another path, as a writer would add them. */
async function copyOf(file: DataFile, name: string): Promise<DataFile> {
  const path = `${file.path.slice(0, file.path.lastIndexOf('/'))}/${name}.parquet`;
  await copyFile(localPath(file.path), localPath(path));
  return { ...file, path };
}

const summaryOf = (metadata: TableMetadata): Record<string, string> =>
  Object.fromEntries(resolveSnapshot(metadata, { kind: 'main' })!.summary);

/** Rows that PyIceberg and DuckDB count and sum in a metadata.json of ours. */
async function readElsewhere(metadata: TableMetadata): Promise<unknown> {
  const path = join(folder, `${crypto.randomUUID()}.metadata.json`);
  await writeFile(path, serializeTableMetadata(metadata));
  return runPython(
    `
import duckdb
from duckdb_extensions import import_extension
from pyiceberg.table import StaticTable
rows = StaticTable.from_metadata(f'file://{input}').scan().to_arrow()
connection = duckdb.connect()
for name in ('avro', 'httpfs', 'iceberg'):
    import_extension(name, con=connection)
    connection.execute(f'LOAD {name}')
other = connection.execute('select count(*), sum(id) from iceberg_scan(?)', [input]).fetchone()
output = dict(pyiceberg=[rows.num_rows, sum(rows['id'].to_pylist())], duckdb=[int(v) for v in other])`,
    path,
  );
}

test('after appends and overwrites PyIceberg and DuckDB read exactly the live rows', async () => {
  for (const base of bases) {
    const [eu, us, none] = await files(base);
    let metadata = await commit(base, {
      operation: 'append',
      added: [await copyOf(eu!, 'a'), await copyOf(none!, 'b')],
    });
    metadata = await commit(metadata, {
      operation: 'overwrite',
      added: [await copyOf(eu!, 'c')],
      deleted: new Set([us!.path, eu!.path]),
    });
    assert.deepEqual(await readElsewhere(metadata), { pyiceberg: [4, 8], duckdb: [4, 8] });
    assert.equal((await files(metadata)).length, 4);
    assert.deepEqual(await files(base), [eu, us, none], 'the earlier snapshot reads the same');
  }
});

test('a summary says what changed, as the Java library writes it, and exact totals', async () => {
  const [eu, us] = await files(v2!);
  const appended = await commit(v2!, {
    operation: 'append',
    added: [{ ...eu!, path: `${eu!.path}2`, rows: 7, bytes: 1000 }],
    extraSummary: new Map([
      ['wap.id', 'w'],
      ['total-records', 'lies'],
    ]),
  });
  const before = summaryOf(v2!);
  const size = (change: number): string => `${Number(before['total-files-size']) + change}`;
  const totals = { 'total-delete-files': '0', 'total-position-deletes': '0', 'total-equality-deletes': '0' };
  assert.deepEqual(summaryOf(appended), {
    operation: 'append',
    'wap.id': 'w',
    'added-data-files': '1',
    'added-records': '7',
    'added-files-size': '1000',
    'changed-partition-count': '1',
    'total-data-files': '4',
    'total-records': '10',
    'total-files-size': size(1000),
    ...totals,
  });
  const deleted = await commit(appended, { operation: 'delete', deleted: new Set([eu!.path, us!.path]) });
  assert.deepEqual(summaryOf(deleted), {
    operation: 'delete',
    'deleted-data-files': '2',
    'deleted-records': '2',
    'removed-files-size': `${eu!.bytes + us!.bytes}`,
    'changed-partition-count': '2',
    'total-data-files': '2',
    'total-records': '8',
    'total-files-size': size(1000 - eu!.bytes - us!.bytes),
    ...totals,
  });
});

test('small manifests are merged once there are enough, and entries keep the snapshot and sequence number that added them', async () => {
  let metadata = v2!;
  const [eu] = await files(metadata);
  const counts: number[] = [];
  for (let at = 0; at < 6; at++) {
    metadata = await commit(metadata, { operation: 'append', added: [{ ...eu!, path: `${eu!.path}-${at}` }] });
    const snapshot = resolveSnapshot(metadata, { kind: 'main' })!;
    counts.push((await readSnapshotManifests(snapshot, objects, defaultLimits, signal)).length);
  }
  assert.deepEqual(counts, [2, 3, 4, 1, 2, 3]);
  const snapshot = resolveSnapshot(metadata, { kind: 'main' })!;
  const found = new Map<string, bigint[]>();
  for await (const entry of liveDataFiles(snapshot, metadata, objects, defaultLimits, signal)) {
    found.set(entry.file.path, [entry.snapshotId, entry.sequenceNumber, entry.fileSequenceNumber]);
  }
  const added = metadata.snapshots.slice(-6);
  for (const [at, { snapshotId, sequenceNumber }] of added.entries()) {
    assert.deepEqual(found.get(`${eu!.path}-${at}`), [snapshotId, sequenceNumber, sequenceNumber]);
  }
  assert.equal(found.size, 9);
});

test('a v1 table that was upgraded keeps sequence number 0 for its old files', async () => {
  const upgraded = applyUpdates(v1!, [{ kind: 'upgrade-format-version', formatVersion: 2 }], { nowMs: Date.now() });
  const [eu] = await files(upgraded);
  const metadata = await commit(upgraded, {
    operation: 'overwrite',
    added: [await copyOf(eu!, 'up')],
    deleted: new Set([eu!.path]),
  });
  const snapshot = resolveSnapshot(metadata, { kind: 'main' })!;
  assert.equal(snapshot.sequenceNumber, 1n);
  const sequences: bigint[] = [];
  for await (const entry of liveDataFiles(snapshot, metadata, objects, defaultLimits, signal))
    sequences.push(entry.sequenceNumber);
  assert.deepEqual(sequences.sort(), [0n, 0n, 1n]);
  assert.deepEqual(await readElsewhere(metadata), { pyiceberg: [3, 6], duckdb: [3, 6] });
});

test('a new branch begins at the current snapshot and leaves main alone', async () => {
  const [eu] = await files(v2!);
  const produced = await produce(v2!, {
    operation: 'append',
    branch: 'audit',
    added: [{ ...eu!, path: `${eu!.path}-audit` }],
  });
  assert.deepEqual(produced.requirements[1], { kind: 'assert-ref-snapshot-id', ref: 'audit', snapshotId: null });
  const metadata = applyUpdates(v2!, produced.updates, { nowMs: Date.now() });
  assert.equal((await files(metadata, 'audit')).length, 4);
  assert.equal((await files(metadata)).length, 3);
  assert.equal(metadata.currentSnapshotId, v2!.currentSnapshotId);
});

test('a commit moves a branch without touching its retention', async () => {
  const kept = { minSnapshotsToKeep: 3, maxSnapshotAgeMs: 5_000, maxRefAgeMs: null };
  const main = { ...v2!.refs.get('main')!, ...kept };
  const metadata = applyUpdates(v2!, [{ kind: 'set-snapshot-ref', name: 'main', ref: main }], { nowMs: Date.now() });
  const moved = (await commit(metadata, { operation: 'append' })).refs.get('main')!;
  assert.deepEqual({ ...moved, snapshotId: main.snapshotId }, main);
});

test('deleting a file that is gone is a conflict, and an attempt that fails leaves no files behind', async () => {
  const metadataFolder = join(localPath(v2!.location), 'metadata');
  const before = await readdir(metadataFolder);
  const gone = produce(v2!, { operation: 'overwrite', deleted: new Set(['file:///no/such.parquet']) });
  await assert.rejects(gone, fails('COMMIT_CONFLICT'));
  const [eu] = await files(v2!);
  const failing = {
    ...objects,
    read: objects.read.bind(objects),
    readAll: objects.readAll.bind(objects),
    delete: objects.delete.bind(objects),
    // The manifest is written, its list is not.
    create: (location: string, stop: AbortSignal) =>
      basename(location).startsWith('snap-') ? Promise.reject(new Error('disk full')) : objects.create(location, stop),
  };
  const added = [{ ...eu!, path: `${eu!.path}-x` }];
  await assert.rejects(produce(v2!, { operation: 'append', added, objects: failing as typeof objects }), /disk full/);
  assert.deepEqual(await readdir(metadataFolder), before);
  const { written } = await produce(v2!, { operation: 'append', added });
  assert.deepEqual(
    (await readdir(metadataFolder)).filter((name) => !before.includes(name)).sort(),
    written.map((location) => basename(location)).sort(),
  );
});

test('appends that delete, commits to tags, and format version 3 are refused', async () => {
  const tag = { ...v2!.refs.get('main')!, type: 'tag' as const };
  const tagged = { ...v2!, refs: new Map([...v2!.refs, ['t', tag]]) };
  await assert.rejects(produce(tagged, { operation: 'append', branch: 't' }), fails('INVALID_REQUEST'));
  await assert.rejects(produce(v2!, { operation: 'append', deleted: new Set(['x']) }), fails('INVALID_REQUEST'));
  await assert.rejects(produce({ ...v2!, formatVersion: 3 }, { operation: 'append' }), fails('UNSUPPORTED_FEATURE'));
});
