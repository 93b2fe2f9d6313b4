import type { PrimitiveType } from '../../catalog/schema/types.ts';
import { encodeUnscaled, encodeValue } from '../../catalog/schema/value.ts';
import type { ParquetLeaf, ParquetTimeUnit } from './schema.ts';

/** A bound as Parquet keeps it: one value in PLAIN encoding, byte arrays without their length. */
export type PlainBound = Uint8Array;
/** The bound in Iceberg's single-value serialization; null where it says nothing. */
export type BoundConversion = (bound: PlainBound, side: 'lower' | 'upper') => Uint8Array | null;

/**
 * How a leaf's bounds become bounds of a field; null where they have no order that holds for the field (INT96, intervals, types that do
 * not belong together). A bound of the wrong length becomes null.
 */
export function boundConversion(leaf: ParquetLeaf, type: PrimitiveType): BoundConversion | null {
  switch (type.kind) {
    case 'boolean':
      return leaf.physical === 'boolean' ? (bound) => (bound.length === 1 ? bound : null) : null;
    case 'int':
    case 'long':
      return integerBound(leaf, type);
    case 'float':
    case 'double':
      return floatBound(leaf, type);
    case 'date':
      return leaf.physical === 'int32' && leaf.logical?.kind === 'date' ? exactly(4) : null;
    case 'time':
      return leaf.logical?.kind === 'time' ? unitBound(leaf, leaf.logical.unit, 'us', type) : null;
    case 'timestamp':
    case 'timestamptz':
      return leaf.logical?.kind === 'timestamp' ? unitBound(leaf, leaf.logical.unit, 'us', type) : null;
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return leaf.logical?.kind === 'timestamp' ? unitBound(leaf, leaf.logical.unit, 'ns', type) : null;
    case 'decimal':
      return decimalBound(leaf, type.scale);
    case 'string':
    case 'binary':
      return leaf.physical === 'byte-array' && leaf.logical?.kind !== 'decimal' ? (bound) => bound : null;
    case 'uuid':
      return leaf.physical === 'fixed' && leaf.typeLength === 16 ? exactly(16) : null;
    case 'fixed':
      // Writers may cut bounds of fixed values short.
      return leaf.physical === 'fixed' && leaf.typeLength === type.length ? (bound) => bound : null;
    case 'unknown':
      return null;
    default:
      return type satisfies never;
  }
}

const exactly =
  (bytes: number): BoundConversion =>
  (bound) =>
    bound.length === bytes ? bound : null;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function integerBound(leaf: ParquetLeaf, type: PrimitiveType): BoundConversion | null {
  if (leaf.physical !== 'int32' && leaf.physical !== 'int64') return null;
  const { logical } = leaf;
  if (logical !== null && logical.kind !== 'int') return null;
  const signed = logical === null || logical.signed;
  if (leaf.physical === 'int64') return signed && type.kind === 'long' ? exactly(8) : null;
  return (bound) => {
    if (bound.length !== 4) return null;
    const value = signed ? viewOf(bound).getInt32(0, true) : viewOf(bound).getUint32(0, true);
    if (type.kind === 'long') return encodeValue(type, BigInt(value));
    return value <= 0x7fffffff ? encodeValue(type, value) : null;
  };
}

function floatBound(leaf: ParquetLeaf, type: PrimitiveType): BoundConversion | null {
  if (leaf.physical !== 'float' && leaf.physical !== 'double') return null;
  if (leaf.physical === 'double' && type.kind === 'float') return null;
  const bytes = leaf.physical === 'float' ? 4 : 8;
  return (bound, side) => {
    if (bound.length !== bytes) return null;
    const value = bytes === 4 ? viewOf(bound).getFloat32(0, true) : viewOf(bound).getFloat64(0, true);
    if (Number.isNaN(value)) return null;
    // Writers disagree on the order of zeros: each bound takes the zero that includes the other (parquet.thrift, `TypeDefinedOrder`).
    const safe = value === 0 ? (side === 'lower' ? -0 : 0) : value;
    return encodeValue(type, safe);
  };
}

const nanosPer: Record<ParquetTimeUnit, bigint> = { ms: 1_000_000n, us: 1000n, ns: 1n };

function unitBound(
  leaf: ParquetLeaf,
  from: ParquetTimeUnit,
  to: ParquetTimeUnit,
  type: PrimitiveType,
): BoundConversion | null {
  const bytes = leaf.physical === 'int64' ? 8 : leaf.physical === 'int32' ? 4 : 0;
  if (bytes === 0) return null;
  return (bound, side) => {
    if (bound.length !== bytes) return null;
    const value = bytes === 8 ? viewOf(bound).getBigInt64(0, true) : BigInt(viewOf(bound).getInt32(0, true));
    const nanos = value * nanosPer[from];
    const rest = ((nanos % nanosPer[to]) + nanosPer[to]) % nanosPer[to];
    const floor = (nanos - rest) / nanosPer[to];
    const rounded = rest !== 0n && side === 'upper' ? floor + 1n : floor;
    return BigInt.asIntN(64, rounded) === rounded ? encodeValue(type, rounded) : null;
  };
}

function decimalBound(leaf: ParquetLeaf, scale: number): BoundConversion | null {
  if (leaf.logical?.kind !== 'decimal' || leaf.logical.scale !== scale) return null;
  return (bound) => {
    switch (leaf.physical) {
      case 'int32':
        return bound.length === 4 ? encodeUnscaled(BigInt(viewOf(bound).getInt32(0, true))) : null;
      case 'int64':
        return bound.length === 8 ? encodeUnscaled(viewOf(bound).getBigInt64(0, true)) : null;
      case 'fixed':
        // A cut bound would be another number: only the whole value counts.
        return bound.length === leaf.typeLength && bound.length > 0 ? minimal(bound) : null;
      default:
        // Of a variable length a cut cannot be seen.
        return null;
    }
  };
}

/** Two's complement without superfluous sign bytes. */
function minimal(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1) {
    const sign = bytes[start + 1]! & 0x80 ? 0xff : 0;
    if (bytes[start] !== sign) break;
    start++;
  }
  return bytes.slice(start);
}
