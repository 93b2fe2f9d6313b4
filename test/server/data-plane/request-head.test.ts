import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ReadHead, readHead } from '../../../src/server/data-plane/request-head.ts';

const path = '/arrow.flight.protocol.FlightService/DoGet';
const usual = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };

const read = (overrides: Record<string, string>): ReadHead =>
  readHead(Object.entries({ ...usual, ...overrides }).flat(), 8815);

function timeoutOf(text: string): number | null {
  const answer = read({ 'grpc-timeout': text });
  assert.equal(answer.kind, 'call');
  return answer.kind === 'call' ? answer.head.timeoutMs : null;
}

test('timeouts are read in all units', () => {
  const read = ['1H', '2M', '3S', '4m', '5u', '6n', '99999999S', '0m'].map(timeoutOf);
  assert.deepEqual(read, [3_600_000, 120_000, 3_000, 4, 0.005, 6e-6, 99_999_999_000, 0]);
});

for (const text of ['soon', '1', 'S', '-1S', '1.5S', '123456789S', '1s', ' 1S', '']) {
  test(`the timeout ${JSON.stringify(text)} is refused`, () => {
    const answer = read({ 'grpc-timeout': text });
    assert.equal(answer.kind === 'refused' && answer.error.code, 'INVALID_REQUEST');
  });
}

for (const type of ['application/grpc', 'application/grpc+proto', 'application/grpc;charset=x', 'Application/gRPC']) {
  test(`the content type ${type} is gRPC`, () => assert.equal(read({ 'content-type': type }).kind, 'call'));
}

for (const type of ['application/grpc-web', 'application/grpcx', 'application/json', '']) {
  test(`the content type ${JSON.stringify(type)} is not`, () => {
    assert.deepEqual(read({ 'content-type': type }), { kind: 'not-grpc', httpStatus: 415 });
  });
}

test('only POST is a call', () => assert.deepEqual(read({ ':method': 'GET' }), { kind: 'not-grpc', httpStatus: 405 }));

for (const method of ['GetFlightInfo', 'Handshake', 'DoAction']) {
  test(`${method} is refused with the place where it is served`, () => {
    const answer = read({ ':path': path.replace('DoGet', method) });
    assert.equal(answer.kind === 'refused' && answer.error.code, 'UNSUPPORTED_FEATURE');
    assert.match(
      String(answer.kind === 'refused' && answer.error.message),
      new RegExp(`^${method} is served on .*8815`),
    );
  });
}

for (const other of ['/', '', '/DoGet', '/x.Y/DoGet', `${path}/`, `/${'a'.repeat(5_000)}`]) {
  test(`the path ${other.slice(0, 40)} is refused in few words`, () => {
    const answer = read({ ':path': other });
    assert.equal(answer.kind === 'refused' && answer.error.code, 'UNSUPPORTED_FEATURE');
    assert.ok(answer.kind === 'refused' && answer.error.message.length < 400);
  });
}

test('a call without te: trailers is refused: something on the way does not know gRPC', () => {
  const answer = read({ te: 'gzip' });
  assert.equal(answer.kind === 'refused' && answer.error.code, 'INVALID_REQUEST');
});

test('no compression but identity is taken', () => {
  assert.equal(read({ 'grpc-encoding': 'identity' }).kind, 'call');
  const answer = read({ 'grpc-encoding': 'gzip' });
  assert.equal(answer.kind === 'refused' && answer.error.code, 'UNSUPPORTED_FEATURE');
});

test('metadata has all values of a name, and binary ones decoded, with and without padding, also several in a line', () => {
  const raw = [...Object.entries(usual).flat(), 'x', 'a', 'x', 'b', 'y-bin', 'AQI=,AwQ', 'y-bin', 'BQ=='];
  const answer = readHead(raw, 1);
  assert.ok(answer.kind === 'call');
  const { headers } = answer.head;
  assert.deepEqual(headers.get('x'), ['a', 'b']);
  assert.deepEqual(headers.get('y-bin'), [Buffer.from([1, 2]), Buffer.from([3, 4]), Buffer.from([5])]);
  assert.deepEqual(headers.get('absent'), []);
});
