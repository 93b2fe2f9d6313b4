import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeFlightData, encodeFlightData } from '../../../../src/server/streams/wire/flight-data.ts';

test('the body of every message begins at a multiple of 64 bytes, and the header only gains zeros', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 400 }),
      fc.uint8Array({ maxLength: 400 }),
      fc.integer({ min: 1, max: 40_000 }),
      (header, appMetadata, bodyBytes) => {
        const body = new Uint8Array(bodyBytes).fill(7);
        const encoded = encodeFlightData({ header, body: [body], bodyBytes, appMetadata });
        assert.equal((encoded.length - bodyBytes) % 64, 0);
        const decoded = decodeFlightData(encoded, 1 << 20);
        assert.deepEqual([...decoded.header.subarray(0, header.length)], [...header]);
        assert.ok(decoded.header.subarray(header.length).every((byte) => byte === 0));
        assert.equal(decoded.body.length, bodyBytes);
      },
    ),
  );
});
