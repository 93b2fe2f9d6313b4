import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTableMetadata } from '../../../src/catalog/metadata/read.ts';
import { resolveSnapshot, schemaAt, schemaOf } from '../../../src/catalog/metadata/time-travel.ts';
import { snapshotId } from '../../../src/core/ids.ts';
import { goldenV2 } from './golden.ts';

const metadata = parseTableMetadata(goldenV2);
const [older, newer] = [snapshotId(3051729675574597004n), snapshotId(3055729675574597004n)];
const empty = { ...metadata, currentSnapshotId: null, snapshots: [], snapshotLog: [], refs: new Map() };

test('main, ids and refs resolve to their snapshots', () => {
  assert.equal(resolveSnapshot(metadata, { kind: 'main' })?.snapshotId, newer);
  assert.equal(resolveSnapshot(metadata, { kind: 'snapshot', id: older })?.snapshotId, older);
  assert.equal(resolveSnapshot(metadata, { kind: 'ref', name: 'release' })?.snapshotId, older);
  assert.equal(resolveSnapshot(metadata, { kind: 'ref', name: 'main' })?.snapshotId, newer);
});

test('only main of an empty table has no snapshot', () => {
  assert.equal(resolveSnapshot(empty, { kind: 'main' }), null);
  assert.equal(resolveSnapshot(empty, { kind: 'ref', name: 'main' }), null);
  for (const at of [
    { kind: 'ref', name: 'release' },
    { kind: 'snapshot', id: older },
    { kind: 'timestamp', ms: 2e12 },
  ] as const) {
    assert.throws(() => resolveSnapshot(empty, at), { code: 'NOT_FOUND' });
  }
});

test('a misspelt ref is NOT_FOUND and names the nearest', () => {
  assert.throws(() => resolveSnapshot(metadata, { kind: 'ref', name: 'relaese' }), {
    code: 'NOT_FOUND',
    message: /"relaese"\. Did you mean release\?/,
  });
});

test('a timestamp resolves through the snapshot log, the moment of a change included', () => {
  const at = (ms: number) => resolveSnapshot(metadata, { kind: 'timestamp', ms })?.snapshotId;
  assert.equal(at(1515100955770), older);
  assert.equal(at(1555100955769), older);
  assert.equal(at(1555100955770), newer);
  assert.equal(at(9e15), newer);
  assert.throws(() => at(1515100955769), { code: 'NOT_FOUND', message: /begins at 2018-01-04T21:22:35\.770Z/ });
});

test('after a rollback a timestamp means what was current then, not the parent chain', () => {
  const rolledBack = {
    ...metadata,
    currentSnapshotId: older,
    snapshotLog: [...metadata.snapshotLog, { timestampMs: 1600000000000, snapshotId: older }],
  };
  const at = (ms: number) => resolveSnapshot(rolledBack, { kind: 'timestamp', ms })?.snapshotId;
  assert.equal(at(1599999999999), newer);
  assert.equal(at(1600000000000), older);
});

test('main and branches read with the current schema, everything else with the snapshot’s own', () => {
  const log = { ...metadata, currentSchemaId: 0 };
  const schemaFor = (at: Parameters<typeof schemaAt>[1]) => schemaAt(log, at, resolveSnapshot(log, at)).schemaId;
  assert.equal(schemaFor({ kind: 'main' }), 0);
  assert.equal(schemaFor({ kind: 'ref', name: 'main' }), 0);
  assert.equal(schemaFor({ kind: 'snapshot', id: newer }), 1);
  assert.equal(schemaFor({ kind: 'timestamp', ms: 1600000000000 }), 1);
  const tagged = { ...log, refs: new Map([...log.refs, ['t', { ...log.refs.get('release')!, snapshotId: newer }]]) };
  const tag = { kind: 'ref', name: 't' } as const;
  assert.equal(schemaAt(tagged, tag, resolveSnapshot(tagged, tag)).schemaId, 1);
});

test('a snapshot without a schema id reads with the current schema; one with an unknown id is CORRUPT_FILE', () => {
  assert.equal(schemaOf(metadata, metadata.snapshots[0]!).schemaId, 1);
  assert.equal(schemaOf(metadata, null).schemaId, 1);
  assert.throws(() => schemaOf(metadata, { ...metadata.snapshots[1]!, schemaId: 9 }), { code: 'CORRUPT_FILE' });
});
