import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocations } from '../../../src/server/flight/locations.ts';

const flight = { port: 1, dataPort: 2, advertisedHost: null, workerPorts: null };
const tls = { cert: 'cert.pem', key: 'key.pem', clientCa: null };
const reuse = 'arrow-flight-reuse-connection://?';
const ports = () => ({ shared: 2, workers: [7, 8] });

test('endpoints name the workers in turn, then their shared port, then the connection that the client has', () => {
  const locations = createLocations({ host: '127.0.0.1', tls: null, flight }, ports);
  for (const port of [7, 8, 7]) {
    assert.deepEqual(locations(), [`grpc+tcp://127.0.0.1:${port}`, 'grpc+tcp://127.0.0.1:2', reuse]);
  }
  assert.deepEqual(createLocations({ host: '::1', tls: null, flight }, ports)(), [
    'grpc+tcp://[::1]:7',
    'grpc+tcp://[::1]:2',
    reuse,
  ]);
  const advertised = { ...flight, advertisedHost: 'lake.example' };
  assert.deepEqual(createLocations({ host: '0.0.0.0', tls, flight: advertised }, ports)(), [
    'grpc+tls://lake.example:7',
    'grpc+tls://lake.example:2',
    reuse,
  ]);
});

test('a worker that is gone is not named, and comes back under its port', () => {
  let workers = [7, 8];
  const locations = createLocations({ host: '127.0.0.1', tls: null, flight }, () => ({ shared: 2, workers }));
  workers = [8];
  for (let turn = 0; turn < 2; turn++) assert.equal(locations()[0], 'grpc+tcp://127.0.0.1:8');
  workers = [];
  assert.deepEqual(locations(), ['grpc+tcp://127.0.0.1:2', reuse]);
  workers = [7, 8];
  assert.equal(new Set([locations()[0], locations()[0]]).size, 2);
});

test('an address that listens everywhere is no address to go to', () => {
  for (const host of ['0.0.0.0', '::']) {
    assert.deepEqual(createLocations({ host, tls: null, flight }, ports)(), [reuse]);
  }
});

test('under TLS an address that the certificate need not name comes after the connection that works', () => {
  assert.deepEqual(createLocations({ host: '127.0.0.1', tls, flight }, ports)(), [
    reuse,
    'grpc+tls://127.0.0.1:7',
    'grpc+tls://127.0.0.1:2',
  ]);
});
