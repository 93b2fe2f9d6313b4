import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { scatter } from '../../../src/server/data-plane/scatter.ts';
import { encodeFlightData, flightDataFrame } from '../../../src/server/streams/wire/flight-data.ts';
import { frame } from './client.ts';

const sizes = { smallBytes: 16, pieceBytesMax: 64 };
const part = fc.uint8Array({ maxLength: 200 });

test('the pieces of a message are its bytes, prefix first, each within its size, and their counts add up to the message', () => {
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), fc.uint8Array({ maxLength: 20 }), (body, header) => {
      const message = { header, body, bodyBytes: body.reduce((sum, { length }) => sum + length, 0) };
      const pieces = scatter(flightDataFrame(message), sizes);
      const bytes = Buffer.concat(pieces.flatMap(({ parts }) => parts));
      const encoded = encodeFlightData(message);
      assert.deepEqual(bytes, frame(encoded));
      assert.equal(
        pieces.reduce((sum, { frameBytes }) => sum + frameBytes, 0),
        encoded.length,
      );
      // The head of a message, which the small parts around it join, may be larger than a piece.
      for (const { byteLength } of pieces.slice(1)) assert.ok(byteLength <= sizes.pieceBytesMax);
      for (const { parts, byteLength } of pieces) {
        assert.equal(
          parts.reduce((sum, { length }) => sum + length, 0),
          byteLength,
        );
      }
    }),
  );
});

test('large parts are sent from where they lie, also in shared memory, and small neighbours are joined', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(200)).fill(7);
  const small = new Uint8Array(3).fill(1);
  const body = [small, small, shared, small, small];
  const sizes = { smallBytes: 150, pieceBytesMax: 1_000 };
  const [piece, ...others] = scatter(flightDataFrame({ header: small, body, bodyBytes: 212 }), sizes);
  assert.deepEqual(others, []);
  const [head, middle, tail, ...more] = piece!.parts;
  assert.deepEqual(more, []);
  assert.equal(middle, shared);
  assert.deepEqual([...head!.subarray(-6)], [1, 1, 1, 1, 1, 1]);
  assert.equal(tail!.length, 6);
});
