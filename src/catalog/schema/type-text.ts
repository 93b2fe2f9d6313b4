import { ServiceError } from '../../core/errors.ts';
import { show } from './json-read.ts';
import { isPrimitive, type PrimitiveType, type Type } from './types.ts';

const precisionMax = 38;
const fixedBytesMax = 0x7fffffff;

const plain: ReadonlyMap<string, PrimitiveType> = new Map(
  (
    [
      'unknown',
      'boolean',
      'int',
      'long',
      'float',
      'double',
      'date',
      'time',
      'timestamp',
      'timestamptz',
      'timestamp_ns',
      'timestamptz_ns',
      'string',
      'uuid',
      'binary',
    ] as const
  ).map((kind) => [kind, { kind }]),
);

/**
 * Reads a primitive type's name (table spec, Appendix C): any case, spaces around parameters allowed. Throws
 * UNSUPPORTED_FEATURE for variant, geometry and geography, INVALID_REQUEST for anything else that is no type.
 */
export function parsePrimitiveType(text: string): PrimitiveType {
  const name = text.toLowerCase().trim();
  const known = plain.get(name);
  if (known !== undefined) return known;
  const fixed = /^fixed\[\s*(\d{1,10})\s*\]$/.exec(name);
  if (fixed !== null) return fixedType(Number(fixed[1]));
  const decimal = /^decimal\(\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\)$/.exec(name);
  if (decimal !== null) return decimalType(Number(decimal[1]), Number(decimal[2]));
  const later = /^(variant|geometry|geography)\b/.exec(name);
  if (later !== null) {
    throw new ServiceError(
      'UNSUPPORTED_FEATURE',
      `the type ${later[1]} is not supported: Headrace reads no table that has it`,
    );
  }
  throw new ServiceError(
    'INVALID_REQUEST',
    `${show(text)} is not a type: write boolean, int, long, float, double, decimal(P, S), date, time, timestamp, timestamptz, ` +
      'timestamp_ns, timestamptz_ns, string, uuid, fixed[L] or binary',
  );
}

/** The canonical name, as Iceberg's own writers put it in metadata. */
export function formatPrimitiveType(type: PrimitiveType): string {
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.precision}, ${type.scale})`;
    case 'fixed':
      return `fixed[${type.length}]`;
    default:
      return type.kind;
  }
}

/** Any type for a message: containers by kind. */
export const describeType = (type: Type): string => (isPrimitive(type) ? formatPrimitiveType(type) : type.kind);

export function sameType(a: PrimitiveType, b: PrimitiveType): boolean {
  return formatPrimitiveType(a) === formatPrimitiveType(b);
}

function fixedType(length: number): PrimitiveType {
  if (length < 1 || length > fixedBytesMax) {
    throw new ServiceError('INVALID_REQUEST', `fixed[${length}]: the length must be 1 to ${fixedBytesMax} bytes`);
  }
  return { kind: 'fixed', length };
}

function decimalType(precision: number, scale: number): PrimitiveType {
  if (precision < 1 || precision > precisionMax || scale > precision) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `decimal(${precision}, ${scale}): the precision must be 1 to ${precisionMax} and the scale no more than the precision`,
    );
  }
  return { kind: 'decimal', precision, scale };
}
