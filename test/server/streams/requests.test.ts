import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ErrorCode, isServiceError } from '../../../src/core/errors.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import {
  parsePutDescriptor,
  parsePutRequest,
  parseScanDescriptor,
  parseScanRequest,
} from '../../../src/server/streams/requests.ts';
import { parseTimestamp } from '../../../src/server/streams/timestamp.ts';

const bytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const scan = (value: unknown) => parseScanRequest(bytes(value), defaultLimits);
const put = (value: unknown) => parsePutRequest(bytes(value), defaultLimits);

test('a scan request that names only a table means all of main, with the defaults', () => {
  assert.deepEqual(scan({ table: 'silver.flights' }), {
    table: { namespace: ['silver'], name: 'flights' },
    at: { kind: 'ref', ref: 'main' },
    columns: null,
    filter: null,
    limit: null,
    shards: 1,
    batchRows: null,
    ordered: false,
    compression: 'none',
    dictionaries: false,
    run: null,
  });
});

test('a scan request says all that it may say', () => {
  const request = scan({
    table: 'a.b.flights',
    at: { snapshot_id: '9223372036854775807' },
    columns: ['delay', 'home."a.b"'],
    filter: "delay > 10 AND origin IN ('SEA')",
    limit: 0,
    shards: 1024,
    batch_rows: 8192,
    ordered: true,
    compression: 'zstd',
    dictionaries: true,
    run: { id: 'r', workload: 'w', code_version: 'c' },
  });
  assert.deepEqual(request.at, { kind: 'snapshot', snapshotId: 9223372036854775807n });
  assert.deepEqual(request.columns, [['delay'], ['home', 'a.b']]);
  assert.deepEqual(request.filter, { kind: 'text', text: "delay > 10 AND origin IN ('SEA')" });
  assert.deepEqual(request.run, { id: 'r', workload: 'w', codeVersion: 'c' });
  assert.deepEqual([request.limit, request.shards, request.batchRows], [0, 1024, 8192]);
});

test('a filter in JSON keeps every digit of its numbers', () => {
  const text = '{"type":"eq","term":"id","value":9007199254740993}';
  assert.deepEqual(scan(`{"table":"a.b", "filter" : ${text} , "limit":1}`).filter, { kind: 'json', text });
  assert.deepEqual(scan('{"table":"a.b","filter":true}').filter, { kind: 'json', text: 'true' });
});

test('a path descriptor means the table on main; a put needs a command', () => {
  assert.deepEqual(parseScanDescriptor({ kind: 'path', path: ['a', 'b', 't'] }, defaultLimits).table, {
    namespace: ['a', 'b'],
    name: 't',
  });
  for (const path of [[], ['t'], ['a', 'b.c'], ['a', '']]) {
    assert.throws(
      () => parseScanDescriptor({ kind: 'path', path }, defaultLimits),
      (error) => isServiceError(error, 'INVALID_REQUEST'),
    );
  }
  assert.throws(
    () => parsePutDescriptor({ kind: 'path', path: ['a', 'b'] }, defaultLimits),
    (error) => isServiceError(error, 'INVALID_REQUEST'),
  );
});

const base = { table: 'a.b' };
const refusedScans: readonly (readonly [string, unknown, RegExp, ErrorCode?])[] = [
  ['no JSON', '{', /not valid JSON/],
  ['a list', '[]', /must be a JSON object/],
  ['no table', {}, /"table" must be a table name/],
  ['a table without a namespace', { table: 'flights' }, /write namespace\.table/],
  ['a table of the wrong type', { table: 7 }, /"table" must be a table name/],
  ['an unknown field', { ...base, colums: [] }, /no field "colums"\. Did you mean columns\?/],
  ['an unknown field of at', { ...base, at: { snapshot: '1' } }, /no field "snapshot" in "at"/],
  ['a prototype', `{"table":"a.b","__proto__":{"x":1}}`, /no field "__proto__"/],
  ['a field twice', '{"table":"a.b","limit":1,"limit":2}', /gives "limit" twice/],
  ['a field twice, escaped', '{"table":"a.b","limit":1,"\\u006cimit":2}', /gives "limit" twice/],
  ['a field twice, deep down', '{"table":"a.b","filter":{"a":{"b":1,"b":2}}}', /gives "b" twice/],
  ['null for a field', { ...base, limit: null }, /"limit" must be a whole number/],
  ['a fraction', { ...base, limit: 1.5 }, /"limit" must be a whole number/],
  ['a negative limit', { ...base, limit: -1 }, /"limit" must be a whole number from 0/],
  ['a number as text', { ...base, shards: '4' }, /"shards" must be a whole number from 1 to 1024/],
  ['no shards', { ...base, shards: 0 }, /from 1 to 1024/],
  ['too many shards', { ...base, shards: 1025 }, /from 1 to 1024/],
  ['a flag as text', { ...base, ordered: 'true' }, /"ordered" must be true or false/],
  ['an unknown compression', { ...base, compression: 'gzip' }, /"compression" must be one of "none", "lz4", "zstd"/],
  ['no columns', { ...base, columns: [] }, /"columns" must name a column/],
  ['a column twice', { ...base, columns: ['a', '"a"'] }, /asked for twice/],
  ['a column and its child', { ...base, columns: ['a.b', 'a'] }, /already holds/],
  ['a column path that is none', { ...base, columns: ['a..b'] }, /is not a column path/],
  ['a column path without end', { ...base, columns: [Array(100).fill('a').join('.')] }, /at most 64 parts/],
  ['an empty at', { ...base, at: {} }, /exactly one of/],
  ['two versions', { ...base, at: { ref: 'main', snapshot_id: '1' } }, /exactly one of/],
  ['a snapshot id as a number', { ...base, at: { snapshot_id: 1 } }, /"at\.snapshot_id" must be a decimal string/],
  ['a snapshot id in hexadecimal', { ...base, at: { snapshot_id: '0x1' } }, /not a snapshot id/],
  ['a snapshot id beyond 64 bits', { ...base, at: { snapshot_id: '9223372036854775808' } }, /not a snapshot id/],
  ['a timestamp without a zone', { ...base, at: { timestamp: '2024-01-01T00:00:00' } }, /with a zone/],
  ['a day that does not exist', { ...base, at: { timestamp: '2023-02-29T00:00:00Z' } }, /with a zone/],
  ['an empty filter', { ...base, filter: '' }, /"filter" must be filter text/],
  ['an endless filter', { ...base, filter: 'x'.repeat(70_000) }, /"filter" must be filter text of 1 to 65536/],
  ['a filter that is a number', { ...base, filter: 5 }, /"filter" must be filter text/],
  ['deep nesting', `{"table":"a.b","filter":${'{"not":'.repeat(400)}1${'}'.repeat(400)}}`, /nested deeper/],
  ['a label without end', { ...base, run: { id: 'x'.repeat(300) } }, /"run\.id" must be/],
  ['an epoch', { ...base, epoch: { seed: 7 } }, /"epoch" is not supported/, 'UNSUPPORTED_FEATURE'],
  ['a lease', { ...base, lease: '24h' }, /"lease" is not supported/, 'UNSUPPORTED_FEATURE'],
  ['too many bytes', `{"table":"a.b","filter":"${'x'.repeat(1 << 20)}"}`, /the limit is 1048576/, 'LIMIT_EXCEEDED'],
  ['a byte order mark', '\ufeff{"table":"a.b"}', /not valid JSON/],
];
for (const [name, request, message, code = 'INVALID_REQUEST'] of refusedScans) {
  test(`a scan request with ${name} is ${code}`, () => {
    assert.throws(
      () => scan(request),
      (error) => isServiceError(error, code) && message.test(error.message),
    );
  });
}

test('bytes that are not UTF-8 are INVALID_REQUEST', () => {
  assert.throws(
    () => parseScanRequest(new Uint8Array([0x7b, 0xff, 0x7d]), defaultLimits),
    (error) => isServiceError(error, 'INVALID_REQUEST'),
  );
});

test('a put request is read with its defaults', () => {
  assert.deepEqual(put({ table: 'bronze.flights', mode: 'append' }), {
    table: { namespace: ['bronze'], name: 'flights' },
    mode: 'append',
    overwriteFilter: null,
    partitionBy: [],
    formatVersion: null,
    branch: 'main',
    idempotencyKey: null,
  });
  const key = '6BA7B810-9DAD-11D1-80B4-00C04FD430C8';
  const request = put({
    table: 'a.b',
    mode: 'create',
    partition_by: ['month(date)'],
    format_version: 2,
    idempotency_key: key,
  });
  assert.equal(request.idempotencyKey, key.toLowerCase());
  assert.deepEqual(request.partitionBy, ['month(date)']);
  assert.deepEqual(put({ table: 'a.b', mode: 'overwrite', overwrite_filter: 'x = 1' }).overwriteFilter, {
    kind: 'text',
    text: 'x = 1',
  });
});

const refusedPuts: readonly (readonly [string, object, RegExp, ErrorCode?])[] = [
  ['no mode', {}, /"mode" must be one of/],
  ['an unknown mode', { mode: 'upsert' }, /"mode" must be one of "create", "append", "overwrite"/],
  ['an unknown field', { mode: 'append', partitionBy: [] }, /Did you mean partition_by\?/],
  ['a filter on append', { mode: 'append', overwrite_filter: 'x = 1' }, /goes only with mode "overwrite"/],
  ['partitions on append', { mode: 'append', partition_by: ['x'] }, /goes only with mode "create"/],
  ['a format version on append', { mode: 'append', format_version: 2 }, /goes only with mode "create"/],
  ['a key that is no UUID', { mode: 'append', idempotency_key: 'x' }, /"idempotency_key" must be a UUID/],
  ['an empty branch', { mode: 'append', branch: '' }, /"branch" must be a name/],
  ['format version 3', { mode: 'create', format_version: 3 }, /format version 2 only/, 'UNSUPPORTED_FEATURE'],
];
for (const [name, request, message, code = 'INVALID_REQUEST'] of refusedPuts) {
  test(`a put request with ${name} is ${code}`, () => {
    assert.throws(
      () => put({ table: 'a.b', ...request }),
      (error) => isServiceError(error, code) && message.test(error.message),
    );
  });
}

test('timestamps are read to the microsecond in any zone', () => {
  assert.equal(parseTimestamp('1970-01-01T00:00:00Z'), 0n);
  assert.equal(parseTimestamp('1970-01-01T01:00:00.5+01:00'), 500_000n);
  assert.equal(parseTimestamp('1969-12-31T23:59:59.999999999Z'), -1n);
  assert.equal(parseTimestamp('0001-01-01t00:00:00z'), BigInt(Date.parse('0001-01-01T00:00:00Z')) * 1000n);
  for (const wrong of ['2024-01-01', '2024-01-01T24:00:00Z', '2024-06-30T23:59:60Z', '2024-01-01T00:00:00+25:00', '']) {
    assert.throws(
      () => parseTimestamp(wrong),
      (error) => isServiceError(error, 'INVALID_REQUEST'),
      wrong,
    );
  }
});

test('any JSON either reads or fails with a typed error', () => {
  const value = fc.jsonValue({ maxDepth: 4 });
  const request = fc.record(
    {
      table: fc.oneof(fc.constant('a.b'), value),
      at: value,
      columns: value,
      filter: value,
      limit: value,
      shards: value,
      run: value,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(request, value), (any) => {
      try {
        scan(JSON.stringify(any));
        return true;
      } catch (error) {
        return isServiceError(error);
      }
    }),
    { numRuns: 500 },
  );
});

test('the source of a member is its own text, wherever it stands', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom('', ' ', '\n\t'), (value, space) => {
      const object = { type: 'not', child: value };
      const text = `{${space}"limit"${space}:1,${space}"filter":${space}${JSON.stringify(object)}${space},"table":"a.b"${space}}`;
      assert.deepEqual(JSON.parse(scan(text).filter!.text), JSON.parse(JSON.stringify(object)));
    }),
  );
});
