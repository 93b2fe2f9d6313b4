import { hash } from 'node:crypto';
import { blockBytes, blockWords, compress, newState, stateWords } from './sha256.ts';

export const digestBytes = 32;

const innerPad = 0x36;
const outerPad = 0x5c;
/** Where the length of the message stands in the last block, in bits. */
const lengthBytes = 8;

/**
 * HMAC-SHA-256 (RFC 2104) of many short values under one key: the key's two blocks are compressed once, so that a value of up to 55
 * bytes costs two compressions.
 */
export class KeyedHash {
  /** The last digest, as words whose first byte is the highest. */
  readonly digest = new Int32Array(stateWords);
  readonly #inner: Int32Array;
  readonly #outer: Int32Array;
  readonly #block = new Int32Array(blockWords);

  constructor(key: Uint8Array) {
    const padded = new Uint8Array(blockBytes);
    padded.set(key.length > blockBytes ? hash('sha256', key, 'buffer') : key);
    this.#inner = this.#keyed(padded, innerPad);
    this.#outer = this.#keyed(padded, outerPad);
  }

  /** Hashes bytes [start, end) into `digest`. */
  update(bytes: DataView, start: number, end: number): void {
    const { digest } = this;
    digest.set(this.#inner);
    let at = start;
    for (; end - at >= blockBytes; at += blockBytes) {
      this.#load(bytes, at, at + blockBytes);
      compress(digest, this.#block);
    }
    this.#load(bytes, at, end);
    this.#end(digest, end - at, blockBytes + end - start);
    this.#block.fill(0);
    this.#block.set(digest);
    digest.set(this.#outer);
    this.#end(digest, digestBytes, blockBytes + digestBytes);
  }

  #keyed(key: Uint8Array, pad: number): Int32Array {
    const state = newState();
    this.#load(new DataView(key.map((byte) => byte ^ pad).buffer), 0, blockBytes);
    compress(state, this.#block);
    return state;
  }

  #load(bytes: DataView, start: number, end: number): void {
    const block = this.#block;
    block.fill(0);
    const count = end - start;
    const whole = count & ~3;
    for (let at = 0; at < whole; at += 4) block[at >> 2] = bytes.getInt32(start + at);
    for (let at = whole; at < count; at++) block[at >> 2]! |= bytes.getUint8(start + at) << (24 - ((at & 3) << 3));
  }

  /** The end mark and the length behind the `rest` bytes that the block holds, in a block of their own where they do not fit. */
  #end(state: Int32Array, rest: number, messageBytes: number): void {
    const block = this.#block;
    block[rest >> 2]! |= 0x80 << (24 - ((rest & 3) << 3));
    if (rest + 1 + lengthBytes > blockBytes) {
      compress(state, block);
      block.fill(0);
    }
    block[blockWords - 2] = Math.floor(messageBytes / 2 ** 29);
    block[blockWords - 1] = messageBytes << 3;
    compress(state, block);
  }
}
