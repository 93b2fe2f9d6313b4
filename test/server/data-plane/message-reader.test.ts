import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isServiceError } from '../../../src/core/errors.ts';
import { MessageReader } from '../../../src/server/data-plane/message-reader.ts';
import { frame } from './client.ts';

const bytesMax = 1_000;

/** Everything that `chunks` hold, read as the transport does: a chunk is given only once the one before is used up. */
function readAll(reader: MessageReader, chunks: readonly Buffer[]): Buffer[] {
  const messages: Buffer[] = [];
  for (const chunk of chunks) {
    for (let message = reader.next(chunk); message !== null; message = reader.next(null)) messages.push(message);
  }
  return messages;
}

test('messages come out as they went in, however their bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 }),
      (messages, cuts) => {
        const bytes = Buffer.concat(messages.map((message) => frame(message)));
        const chunks: Buffer[] = [];
        for (let at = 0, cut = 0; at < bytes.length; cut++) {
          const length = cuts[cut % cuts.length]!;
          chunks.push(bytes.subarray(at, at + length));
          at += length;
        }
        const reader = new MessageReader(bytesMax);
        assert.deepEqual(
          readAll(reader, chunks).map(String),
          messages.map((message) => String(Buffer.from(message))),
        );
        assert.equal(reader.partial, false);
      },
    ),
  );
});

test('a message that is not complete is known as such after each of its bytes', () => {
  const bytes = frame(Buffer.from('abc'));
  for (let length = 1; length < bytes.length; length++) {
    const reader = new MessageReader(bytesMax);
    assert.equal(reader.next(bytes.subarray(0, length)), null);
    assert.equal(reader.partial, true);
  }
});

for (const [name, bytes, code] of [
  ['a message beyond the limit', frame(Buffer.alloc(bytesMax + 1)), 'LIMIT_EXCEEDED'],
  ['a prefix that claims 4 GiB', Buffer.from([0, 255, 255, 255, 255]), 'LIMIT_EXCEEDED'],
  ['a message marked as compressed', frame(Buffer.from('x'), 1), 'INVALID_REQUEST'],
  ['an unknown flag', frame(Buffer.from('x'), 2), 'INVALID_REQUEST'],
] as const) {
  test(`${name} is ${code} as soon as its prefix is there`, () => {
    assert.throws(
      () => new MessageReader(bytesMax).next(bytes.subarray(0, 5)),
      (error) => isServiceError(error, code),
    );
  });
}

test('a message of the largest size passes', () => {
  assert.equal(new MessageReader(bytesMax).next(frame(Buffer.alloc(bytesMax)))?.length, bytesMax);
});
