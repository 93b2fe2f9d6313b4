import type { PrimitiveType, Value } from '../../../src/catalog/schema/types.ts';
import type { ArrowType, Column } from '../../../src/scan/arrow/column.ts';

/** How the reader stores an Iceberg type. */
export function storedType(type: PrimitiveType): ArrowType {
  switch (type.kind) {
    case 'unknown':
      return { kind: 'null' };
    case 'boolean':
      return { kind: 'bool' };
    case 'int':
    case 'long':
      return { kind: 'int', bits: type.kind === 'int' ? 32 : 64, signed: true };
    case 'float':
    case 'double':
      return { kind: 'float', bits: type.kind === 'float' ? 32 : 64 };
    case 'decimal':
      return { kind: 'decimal', precision: type.precision, scale: type.scale, bits: 128 };
    case 'date':
      return { kind: 'date', unit: 'day' };
    case 'time':
      return { kind: 'time', unit: 'us' };
    case 'timestamp':
    case 'timestamptz':
      return { kind: 'timestamp', unit: 'us', timezone: type.kind === 'timestamp' ? null : 'UTC' };
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return { kind: 'timestamp', unit: 'ns', timezone: type.kind === 'timestamp_ns' ? null : 'UTC' };
    case 'string':
      return { kind: 'utf8' };
    case 'uuid':
      return { kind: 'fixed-size-binary', byteWidth: 16 };
    case 'fixed':
      return { kind: 'fixed-size-binary', byteWidth: type.length };
    case 'binary':
      return { kind: 'binary' };
    default:
      return type satisfies never;
  }
}

/** A column of the values. Under nulls lie the bits of `garbage`, which no result may depend on. */
export function columnOf(type: PrimitiveType, values: readonly (Value | null)[], garbage: Value): Column {
  const stored = storedType(type);
  const length = values.length;
  const nulls = values.filter((value) => value === null).length;
  const validity = nulls === 0 ? null : bitmap(values.map((value) => value !== null));
  const filled = values.map((value) => value ?? garbage);
  const base = { type: stored, length, nullCount: nulls, validity };
  if (stored.kind === 'null') return { kind: 'null', type: stored, length, nullCount: length, validity: null };
  if (stored.kind === 'bool') return { ...base, kind: 'bool', values: bitmap(filled.map((value) => value === true)) };
  if (stored.kind === 'utf8' || stored.kind === 'binary') {
    const chunks = filled.map((value) => (value instanceof Uint8Array ? value : Buffer.from(value as string)));
    const offsets = new Int32Array(length + 1);
    for (const [row, chunk] of chunks.entries()) offsets[row + 1] = offsets[row]! + chunk.length;
    return { ...base, kind: 'bytes', offsets, values: new Uint8Array(Buffer.concat(chunks)) };
  }
  const chunks = filled.map((value) => fixedBytes(stored, value));
  const bytes = new Uint8Array(Buffer.concat(chunks));
  return { ...base, kind: 'fixed', width: chunks[0]?.length ?? fixedBytes(stored, garbage).length, values: bytes };
}

/** The same values by index into a dictionary of the distinct ones. */
export function dictionaryOf(type: PrimitiveType, values: readonly (Value | null)[], garbage: Value): Column {
  const keys = values.map((value) => keyOf(value));
  const entries = [...new Map(values.flatMap((value, row) => (value === null ? [] : [[keys[row]!, value] as const])))];
  const positions = new Map(entries.map(([key], position) => [key, position]));
  const plain = columnOf(type, values, garbage);
  const dictionary = columnOf(
    type,
    entries.map(([, value]) => value),
    garbage,
  );
  if (plain.kind === 'null') return plain;
  return {
    kind: 'dictionary',
    type: plain.type,
    length: plain.length,
    nullCount: plain.nullCount,
    validity: plain.validity,
    indices: Int32Array.from(keys, (key) => positions.get(key) ?? 0),
    dictionary,
  };
}

function keyOf(value: Value | null): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return Object.is(value, -0) ? '-0' : String(value);
}

function bitmap(bits: readonly boolean[]): Uint8Array {
  const bytes = new Uint8Array((bits.length + 7) >> 3);
  for (const [row, bit] of bits.entries()) if (bit) bytes[row >> 3]! |= 1 << (row & 7);
  return bytes;
}

function fixedBytes(stored: ArrowType, value: Value): Uint8Array {
  if (value instanceof Uint8Array) return value;
  const bytes = new Uint8Array(stored.kind === 'decimal' ? 16 : 8);
  const view = new DataView(bytes.buffer);
  switch (stored.kind) {
    case 'float':
      if (stored.bits === 32) view.setFloat32(0, value as number, true);
      else view.setFloat64(0, value as number, true);
      return bytes.subarray(0, stored.bits / 8);
    case 'decimal':
      view.setBigUint64(0, BigInt.asUintN(64, value as bigint), true);
      view.setBigInt64(8, (value as bigint) >> 64n, true);
      return bytes;
    case 'date':
    case 'int':
      if (typeof value === 'number') {
        view.setInt32(0, value, true);
        return bytes.subarray(0, 4);
      }
      break;
    default:
  }
  view.setBigInt64(0, value as bigint, true);
  return bytes;
}
