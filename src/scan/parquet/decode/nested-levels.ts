import type { Column } from '../../arrow/column.ts';
import { bitmapBytes } from '../../arrow/kernels/bitmap.ts';
import { chainField } from '../leaf-type.ts';
import { definitionLevelMax, type ParquetLeaf, type ParquetNode } from '../schema.ts';
import { damaged } from './damaged.ts';
import type { WindowRows } from './window.ts';

/** The levels of some whole rows: one entry per value, null or empty list (the Dremel encoding of parquet-format, README.md). */
export interface Levels {
  readonly entries: number;
  /** Null where nothing repeats: each entry is a row. */
  readonly repetition: Uint8Array | null;
  readonly definition: Uint8Array;
  /** Entries that hold a value of the leaf. */
  readonly values: number;
}

/**
 * Where the entries of one list stand: an entry has a place in it where it does not go on with a deeper list (its repetition level is at
 * most `depth`) and all lists down to this one have an element there (its definition level is at least `floor`).
 */
interface Places {
  readonly depth: number;
  readonly floor: number;
  readonly count: number;
}

/** A node's own nulls among the places of its list. */
function nullsOf(levels: Levels, places: Places, defined: number): WindowRows {
  const { count: rows, depth, floor } = places;
  const { entries, repetition, definition } = levels;
  if (defined === floor || levels.values === entries) return { rows, valid: rows, validity: null };
  const validity = new Uint8Array(bitmapBytes(rows));
  let place = 0;
  let valid = 0;
  for (let entry = 0; entry < entries; entry++) {
    const level = definition[entry]!;
    if (level < floor || (repetition !== null && repetition[entry]! > depth)) continue;
    if (level >= defined) {
      validity[place >>> 3]! |= 1 << (place & 7);
      valid++;
    }
    place++;
  }
  return { rows, valid, validity: valid === rows ? null : validity };
}

/** Offsets of the lists that stand at the places of the list around them, whose elements are defined from `floor` on. */
function offsetsOf(levels: Levels, outer: Places, floor: number): Int32Array {
  const { entries, definition } = levels;
  const repetition = levels.repetition!;
  const offsets = new Int32Array(outer.count + 1);
  let lists = 0;
  let elements = 0;
  if (levels.values === entries && outer.depth === 0) {
    // No list is empty or null.
    for (let entry = 0; entry < entries; entry++) {
      const depth = repetition[entry]!;
      if (depth === 0) offsets[lists++] = elements;
      if (depth <= 1) elements++;
    }
    if (entries > 0 && repetition[0] !== 0) throw damaged('its first page does not begin a row');
    offsets[lists] = elements;
    return offsets;
  }
  for (let entry = 0; entry < entries; entry++) {
    const level = definition[entry]!;
    if (level < outer.floor) continue;
    const depth = repetition[entry]!;
    if (depth <= outer.depth) offsets[lists++] = elements;
    if (depth <= outer.depth + 1 && level >= floor) {
      if (lists === 0) throw damaged('its first page does not begin a row');
      elements++;
    }
  }
  offsets[lists] = elements;
  return offsets;
}

/** How many places the innermost list has, and which of them hold a value. */
export function leafRows(levels: Levels, leaf: ParquetLeaf, rows: number): WindowRows {
  const lists = leaf.chain.filter((node) => node.repetition === 'repeated');
  const inner = lists[lists.length - 1];
  const floor = inner === undefined ? 0 : definitionLevelMax(inner);
  const count = inner === undefined ? rows : placesFrom(levels, floor);
  return nullsOf(levels, { depth: lists.length, floor, count }, definitionLevelMax(leaf));
}

const placesFrom = ({ entries, definition, values }: Levels, floor: number): number =>
  values === entries ? entries : countFrom(definition, entries, floor);

export function countFrom(definition: Uint8Array, entries: number, level: number): number {
  let count = 0;
  for (let entry = 0; entry < entries; entry++) count += definition[entry]! >= level ? 1 : 0;
  return count;
}

/** Puts a leaf's values into the structs and lists of its chain (`linksOf` takes them apart again). Throws CORRUPT_FILE. */
export function nest(levels: Levels, leaf: ParquetLeaf, rows: number, values: Column): Column {
  const build = (at: number, around: Places): Column => {
    const node = leaf.chain[at]!;
    const defined = definitionLevelMax(node);
    if (node.repetition !== 'repeated') return item(node, at, around, defined);
    const offsets = offsetsOf(levels, around, defined);
    const inside = { depth: around.depth + 1, floor: defined, count: offsets[around.count]! };
    const child = item(node, at, inside, defined);
    const { type } = chainField(leaf, at);
    return { kind: 'list', type, length: around.count, nullCount: 0, validity: null, offsets, child };
  };
  const item = (node: ParquetNode, at: number, places: Places, defined: number): Column => {
    if (node.kind === 'leaf') return values;
    const { valid, validity } = nullsOf(levels, places, defined);
    const child = build(at + 1, places);
    const type = { kind: 'struct', fields: [chainField(leaf, at + 1)] } as const;
    const { count: length } = places;
    return { kind: 'struct', type, length, nullCount: length - valid, validity, children: [child] };
  };
  return build(0, { depth: 0, floor: 0, count: rows });
}
