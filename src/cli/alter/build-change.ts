import type { BuiltCommit, Table } from '../../catalog/catalog-types.ts';
import { stringifyJson } from '../../catalog/metadata/big-json.ts';
import { lastAdded, type TableUpdate } from '../../catalog/metadata/commit-types.ts';
import { currentSchemaOf } from '../../catalog/metadata/time-travel.ts';
import type { TableMetadata } from '../../catalog/metadata/types.ts';
import { evolveSpec, type PartitionChange, unpartitioned } from '../../catalog/partition/spec.ts';
import { evolveSchema, type SchemaChange } from '../../catalog/schema/evolve.ts';
import {
  evolveNameMapping,
  nameMappingProperty,
  nameMappingToJson,
  parseNameMapping,
} from '../../catalog/schema/name-mapping.ts';
import type { Schema } from '../../catalog/schema/types.ts';
import { ServiceError } from '../../core/errors.ts';
import { didYouMean } from '../../core/nearest.ts';
import type { TableChange } from './parse-change.ts';

/** The commit that makes a change to the table as it is, refused where another commit changes the same thing meanwhile. */
export function buildChange({ metadata }: Table, change: TableChange): BuiltCommit {
  switch (change.kind) {
    case 'schema':
      return changeSchema(metadata, change.changes);
    case 'partition':
      return changePartitions(metadata, change.change);
    case 'properties':
      return changeProperties(metadata, change.set, change.remove);
    default:
      return change satisfies never;
  }
}

function changeSchema(metadata: TableMetadata, changes: readonly SchemaChange[]): BuiltCommit {
  const before = currentSchemaOf(metadata);
  const { formatVersion, lastColumnId, currentSchemaId } = metadata;
  const { schema } = evolveSchema(before, lastColumnId, changes, {
    formatVersion,
    // Only the rows of an empty table all have a value for a column that did not exist.
    allowIncompatible: metadata.snapshots.length === 0,
  });
  return {
    requirements: [
      { kind: 'assert-current-schema-id', currentSchemaId },
      { kind: 'assert-last-assigned-field-id', lastAssignedFieldId: lastColumnId },
    ],
    updates: [
      { kind: 'add-schema', schema },
      { kind: 'set-current-schema', schemaId: lastAdded },
      ...mappingUpdates(metadata, before, schema),
    ],
  };
}

/** Files without ids are read by name: a renamed column is still called in them as it was. */
function mappingUpdates({ properties }: TableMetadata, before: Schema, after: Schema): TableUpdate[] {
  const text = properties.get(nameMappingProperty);
  if (text === undefined) return [];
  const mapping = evolveNameMapping(parseNameMapping(text), before, after);
  return [
    { kind: 'set-properties', updates: new Map([[nameMappingProperty, stringifyJson(nameMappingToJson(mapping))]]) },
  ];
}

function changePartitions(metadata: TableMetadata, change: PartitionChange): BuiltCommit {
  const { partitionSpecs: specs, defaultSpecId, lastPartitionId, formatVersion } = metadata;
  const current = specs.find(({ specId }) => specId === defaultSpecId) ?? unpartitioned;
  const { spec } = evolveSpec(current, currentSchemaOf(metadata), [change], { specs, lastPartitionId, formatVersion });
  return {
    requirements: [
      { kind: 'assert-default-spec-id', defaultSpecId },
      { kind: 'assert-last-assigned-partition-id', lastAssignedPartitionId: lastPartitionId },
      { kind: 'assert-current-schema-id', currentSchemaId: metadata.currentSchemaId },
    ],
    updates: [
      { kind: 'add-spec', spec },
      { kind: 'set-default-spec', specId: lastAdded },
    ],
  };
}

function changeProperties(
  { properties }: TableMetadata,
  set: ReadonlyMap<string, string>,
  remove: readonly string[],
): BuiltCommit {
  const absent = remove.find((name) => !properties.has(name));
  if (absent !== undefined) {
    const hint = didYouMean(absent, properties.keys());
    throw new ServiceError('NOT_FOUND', `the table has no property ${JSON.stringify(absent)}.${hint}`);
  }
  const updates: TableUpdate[] = [];
  if (set.size > 0) updates.push({ kind: 'set-properties', updates: set });
  if (remove.length > 0) updates.push({ kind: 'remove-properties', removals: remove });
  return { requirements: [], updates };
}
