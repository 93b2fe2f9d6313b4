import type { ArrowField, ArrowType } from '../arrow/column.ts';
import type { ParquetLeaf } from './schema.ts';

const bytesPerDecimal128 = 16;
const decimal128PrecisionMax = 38;

/** The Arrow type that says what a leaf says, as Arrow's own Parquet readers choose it; every leaf has one. */
export function naturalType(leaf: ParquetLeaf): ArrowType {
  const { logical } = leaf;
  if (logical?.kind === 'unknown') return { kind: 'null' };
  if (logical?.kind === 'decimal' && leaf.physical !== 'boolean' && leaf.physical !== 'int96') {
    const bits = logical.precision <= decimal128PrecisionMax ? 128 : 256;
    const tooWide = leaf.physical === 'fixed' && leaf.typeLength > 2 * bytesPerDecimal128;
    if (!isFloat(leaf) && !tooWide)
      return { kind: 'decimal', precision: logical.precision, scale: logical.scale, bits };
  }
  switch (leaf.physical) {
    case 'boolean':
      return { kind: 'bool' };
    case 'int32':
      if (logical?.kind === 'date') return { kind: 'date', unit: 'day' };
      if (logical?.kind === 'time' && logical.unit === 'ms') return { kind: 'time', unit: 'ms' };
      if (logical?.kind === 'int' && logical.bits <= 32)
        return { kind: 'int', bits: logical.bits, signed: logical.signed };
      return { kind: 'int', bits: 32, signed: true };
    case 'int64':
      if (logical?.kind === 'timestamp') {
        return { kind: 'timestamp', unit: logical.unit, timezone: logical.utc ? 'UTC' : null };
      }
      if (logical?.kind === 'time' && logical.unit !== 'ms') return { kind: 'time', unit: logical.unit };
      if (logical?.kind === 'int' && logical.bits === 64) return { kind: 'int', bits: 64, signed: logical.signed };
      return { kind: 'int', bits: 64, signed: true };
    case 'int96':
      return { kind: 'timestamp', unit: 'ns', timezone: null };
    case 'float':
      return { kind: 'float', bits: 32 };
    case 'double':
      return { kind: 'float', bits: 64 };
    case 'byte-array':
      return logical?.kind === 'string' || logical?.kind === 'json' ? { kind: 'utf8' } : { kind: 'binary' };
    case 'fixed':
      if (logical?.kind === 'float16' && leaf.typeLength === 2) return { kind: 'float', bits: 16 };
      return { kind: 'fixed-size-binary', byteWidth: leaf.typeLength };
    default:
      return leaf.physical satisfies never;
  }
}

const isFloat = (leaf: ParquetLeaf): boolean => leaf.physical === 'float' || leaf.physical === 'double';

/** The type in which the decoder hands out a leaf's values, before any logical type. */
export function rawType(leaf: ParquetLeaf): ArrowType {
  switch (leaf.physical) {
    case 'boolean':
      return { kind: 'bool' };
    case 'int32':
      return { kind: 'int', bits: 32, signed: true };
    case 'int64':
      return { kind: 'int', bits: 64, signed: true };
    case 'int96':
      return { kind: 'fixed-size-binary', byteWidth: 12 };
    case 'float':
      return { kind: 'float', bits: 32 };
    case 'double':
      return { kind: 'float', bits: 64 };
    case 'byte-array':
      return { kind: 'binary' };
    case 'fixed':
      return { kind: 'fixed-size-binary', byteWidth: leaf.typeLength };
    default:
      return leaf.physical satisfies never;
  }
}

/** The Arrow type of a leaf's bare chain from a depth on: what the decoder hands out. */
export function chainField(leaf: ParquetLeaf, depth: number): ArrowField {
  const node = leaf.chain[depth]!;
  const field = (type: ArrowType, nullable: boolean): ArrowField => ({
    name: `n${depth}`,
    type,
    nullable,
    metadata: new Map(),
  });
  const item: ArrowType =
    node.kind === 'leaf' ? rawType(leaf) : { kind: 'struct', fields: [chainField(leaf, depth + 1)] };
  if (node.repetition !== 'repeated') return field(item, node.repetition === 'optional');
  return field({ kind: 'list', element: field(item, false) }, false);
}
