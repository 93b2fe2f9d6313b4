import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readManifest, writeManifest } from '../../../src/catalog/manifest/manifest.ts';
import { readManifestList, writeManifestList } from '../../../src/catalog/manifest/manifest-list.ts';
import { avroName } from '../../../src/catalog/manifest/partition-avro.ts';
import type { DataFile, ManifestEntry, ManifestFile } from '../../../src/catalog/manifest/types.ts';
import type { PartitionSpec } from '../../../src/catalog/partition/types.ts';
import type { Schema } from '../../../src/catalog/schema/types.ts';
import { liveDataManifests } from '../../../src/catalog/snapshot/read.ts';
import { type ErrorCode, isServiceError } from '../../../src/core/errors.ts';
import { fieldId, snapshotId } from '../../../src/core/ids.ts';
import { defaultLimits, type Limits } from '../../../src/core/limits.ts';

const fails = (code: ErrorCode) => (error: unknown) => isServiceError(error, code);
const schema: Schema = {
  schemaId: 3,
  identifierFieldIds: [],
  fields: [{ id: fieldId(1), name: 'a', required: false, type: { kind: 'long' } }],
};
const spec: PartitionSpec = {
  specId: 0,
  fields: [{ sourceId: fieldId(1), fieldId: 1000, name: 'a', transform: { kind: 'identity' } }],
};
const none = new Map();
const file: DataFile = {
  content: 'data',
  path: 'file:///t/data/x.parquet',
  format: 'parquet',
  specId: 0,
  partition: [-5n],
  rows: 3,
  bytes: 100,
  metrics: {
    columnBytes: none,
    valueCounts: new Map([[fieldId(1), 3]]),
    nullCounts: none,
    nanCounts: none,
    lowerBounds: new Map([[fieldId(1), Buffer.from('0102', 'hex')]]),
    upperBounds: none,
  },
  splitOffsets: [4],
  sortOrderId: null,
  rest: none,
};
const entry = (status: ManifestEntry['status'], snapshot: bigint, sequence: bigint): ManifestEntry => ({
  status,
  snapshotId: snapshotId(snapshot),
  sequenceNumber: sequence,
  fileSequenceNumber: sequence,
  file,
});
const context = {
  schemas: [schema],
  spec,
  content: 'data',
  snapshotId: snapshotId(9n),
  sequenceNumber: 7n,
  formatVersion: 2,
} as const;
const types = { schemas: [schema], spec };
const entries = [entry('added', 9n, 7n), entry('existing', 4n, 2n), entry('deleted', 9n, 3n)];
const written = writeManifest(context, entries);
const manifest: ManifestFile = { ...written.summary, path: 'file:///t/metadata/m.avro' };
const read = (bytes: Uint8Array, row = manifest, limits: Limits = defaultLimits) =>
  readManifest(bytes, row, types, limits);

test('added entries inherit the sequence number of the list that they are read through; the others keep theirs', () => {
  const inherited = read(written.bytes, { ...manifest, sequenceNumber: 11n });
  assert.deepEqual(
    inherited.map((one) => [one.sequenceNumber, one.fileSequenceNumber]),
    [
      [11n, 11n],
      [2n, 2n],
      [3n, 3n],
    ],
  );
  assert.equal(manifest.minSequenceNumber, 2n);
  assert.deepEqual([manifest.addedFiles, manifest.existingFiles, manifest.deletedFiles], [1, 1, 1]);
});

test('a manifest cut at any byte is CORRUPT_FILE', () => {
  for (let end = 0; end < written.bytes.length; end++) {
    assert.throws(() => read(written.bytes.subarray(0, end)), fails('CORRUPT_FILE'), `cut at ${end}`);
  }
});

test('a manifest or list with any byte changed gives entries or a typed error', () => {
  const list = writeManifestList({ ...context, parentSnapshotId: null }, [manifest], 'null');
  const plain = writeManifest({ ...context, codec: 'null' }, entries).bytes;
  const readers: [Uint8Array, (bytes: Uint8Array) => unknown][] = [
    [plain, (bytes) => read(bytes)],
    [list, (bytes) => readManifestList(bytes, context, defaultLimits)],
  ];
  for (const [bytes, readAny] of readers) {
    for (let at = 0; at < bytes.length; at++) {
      const mutant = Buffer.from(bytes);
      mutant[at]! ^= 1 << (at % 8);
      try {
        readAny(mutant);
      } catch (error) {
        assert.ok(isServiceError(error), `byte ${at}: ${error}`);
      }
    }
  }
});

test('more entries or manifests than allowed are LIMIT_EXCEEDED', () => {
  assert.throws(
    () => read(written.bytes, manifest, { ...defaultLimits, manifestEntriesMax: 2 }),
    fails('LIMIT_EXCEEDED'),
  );
  const list = writeManifestList({ ...context, parentSnapshotId: null }, [manifest, manifest]);
  assert.throws(() => readManifestList(list, context, { ...defaultLimits, manifestsMax: 1 }), fails('LIMIT_EXCEEDED'));
});

test('a snapshot with live delete files is refused, one whose delete manifests are spent is not', () => {
  const deletes: ManifestFile = { ...manifest, content: 'deletes' };
  assert.throws(() => liveDataManifests([manifest, deletes]), fails('UNSUPPORTED_FEATURE'));
  const spent = { ...deletes, addedFiles: 0, existingFiles: 0, deletedFiles: 4 };
  assert.deepEqual(liveDataManifests([manifest, spent]), [manifest]);
});

test('partition names become Avro names as the Java library makes them', () => {
  assert.equal(avroName('date_month'), 'date_month');
  assert.equal(avroName('9 a-b'), '_9_x20a_x2Db');
});
