import { formatColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import { indexSchema } from './lookup.ts';
import { describeType } from './type-text.ts';
import type { Schema, Type } from './types.ts';

const sinceVersion3 = new Set<Type['kind']>(['unknown', 'timestamp_ns', 'timestamptz_ns']);

/**
 * Refuses types and defaults that the table's format version lacks (table spec, "Primitive Types", "Default values"). Throws
 * SCHEMA_MISMATCH naming the first.
 */
export function checkFormatVersion(schema: Schema, formatVersion: 1 | 2 | 3): void {
  if (formatVersion >= 3) return;
  for (const { field, path } of indexSchema(schema).entries) {
    const extra = sinceVersion3.has(field.type.kind)
      ? `the type ${describeType(field.type)}`
      : field.initialDefault === undefined
        ? null
        : 'a default for existing rows';
    if (extra !== null) {
      throw new ServiceError(
        'SCHEMA_MISMATCH',
        `${formatColumnPath(path)}: ${extra} needs format version 3, and the table has ${formatVersion}`,
      );
    }
  }
}
