import type { PrimitiveType, Value } from '../../catalog/schema/types.ts';
import { encodeUnscaled } from '../../catalog/schema/value.ts';
import type { ParquetLeaf } from './schema.ts';

/**
 * A value of a field in each PLAIN encoding that a leaf may hold it in, byte arrays without their length: what bloom filters hash.
 * Empty where the leaf's type has no such value; null where one value of the field may be many of the leaf, or nothing is known.
 */
export function plainLiterals(leaf: ParquetLeaf, type: PrimitiveType, value: Value): readonly Uint8Array[] | null {
  switch (type.kind) {
    case 'int':
    case 'long':
      return leaf.logical === null || leaf.logical.kind === 'int' ? integer(leaf, value) : null;
    case 'date':
      return leaf.physical === 'int32' && leaf.logical?.kind === 'date' ? integer(leaf, value) : null;
    case 'float':
    case 'double':
      return floating(leaf, value);
    case 'time':
      return leaf.logical?.kind === 'time' && leaf.logical.unit === 'us' ? integer(leaf, value) : null;
    case 'timestamp':
    case 'timestamptz':
      return leaf.logical?.kind === 'timestamp' && leaf.logical.unit === 'us' ? integer(leaf, value) : null;
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return leaf.logical?.kind === 'timestamp' && leaf.logical.unit === 'ns' ? integer(leaf, value) : null;
    case 'decimal':
      return leaf.logical?.kind === 'decimal' && leaf.logical.scale === type.scale ? decimal(leaf, value) : null;
    case 'string':
      if (leaf.physical !== 'byte-array' || leaf.logical?.kind === 'decimal' || typeof value !== 'string') return null;
      return value.isWellFormed() ? [Buffer.from(value)] : null;
    case 'binary':
      return leaf.physical === 'byte-array' && leaf.logical?.kind !== 'decimal' ? bytesOf(value) : null;
    case 'uuid':
      return leaf.physical === 'fixed' && leaf.typeLength === 16 ? bytesOf(value) : null;
    case 'fixed':
      return leaf.physical === 'fixed' && leaf.typeLength === type.length ? bytesOf(value) : null;
    case 'boolean':
    case 'unknown':
      return null;
    default:
      return type satisfies never;
  }
}

const bytesOf = (value: Value): Uint8Array[] | null => (value instanceof Uint8Array ? [value] : null);

function integer({ physical, logical }: ParquetLeaf, value: Value): Uint8Array[] | null {
  if (typeof value !== 'number' && typeof value !== 'bigint') return null;
  const whole = BigInt(value);
  const isUnsigned = logical?.kind === 'int' && !logical.signed;
  const bits = physical === 'int32' ? 32 : physical === 'int64' ? 64 : null;
  if (bits === null) return null;
  const held = isUnsigned ? BigInt.asUintN(bits, whole) : BigInt.asIntN(bits, whole);
  if (held !== whole) return [];
  const bytes = new Uint8Array(bits / 8);
  const view = new DataView(bytes.buffer);
  if (bits === 32) view.setUint32(0, Number(BigInt.asUintN(32, whole)), true);
  else view.setBigUint64(0, BigInt.asUintN(64, whole), true);
  return [bytes];
}

/** Zeros of either sign are equal and hash apart. */
function floating({ physical }: ParquetLeaf, value: Value): Uint8Array[] | null {
  if (typeof value !== 'number' || Number.isNaN(value)) return null;
  if (physical !== 'float' && physical !== 'double') return null;
  if (physical === 'float' && Math.fround(value) !== value) return [];
  return (value === 0 ? [0, -0] : [value]).map((one) => {
    const bytes = new Uint8Array(physical === 'float' ? 4 : 8);
    const view = new DataView(bytes.buffer);
    if (physical === 'float') view.setFloat32(0, one, true);
    else view.setFloat64(0, one, true);
    return bytes;
  });
}

/** Big-endian two's complement of the leaf's length; byte arrays may pad a value in many ways. */
function decimal(leaf: ParquetLeaf, value: Value): Uint8Array[] | null {
  if (typeof value !== 'bigint') return null;
  if (leaf.physical !== 'fixed') return leaf.physical === 'byte-array' ? null : integer(leaf, value);
  const unscaled = encodeUnscaled(value);
  const length = leaf.typeLength ?? 0;
  if (unscaled.length > length) return [];
  const bytes = new Uint8Array(length).fill(value < 0n ? 0xff : 0);
  bytes.set(unscaled, length - unscaled.length);
  return [bytes];
}
