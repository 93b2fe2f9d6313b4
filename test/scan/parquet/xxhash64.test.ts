import assert from 'node:assert/strict';
import { test } from 'node:test';
import { xxhash64 } from '../../../src/scan/parquet/xxhash64.ts';

test('hashes are those of the reference implementation, over every way in which a length is cut', () => {
  const expected: Readonly<Record<string, bigint>> = {
    '': 0xef46db3751d8e999n,
    a: 0xd24ec4f1a98c6e5bn,
    abc: 0x44bc2cf5ad770999n,
    'Nobody inspects the spammish repetition': 0xfbcea83c8a378bf1n,
  };
  for (const [text, hash] of Object.entries(expected)) assert.equal(xxhash64(Buffer.from(text)), hash, text);
});
