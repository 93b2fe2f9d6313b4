import { currentSchemaOf } from '../../catalog/metadata/time-travel.ts';
import type { TableMetadata } from '../../catalog/metadata/types.ts';
import { parsePartitionBy } from '../../catalog/partition/spec.ts';
import { formatTransform } from '../../catalog/partition/transform.ts';
import type { PartitionSpec } from '../../catalog/partition/types.ts';

/** Whether a table is partitioned as `partition_by` says, whatever its partition fields are called. */
export function partitionsAs(metadata: TableMetadata, partitionBy: readonly string[]): boolean {
  const wanted = parsePartitionBy(partitionBy, currentSchemaOf(metadata));
  const current = metadata.partitionSpecs.find(({ specId }) => specId === metadata.defaultSpecId);
  return textOf(wanted) === textOf(current ?? { specId: 0, fields: [] });
}

const textOf = ({ fields }: PartitionSpec): string =>
  fields
    .filter(({ transform }) => transform.kind !== 'void')
    .map(({ sourceId, transform }) => `${sourceId} ${formatTransform(transform)}`)
    .join('; ');
