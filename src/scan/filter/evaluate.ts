import { ServiceError } from '../../core/errors.ts';
import type { FieldId } from '../../core/ids.ts';
import type { Column, DictionaryColumn } from '../arrow/column.ts';
import type { BoundCondition, BoundFilter } from './bound.ts';
import { isStoredAs, wrongColumn } from './kernel.ts';
import { evaluateBool, evaluateBytes } from './kernels-bytes.ts';
import { evaluateFixed } from './kernels-fixed.ts';

const unknown = 2;
// Indexed by a << 2 | b, with 0 false, 1 true, 2 unknown.
const andTable = Uint8Array.of(0, 0, 0, 0, 0, 1, 2, 0, 0, 2, 2, 0, 0, 0, 0, 0);
const orTable = Uint8Array.of(0, 1, 2, 0, 1, 1, 1, 0, 2, 1, 2, 0, 0, 0, 0, 0);

/**
 * Evaluates a filter over columns: one byte a row, 0 false, 1 true, 2 unknown, in a new array that the caller owns. `columnOf`
 * gives a column of `rows` values stored as the field's type says (the reader promotes narrower ones), with the nulls of the
 * structs around it already folded in. Conditions on dictionaries are evaluated once for each dictionary value. Comparison
 * rules are those of {@link BoundFilter}. Throws INTERNAL for a column of another type or length.
 */
export function evaluateFilter(filter: BoundFilter, columnOf: (fieldId: FieldId) => Column, rows: number): Uint8Array {
  switch (filter.kind) {
    case 'true':
      return new Uint8Array(rows).fill(1);
    case 'false':
      return new Uint8Array(rows);
    case 'and':
      return evaluateChain(filter.of, andTable, 1, columnOf, rows);
    case 'or':
      return evaluateChain(filter.of, orTable, 0, columnOf, rows);
    default: {
      const column = columnOf(filter.field.fieldId);
      if (column.length !== rows)
        throw new ServiceError('INTERNAL', `a filter column has ${column.length} rows instead of ${rows}`);
      return evaluateCondition(filter, column);
    }
  }
}

/** The rows whose byte is 1 (true), ascending. */
export function selectedRows(mask: Uint8Array): Int32Array {
  let count = 0;
  for (let row = 0; row < mask.length; row++) if (mask[row] === 1) count++;
  const selected = new Int32Array(count);
  let at = 0;
  for (let row = 0; row < mask.length; row++) if (mask[row] === 1) selected[at++] = row;
  return selected;
}

/** Operands after the first that decides every row are not evaluated: their columns are not asked for. */
function evaluateChain(
  operands: readonly BoundFilter[],
  table: Uint8Array,
  neutral: 0 | 1,
  columnOf: (fieldId: FieldId) => Column,
  rows: number,
): Uint8Array {
  const first = operands[0];
  if (first === undefined) return new Uint8Array(rows).fill(neutral);
  const result = evaluateFilter(first, columnOf, rows);
  for (let at = 1; at < operands.length && !isDecided(result, 1 - neutral); at++) {
    const other = evaluateFilter(operands[at]!, columnOf, rows);
    for (let row = 0; row < rows; row++) result[row] = table[(result[row]! << 2) | other[row]!]!;
  }
  return result;
}

function isDecided(result: Uint8Array, value: number): boolean {
  for (let row = 0; row < result.length; row++) if (result[row] !== value) return false;
  return true;
}

function evaluateCondition(condition: BoundCondition, column: Column): Uint8Array {
  const onNull = condition.kind === 'is-null' ? 1 : condition.kind === 'not-null' ? 0 : unknown;
  if (column.kind === 'null') return new Uint8Array(column.length).fill(onNull);
  const result =
    column.kind === 'dictionary' ? evaluateDictionary(condition, column) : evaluateValues(condition, column);
  setNulls(result, column, onNull);
  return result;
}

/** What the condition says of each value; what it says where a null stands is overwritten by the caller. */
function evaluateValues(
  condition: BoundCondition,
  column: Exclude<Column, { kind: 'dictionary' | 'null' }>,
): Uint8Array {
  switch (condition.kind) {
    case 'is-null':
      return new Uint8Array(column.length);
    case 'not-null':
      return new Uint8Array(column.length).fill(1);
    case 'unless-null':
      return new Uint8Array(column.length).fill(condition.value ? 1 : 0);
    default:
  }
  const { type } = condition.field;
  if (!isStoredAs(type, column.type)) throw wrongColumn(type);
  if (column.kind === 'fixed') return evaluateFixed(condition, column);
  if (column.kind === 'bytes') return evaluateBytes(condition, column);
  if (column.kind === 'bool') return evaluateBool(condition, column);
  throw wrongColumn(type);
}

/** A dictionary may hold nulls of its own, which `evaluateCondition` sees to. */
function evaluateDictionary(condition: BoundCondition, column: DictionaryColumn): Uint8Array {
  const byEntry = evaluateCondition(condition, column.dictionary);
  const { indices, length } = column;
  const result = new Uint8Array(length);
  for (let row = 0; row < length; row++) result[row] = byEntry[indices[row]!]!;
  return result;
}

function setNulls(result: Uint8Array, column: Column, onNull: number): void {
  const { validity } = column;
  if (validity === null || column.nullCount === 0) return;
  for (let start = 0; start < result.length; start += 8) {
    const bits = validity[start >> 3]!;
    if (bits === 0xff) continue;
    const count = Math.min(8, result.length - start);
    for (let bit = 0; bit < count; bit++) if (((bits >> bit) & 1) === 0) result[start + bit] = onNull;
  }
}
