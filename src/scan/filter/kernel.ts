import { formatPrimitiveType } from '../../catalog/schema/type-text.ts';
import type { PrimitiveType } from '../../catalog/schema/types.ts';
import { ServiceError } from '../../core/errors.ts';
import type { CompareOp } from '../../core/expression.ts';
import type { ArrowType } from '../arrow/column.ts';

/** Every operator is one of three tests or the opposite of one, which halves the loops. */
export const opShapes = {
  '=': { test: 'equal', opposite: 0 },
  '!=': { test: 'equal', opposite: 1 },
  '<': { test: 'less', opposite: 0 },
  '>=': { test: 'less', opposite: 1 },
  '>': { test: 'greater', opposite: 0 },
  '<=': { test: 'greater', opposite: 1 },
} as const satisfies Record<CompareOp, { readonly test: 'equal' | 'less' | 'greater'; readonly opposite: 0 | 1 }>;

/** Whether a column of the Arrow type holds the values of the Iceberg type in the units that literals have. */
export function isStoredAs(type: PrimitiveType, stored: ArrowType): boolean {
  switch (type.kind) {
    case 'boolean':
      return stored.kind === 'bool';
    case 'int':
    case 'long':
      return stored.kind === 'int' && stored.signed && stored.bits === (type.kind === 'int' ? 32 : 64);
    case 'float':
    case 'double':
      return stored.kind === 'float' && stored.bits === (type.kind === 'float' ? 32 : 64);
    case 'decimal':
      return stored.kind === 'decimal' && stored.scale === type.scale;
    case 'date':
      return stored.kind === 'date' && stored.unit === 'day';
    case 'time':
      return stored.kind === 'time' && stored.unit === 'us';
    case 'timestamp':
    case 'timestamptz':
      return stored.kind === 'timestamp' && stored.unit === 'us';
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return stored.kind === 'timestamp' && stored.unit === 'ns';
    case 'string':
      return stored.kind === 'utf8';
    case 'uuid':
      return stored.kind === 'fixed-size-binary' && stored.byteWidth === 16;
    case 'fixed':
      return stored.kind === 'fixed-size-binary' && stored.byteWidth === type.length;
    case 'binary':
      return stored.kind === 'binary';
    case 'unknown':
      return stored.kind === 'null';
    default:
      return type satisfies never;
  }
}

export const wrongColumn = (type: PrimitiveType): ServiceError =>
  new ServiceError('INTERNAL', `a filter over ${formatPrimitiveType(type)} met a column that is stored otherwise`);
