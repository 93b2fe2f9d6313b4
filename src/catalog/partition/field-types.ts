import { indexSchema } from '../schema/lookup.ts';
import { isPrimitive, type PrimitiveType, type Schema } from '../schema/types.ts';
import { transformResultType } from './transform.ts';
import type { PartitionField, PartitionSpec } from './types.ts';

/**
 * The type of each partition field, in the spec's order. A source column is looked for in the schemas in turn (pass the current
 * one first, older ones for columns since dropped). `unknown` where no schema has it and the transform keeps its type, and for
 * transforms that Headrace does not know: such a field can be carried but not pruned by. Throws INVALID_REQUEST where a
 * transform does not apply to its column.
 */
export function partitionFieldTypes(spec: PartitionSpec, schemas: Schema | readonly Schema[]): PrimitiveType[] {
  const candidates: readonly Schema[] = 'fields' in schemas ? [schemas] : schemas;
  return spec.fields.map((field) => fieldType(field, candidates));
}

function fieldType(field: PartitionField, schemas: readonly Schema[]): PrimitiveType {
  const { transform } = field;
  if (transform.kind === 'unknown') return { kind: 'unknown' };
  for (const schema of schemas) {
    const source = indexSchema(schema).byId.get(field.sourceId)?.field.type;
    if (source === undefined) continue;
    if (isPrimitive(source)) return transformResultType(transform, source);
    return { kind: 'unknown' };
  }
  switch (transform.kind) {
    case 'day':
      return { kind: 'date' };
    case 'year':
    case 'month':
    case 'hour':
    case 'bucket':
      return { kind: 'int' };
    default:
      return { kind: 'unknown' };
  }
}
