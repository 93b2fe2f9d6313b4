import { parseDate, parseDecimal, parseTime, parseTimestamp, parseUuid } from '../../catalog/schema/literal-text.ts';
import { formatPrimitiveType } from '../../catalog/schema/type-text.ts';
import type { PrimitiveType } from '../../catalog/schema/types.ts';
import { isServiceError, ServiceError } from '../../core/errors.ts';
import type { Column, FixedColumn } from '../../scan/arrow/column.ts';
import { arrowTypeOf } from '../../scan/arrow/iceberg.ts';
import { isWhole, parseNumber } from './infer.ts';

/** A text that is no value of its column's type; the message says what it is not. */
export class BadValue extends Error {
  /** From 0, within the batch. */
  readonly row: number;

  constructor(row: number, message: string) {
    super(message);
    this.row = row;
  }
}

/** Texts as an Arrow column of the type; empty ones are null. Throws {@link BadValue}. */
export function columnOfTexts(texts: readonly string[], type: PrimitiveType): Column {
  switch (type.kind) {
    case 'string':
      return stringColumn(texts);
    case 'boolean':
      return booleanColumn(texts);
    default: {
      const write = valueWriter(type);
      return fixedColumn(texts, type, write);
    }
  }
}

/** Throws SCHEMA_MISMATCH for a type that no text of a CSV file stands for. */
export function requireReadable(type: PrimitiveType, column: string): void {
  if (['binary', 'fixed', 'unknown'].includes(type.kind)) {
    throw new ServiceError(
      'SCHEMA_MISMATCH',
      `column ${column}: CSV cannot fill a column of type ${formatPrimitiveType(type)}`,
    );
  }
}

interface Validity {
  readonly validity: Uint8Array | null;
  readonly nullCount: number;
}

function validityOf(texts: readonly string[]): Validity {
  const validity = new Uint8Array((texts.length + 7) >> 3);
  let nullCount = 0;
  for (let row = 0; row < texts.length; row++) {
    if (texts[row] === '') nullCount++;
    else validity[row >> 3]! |= 1 << (row & 7);
  }
  return { validity: nullCount === 0 ? null : validity, nullCount };
}

function stringColumn(texts: readonly string[]): Column {
  const offsets = new Int32Array(texts.length + 1);
  for (let row = 0; row < texts.length; row++) offsets[row + 1] = offsets[row]! + Buffer.byteLength(texts[row]!);
  const values = Buffer.allocUnsafeSlow(offsets[texts.length]!);
  for (let row = 0; row < texts.length; row++) values.write(texts[row]!, offsets[row]!);
  return { kind: 'bytes', type: { kind: 'utf8' }, length: texts.length, ...validityOf(texts), offsets, values };
}

function booleanColumn(texts: readonly string[]): Column {
  const values = new Uint8Array((texts.length + 7) >> 3);
  for (let row = 0; row < texts.length; row++) {
    const text = texts[row]!;
    if (text === '' || /^(?:false|f|0)$/i.test(text)) continue;
    if (!/^(?:true|t|1)$/i.test(text)) throw notA(row, text, 'boolean');
    values[row >> 3]! |= 1 << (row & 7);
  }
  return { kind: 'bool', type: { kind: 'bool' }, length: texts.length, ...validityOf(texts), values };
}

type WriteValue = (text: string, view: DataView, at: number, row: number) => void;

function fixedColumn(texts: readonly string[], type: PrimitiveType, write: WriteValue): FixedColumn {
  const width = widthOf(type);
  const values = new Uint8Array(texts.length * width);
  const view = new DataView(values.buffer);
  for (let row = 0; row < texts.length; row++) {
    const text = texts[row]!;
    if (text === '') continue;
    try {
      write(text, view, row * width, row);
    } catch (error) {
      if (!isServiceError(error)) throw error;
      throw new BadValue(row, error.message);
    }
  }
  return { kind: 'fixed', type: arrowTypeOf(type), length: texts.length, ...validityOf(texts), width, values };
}

function widthOf(type: PrimitiveType): number {
  if (type.kind === 'decimal' || type.kind === 'uuid') return 16;
  return type.kind === 'int' || type.kind === 'float' || type.kind === 'date' ? 4 : 8;
}

const twoTo32 = 2 ** 32;

/** A whole number of 64 bits as two of 32, because a BigInt for each value of a column is dear. */
function writeWhole(text: string, view: DataView, at: number, row: number): void {
  if (!/^[+-]?\d+$/.test(text)) throw notA(row, text, 'long');
  const value = Number(text);
  if (Number.isSafeInteger(value)) {
    view.setInt32(at, value | 0, true);
    view.setInt32(at + 4, Math.floor(value / twoTo32), true);
    return;
  }
  const digits = text.replace(/^([+-]?)0+(?=\d)/, '$1').replace(/^\+/, '');
  if (!isWhole(digits)) throw notA(row, text, 'long');
  view.setBigInt64(at, BigInt(digits), true);
}

const mask64 = (1n << 64n) - 1n;

function valueWriter(type: PrimitiveType): WriteValue {
  switch (type.kind) {
    case 'long':
      return writeWhole;
    case 'int':
      return (text, view, at, row) => {
        const value = /^[+-]?\d{1,20}$/.test(text) ? Number(text) : Number.NaN;
        if ((value | 0) !== value) throw notA(row, text, 'int');
        view.setInt32(at, value, true);
      };
    case 'float':
    case 'double':
      return (text, view, at, row) => {
        const value = parseNumber(text);
        if (value === null) throw notA(row, text, type.kind);
        if (type.kind === 'float') view.setFloat32(at, value, true);
        else view.setFloat64(at, value, true);
      };
    case 'date':
      return (text, view, at) => view.setInt32(at, parseDate(text), true);
    case 'time':
      return (text, view, at) => view.setBigInt64(at, parseTime(text), true);
    case 'timestamp':
    case 'timestamptz':
      return (text, view, at) => view.setBigInt64(at, parseTimestamp(text, 'us', type.kind === 'timestamptz'), true);
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return (text, view, at) => view.setBigInt64(at, parseTimestamp(text, 'ns', type.kind === 'timestamptz_ns'), true);
    case 'decimal':
      return (text, view, at) => {
        const unscaled = parseDecimal(text, type.scale, type.precision);
        view.setBigUint64(at, unscaled & mask64, true);
        view.setBigInt64(at + 8, unscaled >> 64n, true);
      };
    case 'uuid':
      return (text, view, at) => new Uint8Array(view.buffer, at, 16).set(parseUuid(text));
    default:
      throw new ServiceError('SCHEMA_MISMATCH', `CSV cannot fill a column of type ${formatPrimitiveType(type)}`);
  }
}

const shownCharsMax = 60;

const notA = (row: number, text: string, type: string): BadValue =>
  new BadValue(row, `${JSON.stringify(text.slice(0, shownCharsMax))} is not a ${type}`);
