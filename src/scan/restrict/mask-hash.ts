import { LRUCache } from 'lru-cache';
import type { BytesColumn, FixedColumn } from '../arrow/column.ts';
import { bitAt } from '../arrow/kernels/bitmap.ts';
import { checkOffset } from '../arrow/kernels/byte-budget.ts';
import { bytesOf } from '../arrow/kernels/typed-views.ts';
import { formWords, type HashForm, HashMemo } from './hash-memo.ts';

/** A hash is a function of key and value alone, so that streams of one thread may share what they remember. */
const memos = new LRUCache<string, HashMemo>({ max: 4 });

function memoOf(key: Uint8Array, form: HashForm): HashMemo {
  const name = `${form} ${Buffer.from(key).toString('latin1')}`;
  const known = memos.get(name);
  if (known !== undefined) return known;
  const memo = new HashMemo(key, form);
  memos.set(name, memo);
  return memo;
}

/**
 * Texts become the 64 lower-case hex digits of their keyed hash, binaries its 32 bytes. Nulls stay null and empty. Iceberg hashes
 * without a key or behind a public salt, where a list of all phone numbers undoes it; ours is HMAC-SHA-256 for both masks.
 */
export function hashBytes(column: BytesColumn, key: Uint8Array, form: HashForm): BytesColumn {
  const memo = memoOf(key, form);
  const words = formWords[form];
  checkOffset(column.length * words * 4);
  const offsets = new Int32Array(column.length + 1);
  const hashes = new Int32Array((column.length - column.nullCount) * words);
  const { validity, offsets: from } = column;
  const values = viewOf(column.values);
  let to = 0;
  for (let row = 0; row < column.length; row++) {
    if (validity === null || bitAt(validity, row) === 1) {
      memo.hashTo(hashes, to, values, from[row]!, from[row + 1]!);
      to += words;
    }
    offsets[row + 1] = to * 4;
  }
  return { ...column, offsets, values: bytesOf(hashes) };
}

/** Integers of 4 or 8 bytes become the first bytes of the keyed hash of their little-endian bytes. Nulls stay null and zero. */
export function hashNumbers(column: FixedColumn, key: Uint8Array): FixedColumn {
  const memo = memoOf(key, 'bytes');
  const { width, validity } = column;
  const values = viewOf(column.values);
  const words = width / 4;
  const numbers = new Int32Array(column.length * words);
  const hashed = new Int32Array(formWords.bytes);
  for (let row = 0; row < column.length; row++) {
    if (validity !== null && bitAt(validity, row) === 0) continue;
    memo.hashTo(hashed, 0, values, row * width, (row + 1) * width);
    for (let word = 0; word < words; word++) numbers[row * words + word] = hashed[word]!;
  }
  return { ...column, values: bytesOf(numbers) };
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
