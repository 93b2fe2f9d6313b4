import type { AvroCursor } from './cursor.ts';
import type { AvroType } from './schema.ts';

/** Moves past one value without making it. Throws CORRUPT_FILE where the bytes run out. */
export type Skipper = (cursor: AvroCursor) => void;

const skippers = new WeakMap<AvroType, Skipper>();

/** Compiled once for a type, which every row of a file shares. */
export function skipperOf(type: AvroType): Skipper {
  const known = skippers.get(type);
  if (known !== undefined) return known;
  const skipper = compile(type);
  skippers.set(type, skipper);
  return skipper;
}

function compile(type: AvroType): Skipper {
  switch (type.kind) {
    case 'null':
      return () => {};
    case 'boolean':
      return (cursor) => void cursor.skip(1);
    case 'int':
    case 'long':
    case 'enum':
      return (cursor) => cursor.skipLongs(1);
    case 'float':
      return (cursor) => void cursor.skip(4);
    case 'double':
      return (cursor) => void cursor.skip(8);
    case 'bytes':
    case 'string':
      return (cursor) => void cursor.lengthPrefixed();
    case 'fixed':
      return (cursor) => void cursor.skip(type.size);
    case 'array':
      return itemsSkipper(type.items.minBytes, manySkipper(type.items));
    case 'map': {
      const skipValue = skipperOf(type.values);
      return itemsSkipper(type.values.minBytes + 1, (cursor, count) => {
        for (; count > 0; count--) {
          cursor.lengthPrefixed();
          skipValue(cursor);
        }
      });
    }
    case 'union': {
      const branches = type.branches.map(skipperOf);
      return (cursor) => branches[cursor.index(branches.length)]!(cursor);
    }
    case 'record': {
      const fields = type.fields.map((field) => skipperOf(field.type));
      return (cursor) => {
        for (const skip of fields) skip(cursor);
      };
    }
    default:
      return type satisfies never;
  }
}

/** A number of items that the cursor has compared with the bytes that are left; items without bytes are never walked over. */
function itemsSkipper(itemBytes: number, skipMany: (cursor: AvroCursor, count: number) => void): Skipper {
  return (cursor) => {
    for (let count = cursor.blockCount(itemBytes); count > 0; count = cursor.blockCount(itemBytes)) {
      if (itemBytes > 0) skipMany(cursor, count);
    }
  };
}

/** Iceberg's maps of statistics, pairs of an int and a long or bytes, are most of what a manifest holds. */
function manySkipper(items: AvroType): (cursor: AvroCursor, count: number) => void {
  if (isVarint(items)) return (cursor, count) => cursor.skipLongs(count);
  if (items.kind === 'record' && items.fields.every(({ type }) => isVarint(type))) {
    return (cursor, count) => cursor.skipLongs(count * items.fields.length);
  }
  const skip = skipperOf(items);
  return (cursor, count) => {
    for (; count > 0; count--) skip(cursor);
  };
}

export const isVarint = ({ kind }: AvroType): boolean => kind === 'int' || kind === 'long';
