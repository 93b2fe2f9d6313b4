import { isUtf8 } from 'node:buffer';
import type { AvroCursor } from '../../catalog/avro/cursor.ts';
import type { AvroType } from '../../catalog/avro/schema.ts';
import { parseUuid } from '../../catalog/schema/literal-text.ts';
import { ServiceError } from '../../core/errors.ts';
import { type ArrowType, byteWidth, type Column } from '../arrow/column.ts';
import { type BatchBudget, GrowingBits, GrowingBytes } from './buffers.ts';
import type { AvroColumn } from './types.ts';

/** Collects the values of one column of one batch. */
export interface ColumnBuilder {
  /** Decodes the next value from the cursor. */
  read(cursor: AvroCursor): void;
  appendNull(): void;
  finish(): Column;
}

/** A builder of the column and of all below it; every byte that it takes is spent from `budget`. */
export function columnBuilder(column: AvroColumn, budget: BatchBudget): ColumnBuilder {
  const values = valuesBuilder(column, budget);
  return column.branches === 0 ? values : new UnionBuilder(values, column);
}

function valuesBuilder({ field: { type }, avro, children }: AvroColumn, budget: BatchBudget): ColumnBuilder {
  switch (avro.kind) {
    case 'null':
      return new NullBuilder(budget);
    case 'boolean':
      return new BoolBuilder(type, budget);
    case 'array':
      return new ListBuilder(type, columnBuilder(children[0]!, budget), avro.items.minBytes, budget);
    case 'map':
      return new ListBuilder(
        type,
        new StructBuilder(entryType(type), children, budget),
        avro.values.minBytes + 1,
        budget,
      );
    case 'record':
      return new StructBuilder(type, children, budget);
    default:
      return type.kind === 'utf8' || type.kind === 'binary'
        ? new BytesBuilder(type, bytesReader(avro), budget)
        : new FixedBuilder(type, fixedReader(avro, type), budget);
  }
}

const entryType = (type: ArrowType): ArrowType =>
  type.kind === 'map' ? { kind: 'struct', fields: [type.key, type.value] } : type;

/** A union of at most null and one type: the branch's index stands before each value. */
class UnionBuilder implements ColumnBuilder {
  readonly #values: ColumnBuilder;
  readonly #branches: number;
  readonly #nullBranch: number;

  constructor(values: ColumnBuilder, { branches, nullBranch }: AvroColumn) {
    this.#values = values;
    this.#branches = branches;
    this.#nullBranch = nullBranch;
  }

  read(cursor: AvroCursor): void {
    if (cursor.index(this.#branches) === this.#nullBranch) this.#values.appendNull();
    else this.#values.read(cursor);
  }

  appendNull(): void {
    this.#values.appendNull();
  }

  finish(): Column {
    return this.#values.finish();
  }
}

class NullBuilder implements ColumnBuilder {
  readonly #budget: BatchBudget;
  #length = 0;

  constructor(budget: BatchBudget) {
    this.#budget = budget;
  }

  read(): void {
    this.appendNull();
  }

  appendNull(): void {
    this.#budget.charge(1);
    this.#length++;
  }

  finish(): Column {
    return { kind: 'null', type: { kind: 'null' }, length: this.#length, nullCount: this.#length, validity: null };
  }
}

class BoolBuilder implements ColumnBuilder {
  readonly #type: ArrowType;
  readonly #valid: GrowingBits;
  readonly #values: GrowingBits;

  constructor(type: ArrowType, budget: BatchBudget) {
    this.#type = type;
    this.#valid = new GrowingBits(budget);
    this.#values = new GrowingBits(budget);
  }

  read(cursor: AvroCursor): void {
    this.#values.push(cursor.boolean());
    this.#valid.push(true);
  }

  appendNull(): void {
    this.#values.push(false);
    this.#valid.push(false);
  }

  finish(): Column {
    return { kind: 'bool', type: this.#type, ...validityOf(this.#valid), values: this.#values.finish() };
  }
}

type FixedReader = (cursor: AvroCursor, to: Buffer, at: number) => void;

class FixedBuilder implements ColumnBuilder {
  readonly #type: ArrowType;
  readonly #width: number;
  readonly #read: FixedReader;
  readonly #valid: GrowingBits;
  readonly #values: GrowingBytes;

  constructor(type: ArrowType, read: FixedReader, budget: BatchBudget) {
    this.#type = type;
    this.#width = byteWidth(type);
    this.#read = read;
    this.#valid = new GrowingBits(budget);
    this.#values = new GrowingBytes(budget);
  }

  read(cursor: AvroCursor): void {
    const at = this.#values.reserve(this.#width);
    this.#read(cursor, this.#values.bytes, at);
    this.#valid.push(true);
  }

  appendNull(): void {
    this.#values.reserve(this.#width);
    this.#valid.push(false);
  }

  finish(): Column {
    const [width, values] = [this.#width, this.#values.finish()];
    return { kind: 'fixed', type: this.#type, ...validityOf(this.#valid), width, values };
  }
}

function fixedReader(avro: AvroType, type: ArrowType): FixedReader {
  if (type.kind === 'decimal') {
    const start = avro.kind === 'fixed' ? fixedStart(avro.size) : (cursor: AvroCursor) => cursor.lengthPrefixed();
    return (cursor, to, at) => copyDecimal(cursor.bytes.subarray(start(cursor), cursor.at), to, at, type.bits / 8);
  }
  switch (avro.kind) {
    case 'int':
      return (cursor, to, at) => to.writeInt32LE(cursor.int(), at);
    case 'long':
      return (cursor, to, at) => {
        cursor.readLong();
        to.writeInt32LE(cursor.low, at);
        to.writeInt32LE(cursor.high, at + 4);
      };
    case 'float':
      return copyBytes(4);
    case 'double':
      return copyBytes(8);
    case 'fixed':
      return copyBytes(avro.size);
    case 'string':
      return readUuid;
    default:
      throw new TypeError(`${avro.kind} is not of fixed width`);
  }
}

const fixedStart =
  (size: number) =>
  (cursor: AvroCursor): number =>
    cursor.skip(size);

const copyBytes =
  (width: number): FixedReader =>
  (cursor, to, at) => {
    const start = cursor.skip(width);
    cursor.bytes.copy(to, at, start, start + width);
  };

/** Big-endian two's complement of any length into little-endian of `width` bytes. */
function copyDecimal(from: Buffer, to: Buffer, at: number, width: number): void {
  const sign = from.length > 0 && from[0]! >= 0x80 ? 0xff : 0;
  const extra = Math.max(0, from.length - width);
  const fits =
    from.subarray(0, extra).every((byte) => byte === sign) && (extra === 0 || from[extra]! >> 7 === sign >> 7);
  if (from.length === 0 || !fits)
    throw new ServiceError('CORRUPT_FILE', 'an Avro file holds a decimal beyond its precision');
  for (let byte = 0; byte < width; byte++) to[at + byte] = from[from.length - 1 - byte] ?? sign;
}

const readUuid: FixedReader = (cursor, to, at) => {
  const text = cursor.bytes.toString('latin1', cursor.lengthPrefixed(), cursor.at);
  try {
    to.set(parseUuid(text), at);
  } catch (cause) {
    throw new ServiceError('CORRUPT_FILE', 'an Avro file holds a uuid that is none', { cause });
  }
};

/** Gives the bytes of the next value. */
type BytesReader = (cursor: AvroCursor) => Uint8Array;

class BytesBuilder implements ColumnBuilder {
  readonly #type: ArrowType;
  readonly #read: BytesReader;
  readonly #valid: GrowingBits;
  readonly #offsets: Offsets;
  readonly #values: GrowingBytes;

  constructor(type: ArrowType, read: BytesReader, budget: BatchBudget) {
    this.#type = type;
    this.#read = read;
    this.#valid = new GrowingBits(budget);
    this.#offsets = new Offsets(budget);
    this.#values = new GrowingBytes(budget);
  }

  read(cursor: AvroCursor): void {
    const value = this.#read(cursor);
    const at = this.#values.reserve(value.length);
    this.#values.bytes.set(value, at);
    this.#offsets.push(this.#values.length);
    this.#valid.push(true);
  }

  appendNull(): void {
    this.#offsets.push(this.#values.length);
    this.#valid.push(false);
  }

  finish(): Column {
    const [offsets, values] = [this.#offsets.finish(), this.#values.finish()];
    return { kind: 'bytes', type: this.#type, ...validityOf(this.#valid), offsets, values };
  }
}

function bytesReader(avro: AvroType): BytesReader {
  if (avro.kind === 'enum') {
    const symbols = avro.symbols.map((symbol) => Buffer.from(symbol));
    return (cursor) => symbols[cursor.index(symbols.length)]!;
  }
  const checked = avro.kind === 'string';
  return (cursor) => {
    const value = cursor.bytes.subarray(cursor.lengthPrefixed(), cursor.at);
    if (checked && !isUtf8(value))
      throw new ServiceError('CORRUPT_FILE', 'an Avro file holds a string that is not UTF-8');
    return value;
  };
}

/** Lists and maps; the items of one value come in blocks. */
class ListBuilder implements ColumnBuilder {
  readonly #type: ArrowType;
  readonly #items: ColumnBuilder;
  readonly #itemBytes: number;
  readonly #budget: BatchBudget;
  readonly #valid: GrowingBits;
  readonly #offsets: Offsets;
  #count = 0;

  constructor(type: ArrowType, items: ColumnBuilder, itemBytes: number, budget: BatchBudget) {
    this.#type = type;
    this.#items = items;
    this.#itemBytes = itemBytes;
    this.#budget = budget;
    this.#valid = new GrowingBits(budget);
    this.#offsets = new Offsets(budget);
  }

  read(cursor: AvroCursor): void {
    for (let count = cursor.blockCount(this.#itemBytes); count > 0; count = cursor.blockCount(this.#itemBytes)) {
      // Items of no bytes are bounded by nothing else.
      this.#budget.charge(count);
      for (let item = 0; item < count; item++) this.#items.read(cursor);
      this.#count += count;
    }
    this.#offsets.push(this.#count);
    this.#valid.push(true);
  }

  appendNull(): void {
    this.#offsets.push(this.#count);
    this.#valid.push(false);
  }

  finish(): Column {
    const [offsets, child] = [this.#offsets.finish(), this.#items.finish()];
    return { kind: 'list', type: this.#type, ...validityOf(this.#valid), offsets, child };
  }
}

class StructBuilder implements ColumnBuilder {
  readonly #type: ArrowType;
  readonly #children: readonly ColumnBuilder[];
  readonly #valid: GrowingBits;

  constructor(type: ArrowType, children: readonly AvroColumn[], budget: BatchBudget) {
    this.#type = type;
    this.#children = children.map((child) => columnBuilder(child, budget));
    this.#valid = new GrowingBits(budget);
  }

  read(cursor: AvroCursor): void {
    for (const child of this.#children) child.read(cursor);
    this.#valid.push(true);
  }

  appendNull(): void {
    for (const child of this.#children) child.appendNull();
    this.#valid.push(false);
  }

  finish(): Column {
    const children = this.#children.map((child) => child.finish());
    return { kind: 'struct', type: this.#type, ...validityOf(this.#valid), children };
  }
}

/** Ends of values, in front of them the 0 where the first begins. A batch's budget keeps them within 32 bits. */
class Offsets {
  readonly #bytes: GrowingBytes;

  constructor(budget: BatchBudget) {
    this.#bytes = new GrowingBytes(budget);
    this.#bytes.reserve(4);
  }

  push(end: number): void {
    const at = this.#bytes.reserve(4);
    this.#bytes.bytes.writeInt32LE(end, at);
  }

  finish(): Int32Array {
    const bytes = this.#bytes.finish();
    return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  }
}

function validityOf(valid: GrowingBits): Pick<Column, 'length' | 'nullCount' | 'validity'> {
  return { length: valid.length, nullCount: valid.zeros, validity: valid.zeros === 0 ? null : valid.finish() };
}
