import { applyTransform } from '../catalog/partition/transform.ts';
import type { PartitionField, PartitionSpec } from '../catalog/partition/types.ts';
import { indexSchema } from '../catalog/schema/lookup.ts';
import type { PrimitiveType, Schema, Value } from '../catalog/schema/types.ts';
import { type Batch, type Column, type FixedColumn, isValid } from '../scan/arrow/column.ts';
import { valueReader } from '../scan/arrow/row-values.ts';
import { leafColumn } from '../scan/shape.ts';

/** The rows of a batch that belong to one partition, in their order. */
export interface PartitionRows {
  /** One value per field of the spec; null = the null partition. */
  readonly values: readonly (Value | null)[];
  /** Tells partitions of one spec apart. */
  readonly key: string;
  /** Null = all rows of the batch. */
  readonly rows: Int32Array | null;
}

/** A code per row, and what each code stands for. */
interface Coded {
  readonly codes: Int32Array;
  readonly values: readonly (Value | null)[];
}

/** Sorts the rows of a batch, whose columns are the schema's, into the partitions of a spec. */
export function partitionRows(batch: Batch, schema: Schema, spec: PartitionSpec): PartitionRows[] {
  if (spec.fields.length === 0) return [{ values: [], key: '', rows: null }];
  const coded = spec.fields.map((field) => codeField(batch, schema, field));
  const groups = combine(coded, batch.rows);
  const values = groups.map(({ first }) => coded.map(({ codes, values }) => values[codes[first]!]!));
  if (groups.length === 1) return [{ values: values[0]!, key: keyOf(values[0]!), rows: null }];
  return groups.map(({ rows }, at) => ({ values: values[at]!, key: keyOf(values[at]!), rows }));
}

const keyOf = (values: readonly (Value | null)[]): string => values.map(valueKey).join('/');

function valueKey(value: Value | null): string {
  if (value === null) return 'null';
  if (value instanceof Uint8Array) return `x${Buffer.from(value).toString('hex')}`;
  return typeof value === 'string' ? JSON.stringify(value) : `${value}`;
}

function codeField(batch: Batch, schema: Schema, field: PartitionField): Coded {
  const entry = indexSchema(schema).byId.get(field.sourceId);
  const column = entry === undefined ? null : leafColumn(schema, batch.columns, field.sourceId);
  if (entry === undefined || column === null || field.transform.kind === 'void') {
    return { codes: new Int32Array(batch.rows), values: [null] };
  }
  const type = entry.field.type as PrimitiveType;
  const ordinal = column.kind === 'fixed' ? ordinalOf(column, type, field) : null;
  return column.kind === 'fixed' && ordinal !== null
    ? codeOrdinals(column, ordinal)
    : codeValues(column, type, (value) => applyTransform(field.transform, type, value));
}

/** The transform of each row as a small integer, for the time transforms: no value is looked at twice as a bigint. */
function ordinalOf(column: FixedColumn, type: PrimitiveType, field: PartitionField): ((row: number) => number) | null {
  const { kind } = field.transform;
  if (kind !== 'hour' && kind !== 'day' && kind !== 'month' && kind !== 'year') return null;
  const perUnit = unitsPer(type, kind === 'hour' ? 3_600 : 86_400);
  if (perUnit === null) return null;
  const words = new Int32Array(column.values.buffer, column.values.byteOffset, column.values.byteLength >> 2);
  const unitOf =
    perUnit === 0
      ? (row: number) => words[row]!
      : (row: number) => {
          const value = words[row * 2 + 1]! * 2 ** 32 + (words[row * 2]! >>> 0);
          return Number.isSafeInteger(value) ? Math.floor(value / perUnit) : exactUnit(words, row, perUnit);
        };
  if (kind === 'hour' || kind === 'day') return unitOf;
  const ofDay = new Map<number, number>();
  return (row) => {
    const day = unitOf(row);
    let ordinal = ofDay.get(day);
    if (ordinal === undefined) {
      ordinal = applyTransform(field.transform, { kind: 'date' }, day) as number;
      ofDay.set(day, ordinal);
    }
    return ordinal;
  };
}

/** Units of the type in so many seconds; 0 for days themselves, null where the type is no point in time. */
function unitsPer(type: PrimitiveType, seconds: number): number | null {
  if (type.kind === 'date') return seconds === 86_400 ? 0 : null;
  if (type.kind === 'timestamp' || type.kind === 'timestamptz') return seconds * 1e6;
  if (type.kind === 'timestamp_ns' || type.kind === 'timestamptz_ns') return seconds * 1e9;
  return null;
}

/** Beyond 2^53 a double no longer tells neighbours apart. */
function exactUnit(words: Int32Array, row: number, perUnit: number): number {
  const value = (BigInt(words[row * 2 + 1]!) << 32n) | BigInt(words[row * 2]! >>> 0);
  const unit = BigInt(perUnit);
  const floor = value / unit;
  return Number(value % unit < 0n ? floor - 1n : floor);
}

function codeOrdinals(column: FixedColumn, ordinalAt: (row: number) => number): Coded {
  const codes = new Int32Array(column.length);
  const values: (Value | null)[] = [];
  const codeOf = new Map<number | null, number>();
  for (let row = 0; row < column.length; row++) {
    const ordinal = isValid(column, row) ? ordinalAt(row) : null;
    let code = codeOf.get(ordinal);
    if (code === undefined) {
      code = values.push(ordinal) - 1;
      codeOf.set(ordinal, code);
    }
    codes[row] = code;
  }
  return { codes, values };
}

function codeValues(column: Column, type: PrimitiveType, transform: (value: Value) => Value | null): Coded {
  const read = valueReader(column, type);
  const codes = new Int32Array(column.length);
  const values: (Value | null)[] = [];
  const codeOfResult = new Map<string, number>();
  const codeOfSource = new Map<unknown, number>();
  for (let row = 0; row < column.length; row++) {
    const source = read(row);
    const sourceKey = source instanceof Uint8Array ? valueKey(source) : source;
    let code = codeOfSource.get(sourceKey);
    if (code === undefined) {
      const result = source === null ? null : transform(source);
      const kept = result instanceof Uint8Array ? Uint8Array.from(result) : result;
      const resultKey = valueKey(kept);
      code = codeOfResult.get(resultKey) ?? values.push(kept) - 1;
      codeOfResult.set(resultKey, code);
      codeOfSource.set(sourceKey, code);
    }
    codes[row] = code;
  }
  return { codes, values };
}

/** Groups rows by their codes in all fields, groups in the order of their first rows. */
function combine(coded: readonly Coded[], rows: number): { readonly first: number; readonly rows: Int32Array }[] {
  let groups: Int32Array = new Int32Array(rows);
  let count = 1;
  for (const { codes, values } of coded) {
    const dense = new Map<number, number>();
    const next = new Int32Array(rows);
    for (let row = 0; row < rows; row++) {
      const combined = groups[row]! * values.length + codes[row]!;
      let group = dense.get(combined);
      if (group === undefined) {
        group = dense.size;
        dense.set(combined, group);
      }
      next[row] = group;
    }
    groups = next;
    count = dense.size;
  }
  const sizes = new Int32Array(count);
  for (let row = 0; row < rows; row++) sizes[groups[row]!]!++;
  const members = Array.from(sizes, (size) => new Int32Array(size));
  const filled = new Int32Array(count);
  for (let row = 0; row < rows; row++) {
    const group = groups[row]!;
    members[group]![filled[group]!++] = row;
  }
  return members.map((of) => ({ first: of[0]!, rows: of }));
}
