import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isServiceError } from '../../../../src/core/errors.ts';
import {
  decodeFlightData,
  encapsulate,
  encodeFlightData,
  flightDataFrame,
} from '../../../../src/server/streams/wire/flight-data.ts';
import type { FlightDescriptor, FlightMessage } from '../../../../src/server/streams/wire/messages.ts';

const bytesMax = 1 << 20;
const bytes = fc.uint8Array({ maxLength: 300 });
const descriptor: fc.Arbitrary<FlightDescriptor> = fc.oneof(
  bytes.map((cmd): FlightDescriptor => ({ kind: 'cmd', cmd })),
  fc
    .array(fc.string({ unit: 'grapheme', maxLength: 20 }), { maxLength: 5 })
    .map((path): FlightDescriptor => ({ kind: 'path', path })),
);
const message: fc.Arbitrary<FlightMessage> = fc
  .record({
    header: bytes,
    body: fc.array(bytes, { maxLength: 4 }),
    appMetadata: bytes,
    descriptor: fc.option(descriptor),
  })
  .map((parts) => ({ ...parts, bodyBytes: parts.body.reduce((sum, part) => sum + part.length, 0) }));

test('a message reads back as it was written', () => {
  fc.assert(
    fc.property(message, (written) => {
      const read = decodeFlightData(encodeFlightData(written), bytesMax);
      // Zeros may follow the header, to align the body.
      const { length } = written.header;
      assert.deepEqual([...read.header.subarray(0, length)], [...written.header]);
      assert.ok(read.header.subarray(length).every((byte) => byte === 0));
      assert.deepEqual(Buffer.from(read.appMetadata), Buffer.from(written.appMetadata ?? []));
      assert.deepEqual(Buffer.from(read.body), Buffer.concat(written.body));
      assert.deepEqual(plain(read.descriptor), plain(written.descriptor ?? null));
    }),
  );
});

function plain(value: FlightDescriptor | null): unknown {
  return value?.kind === 'cmd' ? [...value.cmd] : value;
}

test('reading copies nothing: the body is a view of what came in', () => {
  const input = encodeFlightData({ header: new Uint8Array([1]), body: [new Uint8Array(100).fill(7)], bodyBytes: 100 });
  const { body } = decodeFlightData(input, bytesMax);
  assert.equal(body.buffer, input.buffer);
  assert.equal(body[99], 7);
});

test('a frame writes itself at an offset and tells how many bytes it wrote', () => {
  const frame = flightDataFrame({
    header: new Uint8Array([1, 2]),
    body: [new Uint8Array([3]), new Uint8Array([4])],
    bodyBytes: 2,
  });
  const target = new Uint8Array(frame.byteLength + 5);
  assert.equal(frame.copy(target, 5), frame.byteLength);
  const read = decodeFlightData(target.subarray(5), bytesMax);
  assert.deepEqual([...read.body], [3, 4]);
});

test('a frame refuses a body whose parts do not add up', () => {
  assert.throws(
    () => flightDataFrame({ header: new Uint8Array(), body: [new Uint8Array(3)], bodyBytes: 4 }),
    RangeError,
  );
});

test('unknown fields are skipped, whatever their wire type', () => {
  const known = encodeFlightData({ header: new Uint8Array([9]), body: [], bodyBytes: 0 });
  const unknown = [
    [0x20, 0x96, 0x01], // 4: varint
    [0x29, 1, 2, 3, 4, 5, 6, 7, 8], // 5: fixed64
    [0x32, 2, 0xff, 0xff], // 6: bytes
    [0x3d, 1, 2, 3, 4], // 7: fixed32
  ].flat();
  const { header } = decodeFlightData(Buffer.concat([Buffer.from(unknown), known, Buffer.from(unknown)]), bytesMax);
  assert.deepEqual([...header], [9]);
});

for (const [name, input] of Object.entries({
  'a truncated tag': [0x80],
  'an endless varint': Array(11).fill(0x80),
  'a length beyond the input': [0x12, 5, 1],
  'a length near 2^64': [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
  'a group': [0x13, 0x14],
  'field number 0': [0x02, 0],
  'a header that is a varint': [0x10, 1],
  'a body that is a fixed64': [0xc1, 0x3e, 0, 0, 0, 0, 0, 0, 0, 0],
  'a descriptor of an unknown type': [0x0a, 2, 0x08, 7],
  'a descriptor path that is not UTF-8': [0x0a, 5, 0x08, 1, 0x1a, 1, 0xff],
  'a truncated fixed32': [0x3d, 1],
})) {
  test(`${name} is INVALID_REQUEST`, () => {
    assert.throws(
      () => decodeFlightData(Uint8Array.from(input), bytesMax),
      (error) => isServiceError(error, 'INVALID_REQUEST'),
    );
  });
}

test('a message beyond the limit is LIMIT_EXCEEDED before it is read', () => {
  assert.throws(
    () => decodeFlightData(new Uint8Array(11), 10),
    (error) => isServiceError(error, 'LIMIT_EXCEEDED'),
  );
});

test('any bytes either read or fail with a typed error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (input) => typedOutcome(input)),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(message, fc.nat(), fc.integer({ min: 0, max: 255 }), (written, place, byte) => {
      const input = encodeFlightData(written);
      if (input.length > 0) input[place % input.length] = byte;
      return typedOutcome(input);
    }),
    { numRuns: 2000 },
  );
});

function typedOutcome(input: Uint8Array): boolean {
  try {
    const { header, body, appMetadata } = decodeFlightData(input, bytesMax);
    return header.length + body.length + appMetadata.length <= input.length;
  } catch (error) {
    return isServiceError(error);
  }
}

test('an encapsulated schema has marker, padded length and the flatbuffer', () => {
  const framed = Buffer.from(encapsulate(new Uint8Array([1, 2, 3])));
  assert.equal(framed.readUInt32LE(0), 0xffffffff);
  assert.equal(framed.readUInt32LE(4), 8);
  assert.deepEqual([...framed.subarray(8)], [1, 2, 3, 0, 0, 0, 0, 0]);
});
