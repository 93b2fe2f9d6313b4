import { digestBytes, KeyedHash } from './keyed-hash.ts';

/** How a hash is written: its 32 bytes, or their 64 lower-case hex digits. */
export type HashForm = 'bytes' | 'hex';

/** 32-bit words that a hash takes as it is written. */
export const formWords = { bytes: digestBytes / 4, hex: digestBytes / 2 } as const satisfies Record<HashForm, number>;

const entriesMin = 1 << 10;
const entriesMax = 1 << 16;
const valueBytesMax = 64;
const arenaBytesMax = entriesMax * 32;
/** Values that collide are hashed rather than looked for further, whatever somebody stores in a table. */
const probesMax = 8;
/** Lookups between two looks at how many were hits, and lookups that are skipped where few were. */
const trialLookups = 4_096;
const skippedLookups = 61_440;

/**
 * Keyed hashes of values, remembered: columns repeat theirs, in one row group after another, and finding one again takes a
 * tenth of the time. Holds at most 65,536 values of up to 64 bytes (at most 7 MB) and then starts anew; where values hardly repeat
 * it stands aside.
 */
export class HashMemo {
  readonly #hash: KeyedHash;
  readonly #form: HashForm;
  readonly #words: number;
  #slots: Int32Array = new Int32Array(2 * entriesMin).fill(-1);
  #hashes: Int32Array;
  #starts: Int32Array = new Int32Array(entriesMin + 1);
  #arena: DataView = new DataView(new ArrayBuffer(entriesMin * 16));
  #entries = 0;
  #lookups = 0;
  #hits = 0;
  #toSkip = 0;

  constructor(key: Uint8Array, form: HashForm) {
    this.#hash = new KeyedHash(key);
    this.#form = form;
    this.#words = formWords[form];
    this.#hashes = new Int32Array(entriesMin * this.#words);
  }

  /** Writes the hash of bytes [start, end) to `out` from word `at` on, as it stands in memory. */
  hashTo(out: Int32Array, at: number, bytes: DataView, start: number, end: number): void {
    if (end - start > valueBytesMax || this.#toSkip > 0) {
      if (this.#toSkip > 0) this.#toSkip--;
      this.#hash.update(bytes, start, end);
      this.#write(out, at);
      return;
    }
    const entry = this.#find(bytes, start, end);
    const words = this.#words;
    const hashes = this.#hashes;
    const from = entry * words;
    if (entry < 0) this.#write(out, at);
    else for (let word = 0; word < words; word++) out[at + word] = hashes[from + word]!;
  }

  #write(out: Int32Array, at: number): void {
    if (this.#form === 'hex') writeHex(out, at, this.#hash.digest);
    else writeBytes(out, at, this.#hash.digest);
  }

  /** The entry that holds the value's hash, made where there is none; -1 where it was only computed. */
  #find(bytes: DataView, start: number, end: number): number {
    this.#judge();
    const length = end - start;
    const hashed = fingerprint(bytes, start, end);
    const mask = this.#slots.length - 1;
    const arena = this.#arena;
    const starts = this.#starts;
    for (let probe = 0; probe < probesMax; probe++) {
      const slot = (hashed + probe) & mask;
      const entry = this.#slots[slot]!;
      if (entry < 0) {
        this.#hash.update(bytes, start, end);
        return this.#add(slot, bytes, start, end);
      }
      const from = starts[entry]!;
      if (starts[entry + 1]! - from === length && isSame(arena, from, bytes, start, length)) {
        this.#hits++;
        return entry;
      }
    }
    this.#hash.update(bytes, start, end);
    return -1;
  }

  #judge(): void {
    if (++this.#lookups < trialLookups) return;
    if (this.#hits * 8 < trialLookups && this.#entries >= trialLookups) this.#toSkip = skippedLookups;
    this.#lookups = 0;
    this.#hits = 0;
  }

  #add(slot: number, bytes: DataView, start: number, end: number): number {
    const entry = this.#entries;
    const from = this.#starts[entry]!;
    if (entry === entriesMax || from + end - start > arenaBytesMax) {
      this.#clear();
      return -1;
    }
    if (from + end - start > this.#arena.byteLength) this.#arena = doubled(this.#arena);
    for (let at = start; at < end; at++) this.#arena.setUint8(from + at - start, bytes.getUint8(at));
    this.#starts[entry + 1] = from + end - start;
    this.#write(this.#hashes, entry * this.#words);
    this.#slots[slot] = entry;
    this.#entries++;
    if (2 * this.#entries === this.#slots.length && this.#entries < entriesMax) this.#double();
    return entry;
  }

  #clear(): void {
    this.#slots.fill(-1);
    this.#entries = 0;
  }

  #double(): void {
    const entries = this.#slots.length;
    this.#hashes = grown(this.#hashes, new Int32Array(entries * this.#words));
    this.#starts = grown(this.#starts, new Int32Array(entries + 1));
    this.#slots = new Int32Array(2 * entries).fill(-1);
    const mask = this.#slots.length - 1;
    for (let entry = 0; entry < this.#entries; entry++) {
      const hashed = fingerprint(this.#arena, this.#starts[entry]!, this.#starts[entry + 1]!);
      // An entry that finds no place within the probes is lost, and its value hashed again.
      for (let probe = 0; probe < probesMax; probe++) {
        const slot = (hashed + probe) & mask;
        if (this.#slots[slot]! >= 0) continue;
        this.#slots[slot] = entry;
        break;
      }
    }
  }
}

/** FNV-1a, folded: where a value is looked for first, no more. */
function fingerprint(bytes: DataView, start: number, end: number): number {
  let hashed = end - start;
  let at = start;
  for (; at + 4 <= end; at += 4) hashed = Math.imul(hashed ^ bytes.getInt32(at, true), 0x9e3779b1) ^ (hashed >>> 15);
  for (; at < end; at++) hashed = Math.imul(hashed ^ bytes.getUint8(at), 0x01000193);
  return hashed ^ (hashed >>> 15);
}

function isSame(left: DataView, leftAt: number, right: DataView, rightAt: number, length: number): boolean {
  let at = 0;
  for (; at + 4 <= length; at += 4)
    if (left.getInt32(leftAt + at, true) !== right.getInt32(rightAt + at, true)) return false;
  for (; at < length; at++) if (left.getUint8(leftAt + at) !== right.getUint8(rightAt + at)) return false;
  return true;
}

function doubled(view: DataView): DataView {
  const larger = new Uint8Array(2 * view.byteLength);
  larger.set(new Uint8Array(view.buffer));
  return new DataView(larger.buffer);
}

function grown(from: Int32Array, to: Int32Array): Int32Array {
  to.set(from);
  return to;
}

/** The two digits of each byte, as they stand in memory: the first one in the lower half. */
const hexPairs = Uint16Array.from({ length: 256 }, (_, byte) => {
  const digits = byte.toString(16).padStart(2, '0');
  return digits.charCodeAt(0) | (digits.charCodeAt(1) << 8);
});

function writeHex(out: Int32Array, at: number, digest: Int32Array): void {
  for (let word = 0; word < digest.length; word++) {
    const value = digest[word]!;
    out[at + 2 * word] = hexPairs[value >>> 24]! | (hexPairs[(value >>> 16) & 0xff]! << 16);
    out[at + 2 * word + 1] = hexPairs[(value >>> 8) & 0xff]! | (hexPairs[value & 0xff]! << 16);
  }
}

/** A digest's words have their first byte highest, memory has it lowest. */
function writeBytes(out: Int32Array, at: number, digest: Int32Array): void {
  for (let word = 0; word < digest.length; word++) {
    const value = digest[word]!;
    out[at + word] = (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
  }
}
