import type { DictionaryColumn } from '../arrow/column.ts';
import { bitAt } from '../arrow/kernels/bitmap.ts';
import { takeColumn } from '../arrow/kernels/take.ts';

/**
 * The same rows over a dictionary of only the entries that they use, in the order of their first use: neither values that were
 * filtered away nor the file's order of them stay behind.
 */
export function compactDictionary(column: DictionaryColumn): DictionaryColumn {
  const { length, validity } = column;
  const places = new Int32Array(column.dictionary.length).fill(-1);
  const used: number[] = [];
  const indices = new Int32Array(length);
  for (let row = 0; row < length; row++) {
    if (validity !== null && bitAt(validity, row) === 0) continue;
    const entry = column.indices[row]!;
    if (places[entry] === -1) {
      places[entry] = used.length;
      used.push(entry);
    }
    indices[row] = places[entry]!;
  }
  return { ...column, indices, dictionary: takeColumn(column.dictionary, Int32Array.from(used)) };
}

/**
 * The same rows over a dictionary without duplicates. Masks map different values to equal ones, and two entries for one masked
 * value would tell the rows apart that the mask made alike. Texts and binaries only.
 */
export function mergeEqualEntries(column: DictionaryColumn): DictionaryColumn {
  const { dictionary } = column;
  if (dictionary.kind !== 'bytes') throw new TypeError('only dictionaries of texts and binaries are kept');
  const { offsets, values } = dictionary;
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const places = new Map<string, number>();
  const kept: number[] = [];
  const moved = new Int32Array(dictionary.length);
  for (let entry = 0; entry < dictionary.length; entry++) {
    const key = bytes.toString('latin1', offsets[entry]!, offsets[entry + 1]!);
    let place = places.get(key);
    if (place === undefined) {
      place = kept.length;
      places.set(key, place);
      kept.push(entry);
    }
    moved[entry] = place;
  }
  if (kept.length === dictionary.length) return column;
  const indices = new Int32Array(column.length);
  for (let row = 0; row < column.length; row++) {
    if (column.validity === null || bitAt(column.validity, row) === 1) indices[row] = moved[column.indices[row]!]!;
  }
  return { ...column, indices, dictionary: takeColumn(dictionary, Int32Array.from(kept)) };
}
