import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyUpdates } from '../../../src/catalog/metadata/apply.ts';
import type { TableUpdate } from '../../../src/catalog/metadata/commit-types.ts';
import { parseTableMetadata } from '../../../src/catalog/metadata/read.ts';
import type { Snapshot, TableMetadata } from '../../../src/catalog/metadata/types.ts';
import type { Schema } from '../../../src/catalog/schema/types.ts';
import { fieldId, snapshotId } from '../../../src/core/ids.ts';
import { goldenV1, goldenV2, goldenV3 } from './golden.ts';

const nowMs = 1_700_000_000_000;
const base = parseTableMetadata(goldenV2);
const [older, newer] = [snapshotId(3051729675574597004n), snapshotId(3055729675574597004n)];
const apply = (updates: readonly TableUpdate[], on: TableMetadata | null = base): TableMetadata =>
  applyUpdates(on, updates, { nowMs, metadataLocation: 's3://bucket/v2/metadata/00001-b.metadata.json' });
const refuses = (updates: readonly TableUpdate[], message: RegExp, code = 'INVALID_REQUEST', on = base): void =>
  assert.throws(() => apply(updates, on), { code, message });

const column = (id: number, name: string) =>
  ({ id: fieldId(id), name, required: false, type: { kind: 'long' } }) as const;
const schemaOf = (...names: string[]): Schema => ({
  schemaId: 0,
  identifierFieldIds: [],
  fields: names.map((name, index) => column(index + 1, name)),
});
const snapshot = (id: bigint, sequence: bigint, parent: bigint | null = newer): Snapshot => ({
  snapshotId: snapshotId(id),
  parentSnapshotId: parent === null ? null : snapshotId(parent),
  sequenceNumber: sequence,
  timestampMs: nowMs - 10,
  manifestList: `s3://bucket/v2/${id}.avro`,
  manifests: [],
  summary: new Map([['operation', 'append']]),
  schemaId: 1,
  firstRowId: null,
  rest: new Map(),
});
const add = (id: bigint, sequence: bigint, parent?: bigint | null): TableUpdate => ({
  kind: 'add-snapshot',
  snapshot: snapshot(id, sequence, parent),
});
const setRef = (name: string, id: bigint, type: 'branch' | 'tag' = 'branch', maxRefAgeMs: number | null = null) =>
  ({
    kind: 'set-snapshot-ref',
    name,
    ref: { snapshotId: snapshotId(id), type, minSnapshotsToKeep: null, maxSnapshotAgeMs: null, maxRefAgeMs },
  }) as const satisfies TableUpdate;
const remove = (...ids: bigint[]): TableUpdate => ({ kind: 'remove-snapshots', snapshotIds: ids.map(snapshotId) });
const logOf = (metadata: TableMetadata) => metadata.snapshotLog.map((entry) => entry.snapshotId);

const creation: readonly TableUpdate[] = [
  { kind: 'assign-uuid', uuid: '9c12d441-03fe-4693-9a96-a0705ddf69c1' },
  { kind: 'upgrade-format-version', formatVersion: 2 },
  { kind: 'add-schema', schema: schemaOf('a', 'b') },
  { kind: 'set-current-schema', schemaId: -1 },
  {
    kind: 'add-spec',
    spec: { fields: [{ sourceId: fieldId(1), fieldId: null, name: 'a', transform: { kind: 'identity' } }] },
  },
  { kind: 'set-default-spec', specId: -1 },
  { kind: 'add-sort-order', sortOrder: { orderId: 0, fields: [] } },
  { kind: 'set-default-sort-order', sortOrderId: -1 },
  { kind: 'set-location', location: 's3://bucket/new/' },
  { kind: 'set-properties', updates: new Map([['p', '1']]) },
];

test('a table is created from updates alone', () => {
  const metadata = apply(creation, null);
  assert.equal(metadata.location, 's3://bucket/new');
  assert.deepEqual([metadata.currentSchemaId, metadata.defaultSpecId, metadata.defaultSortOrderId], [0, 0, 0]);
  assert.deepEqual([metadata.lastColumnId, metadata.lastPartitionId], [2, 1000]);
  assert.equal(metadata.lastUpdatedMs, nowMs);
  assert.deepEqual(metadata.metadataLog, []);
});

for (const missing of ['assign-uuid', 'set-location', 'add-sort-order', 'set-default-spec', 'set-current-schema']) {
  test(`a table cannot be created without ${missing}`, () => {
    const updates = creation.filter(({ kind }) => kind !== missing);
    assert.throws(() => apply(updates, null), { code: 'INVALID_REQUEST' });
  });
}

test('the base is not changed, and updates that change nothing give it back', () => {
  const before = structuredClone(base);
  apply([add(5n, 35n), setRef('main', 5n), remove(older), { kind: 'set-properties', updates: new Map([['x', 'y']]) }]);
  assert.deepEqual(structuredClone(base), before);
  const nothing: TableUpdate[] = [
    { kind: 'assign-uuid', uuid: base.tableUuid.toUpperCase() },
    { kind: 'set-current-schema', schemaId: 1 },
    { kind: 'add-schema', schema: { ...base.schemas[0]!, schemaId: 99 } },
    { kind: 'set-properties', updates: base.properties },
    { kind: 'remove-properties', removals: ['absent'] },
    { kind: 'set-snapshot-ref', name: 'release', ref: base.refs.get('release')! },
    remove(1n),
  ];
  assert.equal(apply(nothing), base);
});

test('an equal schema is found, a new one gets the next id, and -1 means the one added last', () => {
  const equal = apply([
    { kind: 'add-schema', schema: { ...base.schemas[0]!, schemaId: 5 } },
    { kind: 'set-current-schema', schemaId: -1 },
    { kind: 'add-spec', spec: { fields: [] } },
    { kind: 'set-default-spec', specId: -1 },
    { kind: 'add-sort-order', sortOrder: { orderId: 4, fields: [] } },
    { kind: 'set-default-sort-order', sortOrderId: -1 },
  ]);
  assert.deepEqual([equal.currentSchemaId, equal.schemas.length], [0, 2]);
  assert.deepEqual([equal.defaultSpecId, equal.defaultSortOrderId], [1, 0]);
  const added = apply([{ kind: 'add-schema', schema: { ...schemaOf('x', 'y', 'z', 'new'), schemaId: 0 } }]);
  assert.deepEqual([added.schemas.at(-1)!.schemaId, added.currentSchemaId, added.lastColumnId], [2, 1, 4]);
  refuses([{ kind: 'set-current-schema', schemaId: -1 }], /adds none/);
  refuses([{ kind: 'set-default-spec', specId: 4 }], /no partition spec with id 4/);
});

test('a schema that drops a column of the default spec or order is refused', () => {
  const dropped = { ...schemaOf('x', 'y', 'z'), fields: [column(1, 'x'), column(2, 'y')] };
  refuses(
    [
      { kind: 'add-schema', schema: dropped },
      { kind: 'set-current-schema', schemaId: -1 },
    ],
    /sort order 3/,
  );
  const withoutX = { ...schemaOf('x'), fields: [column(2, 'y'), column(3, 'z')] };
  refuses(
    [
      { kind: 'add-schema', schema: withoutX },
      { kind: 'set-current-schema', schemaId: -1 },
    ],
    /partition field x/,
  );
});

test('types and defaults of v3 are refused in a v2 table', () => {
  const nanos: Schema = { ...schemaOf('x'), fields: [{ ...column(1, 'x'), type: { kind: 'timestamp_ns' } }] };
  refuses([{ kind: 'add-schema', schema: nanos }], /column x: the type timestamp_ns needs format version 3/);
  const filled: Schema = { ...schemaOf('x'), fields: [{ ...column(1, 'x'), initialDefault: 4 }] };
  refuses([{ kind: 'add-schema', schema: filled }], /default value needs format version 3/);
});

test('partition fields keep the id an earlier spec gave them, and new ones get the next', () => {
  const fields = [
    { sourceId: fieldId(2), fieldId: null, name: 'y_bucket', transform: { kind: 'bucket', buckets: 8 } },
    { sourceId: fieldId(1), fieldId: null, name: 'renamed', transform: { kind: 'identity' } },
  ] as const;
  const metadata = apply([{ kind: 'add-spec', spec: { fields } }]);
  assert.deepEqual(
    metadata.partitionSpecs.at(-1)!.fields.map((field) => field.fieldId),
    [1001, 1000],
  );
  assert.equal(metadata.lastPartitionId, 1001);
  const taken = [{ ...fields[0], fieldId: 1000 }];
  refuses([{ kind: 'add-spec', spec: { fields: taken } }], /1000 belongs to another partition field/);
});

test('schemas, specs in use cannot be removed, others can', () => {
  const metadata = apply([remove(older), { kind: 'remove-schemas', schemaIds: [0, 77] }]);
  assert.deepEqual(
    metadata.schemas.map(({ schemaId }) => schemaId),
    [1],
  );
  refuses([{ kind: 'remove-schemas', schemaIds: [1] }], /current schema/);
  refuses([{ kind: 'remove-partition-specs', specIds: [0] }], /default spec/);
  const older1 = { ...base, currentSchemaId: 0, defaultSortOrderId: 0, sortOrders: [{ orderId: 0, fields: [] }] };
  refuses([{ kind: 'remove-schemas', schemaIds: [1] }], /snapshot 3055729675574597004 was written/, undefined, older1);
});

test('a snapshot must be new and ahead of the table’s sequence number', () => {
  const metadata = apply([add(5n, 35n), setRef('main', 5n)]);
  assert.deepEqual([metadata.lastSequenceNumber, metadata.currentSnapshotId], [35n, 5n]);
  refuses([add(5n, 34n)], /sequence number 34, and the table is already at 34/, 'COMMIT_CONFLICT');
  refuses([add(newer, 35n)], /already a snapshot 3055729675574597004/);
  refuses([{ kind: 'add-snapshot', snapshot: { ...snapshot(5n, 35n), schemaId: 9 } }], /schema 9/);
  refuses([{ kind: 'add-snapshot', snapshot: { ...snapshot(5n, 35n), manifestList: null } }], /no manifest list/);
});

test('a staged snapshot on a branch leaves main and its log alone', () => {
  const metadata = apply([add(5n, 35n), setRef('audit', 5n)]);
  assert.equal(metadata.currentSnapshotId, newer);
  assert.deepEqual(logOf(metadata), [older, newer]);
  assert.equal(metadata.refs.get('audit')?.snapshotId, 5n);
});

test('moving main is logged: at the snapshot’s time when new, now when rolled back', () => {
  const metadata = apply([add(5n, 35n), setRef('main', 5n)]);
  assert.deepEqual(metadata.snapshotLog.at(-1), { timestampMs: nowMs - 10, snapshotId: 5n });
  const back = apply([setRef('main', older)], metadata);
  assert.deepEqual(back.snapshotLog.at(-1), { timestampMs: nowMs, snapshotId: older });
  assert.deepEqual(logOf(back), [older, newer, 5n, older]);
});

test('snapshots that were current only inside the commit are not logged', () => {
  const metadata = apply([add(5n, 35n), setRef('main', 5n), add(6n, 36n, 5n), setRef('main', 6n)]);
  assert.deepEqual(logOf(metadata), [older, newer, 6n]);
  assert.equal(metadata.snapshots.length, 4);
});

test('removing a logged snapshot also removes the history before it', () => {
  const grown = apply([add(5n, 35n), setRef('main', 5n)]);
  assert.deepEqual(logOf(apply([remove(newer)], grown)), [5n]);
  assert.deepEqual(logOf(apply([remove(older)], grown)), [newer, 5n]);
});

test('removing snapshots removes their refs and statistics with them', () => {
  const metadata = apply([remove(older, newer)]);
  assert.equal(metadata.refs.size, 0);
  assert.equal(metadata.currentSnapshotId, null);
  assert.deepEqual(metadata.snapshotLog, []);
  assert.deepEqual([...metadata.rest.keys()], ['future']);
});

test('refs move, keep their kind, and point to snapshots that exist', () => {
  assert.equal(apply([setRef('t', older, 'tag', 5)]).refs.get('t')?.maxRefAgeMs, 5);
  assert.equal(apply([{ kind: 'remove-snapshot-ref', name: 'main' }]).currentSnapshotId, null);
  refuses([setRef('x', 77n)], /cannot point to snapshot 77/);
  refuses([setRef('main', older, 'tag')], /branch and cannot become a tag/);
  refuses([setRef('release', older)], /tag and cannot become a branch/);
  refuses([remove(older), setRef('x', older)], /cannot point to snapshot/);
});

test('statistics are replaced, kept and removed by snapshot', () => {
  const file = (id: bigint, path: string) => ({ 'snapshot-id': id, 'statistics-path': path });
  const metadata = apply([
    { kind: 'set-statistics', snapshotId: newer, statistics: file(newer, 'new') },
    { kind: 'set-statistics', snapshotId: older, statistics: file(older, 'old') },
    { kind: 'set-partition-statistics', snapshotId: older, statistics: file(older, 'part') },
  ]);
  assert.deepEqual(metadata.rest.get('statistics'), [file(newer, 'new'), file(older, 'old')]);
  assert.deepEqual(metadata.rest.get('partition-statistics'), [file(older, 'part')]);
  const less = apply([{ kind: 'remove-statistics', snapshotId: newer }, remove(older)], metadata);
  assert.deepEqual([...less.rest.keys()], ['future']);
});

test('the metadata log gains the previous file and is bounded by the table’s property', () => {
  const properties = new Map([['write.metadata.previous-versions-max', '2']]);
  let metadata = apply([{ kind: 'set-properties', updates: properties }]);
  assert.deepEqual(metadata.metadataLog.at(-1), {
    timestampMs: base.lastUpdatedMs,
    metadataFile: 's3://bucket/v2/metadata/00001-b.metadata.json',
  });
  for (let step = 0; step < 5; step++)
    metadata = apply([{ kind: 'set-properties', updates: new Map([['s', `${step}`]]) }], metadata);
  assert.equal(metadata.metadataLog.length, 2);
  let unbounded = base;
  for (let step = 0; step < 120; step++) {
    unbounded = apply([{ kind: 'set-properties', updates: new Map([['s', `${step}`]]) }], unbounded);
  }
  assert.equal(unbounded.metadataLog.length, 100);
});

test('time never runs backwards in what is written, whatever the writers’ clocks say', () => {
  const ahead = apply([add(5n, 35n), setRef('main', 5n)]);
  const behind = applyUpdates(ahead, [add(6n, 36n, 5n), setRef('main', 6n)], { nowMs: 1000 });
  const slow = applyUpdates(behind, [setRef('main', older)], { nowMs: 1000 });
  const times = slow.snapshotLog.map(({ timestampMs }) => timestampMs);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  assert.ok(slow.lastUpdatedMs >= times.at(-1)!);
});

test('the uuid and reserved properties cannot be changed, nor the format version lowered', () => {
  refuses([{ kind: 'assign-uuid', uuid: '00000000-03fe-4693-9a96-a0705ddf69c1' }], /cannot be changed/);
  refuses([{ kind: 'set-properties', updates: new Map([['format-version', '3']]) }], /reserved/);
  refuses([{ kind: 'upgrade-format-version', formatVersion: 1 }], /cannot go back to 1/);
  refuses([{ kind: 'upgrade-format-version', formatVersion: 9 }], /no format version 9/);
});

test('format version 3 is read but not written', () => {
  refuses([{ kind: 'upgrade-format-version', formatVersion: 3 }], /version 3/, 'UNSUPPORTED_FEATURE');
  refuses(
    [{ kind: 'remove-properties', removals: ['x'] }],
    /version 3/,
    'UNSUPPORTED_FEATURE',
    parseTableMetadata(goldenV3),
  );
});

test('a v1 table stays v1 with sequence number 0, and can be upgraded', () => {
  const v1 = parseTableMetadata(goldenV1);
  const written = { ...snapshot(5n, 7n, null), schemaId: 0 };
  const appended = apply([{ kind: 'add-snapshot', snapshot: written }, setRef('main', 5n)], v1);
  assert.deepEqual(
    [appended.formatVersion, appended.lastSequenceNumber, appended.snapshots[1]!.sequenceNumber],
    [1, 0n, 0n],
  );
  const upgraded = apply(
    [
      { kind: 'upgrade-format-version', formatVersion: 2 },
      { kind: 'add-snapshot', snapshot: { ...written, sequenceNumber: 1n } },
    ],
    v1,
  );
  assert.deepEqual([upgraded.formatVersion, upgraded.lastSequenceNumber], [2, 1n]);
});

test('100,000 snapshots are expired in one pass', { timeout: 8_000 }, () => {
  const count = 100_000;
  const snapshots = Array.from({ length: count }, (_, index) => snapshot(BigInt(index + 1), BigInt(index + 1), null));
  const large: TableMetadata = {
    ...base,
    snapshots,
    lastSequenceNumber: BigInt(count),
    currentSnapshotId: snapshotId(BigInt(count)),
    refs: new Map([['main', { ...base.refs.get('main')!, snapshotId: snapshotId(BigInt(count)) }]]),
    snapshotLog: snapshots.map((entry) => ({ timestampMs: entry.timestampMs, snapshotId: entry.snapshotId })),
  };
  const expiry = snapshots.slice(0, -1).map((entry) => remove(entry.snapshotId));
  const metadata = apply(expiry, large);
  assert.equal(metadata.snapshots.length, 1);
  assert.deepEqual(logOf(metadata), [BigInt(count)]);
});
