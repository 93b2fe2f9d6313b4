import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { loadTableMetadata } from '../../../src/catalog/metadata/load.ts';
import { parseTableMetadata } from '../../../src/catalog/metadata/read.ts';
import { serializeTableMetadata } from '../../../src/catalog/metadata/write.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import type { ObjectStore } from '../../../src/storage/object-store.ts';
import { goldenV1, goldenV2, goldenV3 } from './golden.ts';

const older = 3051729675574597004n;
const newer = 3055729675574597004n;

test('v1 metadata with a single schema and spec reads as v2 would say it', () => {
  const metadata = parseTableMetadata(goldenV1);
  assert.equal(metadata.formatVersion, 1);
  assert.equal(metadata.location, 's3://bucket/v1');
  assert.equal(metadata.lastSequenceNumber, 0n);
  assert.deepEqual([metadata.currentSchemaId, metadata.schemas[0]!.schemaId], [0, 0]);
  assert.deepEqual(
    metadata.partitionSpecs[0]!.fields.map(({ name, fieldId, transform }) => [name, fieldId, transform.kind]),
    [
      ['x', 1000, 'identity'],
      ['y_bucket', 1001, 'bucket'],
    ],
  );
  assert.equal(metadata.lastPartitionId, 1001);
  assert.deepEqual(metadata.sortOrders, [{ orderId: 0, fields: [] }]);
  assert.equal(metadata.refs.get('main')?.snapshotId, older);
  assert.deepEqual(metadata.snapshots[0]!.manifests, ['s3://bucket/v1/m1.avro']);
  assert.equal(metadata.snapshots[0]!.manifestList, null);
  assert.equal(metadata.properties.get('commit.retry.num-retries'), '1');
  assert.match(metadata.tableUuid, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(parseTableMetadata(goldenV1).tableUuid, metadata.tableUuid, 'the same for every reader');
});

test('v2 metadata keeps exact ids, references, retention and what Headrace does not know', () => {
  const metadata = parseTableMetadata(goldenV2);
  assert.equal(metadata.tableUuid, '9c12d441-03fe-4693-9a96-a0705ddf69c1');
  assert.equal(metadata.currentSnapshotId, newer);
  assert.equal(metadata.snapshots[1]!.parentSnapshotId, older);
  assert.deepEqual(metadata.snapshots[1]!.rest.get('future-member'), { of: 9007199254740993n });
  assert.deepEqual(metadata.refs.get('release'), {
    snapshotId: older,
    type: 'tag',
    minSnapshotsToKeep: null,
    maxSnapshotAgeMs: null,
    maxRefAgeMs: 10000000,
  });
  assert.equal(metadata.refs.get('main')?.maxSnapshotAgeMs, 60000);
  assert.deepEqual([...metadata.rest.keys()], ['statistics', 'future']);
  assert.equal(metadata.sortOrders[0]!.fields.length, 2);
  assert.deepEqual(metadata.schemas[1]!.identifierFieldIds, [1, 2]);
});

test('v3 metadata reads with its row lineage and keys', () => {
  const metadata = parseTableMetadata(goldenV3);
  assert.equal(metadata.nextRowId, 125n);
  assert.equal(metadata.snapshots[0]!.firstRowId, 100n);
  assert.deepEqual(
    [...metadata.snapshots[0]!.rest],
    [
      ['added-rows', 25],
      ['key-id', 'k1'],
    ],
  );
  assert.equal(metadata.schemas[0]!.fields[0]!.initialDefault, 1);
});

for (const [version, text] of Object.entries({ v1: goldenV1, v2: goldenV2, v3: goldenV3 })) {
  test(`${version} metadata reads the same after it was written`, () => {
    const metadata = parseTableMetadata(text);
    assert.deepEqual(parseTableMetadata(serializeTableMetadata(metadata)), metadata);
  });
}

test('a written v1 file has what v1 readers need', () => {
  const json = JSON.parse(serializeTableMetadata(parseTableMetadata(goldenV1)));
  assert.equal(json.schema.fields.length, 3);
  assert.deepEqual(json['partition-spec'][1], {
    name: 'y_bucket',
    transform: 'bucket[4]',
    'source-id': 2,
    'field-id': 1001,
  });
  assert.equal(json['last-sequence-number'], undefined);
});

test('a current snapshot of -1 or none means an empty table', () => {
  const empty = { ...JSON.parse(goldenV2), snapshots: [], refs: {}, 'snapshot-log': [], statistics: [] };
  for (const id of [-1, null, undefined]) {
    const metadata = parseTableMetadata(JSON.stringify({ ...empty, 'current-snapshot-id': id }));
    assert.equal(metadata.currentSnapshotId, null);
    assert.equal(metadata.refs.size, 0);
    assert.equal(JSON.parse(serializeTableMetadata(metadata))['current-snapshot-id'], -1);
  }
});

test('refs without main, and no refs at all, get main from the current snapshot', () => {
  for (const refs of ['{"release": {"snapshot-id": 3051729675574597004, "type": "tag"}}', 'null']) {
    const text = goldenV2.replace(/"refs": \{[\s\S]*?\}\},/, `"refs": ${refs},`);
    assert.equal(parseTableMetadata(text).refs.get('main')?.snapshotId, newer);
  }
});

const corruptions: readonly (readonly [what: string, from: RegExp | string, to: string, names: RegExp])[] = [
  ['a future format version', '"format-version": 2', '"format-version": 4', /format-version/],
  ['no location', '"location"', '"elsewhere"', /location is missing/],
  ['a sequence number in words', '"last-sequence-number": 34', '"last-sequence-number": "34"', /last-sequence-number/],
  ['an id beyond 64 bits', '3055729675574597004,\n  "snapshots"', '93055729675574597004,\n  "snapshots"', /64-bit/],
  ['an unlisted current schema', '"current-schema-id": 1', '"current-schema-id": 7', /current-schema-id is 7/],
  ['an unlisted default spec', '"default-spec-id": 0', '"default-spec-id": 7', /default-spec-id is 7/],
  ['an unlisted sort order', '"default-sort-order-id": 3', '"default-sort-order-id": 7', /default-sort-order-id is 7/],
  ['a ref to nothing', '"release": {"snapshot-id": 30', '"release": {"snapshot-id": 20', /refs\.release\.snapshot-id/],
  ['a main that is not current', '"current-snapshot-id": 3055', '"current-snapshot-id": 3051', /refs\.main/],
  ['two snapshots of one id', '{"snapshot-id": 3051', '{"snapshot-id": 3055', /two entries/],
  ['a sequence number ahead', '"last-sequence-number": 34', '"last-sequence-number": 0', /last-sequence-number/],
  ['a bad column type', '"type": "long"}', '"type": "lang"}', /schemas\[0\]/],
  [
    'a snapshot without manifests',
    '"manifest-list": "s3://bucket/v2/1.avro"',
    '"x": 1',
    /snapshots\[0\]\.manifest-list/,
  ],
  [
    'an object where a list belongs',
    /"snapshot-log": \[[\s\S]*?\]/,
    '"snapshot-log": {}',
    /snapshot-log must be an array/,
  ],
  ['a property that is an object', '"134217728"', '{}', /properties\.read\.split\.target\.size/],
  ['retention of zero', '"max-snapshot-age-ms": 60000', '"max-snapshot-age-ms": 0', /max-snapshot-age-ms/],
];
for (const [what, from, to, names] of corruptions) {
  test(`${what} is CORRUPT_FILE that names the member`, () => {
    const text = goldenV2.replace(from, to);
    assert.notEqual(text, goldenV2);
    assert.throws(() => parseTableMetadata(text), { code: 'CORRUPT_FILE', message: names });
  });
}

test('text that is no object is CORRUPT_FILE', () => {
  for (const text of ['', 'null', '[]', '"x"', '{'])
    assert.throws(() => parseTableMetadata(text), { code: 'CORRUPT_FILE' });
});

const storeOf = (bytes: Uint8Array) => ({ readAll: async () => bytes }) as unknown as ObjectStore;
const load = (bytes: Uint8Array, metadataBytesMax = defaultLimits.metadataBytesMax) =>
  loadTableMetadata(
    storeOf(bytes),
    'file:///t/metadata/v1.gz.metadata.json',
    { metadataBytesMax },
    new AbortController().signal,
  );

test('gzip metadata loads like plain metadata, and a bomb stays bounded', async () => {
  assert.deepEqual((await load(gzipSync(goldenV2))).metadata, (await load(Buffer.from(goldenV2))).metadata);
  await assert.rejects(load(gzipSync(Buffer.alloc(1 << 20)), 1 << 16), { code: 'LIMIT_EXCEEDED' });
  await assert.rejects(load(gzipSync(goldenV2).subarray(0, 100)), { code: 'CORRUPT_FILE' });
  await assert.rejects(load(Buffer.from([0x7b, 0xff, 0x7d])), { code: 'CORRUPT_FILE', message: /UTF-8/ });
});
