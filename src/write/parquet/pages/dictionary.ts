import { wordsOf } from '../../../scan/arrow/kernels/typed-views.ts';
import type { BytesValues, FixedValues, PhysicalValues } from './physical.ts';

/** The distinct values of a leaf, and which of them each value is. */
export interface LeafDictionary {
  /** Per value from the first one looked at; below `entries.length`. */
  readonly indices: Int32Array;
  /** Where each distinct value stands first. */
  readonly entries: Int32Array;
  /** Bytes of the entries in PLAIN encoding. */
  readonly bytes: number;
}

export interface DictionaryBounds {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

/** The dictionary of values [start, end); null where it would exceed its bounds, or for bools, which are shorter as they are. */
export function buildDictionary(
  values: PhysicalValues,
  start: number,
  end: number,
  bounds: DictionaryBounds,
): LeafDictionary | null {
  if (values.kind === 'bool') return null;
  const table = new Table(end - start, bounds.entriesMax);
  const isBuilt =
    values.kind === 'bytes'
      ? addTexts(table, values, start, end, bounds.bytesMax)
      : addFixed(table, values, start, end, bounds.bytesMax);
  return isBuilt ? { indices: table.indices, entries: table.entries.slice(0, table.count), bytes: table.bytes } : null;
}

const tableSizePreset = 4096;

/** An open hash table of entry numbers; twice as many places as entries. */
class Table {
  slots = new Int32Array(tableSizePreset);
  hashes = new Int32Array(tableSizePreset >> 1);
  entries = new Int32Array(tableSizePreset >> 1);
  readonly indices: Int32Array;
  readonly entriesMax: number;
  count = 0;
  bytes = 0;

  constructor(values: number, entriesMax: number) {
    this.indices = new Int32Array(values);
    this.entriesMax = entriesMax;
  }

  /** Adds an entry at a free slot; false where there is no room for it. */
  add(slot: number, hash: number, value: number): boolean {
    if (this.count >= this.entriesMax) return false;
    this.slots[slot] = this.count + 1;
    this.hashes[this.count] = hash;
    this.entries[this.count++] = value;
    if (this.count << 1 >= this.slots.length) this.#grow();
    return true;
  }

  #grow(): void {
    const size = this.slots.length << 1;
    const slots = new Int32Array(size);
    for (let entry = 0; entry < this.count; entry++) {
      let slot = this.hashes[entry]! & (size - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (size - 1);
      slots[slot] = entry + 1;
    }
    this.slots = slots;
    this.hashes = grown(this.hashes);
    this.entries = grown(this.entries);
  }
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const twice = new Int32Array(array.length << 1);
  twice.set(array);
  return twice;
}

function mix(low: number, high: number): number {
  let hash = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
  hash ^= hash >>> 15;
  return Math.imul(hash, 0xc2b2ae35) ^ (hash >>> 13);
}

function addFixed(table: Table, column: FixedValues, start: number, end: number, bytesMax: number): boolean {
  const { width } = column;
  if (width === 4) return addWords(table, wordsOf(column.values), start, end, bytesMax);
  if (width === 8) return addPairs(table, wordsOf(column.values), start, end, bytesMax);
  const offsets = new Int32Array(end - start + 1);
  for (let at = 0; at < offsets.length; at++) offsets[at] = (start + at) * width;
  const isBuilt = addSpans(table, column.values, offsets, bytesMax, 0);
  if (start > 0) for (let entry = 0; entry < table.count; entry++) table.entries[entry]! += start;
  return isBuilt;
}

function addWords(table: Table, words: Int32Array, start: number, end: number, bytesMax: number): boolean {
  const { indices } = table;
  const countMax = Math.floor(bytesMax / 4);
  for (let at = start; at < end; at++) {
    const value = words[at]!;
    const hash = mix(value, 0);
    const mask = table.slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const entry = table.slots[slot]!;
      if (entry === 0) {
        if (table.count >= countMax || !table.add(slot, hash, at)) return false;
        indices[at - start] = table.count - 1;
        break;
      }
      if (words[table.entries[entry - 1]!] === value) {
        indices[at - start] = entry - 1;
        break;
      }
      slot = (slot + 1) & mask;
    }
  }
  table.bytes = table.count * 4;
  return true;
}

function addPairs(table: Table, words: Int32Array, start: number, end: number, bytesMax: number): boolean {
  const { indices } = table;
  const countMax = Math.floor(bytesMax / 8);
  for (let at = start; at < end; at++) {
    const low = words[at << 1]!;
    const high = words[(at << 1) | 1]!;
    const hash = mix(low, high);
    const mask = table.slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const entry = table.slots[slot]!;
      if (entry === 0) {
        if (table.count >= countMax || !table.add(slot, hash, at)) return false;
        indices[at - start] = table.count - 1;
        break;
      }
      const known = table.entries[entry - 1]! << 1;
      if (words[known] === low && words[known | 1] === high) {
        indices[at - start] = entry - 1;
        break;
      }
      slot = (slot + 1) & mask;
    }
  }
  table.bytes = table.count * 8;
  return true;
}

const lengthBytes = 4;

function addTexts(table: Table, column: BytesValues, start: number, end: number, bytesMax: number): boolean {
  const isBuilt = addSpans(table, column.values, column.offsets.subarray(start, end + 1), bytesMax, lengthBytes);
  if (start > 0) for (let entry = 0; entry < table.count; entry++) table.entries[entry]! += start;
  return isBuilt;
}

/** Spans of bytes between neighbouring offsets; entries are numbers of spans. */
function addSpans(
  table: Table,
  bytes: Uint8Array,
  offsets: Int32Array,
  bytesMax: number,
  bytesPerEntry: number,
): boolean {
  const { indices } = table;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 1 < offsets.length; at++) {
    const from = offsets[at]!;
    const length = offsets[at + 1]! - from;
    const hash = hashSpan(view, bytes, from, length);
    const mask = table.slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const entry = table.slots[slot]!;
      if (entry === 0) {
        table.bytes += length + bytesPerEntry;
        if (table.bytes > bytesMax || !table.add(slot, hash, at)) return false;
        indices[at] = table.count - 1;
        break;
      }
      const known = table.entries[entry - 1]!;
      if (
        table.hashes[entry - 1] === hash &&
        offsets[known + 1]! - offsets[known]! === length &&
        areEqual(bytes, offsets[known]!, from, length)
      ) {
        indices[at] = entry - 1;
        break;
      }
      slot = (slot + 1) & mask;
    }
  }
  return true;
}

function hashSpan(view: DataView, bytes: Uint8Array, from: number, length: number): number {
  let hash = length;
  let at = from;
  const end = from + length;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(hash ^ view.getInt32(at, true), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x85ebca6b);
  return mix(hash, 0);
}

function areEqual(bytes: Uint8Array, left: number, right: number, length: number): boolean {
  for (let at = 0; at < length; at++) if (bytes[left + at] !== bytes[right + at]) return false;
  return true;
}
