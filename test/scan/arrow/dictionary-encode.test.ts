import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BytesColumn } from '../../../src/scan/arrow/column.ts';
import { dictionaryEncode } from '../../../src/scan/arrow/kernels/dictionary-encode.ts';
import { hydrate } from '../../../src/scan/arrow/kernels/hydrate.ts';
import { valueReader } from '../../../src/scan/arrow/row-values.ts';

function textColumn(texts: readonly (string | null)[]): BytesColumn {
  const encoded = texts.map((text) => new TextEncoder().encode(text ?? ''));
  const offsets = new Int32Array(texts.length + 1);
  encoded.forEach((bytes, row) => {
    offsets[row + 1] = offsets[row]! + bytes.length;
  });
  const validity = new Uint8Array((texts.length + 7) >> 3);
  texts.forEach((text, row) => {
    if (text !== null) validity[row >> 3]! |= 1 << (row & 7);
  });
  const nullCount = texts.filter((text) => text === null).length;
  const values = new Uint8Array(Buffer.concat(encoded));
  return {
    kind: 'bytes',
    type: { kind: 'utf8' },
    length: texts.length,
    nullCount,
    validity: nullCount > 0 ? validity : null,
    offsets,
    values,
  };
}

test('a text column held by a dictionary has the same values and nulls, each distinct value once', () => {
  const texts = fc.array(fc.option(fc.constantFrom('', 'a', 'é', '日本', 'a longer text', '\u0080')), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(texts, (values) => {
      const encoded = dictionaryEncode(textColumn(values));
      const read = valueReader(hydrate(encoded), { kind: 'string' });
      assert.deepEqual(
        values.map((_, row) => read(row)),
        values,
      );
      assert.equal(encoded.dictionary.length, new Set(values.filter((value) => value !== null)).size);
    }),
  );
});
