import { ServiceError } from '../../core/errors.ts';
import type { AvroRecordType, AvroType } from '../avro/schema.ts';
import type { AvroRow } from './avro.ts';

/**
 * Reads the fields of decoded records by Iceberg field id, since writers differ in names (`added_data_files_count` is
 * `added_files_count`), and by name where a writer left the ids out. Each getter throws CORRUPT_FILE for a value of another type.
 */
export class RowFields {
  readonly #type: AvroRecordType;
  readonly #byId: ReadonlyMap<number, number>;
  readonly #byName: ReadonlyMap<string, number>;

  constructor(type: AvroRecordType) {
    this.#type = type;
    this.#byId = new Map(type.fields.flatMap(({ fieldId }, at) => (fieldId === null ? [] : [[fieldId, at] as const])));
    this.#byName = new Map(type.fields.map(({ name }, at) => [name, at]));
  }

  /** Where a field stands in each row; null where the file has none. */
  find(fieldId: number, name: string): RowField | null {
    const at = this.#byId.get(fieldId) ?? this.#byName.get(name);
    return at === undefined ? null : new RowField(at, name, withoutNull(this.#type.fields[at]!.type));
  }

  /** A field that every file of the kind has. */
  require(fieldId: number, name: string): RowField {
    const field = this.find(fieldId, name);
    if (field === null)
      throw new ServiceError('CORRUPT_FILE', `an Iceberg Avro file has no field ${name} (id ${fieldId})`);
    return field;
  }
}

export class RowField {
  /** The position in the row. */
  readonly at: number;
  readonly name: string;
  /** The Avro type; of [null, X] it is X. */
  readonly type: AvroType;

  constructor(at: number, name: string, type: AvroType) {
    this.at = at;
    this.name = name;
    this.type = type;
  }

  value(row: AvroRow): unknown {
    return row[this.at];
  }

  long(row: AvroRow): bigint {
    return this.longOrNull(row) ?? this.#fail();
  }

  longOrNull(row: AvroRow): bigint | null {
    const value = row[this.at];
    if (value === null || typeof value === 'bigint') return value;
    return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : this.#fail();
  }

  /** An int or a long that a double holds exactly, never negative. */
  count(row: AvroRow): number {
    return this.countOrNull(row) ?? this.#fail();
  }

  countOrNull(row: AvroRow): number | null {
    const value = row[this.at];
    if (value === null) return null;
    const count = Number(value);
    const numeric = typeof value === 'number' || typeof value === 'bigint';
    return numeric && Number.isSafeInteger(count) && count >= 0 ? count : this.#fail();
  }

  string(row: AvroRow): string {
    const value = row[this.at];
    return typeof value === 'string' ? value : this.#fail();
  }

  booleanOrNull(row: AvroRow): boolean | null {
    const value = row[this.at];
    return value === null || typeof value === 'boolean' ? value : this.#fail();
  }

  bytesOrNull(row: AvroRow): Uint8Array | null {
    const value = row[this.at];
    return value === null || value instanceof Uint8Array ? value : this.#fail();
  }

  /** An array's items, or a record's values in its schema's order. */
  listOrNull(row: AvroRow): readonly unknown[] | null {
    const value = row[this.at];
    return value === null || Array.isArray(value) ? value : this.#fail();
  }

  #fail(): never {
    throw new ServiceError('CORRUPT_FILE', `an Iceberg Avro file has a wrong value in the field ${this.name}`);
  }
}

/** X of the union [null, X]; any other type as it is. */
export function withoutNull(type: AvroType): AvroType {
  if (type.kind !== 'union') return type;
  const rest = type.branches.filter((branch) => branch.kind !== 'null');
  return rest.length === 1 ? rest[0]! : type;
}

/** The record type of a field's value, or of its items where it is an array. */
export function recordTypeOf(field: RowField): AvroRecordType {
  const type = field.type.kind === 'array' ? withoutNull(field.type.items) : field.type;
  if (type.kind === 'record') return type;
  throw new ServiceError('CORRUPT_FILE', `an Iceberg Avro file has no record in the field ${field.name}`);
}
