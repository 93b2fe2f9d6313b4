import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TableRequirement } from '../../../src/catalog/metadata/commit-types.ts';
import { parseTableMetadata } from '../../../src/catalog/metadata/read.ts';
import { checkRequirements } from '../../../src/catalog/metadata/requirements.ts';
import { snapshotId } from '../../../src/core/ids.ts';
import { goldenV2 } from './golden.ts';

const base = parseTableMetadata(goldenV2);
const [older, newer] = [snapshotId(3051729675574597004n), snapshotId(3055729675574597004n)];

const cases: readonly (readonly [holds: TableRequirement, fails: TableRequirement, message: RegExp])[] = [
  [
    { kind: 'assert-table-uuid', uuid: '9C12D441-03FE-4693-9A96-A0705DDF69C1' },
    { kind: 'assert-table-uuid', uuid: '00000000-03fe-4693-9a96-a0705ddf69c1' },
    /table uuid changed: expected 0{8}-\S+, found 9c12d441/,
  ],
  [
    { kind: 'assert-ref-snapshot-id', ref: 'main', snapshotId: newer },
    { kind: 'assert-ref-snapshot-id', ref: 'main', snapshotId: older },
    /branch "main" changed: expected 3051729675574597004, found 3055729675574597004/,
  ],
  [
    { kind: 'assert-ref-snapshot-id', ref: 'absent', snapshotId: null },
    { kind: 'assert-ref-snapshot-id', ref: 'release', snapshotId: null },
    /tag "release" was created in the meantime/,
  ],
  [
    { kind: 'assert-ref-snapshot-id', ref: 'release', snapshotId: older },
    { kind: 'assert-ref-snapshot-id', ref: 'absent', snapshotId: older },
    /"absent" does not exist/,
  ],
  [
    { kind: 'assert-last-assigned-field-id', lastAssignedFieldId: 3 },
    { kind: 'assert-last-assigned-field-id', lastAssignedFieldId: 2 },
    /last assigned field id changed: expected 2, found 3/,
  ],
  [
    { kind: 'assert-current-schema-id', currentSchemaId: 1 },
    { kind: 'assert-current-schema-id', currentSchemaId: 0 },
    /current schema id changed/,
  ],
  [
    { kind: 'assert-last-assigned-partition-id', lastAssignedPartitionId: 1000 },
    { kind: 'assert-last-assigned-partition-id', lastAssignedPartitionId: 999 },
    /last assigned partition id changed/,
  ],
  [
    { kind: 'assert-default-spec-id', defaultSpecId: 0 },
    { kind: 'assert-default-spec-id', defaultSpecId: 1 },
    /default spec id changed/,
  ],
  [
    { kind: 'assert-default-sort-order-id', defaultSortOrderId: 3 },
    { kind: 'assert-default-sort-order-id', defaultSortOrderId: 0 },
    /default sort order id changed/,
  ],
];

for (const [holds, fails, message] of cases) {
  test(`${fails.kind} holds or is COMMIT_CONFLICT that says what changed (${message.source.slice(0, 30)})`, () => {
    checkRequirements(base, [holds]);
    assert.throws(() => checkRequirements(base, [holds, fails]), { code: 'COMMIT_CONFLICT', message });
    assert.throws(() => checkRequirements(null, [holds]), { code: 'COMMIT_CONFLICT', message: /there is none/ });
  });
}

test('assert-create holds without a table and is ALREADY_EXISTS with one', () => {
  checkRequirements(null, [{ kind: 'assert-create' }]);
  assert.throws(() => checkRequirements(base, [{ kind: 'assert-create' }]), { code: 'ALREADY_EXISTS' });
});
