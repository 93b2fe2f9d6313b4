import { type ArrowField, type ArrowType, byteWidth, type Column, isValid } from '../../../src/scan/arrow/column.ts';
import { bitmapBytes, countSetBits } from '../../../src/scan/arrow/kernels/bitmap.ts';
import { nullColumn } from '../../../src/scan/arrow/kernels/null-column.ts';

/** A small seeded generator (mulberry32), so that a property's counterexample is one number. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * limit);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  chance(share: number): boolean {
    return this.below(1000) < share * 1000;
  }
}

export const field = (name: string, type: ArrowType, nullable = true, id?: number): ArrowField => ({
  name,
  type,
  nullable,
  metadata: new Map(id === undefined ? [] : [['PARQUET:field_id', String(id)]]),
});

const leaves: readonly ArrowType[] = [
  { kind: 'bool' },
  { kind: 'int', bits: 8, signed: true },
  { kind: 'int', bits: 16, signed: false },
  { kind: 'int', bits: 32, signed: true },
  { kind: 'int', bits: 64, signed: true },
  { kind: 'float', bits: 64 },
  { kind: 'decimal', precision: 38, scale: 2, bits: 128 },
  { kind: 'fixed-size-binary', byteWidth: 5 },
  { kind: 'utf8' },
  { kind: 'binary' },
];

export function randomType(random: Random, depth: number): ArrowType {
  switch (depth === 0 ? 0 : random.below(9)) {
    case 5:
      return { kind: 'list', element: field('element', randomType(random, depth - 1)) };
    case 6: {
      const names = ['a', 'b', 'c'].slice(0, 1 + random.below(3));
      return { kind: 'struct', fields: names.map((name) => field(name, randomType(random, depth - 1))) };
    }
    case 7: {
      const value = field('value', randomType(random, depth - 1));
      return { kind: 'map', key: field('key', { kind: 'utf8' }, false), value, keysSorted: false };
    }
    case 8:
      return {
        kind: 'fixed-size-list',
        element: field('element', randomType(random, depth - 1)),
        size: random.below(3),
      };
    default:
      return random.chance(0.03) ? { kind: 'null' } : random.pick(leaves);
  }
}

/** A column of random values, garbage under its nulls, entries that no row uses in its dictionaries. */
export function randomColumn(random: Random, type: ArrowType, length: number, nullable = true): Column {
  if (type.kind === 'null') return nullColumn(type, length);
  const { validity, nullCount } = randomValidity(random, length, nullable && random.chance(0.6));
  const base = { type, length, nullCount, validity };
  const isText = type.kind === 'utf8' || type.kind === 'binary';
  if (random.chance(isText ? 0.3 : 0.1) && byteWidthOr(type) !== null) {
    const dictionary = randomColumn(random, type, 1 + random.below(6), false);
    if (dictionary.kind !== 'dictionary') {
      const indices = new Int32Array(length);
      for (let row = 0; row < length; row++) {
        if (validity === null || bit(validity, row)) indices[row] = random.below(dictionary.length);
      }
      return { ...base, kind: 'dictionary', indices, dictionary };
    }
  }
  switch (type.kind) {
    case 'bool':
      return { ...base, kind: 'bool', values: randomBytes(random, bitmapBytes(length)) };
    case 'utf8':
    case 'binary': {
      const texts = Array.from({ length }, () => randomText(random));
      const offsets = new Int32Array(length + 1);
      texts.forEach((text, row) => {
        offsets[row + 1] = offsets[row]! + text.length;
      });
      return { ...base, kind: 'bytes', offsets, values: Uint8Array.from(Buffer.concat(texts)) };
    }
    case 'list':
    case 'map': {
      const offsets = new Int32Array(length + 1);
      for (let row = 0; row < length; row++) offsets[row + 1] = offsets[row]! + random.below(4);
      const child: ArrowType =
        type.kind === 'map' ? { kind: 'struct', fields: [type.key, type.value] } : type.element.type;
      // Rows behind the last offset are allowed, and must not show.
      const rows = offsets[length]! + random.below(3);
      return { ...base, kind: 'list', offsets, child: randomColumn(random, child, rows, type.kind !== 'map') };
    }
    case 'fixed-size-list': {
      const child = randomColumn(random, type.element.type, length * type.size);
      return { ...base, kind: 'fixed-list', size: type.size, child };
    }
    case 'struct': {
      const children = type.fields.map((child) => randomColumn(random, child.type, length, child.nullable));
      return { ...base, kind: 'struct', children };
    }
    default: {
      const width = byteWidth(type);
      return { ...base, kind: 'fixed', width, values: randomBytes(random, length * width) };
    }
  }
}

function byteWidthOr(type: ArrowType): number | null {
  return type.kind === 'utf8' || type.kind === 'binary' || leaves.includes(type) ? 1 : null;
}

function randomValidity(random: Random, length: number, nulls: boolean) {
  const validity = randomBytes(random, bitmapBytes(length));
  const nullCount = length - countSetBits(validity, length);
  return nulls && nullCount > 0 ? { validity, nullCount } : { validity: null, nullCount: 0 };
}

const randomBytes = (random: Random, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => random.below(256));

export const randomText = (random: Random): Buffer =>
  Buffer.from(Array.from({ length: random.below(12) }, () => random.pick([...'ab Z09-@.(),é漢😀'])).join(''));

const bit = (bitmap: Uint8Array, at: number): boolean => ((bitmap[at >> 3]! >> (at & 7)) & 1) === 1;

/** Every row as a plain value, the slow and obvious way: bytes in hex, null for null, arrays for lists and structs. */
export function valuesOf(column: Column): unknown[] {
  return Array.from({ length: column.length }, (_, row) => valueAt(column, row));
}

export function valueAt(column: Column, row: number): unknown {
  if (!isValid(column, row)) return null;
  switch (column.kind) {
    case 'null':
      return null;
    case 'bool':
      return bit(column.values, row);
    case 'fixed':
      return hex(column.values.subarray(row * column.width, (row + 1) * column.width));
    case 'bytes':
      return hex(column.values.subarray(column.offsets[row]!, column.offsets[row + 1]!));
    case 'list':
      return range(column.offsets[row]!, column.offsets[row + 1]!).map((at) => valueAt(column.child, at));
    case 'fixed-list':
      return range(row * column.size, (row + 1) * column.size).map((at) => valueAt(column.child, at));
    case 'struct':
      return column.children.map((child) => valueAt(child, row));
    case 'dictionary':
      return valueAt(column.dictionary, column.indices[row]!);
    default:
      return column satisfies never;
  }
}

const range = (start: number, end: number): number[] => Array.from({ length: end - start }, (_, at) => start + at);
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
