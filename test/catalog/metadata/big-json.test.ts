import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseJson, stringifyJson } from '../../../src/catalog/metadata/big-json.ts';

test('integers beyond 2^53 keep every digit, both ways', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (id) => {
      const text = `{"id":${id},"list":[${id}]}`;
      const parsed = parseJson(text) as { id: number | bigint; list: unknown[] };
      assert.equal(BigInt(parsed.id), id);
      assert.equal(typeof parsed.id, Number.isSafeInteger(Number(id)) ? 'number' : 'bigint');
      assert.equal(stringifyJson(parsed), text);
    }),
  );
});

test('every other value parses as JSON.parse does and is written as JSON.stringify does', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      if (!/\d{16}/.test(text)) assert.deepEqual(parseJson(text), JSON.parse(text));
      assert.equal(stringifyJson(parseJson(text)), text);
      assert.equal(stringifyJson(value, 2), JSON.stringify(value, null, 2));
    }),
  );
});

test('digits inside strings and fractions are left alone', () => {
  const text = '{"a":"12345678901234567890","b":0.12345678901234567,"c":1e300,"d":"x\\"[[[","e":"\\\\"}';
  assert.deepEqual(parseJson(text), JSON.parse(text));
});

test('a __proto__ member is an ordinary member and changes no prototype', () => {
  const parsed = parseJson('{"__proto__":{"polluted":true},"id":12345678901234567890}') as Record<string, unknown>;
  assert.equal(Object.getPrototypeOf(parsed), Object.prototype);
  assert.deepEqual(Object.keys(parsed), ['__proto__', 'id']);
  assert.equal(parsed.polluted, undefined);
  assert.equal(stringifyJson(parsed), '{"__proto__":{"polluted":true},"id":12345678901234567890}');
});

test('nesting, size and bad text are refused with the code asked for', () => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  assert.throws(() => parseJson(deep, { code: 'CORRUPT_FILE' }), { code: 'CORRUPT_FILE', message: /nested deeper/ });
  assert.throws(() => parseJson('[[[]]]', { depthMax: 2 }), { code: 'INVALID_REQUEST' });
  assert.doesNotThrow(() => parseJson('[[[]]]', { depthMax: 3 }));
  assert.doesNotThrow(() => parseJson('["[[[["]', { depthMax: 1 }));
  assert.throws(() => parseJson('[1,2]', { charsMax: 4 }), { code: 'INVALID_REQUEST' });
  for (const text of ['', '{', '{"a":1,}', '"open', '[1 2]', '\u0000']) {
    assert.throws(() => parseJson(text), { code: 'INVALID_REQUEST', message: 'the text is not valid JSON' });
  }
});
