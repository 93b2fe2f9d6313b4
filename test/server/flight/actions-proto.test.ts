import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isServiceError } from '../../../src/core/errors.ts';
import {
  decodeCancelFlightInfo,
  decodeRenewFlightEndpoint,
  decodeSetSessionOptions,
  encodeCancelFlightInfoResult,
  encodeRenewFlightEndpointResult,
  sessionAction,
} from '../../../src/server/flight/actions-proto.ts';
import { unwrapAny } from '../../../src/server/flight/any.ts';
import { wireEndpoint, wireInfo } from '../../../src/server/flight/codec.ts';
import { messageType } from '../../../src/server/flight/definition.ts';
import type { FlightEndpoint } from '../../../src/server/streams/wire/messages.ts';
import { bytesFieldBytes, writeBytesHead } from '../../../src/server/streams/wire/protobuf.ts';
import { toyInfo } from './toy.ts';

/** As JDBC and ADBC send a message. */
function inAny(message: Uint8Array, name: string): Uint8Array {
  const url = new TextEncoder().encode(`type.googleapis.com/arrow.flight.protocol.${name}`);
  const out = new Uint8Array(bytesFieldBytes(1, url.length) + bytesFieldBytes(2, message.length));
  let at = writeBytesHead(out, 0, 1, url.length);
  out.set(url, at);
  at = writeBytesHead(out, at + url.length, 2, message.length);
  out.set(message, at);
  return out;
}

const endpoint: FlightEndpoint = {
  ticket: Buffer.from('ticket'),
  locations: ['grpc://a:1'],
  expiresAtMs: 1_700_000_000_123,
  appMetadata: Buffer.from('m'),
};
const info = toyInfo({
  endpoints: [endpoint],
  descriptor: { kind: 'cmd', cmd: Buffer.from('{}') },
  totalRecords: 2 ** 40,
});
const cancel = messageType('CancelFlightInfoRequest').serialize({ info: wireInfo(info) });
const renew = messageType('RenewFlightEndpointRequest').serialize({ endpoint: wireEndpoint(endpoint) });
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, part) => (part instanceof Uint8Array ? [...part] : part)));

test('CancelFlightInfo is read plain and in an Any', () => {
  for (const body of [cancel, inAny(cancel, 'CancelFlightInfoRequest')]) {
    const read = decodeCancelFlightInfo(body);
    assert.deepEqual([...read.endpoints[0]!.ticket], [...endpoint.ticket]);
    assert.equal(read.totalRecords, 2 ** 40);
    assert.equal(read.descriptor?.kind, 'cmd');
  }
  assert.deepEqual([...encodeCancelFlightInfoResult('CANCELLED')], [0x08, 1]);
});

test('RenewFlightEndpoint is read plain and in an Any, and answers with the endpoint', () => {
  for (const body of [renew, inAny(renew, 'RenewFlightEndpointRequest')]) {
    assert.deepEqual(plain(decodeRenewFlightEndpoint(body)), plain(endpoint));
  }
  const answer = encodeRenewFlightEndpointResult(endpoint);
  assert.deepEqual(
    messageType('FlightEndpoint').deserialize(answer),
    messageType('FlightEndpoint').deserialize(Buffer.from(answer)),
  );
});

test('no session option is defined: each that is set has an invalid name, none is there to get, and nothing to close', () => {
  const options = { a: { stringValue: 'x' }, b: { int64Value: 5 } };
  const set = messageType('SetSessionOptionsRequest').serialize({ sessionOptions: options });
  for (const body of [set, inAny(set, 'SetSessionOptionsRequest')]) {
    assert.deepEqual([...decodeSetSessionOptions(body)].sort(), ['a', 'b']);
    assert.deepEqual(
      plain(messageType('SetSessionOptionsResult').deserialize(sessionAction('SetSessionOptions', body)!)),
      {
        errors: { a: { value: 'INVALID_NAME' }, b: { value: 'INVALID_NAME' } },
      },
    );
  }
  assert.equal(sessionAction('GetSessionOptions', new Uint8Array(0))!.length, 0);
  assert.deepEqual(
    plain(messageType('CloseSessionResult').deserialize(sessionAction('CloseSession', new Uint8Array(0))!)),
    {
      status: 'NOT_CLOSEABLE',
    },
  );
  assert.equal(sessionAction('headrace.commit', new Uint8Array(0)), null);
});

test('only an Any of the wanted message is unwrapped', () => {
  const message = Buffer.from([0x0a, 1, 0x41]);
  assert.deepEqual([...unwrapAny(inAny(message, 'Foo'), 'Foo')], [...message]);
  for (const body of [message, inAny(message, 'Bar'), Buffer.from('{"json": true}'), Buffer.alloc(0)]) {
    assert.equal(unwrapAny(body, 'Foo'), body);
  }
});

test('bodies without what they are about, and any damaged ones, are INVALID_REQUEST', () => {
  const decoders = [decodeCancelFlightInfo, decodeRenewFlightEndpoint];
  for (const decode of decoders) {
    assert.throws(
      () => decode(new Uint8Array(0)),
      (error) => isServiceError(error, 'INVALID_REQUEST'),
    );
  }
  fc.assert(
    fc.property(
      fc.constantFrom(cancel, renew),
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      fc.nat(),
      (body, place, byte, cut) => {
        const damaged = Uint8Array.from(body);
        damaged[place % damaged.length] = byte;
        const input = damaged.subarray(0, cut % 4 === 0 ? cut % damaged.length : damaged.length);
        for (const decode of [...decoders, decodeSetSessionOptions]) {
          try {
            decode(input);
          } catch (error) {
            assert.ok(isServiceError(error, 'INVALID_REQUEST'), String(error));
          }
        }
      },
    ),
    { numRuns: 1000 },
  );
});
