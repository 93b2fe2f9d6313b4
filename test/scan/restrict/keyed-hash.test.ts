import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { formWords, HashMemo } from '../../../src/scan/restrict/hash-memo.ts';
import { KeyedHash } from '../../../src/scan/restrict/keyed-hash.ts';

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function digestOf(hash: KeyedHash, message: Uint8Array): string {
  hash.update(viewOf(message), 0, message.length);
  const digest = Buffer.alloc(32);
  hash.digest.forEach((word, at) => {
    digest.writeInt32BE(word, at * 4);
  });
  return digest.toString('hex');
}

const expected = (key: Uint8Array, message: Uint8Array): string =>
  createHmac('sha256', key).update(message).digest('hex');

test('a keyed hash is HMAC-SHA-256 for messages and keys around every block boundary', () => {
  for (const keyBytes of [0, 1, 32, 63, 64, 65, 200]) {
    const key = new Uint8Array(keyBytes).fill(keyBytes);
    const hash = new KeyedHash(key);
    for (let length = 0; length < 200; length++) {
      const message = Uint8Array.from({ length }, (_, at) => (at * 7 + length) & 0xff);
      assert.equal(digestOf(hash, message), expected(key, message), `key of ${keyBytes}, message of ${length} bytes`);
    }
  }
});

test('a keyed hash of the specification: RFC 4231, test case 2', () => {
  const hash = new KeyedHash(Buffer.from('Jefe'));
  assert.equal(
    digestOf(hash, Buffer.from('what do ya want for nothing?')),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});

test('remembered hashes are the hashes, whatever repeats, in both forms', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 60 }), (distinct) => {
      const key = Uint8Array.of(1, 2, 3);
      const [hex, bytes] = [new HashMemo(key, 'hex'), new HashMemo(key, 'bytes')];
      for (const message of [...distinct, ...distinct]) {
        const text = new Int32Array(formWords.hex);
        hex.hashTo(text, 0, viewOf(message), 0, message.length);
        assert.equal(Buffer.from(text.buffer).toString('latin1'), expected(key, message));
        const raw = new Int32Array(formWords.bytes);
        bytes.hashTo(raw, 0, viewOf(message), 0, message.length);
        assert.equal(Buffer.from(raw.buffer).toString('hex'), expected(key, message));
      }
    }),
  );
});

test('a memo stays right when it grows, is full, starts anew, and stands aside where nothing repeats', () => {
  const key = Uint8Array.of(9);
  const memo = new HashMemo(key, 'hex');
  const out = new Int32Array(formWords.hex);
  const value = new Uint8Array(8);
  const view = viewOf(value);
  for (let round = 0; round < 150_000; round++) {
    // At first every value comes twice, then none does.
    view.setUint32(0, round < 100_000 ? round >> 1 : round, true);
    memo.hashTo(out, 0, view, 0, 8);
    if (round % 997 === 0) assert.equal(Buffer.from(out.buffer).toString('latin1'), expected(key, value));
  }
});
