import { formatColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import { type FieldEntry, indexSchema } from './lookup.ts';
import { isPrimitive, type Schema } from './types.ts';

/**
 * Identifier fields are required primitives other than float and double, at the top or below required structs alone (table spec,
 * "Identifier Field IDs"). Throws SCHEMA_MISMATCH naming the first that is not.
 */
export function checkIdentifierFields(schema: Schema): void {
  const { byId } = indexSchema(schema);
  for (const id of schema.identifierFieldIds) {
    const entry = byId.get(id);
    if (entry === undefined) {
      throw new ServiceError('SCHEMA_MISMATCH', `the identifier field id ${id} is not a field of the schema`);
    }
    const reason = unfitBecause(entry);
    if (reason !== null) {
      throw new ServiceError(
        'SCHEMA_MISMATCH',
        `${formatColumnPath(entry.path)} cannot be an identifier field: ${reason}`,
      );
    }
  }
}

function unfitBecause(entry: FieldEntry): string | null {
  const { type, required } = entry.field;
  if (!isPrimitive(type)) return `it is a ${type.kind}, not a primitive`;
  if (type.kind === 'float' || type.kind === 'double') return `its type is ${type.kind}`;
  if (entry.inRepeated) return 'it lies in a list or map';
  if (!required || entry.optionalAncestor) return 'it, or a struct around it, may be null';
  return null;
}
