import { ServiceError } from '../../core/errors.ts';
import { type TableIdentifier, tableIdentifier } from '../../core/identifier.ts';
import { snapshotId } from '../../core/ids.ts';
import { defaultLimits, type Limits } from '../../core/limits.ts';
import { didYouMean } from '../../core/nearest.ts';
import { parseSortOrder } from '../partition/sort-order.ts';
import { parsePartitionSpec } from '../partition/spec.ts';
import { parseSchema } from '../schema/json.ts';
import type { CommitRequest, TableRequirement, TableUpdate, UnboundPartitionSpec } from './commit-types.ts';
import { JsonMembers } from './json-members.ts';
import { parseSnapshot, parseSnapshotRef } from './snapshot-json.ts';

export type { CommitRequest, TableRequirement, TableUpdate } from './commit-types.ts';

type UpdateParsers = { readonly [Kind in TableUpdate['kind']]: (json: JsonMembers) => TableUpdate };
type RequirementParsers = { readonly [Kind in TableRequirement['kind']]: (json: JsonMembers) => TableRequirement };

/** Iceberg REST's 23 table updates, by their `action`. */
const updateParsers: UpdateParsers = {
  'assign-uuid': (json) => ({ kind: 'assign-uuid', uuid: json.string('uuid') }),
  'upgrade-format-version': (json) => ({ kind: 'upgrade-format-version', formatVersion: json.int('format-version') }),
  'add-schema': (json) => ({
    kind: 'add-schema',
    schema: json.within('schema', () => parseSchema(json.raw('schema'))),
  }),
  'set-current-schema': (json) => ({ kind: 'set-current-schema', schemaId: json.int('schema-id') }),
  'add-spec': (json) => ({ kind: 'add-spec', spec: unboundSpec(json.members('spec')) }),
  'set-default-spec': (json) => ({ kind: 'set-default-spec', specId: json.int('spec-id') }),
  'add-sort-order': (json) => ({
    kind: 'add-sort-order',
    sortOrder: json.within('sort-order', () =>
      parseSortOrder({ 'order-id': 1, ...json.members('sort-order').whole() }),
    ),
  }),
  'set-default-sort-order': (json) => ({ kind: 'set-default-sort-order', sortOrderId: json.int('sort-order-id') }),
  'add-snapshot': (json) => ({ kind: 'add-snapshot', snapshot: parseSnapshot(json.members('snapshot')) }),
  'set-snapshot-ref': (json) => ({ kind: 'set-snapshot-ref', name: refName(json), ref: parseSnapshotRef(json) }),
  'remove-snapshots': (json) => ({ kind: 'remove-snapshots', snapshotIds: json.longs('snapshot-ids').map(snapshotId) }),
  'remove-snapshot-ref': (json) => ({ kind: 'remove-snapshot-ref', name: json.string('ref-name') }),
  'set-location': (json) => ({ kind: 'set-location', location: json.string('location') }),
  'set-properties': (json) => ({
    kind: 'set-properties',
    updates: json.stringMap(json.has('updates') ? 'updates' : 'updated'),
  }),
  'remove-properties': (json) => ({
    kind: 'remove-properties',
    removals: json.strings(json.has('removed') ? 'removed' : 'removals'),
  }),
  'set-statistics': (json) => {
    const statistics = json.members('statistics');
    statistics.string('statistics-path');
    return {
      kind: 'set-statistics',
      snapshotId: snapshotId(statistics.long('snapshot-id')),
      statistics: statistics.whole(),
    };
  },
  'remove-statistics': (json) => ({ kind: 'remove-statistics', snapshotId: snapshotId(json.long('snapshot-id')) }),
  'set-partition-statistics': (json) => {
    const statistics = json.members('partition-statistics');
    statistics.string('statistics-path');
    const id = snapshotId(statistics.long('snapshot-id'));
    return { kind: 'set-partition-statistics', snapshotId: id, statistics: statistics.whole() };
  },
  'remove-partition-statistics': (json) => ({
    kind: 'remove-partition-statistics',
    snapshotId: snapshotId(json.long('snapshot-id')),
  }),
  'remove-partition-specs': (json) => ({ kind: 'remove-partition-specs', specIds: json.ints('spec-ids') }),
  'remove-schemas': (json) => ({ kind: 'remove-schemas', schemaIds: json.ints('schema-ids') }),
  'add-encryption-key': (json) => {
    const key = json.members('encryption-key');
    return { kind: 'add-encryption-key', keyId: key.string('key-id'), key: key.whole() };
  },
  'remove-encryption-key': (json) => ({ kind: 'remove-encryption-key', keyId: json.string('key-id') }),
};

/** Iceberg REST's 8 table requirements, by their `type`. */
const requirementParsers: RequirementParsers = {
  'assert-create': () => ({ kind: 'assert-create' }),
  'assert-table-uuid': (json) => ({ kind: 'assert-table-uuid', uuid: json.string('uuid') }),
  'assert-ref-snapshot-id': (json) => {
    const id = json.longOr('snapshot-id', null);
    return { kind: 'assert-ref-snapshot-id', ref: json.string('ref'), snapshotId: id === null ? null : snapshotId(id) };
  },
  'assert-last-assigned-field-id': (json) => ({
    kind: 'assert-last-assigned-field-id',
    lastAssignedFieldId: json.int('last-assigned-field-id'),
  }),
  'assert-current-schema-id': (json) => ({
    kind: 'assert-current-schema-id',
    currentSchemaId: json.int('current-schema-id'),
  }),
  'assert-last-assigned-partition-id': (json) => ({
    kind: 'assert-last-assigned-partition-id',
    lastAssignedPartitionId: json.int('last-assigned-partition-id'),
  }),
  'assert-default-spec-id': (json) => ({ kind: 'assert-default-spec-id', defaultSpecId: json.int('default-spec-id') }),
  'assert-default-sort-order-id': (json) => ({
    kind: 'assert-default-sort-order-id',
    defaultSortOrderId: json.int('default-sort-order-id'),
  }),
};

/**
 * Iceberg REST's CommitTableRequest from parsed JSON (`parseJson`, for exact ids). Throws INVALID_REQUEST that names the member,
 * and for an unknown update or requirement its name.
 */
export function parseCommitRequest(
  json: unknown,
  limits: Pick<Limits, 'commitUpdatesMax' | 'commitDefinitionsMax'> = defaultLimits,
): CommitRequest {
  const request = new JsonMembers(json, 'INVALID_REQUEST', 'commit request');
  const updates = request.array('updates');
  const requirements = request.arrayOr('requirements', []);
  if (updates.length + requirements.length > limits.commitUpdatesMax) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `a commit takes at most ${limits.commitUpdatesMax} updates and requirements`,
    );
  }
  const parsed: CommitRequest = {
    identifier: request.has('identifier') ? parseIdentifier(request.members('identifier')) : null,
    requirements: requirements.map((entry, index) =>
      parseTagged(request.at(entry, `requirements[${index}]`), 'type', requirementParsers),
    ),
    updates: updates.map((entry, index) =>
      parseTagged(request.at(entry, `updates[${index}]`), 'action', updateParsers),
    ),
  };
  checkDefinitions(parsed.updates, limits.commitDefinitionsMax);
  return parsed;
}

/** Each added definition is compared with all that the table has, so their number is bounded more tightly. */
function checkDefinitions(updates: readonly TableUpdate[], definitionsMax: number): void {
  const definitions = updates.filter(
    ({ kind }) => kind === 'add-schema' || kind === 'add-spec' || kind === 'add-sort-order',
  );
  if (definitions.length > definitionsMax) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `a commit adds at most ${definitionsMax} schemas, partition specs and sort orders; this one adds ${definitions.length}`,
    );
  }
}

const parseIdentifier = (json: JsonMembers): TableIdentifier =>
  tableIdentifier([...json.strings('namespace'), json.string('name')]);

function parseTagged<Result>(
  json: JsonMembers,
  tag: 'type' | 'action',
  parsers: Readonly<Record<string, (json: JsonMembers) => Result>>,
): Result {
  const name = json.string(tag);
  if (!Object.hasOwn(parsers, name)) {
    throw json.wrong(tag, `${JSON.stringify(name)} is unknown.${didYouMean(name, Object.keys(parsers))}`);
  }
  return parsers[name]!(json);
}

// Fields without an id pass the parser of complete specs under a number that it accepts, and lose it again.
const placeholderId = 1_000_000_000;

function unboundSpec(json: JsonMembers): UnboundPartitionSpec {
  const fields = json.eachOr('fields');
  const numbered = fields.map((field, index) => ({
    ...field.whole(),
    'field-id': field.intOr('field-id', placeholderId + index),
  }));
  const spec = json.within('', () => parsePartitionSpec({ 'spec-id': 0, fields: numbered }));
  return {
    fields: spec.fields.map((field, index) => ({
      ...field,
      fieldId: fields[index]!.has('field-id') ? field.fieldId : null,
    })),
  };
}

function refName(json: JsonMembers): string {
  const name = json.string('ref-name');
  if (name === '') throw json.wrong('ref-name', 'is empty');
  return name;
}
