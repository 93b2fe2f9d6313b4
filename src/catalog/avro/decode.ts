import { ServiceError } from '../../core/errors.ts';
import { AvroCursor } from './cursor.ts';
import type { AvroType } from './schema.ts';

/**
 * A decoded value, by physical type: null, boolean; number for int, float and double; bigint for long; Uint8Array (a copy) for
 * bytes and fixed; string for string and enum; array for array, Map for map, and for a record the array of its fields' values in the
 * schema's order. A union is the value of its branch.
 */
export type AvroValue = unknown;

/** Decodes one value; `values` counts down over a row, so that counts of empty items cannot run away. */
type Reader = (cursor: AvroCursor, budget: Budget) => AvroValue;

interface Budget {
  values: number;
}

/** All rows of a block, in order. Throws CORRUPT_FILE where bytes run out or are left over, LIMIT_EXCEEDED for an oversized row. */
export function* decodeRows(
  type: AvroType,
  block: { readonly rows: number; readonly bytes: Uint8Array },
  rowValuesMax: number,
): Generator<AvroValue> {
  const read = readerOf(type);
  const cursor = new AvroCursor(block.bytes);
  for (let row = 0; row < block.rows; row++) yield read(cursor, { values: rowValuesMax });
  if (cursor.left > 0) throw new ServiceError('CORRUPT_FILE', 'an Avro block has bytes after its last row');
}

/** The value where the cursor stands, which moves behind it. Throws as {@link decodeRows} does. */
export function decodeOne(type: AvroType, cursor: AvroCursor, valuesMax: number): AvroValue {
  return readerOf(type)(cursor, { values: valuesMax });
}

// Compiling a schema costs more than decoding a small block, and a file has many of those.
const readers = new WeakMap<AvroType, Reader>();

function readerOf(type: AvroType): Reader {
  const known = readers.get(type);
  if (known !== undefined) return known;
  const reader = compile(type);
  readers.set(type, reader);
  return reader;
}

function compile(type: AvroType): Reader {
  switch (type.kind) {
    case 'null':
      return () => null;
    case 'boolean':
      return (cursor) => cursor.boolean();
    case 'int':
      return (cursor) => cursor.int();
    case 'long':
      return (cursor) => cursor.long();
    case 'float':
      return (cursor) => cursor.float();
    case 'double':
      return (cursor) => cursor.double();
    case 'bytes':
      return (cursor) => copyOf(cursor, cursor.lengthPrefixed());
    case 'string':
      return (cursor) => cursor.bytes.toString('utf8', cursor.lengthPrefixed(), cursor.at);
    case 'fixed':
      return (cursor) => copyOf(cursor, cursor.skip(type.size));
    case 'enum':
      return (cursor) => type.symbols[cursor.index(type.symbols.length)]!;
    case 'array':
      return arrayReader(type.items);
    case 'map':
      return mapReader(type.values);
    case 'union': {
      const branches = type.branches.map(readerOf);
      return (cursor, budget) => branches[cursor.index(branches.length)]!(cursor, budget);
    }
    case 'record': {
      const fields = type.fields.map((field) => readerOf(field.type));
      return (cursor, budget) => {
        spend(budget, fields.length);
        return fields.map((read) => read(cursor, budget));
      };
    }
    default:
      return type satisfies never;
  }
}

function arrayReader(items: AvroType): Reader {
  const read = readerOf(items);
  return (cursor, budget) => {
    const values: AvroValue[] = [];
    for (let count = cursor.blockCount(items.minBytes); count > 0; count = cursor.blockCount(items.minBytes)) {
      spend(budget, count);
      for (; count > 0; count--) values.push(read(cursor, budget));
    }
    return values;
  };
}

function mapReader(values: AvroType): Reader {
  const read = readerOf(values);
  const entryBytes = values.minBytes + 1;
  return (cursor, budget) => {
    const entries = new Map<string, AvroValue>();
    for (let count = cursor.blockCount(entryBytes); count > 0; count = cursor.blockCount(entryBytes)) {
      spend(budget, count);
      for (; count > 0; count--) {
        const key = cursor.bytes.toString('utf8', cursor.lengthPrefixed(), cursor.at);
        entries.set(key, read(cursor, budget));
      }
    }
    return entries;
  };
}

const copyOf = (cursor: AvroCursor, start: number): Uint8Array =>
  new Uint8Array(cursor.bytes.subarray(start, cursor.at));

function spend(budget: Budget, values: number): void {
  budget.values -= values;
  if (budget.values < 0) throw new ServiceError('LIMIT_EXCEEDED', 'one row of an Avro file holds too many values');
}
