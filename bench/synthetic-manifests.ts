/**
 * Makes an Iceberg table of any number of data files that do not exist: metadata, a manifest list and manifests as a writer of 22
 * columns with full statistics leaves them, for measuring how long planning takes.
 * usage: synthetic-manifests.ts FOLDER FILES [MANIFESTS] [PARTITIONS]   Prints JSON: metadata, snapshotId.
 */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { newTableMetadata } from '../src/catalog/commit/new-table.ts';
import { writeManifest } from '../src/catalog/manifest/manifest.ts';
import { writeManifestList } from '../src/catalog/manifest/manifest-list.ts';
import type { DataFile, ManifestEntry, ManifestFile } from '../src/catalog/manifest/types.ts';
import { applyUpdates } from '../src/catalog/metadata/apply.ts';
import { serializeTableMetadata } from '../src/catalog/metadata/write.ts';
import type { PrimitiveType, Schema, Value } from '../src/catalog/schema/types.ts';
import { encodeValue } from '../src/catalog/schema/value.ts';
import { fieldId, snapshotId } from '../src/core/ids.ts';
import { fileLocation } from '../src/storage/locations.ts';

export interface SyntheticTable {
  /** Where its metadata.json lies, to be registered or opened by other engines. */
  readonly metadata: string;
  readonly snapshotId: bigint;
}

export interface SyntheticOptions {
  readonly folder: string;
  readonly files: number;
  /** Each holds the files of neighbouring partitions, as appends in the order of days leave them. Default: one per 1,000 files. */
  readonly manifests?: number;
  /** Four regions of each day. Default: 1,000. */
  readonly partitions?: number;
}

const regions = ['eu', 'us', 'ap', 'sa'];
const firstDay = 18_262;
const rowsPerFile = 100_000;

const named: readonly (readonly [string, PrimitiveType])[] = [
  ['id', { kind: 'long' }],
  ['day', { kind: 'date' }],
  ['region', { kind: 'string' }],
  ['seen_at', { kind: 'timestamp' }],
  ['label', { kind: 'int' }],
  ['name', { kind: 'string' }],
];
const columns = [
  ...named,
  ...Array.from({ length: 16 }, (_, at) => [`f${at}`, { kind: 'double' } as PrimitiveType] as const),
];

export const syntheticSchema: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: columns.map(([name, type], at) => ({ id: fieldId(at + 1), name, required: false, type })),
};

/** The least and greatest value of each column in a file. */
function boundsOf(file: number, day: number, region: string): (readonly [Value, Value])[] {
  const start = file * rowsPerFile;
  const hash = createHash('md5').update(`${file}`).digest('hex');
  const micros = BigInt(firstDay + day) * 86_400_000_000n;
  const given: (readonly [Value, Value])[] = [
    [BigInt(start), BigInt(start + rowsPerFile - 1)],
    [firstDay + day, firstDay + day],
    [region, region],
    [micros, micros + 86_399_999_999n],
    [0, 1 + (file % 7)],
    [`a${hash.slice(0, 15)}`, `z${hash.slice(16, 31)}`],
  ];
  const seed = Number.parseInt(hash.slice(0, 6), 16) / 2 ** 24;
  return [...given, ...Array.from({ length: 16 }, (_, at) => [-at - seed, at + seed] as const)];
}

function dataFile(location: string, file: number, partition: number): DataFile {
  const day = Math.floor(partition / regions.length);
  const region = regions[partition % regions.length]!;
  const bounds = boundsOf(file, day, region);
  const ids = syntheticSchema.fields.map(({ id }) => id);
  const each = <Item>(of: (at: number) => Item) => new Map(ids.map((id, at) => [id, of(at)]));
  const bound = (at: number, side: 0 | 1) => encodeValue(columns[at]![1], bounds[at]![side]);
  const date = new Date((firstDay + day) * 86_400_000).toISOString().slice(0, 10);
  const unique = createHash('md5').update(`name ${file}`).digest('hex');
  const uuid = unique.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  return {
    content: 'data',
    path: `${location}/data/day=${date}/region=${region}/00000-${file}-${uuid}-00001.parquet`,
    format: 'parquet',
    specId: 0,
    partition: [firstDay + day, region],
    rows: rowsPerFile,
    bytes: 8_000_000 + (file % 1_000) * 1_000,
    metrics: {
      columnBytes: each((at) => 300_000 + at * 1_000 + (file % 100)),
      valueCounts: each(() => rowsPerFile),
      nullCounts: each((at) => (at < 6 ? 0 : file % 10)),
      nanCounts: new Map(),
      lowerBounds: each((at) => bound(at, 0)),
      upperBounds: each((at) => bound(at, 1)),
    },
    splitOffsets: [4],
    sortOrderId: 0,
    rest: new Map(),
  };
}

/** Writes the table's metadata into `folder`, which is made where it is absent. */
export async function makeSyntheticTable(options: SyntheticOptions): Promise<SyntheticTable> {
  const { files, manifests = Math.ceil(files / 1_000), partitions = 1_000 } = options;
  const folder = resolve(options.folder);
  const metadataFolder = join(folder, 'metadata');
  await mkdir(metadataFolder, { recursive: true });
  const location = fileLocation(folder);
  const identity = { kind: 'identity' } as const;
  const empty = newTableMetadata(
    { namespace: ['bench'], name: 'synthetic' },
    {
      schema: syntheticSchema,
      partitionSpec: {
        specId: 0,
        fields: [
          { sourceId: fieldId(2), fieldId: 1000, name: 'day', transform: identity },
          { sourceId: fieldId(3), fieldId: 1001, name: 'region', transform: identity },
        ],
      },
      location,
    },
    { warehouse: location, nowMs: Date.now() },
  );
  const id = snapshotId(4_242n);
  const context = {
    schemas: [empty.schemas[0]!],
    spec: empty.partitionSpecs[0]!,
    content: 'data',
    snapshotId: id,
    sequenceNumber: 1n,
    formatVersion: 2,
  } as const;
  const written: ManifestFile[] = [];
  for (let at = 0; at < manifests; at++) {
    const entries: ManifestEntry[] = [];
    const end = Math.floor(((at + 1) * files) / manifests);
    for (let file = Math.floor((at * files) / manifests); file < end; file++) {
      const partition = Math.floor((file * partitions) / files);
      entries.push({
        status: 'added',
        snapshotId: id,
        sequenceNumber: 1n,
        fileSequenceNumber: 1n,
        file: dataFile(location, file, partition),
      });
    }
    const { bytes, summary } = writeManifest(context, entries);
    const name = `${at}-m0.avro`;
    await writeFile(join(metadataFolder, name), bytes);
    written.push({ ...summary, path: `${location}/metadata/${name}` });
  }
  const list = writeManifestList(
    { snapshotId: id, parentSnapshotId: null, sequenceNumber: 1n, formatVersion: 2 },
    written,
  );
  await writeFile(join(metadataFolder, 'snap.avro'), list);
  const snapshot = {
    snapshotId: id,
    parentSnapshotId: null,
    sequenceNumber: 1n,
    timestampMs: Math.max(Date.now(), empty.lastUpdatedMs),
    manifestList: `${location}/metadata/snap.avro`,
    manifests: [],
    summary: new Map([['operation', 'append']]),
    schemaId: 0,
    firstRowId: null,
    rest: new Map(),
  };
  const ref = {
    snapshotId: id,
    type: 'branch',
    minSnapshotsToKeep: null,
    maxSnapshotAgeMs: null,
    maxRefAgeMs: null,
  } as const;
  const metadata = applyUpdates(
    empty,
    [
      { kind: 'add-snapshot', snapshot },
      { kind: 'set-snapshot-ref', name: 'main', ref },
    ],
    { nowMs: Date.now() },
  );
  const path = join(metadataFolder, '00001-synthetic.metadata.json');
  await writeFile(path, serializeTableMetadata(metadata));
  return { metadata: fileLocation(path), snapshotId: id };
}

if (import.meta.main) {
  const [folder, files, manifests, partitions] = process.argv.slice(2);
  if (folder === undefined || files === undefined)
    throw new Error('usage: synthetic-manifests.ts FOLDER FILES [MANIFESTS] [PARTITIONS]');
  const table = await makeSyntheticTable({
    folder,
    files: Number(files),
    ...(manifests === undefined ? {} : { manifests: Number(manifests) }),
    ...(partitions === undefined ? {} : { partitions: Number(partitions) }),
  });
  console.log(JSON.stringify({ metadata: table.metadata, snapshotId: `${table.snapshotId}` }));
}
