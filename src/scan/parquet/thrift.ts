import { ServiceError } from '../../core/errors.ts';

/** The compact protocol's type numbers (Thrift, "Compact Protocol", struct encoding). */
export const thriftType = {
  stop: 0,
  true: 1,
  false: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  map: 11,
  struct: 12,
} as const;

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

/**
 * Reads the compact protocol over bytes that nobody has vouched for: nothing is allocated by a declared length, every length is
 * checked against the bytes that remain, nesting is bounded. All failures are CORRUPT_FILE and name `what`.
 *
 * A struct's reader is called once per field and must consume it, by one of the typed methods or by `skip`.
 */
export class ThriftReader {
  readonly bytes: Uint8Array;
  at: number;
  readonly #end: number;
  readonly #what: string;
  readonly #depthMax: number;
  #depth = 0;

  constructor(bytes: Uint8Array, what: string, depthMax: number, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.#end = end;
    this.#what = what;
    this.#depthMax = depthMax;
  }

  fail(problem: string): never {
    throw new ServiceError('CORRUPT_FILE', `${this.#what} is damaged: ${problem}`);
  }

  #byte(): number {
    if (this.at >= this.#end) this.fail('it ends in the middle of a value');
    return this.bytes[this.at++]!;
  }

  /** An unsigned varint that must be exact as a double; signed numbers stand doubled in it and reach to 2^52. */
  #varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) this.fail('a number lies beyond 2^52');
        return value;
      }
      scale *= 128;
    }
    return this.fail('a number has more than 10 bytes');
  }

  #zigzag(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  struct(field: (id: number, type: number) => void): void {
    if (++this.#depth > this.#depthMax) this.fail(`it nests deeper than ${this.#depthMax} levels`);
    let id = 0;
    for (;;) {
      const head = this.#byte();
      if (head === thriftType.stop) break;
      const delta = head >> 4;
      id = delta === 0 ? this.#zigzag() : id + delta;
      field(id, head & 0x0f);
    }
    this.#depth--;
  }

  #expect(type: number, wanted: number): void {
    if (type !== wanted) this.fail(`a field has Thrift type ${type} where ${wanted} belongs`);
  }

  structField(type: number, field: (id: number, type: number) => void): void {
    this.#expect(type, thriftType.struct);
    this.struct(field);
  }

  bool(type: number): boolean {
    if (type !== thriftType.true && type !== thriftType.false) this.fail(`a field has Thrift type ${type}, not bool`);
    return type === thriftType.true;
  }

  byte(type: number): number {
    this.#expect(type, thriftType.byte);
    return (this.#byte() << 24) >> 24;
  }

  i32(type: number): number {
    this.#expect(type, thriftType.i32);
    const value = this.#zigzag();
    if (value !== (value | 0)) this.fail('a 32-bit number is out of range');
    return value;
  }

  i64(type: number): number {
    this.#expect(type, thriftType.i64);
    return this.#zigzag();
  }

  /** A view of the bytes, not a copy. */
  binary(type: number): Uint8Array {
    this.#expect(type, thriftType.binary);
    const length = this.#varint();
    if (length > this.#end - this.at) this.fail(`a value of ${length} bytes runs past its end`);
    const value = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return value;
  }

  string(type: number): string {
    const value = this.binary(type);
    try {
      return decoder.decode(value);
    } catch (cause) {
      throw new ServiceError('CORRUPT_FILE', `${this.#what} is damaged: a text is not UTF-8`, { cause });
    }
  }

  /** Calls `element` once per element with the element type; returns the count, which never exceeds `countMax`. */
  list(type: number, countMax: number, element: (type: number, index: number) => void): number {
    this.#expect(type, thriftType.list);
    const head = this.#byte();
    const count = head >> 4 === 15 ? this.#varint() : head >> 4;
    // Every element takes at least one byte, so a longer list cannot be whole.
    if (count > this.#end - this.at) this.fail(`a list of ${count} elements runs past its end`);
    if (count > countMax) {
      throw new ServiceError(
        'LIMIT_EXCEEDED',
        `${this.#what} has a list of ${count} elements; at most ${countMax} are read`,
      );
    }
    if (++this.#depth > this.#depthMax) this.fail(`it nests deeper than ${this.#depthMax} levels`);
    for (let index = 0; index < count; index++) element(head & 0x0f, index);
    this.#depth--;
    return count;
  }

  /** A bool inside a list takes a byte of its own; writers differ on whether false is 0 or 2. */
  listBool(type: number): boolean {
    if (type !== thriftType.true && type !== thriftType.false) this.fail(`a list holds Thrift type ${type}, not bool`);
    return this.#byte() === 1;
  }

  /** Passes over a field of a struct. */
  skip(type: number): void {
    if (type !== thriftType.true && type !== thriftType.false) this.#skipValue(type);
  }

  #skipValue(type: number): void {
    switch (type) {
      case thriftType.true:
      case thriftType.false:
      case thriftType.byte:
        this.#byte();
        return;
      case thriftType.i16:
      case thriftType.i32:
      case thriftType.i64:
        this.#skipVarint();
        return;
      case thriftType.double:
        this.#advance(8);
        return;
      case thriftType.binary:
        this.#advance(this.#varint());
        return;
      case thriftType.list:
      case thriftType.set:
        this.list(thriftType.list, Number.MAX_SAFE_INTEGER, (element) => this.#skipValue(element));
        return;
      case thriftType.map:
        this.#skipMap();
        return;
      case thriftType.struct:
        this.struct((_, field) => this.skip(field));
        return;
      default:
        this.fail(`a field has the unknown Thrift type ${type}`);
    }
  }

  #skipVarint(): void {
    for (let count = 0; count < 10; count++) if (this.#byte() < 0x80) return;
    this.fail('a number has more than 10 bytes');
  }

  #advance(length: number): void {
    if (length > this.#end - this.at) this.fail(`a value of ${length} bytes runs past its end`);
    this.at += length;
  }

  #skipMap(): void {
    const count = this.#varint();
    if (count === 0) return;
    if (count > this.#end - this.at) this.fail(`a map of ${count} entries runs past its end`);
    if (++this.#depth > this.#depthMax) this.fail(`it nests deeper than ${this.#depthMax} levels`);
    const types = this.#byte();
    for (let index = 0; index < count; index++) {
      this.#skipValue(types >> 4);
      this.#skipValue(types & 0x0f);
    }
    this.#depth--;
  }
}

/** Writes the compact protocol. Fields of a struct must come in ascending order of their ids; null values are left out. */
export class ThriftWriter {
  #bytes = new Uint8Array(256);
  #length = 0;
  #lastIds: number[] = [];

  /** The bytes written so far: a copy that the caller owns. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#byte((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    this.#byte(rest);
  }

  #zigzag(value: number): void {
    this.#varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  #head(id: number, type: number): void {
    const delta = id - this.#lastIds[this.#lastIds.length - 1]!;
    if (delta > 0 && delta < 16) this.#byte((delta << 4) | type);
    else {
      this.#byte(type);
      this.#zigzag(id);
    }
    this.#lastIds[this.#lastIds.length - 1] = id;
  }

  struct(body: () => void): void {
    this.#lastIds.push(0);
    body();
    this.#lastIds.pop();
    this.#byte(thriftType.stop);
  }

  structField(id: number, body: () => void): void {
    this.#head(id, thriftType.struct);
    this.struct(body);
  }

  bool(id: number, value: boolean | null): void {
    if (value !== null) this.#head(id, value ? thriftType.true : thriftType.false);
  }

  byte(id: number, value: number | null): void {
    if (value === null) return;
    this.#head(id, thriftType.byte);
    this.#byte(value & 0xff);
  }

  i16(id: number, value: number | null): void {
    this.#number(id, thriftType.i16, value);
  }

  i32(id: number, value: number | null): void {
    this.#number(id, thriftType.i32, value);
  }

  i64(id: number, value: number | null): void {
    this.#number(id, thriftType.i64, value);
  }

  #number(id: number, type: number, value: number | null): void {
    if (value === null) return;
    this.#head(id, type);
    this.#zigzag(value);
  }

  binary(id: number, value: Uint8Array | string | null): void {
    if (value === null) return;
    this.#head(id, thriftType.binary);
    this.#binaryBody(typeof value === 'string' ? encoder.encode(value) : value);
  }

  #binaryBody(value: Uint8Array): void {
    this.#varint(value.length);
    this.raw(value);
  }

  #listHead(id: number, type: number, count: number): void {
    this.#head(id, thriftType.list);
    if (count < 15) this.#byte((count << 4) | type);
    else {
      this.#byte(0xf0 | type);
      this.#varint(count);
    }
  }

  structs<Item>(id: number, items: readonly Item[], body: (item: Item, index: number) => void): void {
    this.#listHead(id, thriftType.struct, items.length);
    for (const [index, item] of items.entries()) this.struct(() => body(item, index));
  }

  i32s(id: number, values: readonly number[]): void {
    this.#listHead(id, thriftType.i32, values.length);
    for (const value of values) this.#zigzag(value);
  }

  i64s(id: number, values: readonly number[]): void {
    this.#listHead(id, thriftType.i64, values.length);
    for (const value of values) this.#zigzag(value);
  }

  strings(id: number, values: readonly string[]): void {
    this.binaries(
      id,
      values.map((value) => encoder.encode(value)),
    );
  }

  binaries(id: number, values: readonly Uint8Array[]): void {
    this.#listHead(id, thriftType.binary, values.length);
    for (const value of values) this.#binaryBody(value);
  }

  bools(id: number, values: readonly boolean[]): void {
    this.#listHead(id, thriftType.true, values.length);
    for (const value of values) this.#byte(value ? thriftType.true : thriftType.false);
  }

  /** A field whose body is already encoded, as it stood in another struct. */
  copy(id: number, type: number, body: Uint8Array): void {
    this.#head(id, type);
    this.raw(body);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }
}
