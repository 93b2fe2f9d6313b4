import type { ArrowSchema, BytesColumn, Column, DictionaryColumn, StoredColumn, WireBatch } from '../column.ts';
import { isValid } from '../column.ts';
import type { DictionaryIds } from '../ipc-schema.ts';
import { bytesOf } from './typed-views.ts';

/** The ids of the dictionaries that {@link withDictionaries} makes of a schema's columns: one for each text column. */
export function textDictionaryIds(schema: ArrowSchema): DictionaryIds {
  const ids = new Map<string, number>();
  schema.fields.forEach((field, at) => {
    if (field.type.kind === 'utf8') ids.set(String(at), ids.size);
  });
  return ids;
}

/** The batch with its text columns held by dictionaries, each of the batch's own values. Other columns stay as they are. */
export const withDictionaries = (batch: WireBatch): WireBatch => ({
  ...batch,
  columns: batch.columns.map((column) => (isText(column) ? dictionaryEncode(column) : column)),
});

const isText = (column: Column | StoredColumn): column is BytesColumn =>
  column.kind === 'bytes' && column.type.kind === 'utf8';

/** Distinct values in the order of their first rows; nulls have index 0. */
export function dictionaryEncode(column: BytesColumn): DictionaryColumn {
  const { offsets, values, length, nullCount, validity, type } = column;
  const text = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const indices = new Int32Array(length);
  const rows: number[] = [];
  const indexOf = new Map<string, number>();
  let bytes = 0;
  for (let row = 0; row < length; row++) {
    if (nullCount > 0 && !isValid(column, row)) continue;
    // Latin-1 tells byte sequences apart as they are, and is the cheapest way to a key.
    const key = text.toString('latin1', offsets[row]!, offsets[row + 1]!);
    let index = indexOf.get(key);
    if (index === undefined) {
      index = rows.push(row) - 1;
      bytes += key.length;
      indexOf.set(key, index);
    }
    indices[row] = index;
  }
  const dictionary = gather(column, rows, bytes);
  return { kind: 'dictionary', type, length, nullCount, validity, indices, dictionary };
}

function gather({ offsets, values, type }: BytesColumn, rows: readonly number[], bytes: number): BytesColumn {
  const gathered = new Int32Array(rows.length + 1);
  const target = bytesOf(new Float64Array((bytes + 7) >> 3)).subarray(0, bytes);
  let at = 0;
  rows.forEach((row, index) => {
    const value = values.subarray(offsets[row]!, offsets[row + 1]!);
    target.set(value, at);
    at += value.length;
    gathered[index + 1] = at;
  });
  return { kind: 'bytes', type, length: rows.length, nullCount: 0, validity: null, offsets: gathered, values: target };
}
