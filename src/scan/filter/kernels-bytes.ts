import type { Value } from '../../catalog/schema/types.ts';
import { compareBytes } from '../../catalog/schema/value-order.ts';
import type { BoolColumn, BytesColumn, FixedColumn } from '../arrow/column.ts';
import type { BoundCondition } from './bound.ts';
import { opShapes, wrongColumn } from './kernel.ts';

/** Values one after another: value `row` is `bytes` from offsets[row] to offsets[row + 1]. */
interface Ranges {
  readonly bytes: Uint8Array;
  readonly offsets: Int32Array;
  readonly rows: number;
}

const encoder = new TextEncoder();

/** What a condition says of each value of a utf8 or binary column; strings compare as their UTF-8 bytes. */
export function evaluateBytes(condition: BoundCondition, column: BytesColumn): Uint8Array {
  return evaluateRanges(condition, { bytes: column.values, offsets: column.offsets, rows: column.length });
}

/** The same for a column of fixed-size binary values (uuid, fixed). */
export function evaluateFixedBytes(condition: BoundCondition, column: FixedColumn): Uint8Array {
  const offsets = new Int32Array(column.length + 1);
  for (let row = 1; row <= column.length; row++) offsets[row] = row * column.width;
  return evaluateRanges(condition, { bytes: column.values, offsets, rows: column.length });
}

/** There are two values only: what the condition says of each is found once. */
export function evaluateBool(condition: BoundCondition, column: BoolColumn): Uint8Array {
  const [onFalse, onTrue] = [boolOutcome(condition, false), boolOutcome(condition, true)];
  const result = new Uint8Array(column.length);
  for (let row = 0; row < column.length; row++) {
    result[row] = ((column.values[row >> 3]! >> (row & 7)) & 1) === 1 ? onTrue : onFalse;
  }
  return result;
}

function boolOutcome(condition: BoundCondition, value: boolean): 0 | 1 {
  switch (condition.kind) {
    case 'in':
    case 'not-in':
      return condition.literals.includes(value) === (condition.kind === 'in') ? 1 : 0;
    case 'compare': {
      const order = Number(value) - Number(condition.literal);
      const { test, opposite } = opShapes[condition.op];
      const holds = test === 'equal' ? order === 0 : test === 'less' ? order < 0 : order > 0;
      return holds === (opposite === 0) ? 1 : 0;
    }
    default:
      throw wrongColumn(condition.field.type);
  }
}

function evaluateRanges(condition: BoundCondition, ranges: Ranges): Uint8Array {
  const result = new Uint8Array(ranges.rows);
  switch (condition.kind) {
    case 'in':
    case 'not-in':
      searchRanges(result, ranges, condition.literals.map(bytesOf), condition.kind === 'in' ? 1 : 0);
      return result;
    case 'starts-with':
    case 'not-starts-with':
      matchPrefix(result, ranges, encoder.encode(condition.prefix), condition.kind === 'starts-with' ? 0 : 1);
      return result;
    case 'compare': {
      const literal = bytesOf(condition.literal);
      const { test, opposite } = opShapes[condition.op];
      if (test === 'equal') matchEqual(result, ranges, literal, opposite);
      else matchOrder(result, ranges, literal, test === 'less' ? -1 : 1, opposite);
      return result;
    }
    default:
      throw wrongColumn(condition.field.type);
  }
}

const bytesOf = (literal: Value): Uint8Array =>
  literal instanceof Uint8Array ? literal : encoder.encode(String(literal));

function matchEqual(result: Uint8Array, { bytes, offsets, rows }: Ranges, literal: Uint8Array, opposite: 0 | 1): void {
  const { length } = literal;
  for (let row = 0; row < rows; row++) {
    const start = offsets[row]!;
    let same = offsets[row + 1]! - start === length;
    for (let at = 0; same && at < length; at++) same = bytes[start + at] === literal[at];
    result[row] = +same ^ opposite;
  }
}

function matchPrefix(result: Uint8Array, { bytes, offsets, rows }: Ranges, prefix: Uint8Array, opposite: 0 | 1): void {
  const { length } = prefix;
  for (let row = 0; row < rows; row++) {
    const start = offsets[row]!;
    let same = offsets[row + 1]! - start >= length;
    for (let at = 0; same && at < length; at++) same = bytes[start + at] === prefix[at];
    result[row] = +same ^ opposite;
  }
}

/** Rows that sort before (`side` -1) or after (1) the literal. */
function matchOrder(result: Uint8Array, ranges: Ranges, literal: Uint8Array, side: -1 | 1, opposite: 0 | 1): void {
  for (let row = 0; row < ranges.rows; row++) {
    result[row] = +(compareRange(ranges, row, literal) * side > 0) ^ opposite;
  }
}

function compareRange({ bytes, offsets }: Ranges, row: number, literal: Uint8Array): number {
  const start = offsets[row]!;
  const length = offsets[row + 1]! - start;
  const shared = Math.min(length, literal.length);
  for (let at = 0; at < shared; at++) {
    const difference = bytes[start + at]! - literal[at]!;
    if (difference !== 0) return difference;
  }
  return length - literal.length;
}

/** Binary search among the sorted literals: its cost is bounded whatever the literals are, unlike a hash's. */
function searchRanges(result: Uint8Array, ranges: Ranges, literals: readonly Uint8Array[], found: 0 | 1): void {
  const sorted = [...literals].sort(compareBytes);
  for (let row = 0; row < ranges.rows; row++) {
    let low = 0;
    let high = sorted.length;
    let hit = false;
    while (low < high && !hit) {
      const middle = (low + high) >> 1;
      const order = compareRange(ranges, row, sorted[middle]!);
      if (order === 0) hit = true;
      else if (order < 0) high = middle;
      else low = middle + 1;
    }
    result[row] = hit ? found : 1 - found;
  }
}
