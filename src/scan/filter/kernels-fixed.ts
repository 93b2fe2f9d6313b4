import type { PrimitiveType } from '../../catalog/schema/types.ts';
import type { FixedColumn } from '../arrow/column.ts';
import type { BoundCondition } from './bound.ts';
import { opShapes, wrongColumn } from './kernel.ts';
import { evaluateFixedBytes } from './kernels-bytes.ts';

/** One byte a row, 0 or 1. */
type Result = Uint8Array;

/** What a condition says of each value of a fixed-width column that is stored as its type says. */
export function evaluateFixed(condition: BoundCondition, column: FixedColumn): Result {
  switch (column.type.kind) {
    case 'float':
      return evaluateFloats(condition, column.width === 4 ? view(column, Float32Array) : view(column, Float64Array));
    case 'fixed-size-binary':
      return evaluateFixedBytes(condition, column);
    default:
      if (column.width === 4) return evaluateInt32(condition, view(column, Int32Array));
      if (column.width === 8) return evaluateInt64(condition, view(column, Int32Array), column.length);
      return evaluateWide(condition, view(column, Int32Array), column.length, column.width >> 2);
  }
}

/** A typed view of the values, or a copy where they do not start at a multiple of the element's width. */
function view<Elements>(
  column: FixedColumn,
  Type: { new (buffer: ArrayBufferLike, offset: number, length: number): Elements; readonly BYTES_PER_ELEMENT: number },
): Elements {
  const bytes = column.length * column.width;
  const aligned =
    column.values.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? column.values : column.values.slice(0, bytes);
  return new Type(aligned.buffer, aligned.byteOffset, bytes / Type.BYTES_PER_ELEMENT);
}

function evaluateInt32(condition: BoundCondition, values: Int32Array): Result {
  const rows = values.length;
  const result = new Uint8Array(rows);
  if (condition.kind === 'in' || condition.kind === 'not-in') {
    const found = condition.kind === 'in' ? 1 : 0;
    const wanted = new Set(condition.literals);
    for (let row = 0; row < rows; row++) result[row] = wanted.has(values[row]!) ? found : 1 - found;
    return result;
  }
  if (condition.kind !== 'compare') throw wrongColumn(condition.field.type);
  const literal = condition.literal as number;
  const { test, opposite } = opShapes[condition.op];
  if (test === 'equal') for (let row = 0; row < rows; row++) result[row] = +(values[row]! === literal) ^ opposite;
  else if (test === 'less') for (let row = 0; row < rows; row++) result[row] = +(values[row]! < literal) ^ opposite;
  else for (let row = 0; row < rows; row++) result[row] = +(values[row]! > literal) ^ opposite;
  return result;
}

function evaluateFloats(condition: BoundCondition, values: Float32Array | Float64Array): Result {
  const rows = values.length;
  const result = new Uint8Array(rows);
  if (condition.kind === 'is-nan' || condition.kind === 'not-nan') {
    const opposite = condition.kind === 'is-nan' ? 0 : 1;
    for (let row = 0; row < rows; row++) result[row] = +Number.isNaN(values[row]!) ^ opposite;
    return result;
  }
  if (condition.kind === 'in' || condition.kind === 'not-in') {
    // A set's equality holds 0 and -0 equal; NaN is never among the literals.
    const opposite = condition.kind === 'in' ? 0 : 1;
    const wanted = new Set(condition.literals);
    for (let row = 0; row < rows; row++) result[row] = +wanted.has(values[row]!) ^ opposite;
  } else if (condition.kind === 'compare') {
    const literal = condition.literal as number;
    const { test, opposite } = opShapes[condition.op];
    if (test === 'equal') for (let row = 0; row < rows; row++) result[row] = +(values[row]! === literal) ^ opposite;
    else if (test === 'less') for (let row = 0; row < rows; row++) result[row] = +(values[row]! < literal) ^ opposite;
    else for (let row = 0; row < rows; row++) result[row] = +(values[row]! > literal) ^ opposite;
  } else throw wrongColumn(condition.field.type);
  const nan = +condition.nan;
  for (let row = 0; row < rows; row++) if (Number.isNaN(values[row]!)) result[row] = nan;
  return result;
}

/** Little-endian 64-bit integers as pairs of words: BigInt elements would cost an allocation a row. */
function evaluateInt64(condition: BoundCondition, words: Int32Array, rows: number): Result {
  const result = new Uint8Array(rows);
  if (condition.kind === 'in' || condition.kind === 'not-in') {
    searchWide(result, words, 2, condition.literals as readonly bigint[], condition.kind === 'in' ? 1 : 0);
    return result;
  }
  if (condition.kind !== 'compare') throw wrongColumn(condition.field.type);
  const literal = wordsOf(condition.literal as bigint, 2, condition.field.type);
  const [low, high] = [literal[0]!, literal[1]!];
  const lowUnsigned = low >>> 0;
  const { test, opposite } = opShapes[condition.op];
  if (test === 'equal') {
    for (let row = 0, at = 0; row < rows; row++, at += 2) {
      result[row] = +(words[at] === low && words[at + 1] === high) ^ opposite;
    }
  } else if (test === 'less') {
    for (let row = 0, at = 0; row < rows; row++, at += 2) {
      const top = words[at + 1]!;
      result[row] = +(top < high || (top === high && words[at]! >>> 0 < lowUnsigned)) ^ opposite;
    }
  } else {
    for (let row = 0, at = 0; row < rows; row++, at += 2) {
      const top = words[at + 1]!;
      result[row] = +(top > high || (top === high && words[at]! >>> 0 > lowUnsigned)) ^ opposite;
    }
  }
  return result;
}

/** Decimals of 128 or 256 bits, `count` words each. */
function evaluateWide(condition: BoundCondition, words: Int32Array, rows: number, count: number): Result {
  const result = new Uint8Array(rows);
  if (condition.kind === 'in' || condition.kind === 'not-in') {
    searchWide(result, words, count, condition.literals as readonly bigint[], condition.kind === 'in' ? 1 : 0);
    return result;
  }
  if (condition.kind !== 'compare') throw wrongColumn(condition.field.type);
  const literal = wordsOf(condition.literal as bigint, count, condition.field.type);
  const { test, opposite } = opShapes[condition.op];
  for (let row = 0, at = 0; row < rows; row++, at += count) {
    const order = compareWords(words, at, literal, 0, count);
    const holds = test === 'equal' ? order === 0 : test === 'less' ? order < 0 : order > 0;
    result[row] = +holds ^ opposite;
  }
  return result;
}

/** Two's-complement words, the least significant first. */
function wordsOf(value: bigint, count: number, type: PrimitiveType): Int32Array {
  if (BigInt.asIntN(32 * count, value) !== value) throw wrongColumn(type);
  const words = new Int32Array(count);
  for (let at = 0; at < count; at++) words[at] = Number(BigInt.asIntN(32, value >> BigInt(32 * at)));
  return words;
}

function compareWords(a: Int32Array, aAt: number, b: Int32Array, bAt: number, count: number): number {
  const top = a[aAt + count - 1]! - b[bAt + count - 1]!;
  if (top !== 0) return top;
  for (let word = count - 2; word >= 0; word--) {
    const difference = (a[aAt + word]! >>> 0) - (b[bAt + word]! >>> 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Binary search of each value among the sorted literals: its cost is bounded whatever the literals are, unlike a hash's. */
function searchWide(result: Result, words: Int32Array, count: number, literals: readonly bigint[], found: 0 | 1): void {
  const sorted = [...literals].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const table = new Int32Array(sorted.length * count);
  for (const [position, literal] of sorted.entries()) {
    for (let at = 0; at < count; at++)
      table[position * count + at] = Number(BigInt.asIntN(32, literal >> BigInt(32 * at)));
  }
  for (let row = 0; row < result.length; row++) {
    let low = 0;
    let high = sorted.length;
    let hit = false;
    while (low < high && !hit) {
      const middle = (low + high) >> 1;
      const order = compareWords(words, row * count, table, middle * count, count);
      if (order === 0) hit = true;
      else if (order < 0) high = middle;
      else low = middle + 1;
    }
    result[row] = hit ? found : 1 - found;
  }
}
