import { formatColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import { type FieldEntry, indexSchema } from '../schema/lookup.ts';
import { isPrimitive, type PrimitiveType, type Schema } from '../schema/types.ts';
import { transformResultType } from './transform.ts';
import type { PartitionField, PartitionSpec } from './types.ts';

/**
 * Refuses a spec that no writer may use with the schema: a source that is absent, not a primitive or below a list or map, a
 * transform that does not apply or is unknown, a name that is empty, used twice or that of another column (table spec,
 * "Partitioning"). Throws INVALID_REQUEST, or UNSUPPORTED_FEATURE for an unknown transform.
 */
export function checkPartitionSpec(spec: PartitionSpec, schema: Schema): void {
  const names = new Set<string>();
  for (const field of spec.fields) {
    if (field.name === '' || names.has(field.name)) {
      throw new ServiceError(
        'INVALID_REQUEST',
        `partition field names must be unique and not empty: ${JSON.stringify(field.name)}`,
      );
    }
    names.add(field.name);
    checkField(field, schema);
  }
}

/** The type of a column that may be a partition's source. Throws INVALID_REQUEST for one that may not. */
export function sourceTypeOf(entry: FieldEntry): PrimitiveType {
  const { type } = entry.field;
  if (!isPrimitive(type)) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `cannot partition by ${formatColumnPath(entry.path)}: it is a ${type.kind}`,
    );
  }
  if (entry.inRepeated) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `cannot partition by ${formatColumnPath(entry.path)}: it lies in a list or map`,
    );
  }
  return type;
}

function checkField(field: PartitionField, schema: Schema): void {
  const { byId, entries } = indexSchema(schema);
  const namesake = entries.find((entry) => entry.path.join('.') === field.name);
  if (namesake !== undefined && namesake.field.id !== field.sourceId) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `the partition field cannot be called ${field.name}: the table has another column of that name`,
    );
  }
  // A void field may outlive its source: that is how v1 tables drop partition fields.
  if (field.transform.kind === 'void') return;
  const source = byId.get(field.sourceId);
  if (source === undefined) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `the source column (id ${field.sourceId}) of partition field ${field.name} is absent`,
    );
  }
  transformResultType(field.transform, sourceTypeOf(source));
}
