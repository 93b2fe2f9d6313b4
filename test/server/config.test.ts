import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isServiceError } from '../../src/core/errors.ts';
import { defaultLimits } from '../../src/core/limits.ts';
import { environmentName, isLoopback, loadConfig } from '../../src/server/config.ts';
import { configKeys } from '../../src/server/config-schema.ts';
import { parseDuration, parseSize } from '../../src/server/config-values.ts';

const folder = mkdtempSync(join(tmpdir(), 'headrace-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function yaml(text: string): string {
  const file = join(folder, `headrace-${files++}.yaml`);
  writeFileSync(file, text);
  return file;
}

const load = (flags: Record<string, unknown>, env: Record<string, string> = {}, text?: string) =>
  loadConfig({ flags, env, ...(text === undefined ? {} : { file: yaml(text) }) });

const issuer = {
  'auth.issuer': 'https://idp.example',
  'auth.audience': 'headrace',
  'auth.jwksUrl': 'https://idp.example/keys',
};
const key = Buffer.alloc(32, 7).toString('base64');

test('without anything the server is local, embedded and issues its own tokens', () => {
  const config = load({});
  assert.equal(config.host, '127.0.0.1');
  assert.deepEqual([config.flight.port, config.flight.dataPort, config.http.port], [8815, 8816, 8181]);
  assert.equal(config.auth.issuer, null);
  assert.equal(config.warehouse, `file://${config.dataDir}/warehouse`);
  assert.deepEqual(config.limits, defaultLimits);
});

test('flags win over the environment, which wins over the file', () => {
  const text = 'flight:\n  port: 1\n  dataPort: 1\nhttp: { port: 1 }\n';
  const config = load({ 'flight.port': 3 }, { HEADRACE_FLIGHT_PORT: '2', HEADRACE_FLIGHT_DATA_PORT: '2' }, text);
  assert.deepEqual([config.flight.port, config.flight.dataPort, config.http.port], [3, 2, 1]);
});

test('every key has one environment variable of its own', () => {
  assert.equal(environmentName('cache.memoryBytes'), 'HEADRACE_CACHE_MEMORY_BYTES');
  assert.equal(environmentName('auth.jwksUrl'), 'HEADRACE_AUTH_JWKS_URL');
  assert.equal(environmentName('storage.s3.accessKeyId'), 'HEADRACE_STORAGE_S3_ACCESS_KEY_ID');
  assert.equal(new Set(configKeys.map(environmentName)).size, configKeys.length);
});

test('sizes, durations, lists and keys are read from text', () => {
  const env = {
    HEADRACE_CACHE_MEMORY_BYTES: '256MiB',
    HEADRACE_TICKETS_TTL: '30m',
    HEADRACE_TICKETS_KEYS: `${key},${'ab'.repeat(32)}`,
    HEADRACE_MASKS_KEYS: JSON.stringify([{ id: 'k1', key }]),
    HEADRACE_AUTH_ANONYMOUS: 'true',
    HEADRACE_LIMITS_MESSAGE_BYTES_MAX: '8MiB',
    HEADRACE_LIMITS_STREAM_STALL_MS: '90s',
  };
  const config = load({}, env);
  assert.equal(config.cache.memoryBytes, 256 << 20);
  assert.equal(config.tickets.ttlMs, 1_800_000);
  assert.deepEqual(
    config.tickets.keys.map((bytes) => bytes[0]),
    [7, 0xab],
  );
  assert.equal(config.masks.keys[0]!.id, 'k1');
  assert.equal(config.auth.anonymous, true);
  assert.equal(config.limits.messageBytesMax, 8 << 20);
  assert.equal(config.limits.streamStallMs, 90_000);
});

test('sizes and durations say their unit', () => {
  assert.deepEqual(['1', '1.5 KiB', '2gb', '3MB'].map(parseSize), [1, 1536, 2e9, 3e6]);
  assert.deepEqual(['1h', '250 ms', '1.5s', '2d'].map(parseDuration), [3_600_000, 250, 1500, 172_800_000]);
  for (const wrong of ['', '-1', '1 parsec', '1e3', '0x10', 'MiB', null]) assert.equal(parseSize(wrong), null);
  for (const wrong of ['', '5', 5, '1 month', '-1s']) assert.equal(parseDuration(wrong), null);
});

test('paths in the file are relative to it, others to the working directory', () => {
  const config = load({ policies: 'p' }, {}, 'dataDir: data\n');
  assert.equal(config.dataDir, join(folder, 'data'));
  assert.equal(config.policies, join(process.cwd(), 'p'));
});

const refused: readonly (readonly [string, () => unknown, RegExp])[] = [
  [
    'an unknown key',
    () => load({}, {}, 'cache: { memoryByte: 1 }'),
    /no key "cache\.memoryByte"\. Did you mean cache\.memoryBytes\?/,
  ],
  ['a key in the wrong section', () => load({}, {}, 'jwksUrl: x'), /no key "jwksUrl"\. Did you mean auth\.jwksUrl\?/],
  ['an unknown limit', () => load({}, {}, 'limits: { streamMax: 1 }'), /Did you mean limits\.streamsMax\?/],
  ['an unknown variable', () => load({}, { HEADRACE_FLIGHT_PROT: '1' }), /Did you mean HEADRACE_FLIGHT_PORT\?/],
  ['an unknown flag', () => load({ 'flight.prot': 1 }), /Did you mean flight\.port\?/],
  ['a section that is a value', () => load({}, {}, 'flight: 8815'), /"flight" must be a mapping/],
  ['a file that is a list', () => load({}, {}, '- a'), /must be a mapping/],
  ['a key given twice', () => load({}, {}, 'workers: 1\nworkers: 2'), /headrace-\d+\.yaml:2:1 is not valid YAML/],
  ['an alias bomb', () => load({}, {}, 'a: &a [1]\nb: [*a,*a]'), /aliases are not allowed/],
  ['a missing file', () => loadConfig({ file: join(folder, 'absent'), env: {}, flags: {} }), /cannot be read/],
  ['a port out of range', () => load({ 'flight.port': 65_536 }), /"flight\.port" must be a whole number/],
  [
    'a size that is none',
    () => load({ 'cache.memoryBytes': 'lots' }),
    /"cache\.memoryBytes" must be a size such as 256MiB/,
  ],
  ['a duration without a unit', () => load({ 'tickets.ttl': '60' }), /"tickets\.ttl" must be a duration/],
  ['a key of the wrong length', () => load({ 'tickets.keys': ['short'] }), /"tickets\.keys\.0" must be 32 bytes/],
  ['a listening address beyond loopback without an issuer', () => load({ host: '0.0.0.0' }), /loopback only/],
  ['a name beyond loopback without an issuer', () => load({ host: 'db.example' }), /loopback only/],
  ['an issuer alone', () => load({ 'auth.issuer': 'x' }), /go together/],
  ['keys fetched without TLS', () => load({ ...issuer, 'auth.jwksUrl': 'http://idp.example/k' }), /must be an https/],
  ['keys in a file', () => load({ ...issuer, 'auth.jwksUrl': 'file:///etc/keys' }), /must be an https/],
  [
    'a claim without an issuer',
    () => load({ 'auth.teamsClaim': 'groups' }),
    /"auth\.teamsClaim" goes with "auth\.issuer"/,
  ],
  ['half a key pair', () => load({ 'tls.cert': 'a.pem' }), /"tls\.cert" and "tls\.key" go together/],
  ['a relative warehouse', () => load({ warehouse: 'file:data' }), /"warehouse" must be a URL/],
  ['a warehouse on another host', () => load({ warehouse: 'file://host/data' }), /"warehouse" must be a URL/],
  ['a warehouse that climbs', () => load({ warehouse: 'file:///a/../b' }), /"warehouse" must be a URL/],
  ['limits that contradict each other', () => load({ 'limits.streamBytesMax': 1 }), /must rise/],
  ['a log level that is none', () => load({ 'log.level': 'loud' }), /"log\.level" must be one of/],
];
for (const [name, attempt, message] of refused) {
  test(`${name} is refused, and the message says what would be right`, () => {
    assert.throws(attempt, (error) => isServiceError(error, 'INVALID_REQUEST') && message.test(error.message));
  });
}

for (const [name, value] of [
  ['warehouse', 's3://bucket/path'],
  ['warehouse', 'abfss://c@a.dfs.core.windows.net/'],
  ['warehouse', 'gs://bucket'],
  ['catalog.url', 'postgres://db'],
  ['storage.s3.endpoint', 'http://s3'],
  ['audit.dir', 'x'],
  ['tags.hideSuspects', true],
  ['cache.diskBytes', '1GiB'],
  [
    'masks.keys',
    [
      { id: 'a', key },
      { id: 'b', key },
    ],
  ],
] as const) {
  test(`${name} = ${value} is reserved and says so`, () => {
    assert.throws(
      () => load({ [name]: value }),
      (error) => isServiceError(error, 'UNSUPPORTED_FEATURE') && error.message.includes(`"${name}"`),
    );
  });
}

test('a domain of a mask key is reserved and says so', () => {
  assert.throws(
    () => load({ 'masks.keys': [{ id: 'a', key, domain: 'patients' }] }),
    (error) => isServiceError(error, 'UNSUPPORTED_FEATURE') && error.message.includes('"masks.keys.0.domain"'),
  );
});

test('the number of workers and the first of their ports may be chosen', () => {
  const config = load({ workers: 4, 'flight.workerPorts': 9_000 });
  assert.equal(config.workers, 4);
  assert.equal(config.flight.workerPorts, 9_000);
  assert.equal(load({}).workers, null);
  for (const workers of [0, -1, 1.5, 257]) {
    assert.throws(
      () => load({ workers }),
      (error) => isServiceError(error, 'INVALID_REQUEST'),
    );
  }
  assert.throws(
    () => load({ workers: 4, 'flight.workerPorts': 65_533 }),
    (error) => isServiceError(error, 'INVALID_REQUEST') && /flight\.workerPorts/.test(error.message),
  );
  assert.equal(load({ workers: 3, 'flight.workerPorts': 65_533 }).workers, 3);
});

test('with an issuer the server may listen anywhere', () => {
  const config = load({ ...issuer, host: '0.0.0.0', 'auth.teamsClaim': 'groups' });
  assert.equal(config.auth.issuer?.jwksUrl, 'https://idp.example/keys');
  assert.equal(config.auth.teamsClaim, 'groups');
});

test('only addresses of this machine are loopback', () => {
  for (const host of ['127.0.0.1', '127.8.8.8', '::1', '[::1]', 'localhost']) assert.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'localhost.example', '127.0.0.1.example']) {
    assert.equal(isLoopback(host), false, host);
  }
});

test('a refusal never quotes a secret', () => {
  assert.throws(
    () => load({ 'tickets.keys': ['canary-secret'] }),
    (error) => isServiceError(error) && !error.message.includes('canary'),
  );
});
