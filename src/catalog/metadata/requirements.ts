import { ServiceError } from '../../core/errors.ts';
import type { TableRequirement } from './commit-types.ts';
import type { TableMetadata } from './types.ts';

/**
 * Checks what a commit demands of the table it meets; `base` is null where there is no table. Throws COMMIT_CONFLICT that says what
 * changed, ALREADY_EXISTS for `assert-create` on an existing table.
 */
export function checkRequirements(base: TableMetadata | null, requirements: readonly TableRequirement[]): void {
  for (const requirement of requirements) {
    if (requirement.kind === 'assert-create') {
      if (base !== null) throw new ServiceError('ALREADY_EXISTS', 'the table already exists');
    } else if (base === null) {
      throw conflict(`${requirement.kind} demands a table, and there is none`);
    } else checkTable(base, requirement);
  }
}

function checkTable(base: TableMetadata, requirement: Exclude<TableRequirement, { kind: 'assert-create' }>): void {
  switch (requirement.kind) {
    case 'assert-table-uuid':
      demand('the table uuid', requirement.uuid.toLowerCase(), base.tableUuid);
      break;
    case 'assert-ref-snapshot-id':
      checkRef(base, requirement.ref, requirement.snapshotId);
      break;
    case 'assert-last-assigned-field-id':
      demand('the last assigned field id', requirement.lastAssignedFieldId, base.lastColumnId);
      break;
    case 'assert-current-schema-id':
      demand('the current schema id', requirement.currentSchemaId, base.currentSchemaId);
      break;
    case 'assert-last-assigned-partition-id':
      demand('the last assigned partition id', requirement.lastAssignedPartitionId, base.lastPartitionId);
      break;
    case 'assert-default-spec-id':
      demand('the default spec id', requirement.defaultSpecId, base.defaultSpecId);
      break;
    case 'assert-default-sort-order-id':
      demand('the default sort order id', requirement.defaultSortOrderId, base.defaultSortOrderId);
      break;
    default:
      requirement satisfies never;
  }
}

function checkRef(base: TableMetadata, name: string, expected: bigint | null): void {
  const ref = base.refs.get(name);
  if (expected === null) {
    if (ref !== undefined) throw conflict(`${ref.type} ${JSON.stringify(name)} was created in the meantime`);
  } else if (ref === undefined) {
    throw conflict(`the branch or tag ${JSON.stringify(name)} does not exist`);
  } else demand(`${ref.type} ${JSON.stringify(name)}`, expected, ref.snapshotId);
}

function demand<Value>(what: string, expected: Value, found: Value): void {
  if (expected !== found) throw conflict(`${what} changed: expected ${expected}, found ${found}`);
}

const conflict = (text: string): ServiceError => new ServiceError('COMMIT_CONFLICT', text);
