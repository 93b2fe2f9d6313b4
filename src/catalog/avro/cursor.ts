import { ServiceError } from '../../core/errors.ts';

/**
 * Reads Avro's binary encoding (Avro 1.12 specification, "Binary Encoding"), never beyond the end: every read throws CORRUPT_FILE
 * where the bytes run out, and no length or count is believed before it was compared with what is left.
 */
export class AvroCursor {
  readonly bytes: Buffer;
  at = 0;
  /** The halves of the last {@link readLong}, two's complement; the hot paths take these and make no bigint. */
  low = 0;
  high = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  /** Moves past `count` bytes and gives where they begin. */
  skip(count: number): number {
    const start = this.at;
    if (count > this.bytes.length - start) throw endsEarly();
    this.at = start + count;
    return start;
  }

  /** A zigzag variable-length integer of 64 bits into {@link low} and {@link high}. */
  readLong(): void {
    const first = this.bytes[this.at];
    if (first === undefined || first >= 0x80) {
      this.#readLongOfManyBytes();
      return;
    }
    this.at++;
    const sign = -(first & 1);
    this.low = (first >>> 1) ^ sign;
    this.high = sign;
  }

  #readLongOfManyBytes(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.bytes[this.skip(1)]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte >= 0x80) continue;
      if (shift === 63 && bits > 1) break;
      const sign = -(low & 1);
      this.low = ((low >>> 1) | (high << 31)) ^ sign;
      this.high = (high >>> 1) ^ sign;
      return;
    }
    throw tooLong();
  }

  /** Moves past `count` variable-length integers. */
  skipLongs(count: number): void {
    const { bytes } = this;
    let at = this.at;
    for (; count > 0; count--) {
      for (let last = at + longBytesMax; ; ) {
        const byte = bytes[at];
        if (byte === undefined) throw endsEarly();
        at++;
        if (byte < 0x80) break;
        if (at === last) throw tooLong();
      }
    }
    this.at = at;
  }

  long(): bigint {
    this.readLong();
    return (BigInt(this.high) << 32n) | BigInt(this.low >>> 0);
  }

  int(): number {
    this.readLong();
    if (this.high !== this.low >> 31) {
      throw new ServiceError('CORRUPT_FILE', 'an Avro file holds an int of more than 32 bits');
    }
    return this.low;
  }

  /** A long that a double holds exactly. */
  safeLong(): number {
    // Most are lengths and ids of one byte or two; a small integer, unlike a double, is returned without being put on the heap.
    const first = this.bytes[this.at]!;
    if (first < 0x80) {
      this.at++;
      return (first >>> 1) ^ -(first & 1);
    }
    const second = this.bytes[this.at + 1]!;
    if (second < 0x80) {
      this.at += 2;
      const bits = (first & 0x7f) | (second << 7);
      return (bits >>> 1) ^ -(bits & 1);
    }
    this.readLong();
    if (this.high === this.low >> 31) return this.low;
    const value = this.high * 2 ** 32 + (this.low >>> 0);
    if (!Number.isSafeInteger(value)) throw new ServiceError('CORRUPT_FILE', 'an Avro file holds an impossible size');
    return value;
  }

  /** The start of a length-prefixed run of bytes, which ends where the cursor then stands. */
  lengthPrefixed(): number {
    const length = this.safeLong();
    if (length < 0) throw new ServiceError('CORRUPT_FILE', 'an Avro file holds a negative length');
    return this.skip(length);
  }

  boolean(): boolean {
    const byte = this.bytes[this.skip(1)]!;
    if (byte > 1) throw new ServiceError('CORRUPT_FILE', 'an Avro file holds a boolean that is neither 0 nor 1');
    return byte === 1;
  }

  float(): number {
    return this.bytes.readFloatLE(this.skip(4));
  }

  double(): number {
    return this.bytes.readDoubleLE(this.skip(8));
  }

  /** Items in the next block of an array or map, 0 at its end; `itemBytes` is the least that one item has. */
  blockCount(itemBytes: number): number {
    let count = this.safeLong();
    if (count < 0) {
      count = -count;
      if (this.safeLong() > this.left) throw endsEarly();
    }
    if (count * itemBytes > this.left) throw endsEarly();
    return count;
  }

  /** Index of a union's branch or an enum's symbol. */
  index(choices: number): number {
    const index = this.int();
    if (index < 0 || index >= choices) {
      throw new ServiceError('CORRUPT_FILE', 'an Avro file chooses a union branch or enum symbol that is not there');
    }
    return index;
  }
}

/** Of 64 bits, 7 to a byte. */
const longBytesMax = 10;

const tooLong = (): ServiceError =>
  new ServiceError('CORRUPT_FILE', 'an Avro file holds an integer of more than 64 bits');
const endsEarly = (): ServiceError => new ServiceError('CORRUPT_FILE', 'an Avro file ends inside a value');
