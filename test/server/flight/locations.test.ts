import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dataLocations } from '../../../src/server/flight/locations.ts';

const flight = { port: 1, dataPort: 2, advertisedHost: null, workerPorts: null };
const tls = { cert: 'cert.pem', key: 'key.pem', clientCa: null };
const reuse = 'arrow-flight-reuse-connection://?';

test('endpoints name the data port first where the client can reach it under that name', () => {
  assert.deepEqual(dataLocations({ host: '127.0.0.1', tls: null, flight }, 2), ['grpc+tcp://127.0.0.1:2', reuse]);
  assert.deepEqual(dataLocations({ host: '::1', tls: null, flight }, 2), ['grpc+tcp://[::1]:2', reuse]);
  const advertised = { ...flight, advertisedHost: 'lake.example' };
  assert.deepEqual(dataLocations({ host: '0.0.0.0', tls, flight: advertised }, 2), [
    'grpc+tls://lake.example:2',
    reuse,
  ]);
});

test('an address that listens everywhere is no address to go to', () => {
  for (const host of ['0.0.0.0', '::']) {
    assert.deepEqual(dataLocations({ host, tls: null, flight }, 2), [reuse]);
  }
});

test('under TLS an address that the certificate need not name comes after the connection that works', () => {
  assert.deepEqual(dataLocations({ host: '127.0.0.1', tls, flight }, 2), [reuse, 'grpc+tls://127.0.0.1:2']);
});
