import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { applyUpdates } from '../../../src/catalog/metadata/apply.ts';
import type { TableUpdate } from '../../../src/catalog/metadata/commit-types.ts';
import { parseTableMetadata } from '../../../src/catalog/metadata/read.ts';
import type { TableMetadata } from '../../../src/catalog/metadata/types.ts';
import { serializeTableMetadata } from '../../../src/catalog/metadata/write.ts';
import { isServiceError } from '../../../src/core/errors.ts';
import { fieldId, snapshotId } from '../../../src/core/ids.ts';
import { goldenV1, goldenV2 } from './golden.ts';

const ids = [3051729675574597004n, 3055729675574597004n, 11n, 12n, 13n, 14n].map(snapshotId);
const anyId = fc.constantFrom(...ids);
const names = fc.constantFrom('main', 'release', 'audit');
const columns = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 5 });

const anyUpdate: fc.Arbitrary<TableUpdate> = fc.oneof(
  fc.record({ id: anyId, sequence: fc.bigInt({ min: 33n, max: 45n }), time: fc.integer({ min: 0, max: 4e12 }) }).map(
    ({ id, sequence, time }): TableUpdate => ({
      kind: 'add-snapshot',
      snapshot: {
        snapshotId: id,
        parentSnapshotId: null,
        sequenceNumber: sequence,
        timestampMs: time,
        manifestList: 's3://bucket/v2/x.avro',
        manifests: [],
        summary: new Map([['operation', 'append']]),
        schemaId: null,
        firstRowId: null,
        rest: new Map(),
      },
    }),
  ),
  fc.record({ name: names, id: anyId, type: fc.constantFrom('branch', 'tag') }).map(
    ({ name, id, type }): TableUpdate => ({
      kind: 'set-snapshot-ref',
      name,
      ref: { snapshotId: id, type, minSnapshotsToKeep: null, maxSnapshotAgeMs: null, maxRefAgeMs: null },
    }),
  ),
  names.map((name): TableUpdate => ({ kind: 'remove-snapshot-ref', name })),
  fc.array(anyId, { maxLength: 3 }).map((snapshotIds): TableUpdate => ({ kind: 'remove-snapshots', snapshotIds })),
  columns.map(
    (fields): TableUpdate => ({
      kind: 'add-schema',
      schema: {
        schemaId: 0,
        identifierFieldIds: [],
        fields: fields.map((id) => ({ id: fieldId(id), name: `c${id}`, required: false, type: { kind: 'long' } })),
      },
    }),
  ),
  fc.integer({ min: -1, max: 3 }).map((schemaId): TableUpdate => ({ kind: 'set-current-schema', schemaId })),
  columns.map(
    (fields): TableUpdate => ({
      kind: 'add-spec',
      spec: {
        fields: fields.map((id) => ({
          sourceId: fieldId(id),
          fieldId: null,
          name: `b${id}`,
          transform: { kind: 'bucket', buckets: 4 },
        })),
      },
    }),
  ),
  fc.integer({ min: -1, max: 3 }).map((specId): TableUpdate => ({ kind: 'set-default-spec', specId })),
  fc.constantFrom<TableUpdate>(
    { kind: 'remove-schemas', schemaIds: [0, 2] },
    { kind: 'remove-partition-specs', specIds: [1] },
    { kind: 'set-properties', updates: new Map([['a', 'b']]) },
    { kind: 'upgrade-format-version', formatVersion: 2 },
    { kind: 'remove-statistics', snapshotId: ids[1]! },
  ),
);

/** Refused updates throw; everything that is accepted must leave valid metadata. */
function applyAll(base: TableMetadata, commits: readonly (readonly TableUpdate[])[]): TableMetadata {
  let metadata = base;
  for (const [index, updates] of commits.entries()) {
    try {
      metadata = applyUpdates(metadata, updates, {
        nowMs: 1_700_000_000_000 + index,
        metadataLocation: 's3://x/y.json',
      });
    } catch (error) {
      if (!isServiceError(error)) throw error;
      assert.ok(['INVALID_REQUEST', 'COMMIT_CONFLICT'].includes(error.code), error.message);
    }
  }
  return metadata;
}

for (const [version, golden] of Object.entries({ v1: goldenV1, v2: goldenV2 })) {
  test(`whatever is applied to a ${version} table leaves metadata that reads back the same`, () => {
    const base = parseTableMetadata(golden);
    const before = serializeTableMetadata(base);
    fc.assert(
      fc.property(fc.array(fc.array(anyUpdate, { maxLength: 6 }), { maxLength: 8 }), (commits) => {
        const metadata = applyAll(base, commits);
        // parseTableMetadata refuses dangling refs, unlisted ids, two entries of one id and a main that is not current.
        assert.deepEqual(parseTableMetadata(serializeTableMetadata(metadata)), metadata);
        const times = metadata.snapshotLog.map((entry) => entry.timestampMs);
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        );
        assert.ok(metadata.lastUpdatedMs >= (times.at(-1) ?? 0));
        assert.ok(metadata.lastColumnId >= base.lastColumnId && metadata.lastPartitionId >= base.lastPartitionId);
        assert.ok(metadata.lastSequenceNumber >= base.lastSequenceNumber);
        if (metadata.currentSnapshotId !== null && metadata.snapshotLog.length > 0) {
          assert.equal(metadata.snapshotLog.at(-1)!.snapshotId, metadata.currentSnapshotId);
        }
        assert.equal(serializeTableMetadata(base), before);
      }),
      { numRuns: 300 },
    );
  });
}

test('a commit of two halves leaves the same refs, snapshots and schemas as two commits', () => {
  const base = parseTableMetadata(goldenV2);
  const halves = fc.tuple(fc.array(anyUpdate, { maxLength: 4 }), fc.array(anyUpdate, { maxLength: 4 }));
  fc.assert(
    fc.property(halves, ([first, second]) => {
      // -1 refers to the commit's own additions, so it may not reach over the border.
      const refersBack = second.some(
        (update) =>
          (update.kind === 'set-current-schema' && update.schemaId === -1) ||
          (update.kind === 'set-default-spec' && update.specId === -1),
      );
      fc.pre(!refersBack);
      let split: TableMetadata;
      try {
        split = applyUpdates(applyUpdates(base, first, { nowMs: 1 }), second, { nowMs: 1 });
      } catch {
        return;
      }
      const whole = applyUpdates(base, [...first, ...second], { nowMs: 1 });
      assert.deepEqual(whole.refs, split.refs);
      assert.deepEqual(whole.snapshots, split.snapshots);
      assert.deepEqual(whole.schemas, split.schemas);
      assert.deepEqual(whole.partitionSpecs, split.partitionSpecs);
      assert.equal(whole.currentSnapshotId, split.currentSnapshotId);
    }),
    { numRuns: 300 },
  );
});
