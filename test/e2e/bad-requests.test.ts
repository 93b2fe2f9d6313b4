/** Malformed requests: each gets a typed error; everybody else's streams and the server stay as they were. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { type AttackedWorld, openAttackedWorld, refusedWith } from './attacked-world.ts';
import { commandDescriptor, jsonDescriptor } from './ipc-pieces.ts';
import { bytesField, varint } from './protobuf-bytes.ts';
import type { RawFlight } from './raw-flight.ts';

const megabyte = 1 << 20;
let world: AttackedWorld;
let raw: RawFlight;
let unharmed: () => Promise<void>;

before(async () => {
  world = await openAttackedWorld();
  raw = world.raw;
});
after(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  unharmed = await world.watch();
});
afterEach(() => unharmed());

describe('malformed requests', () => {
  const planning = ['GetFlightInfo', 'PollFlightInfo', 'GetSchema'] as const;

  test('protobuf that is none: each call answers INVALID_REQUEST or what its empty request means', async () => {
    const messages: [string, Uint8Array][] = [
      ['a length beyond the end', Buffer.from([0x0a, 0x7f, 1])],
      ['a length of 4 GB', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])],
      ['an endless varint', Buffer.alloc(40, 0xff)],
      ['field number 0', Buffer.from([0x02, 0x00])],
      ['a group', Buffer.from([0x0b, 0x0b, 0x0c])],
      ['a wrong wire type', Buffer.concat([varint(8), varint(1)])],
      ['a fixed64 cut short', Buffer.from([0x09, 1, 2])],
      ['text', Buffer.from('{"table": "lake.small"}')],
    ];
    for (const method of [...planning, 'DoGet', 'DoPut', 'DoExchange', 'DoAction', 'ListFlights', 'Handshake']) {
      for (const [what, message] of messages) {
        const answer = await raw.call(method, [message]);
        if (answer.status === 'OK' && ['Handshake', 'ListFlights'].includes(method)) continue;
        refusedWith(answer, ['INVALID_REQUEST', 'TICKET_INVALID'], `${method}: ${what}`);
      }
    }
    for (const method of planning) {
      refusedWith(await raw.call(method, []), ['INVALID_REQUEST'], 'no message');
      const twice = [jsonDescriptor({ table: 'lake.small' }), jsonDescriptor({ table: 'lake.small' })];
      refusedWith(await raw.call(method, twice), ['INVALID_REQUEST'], 'two messages');
    }
    assert.equal((await raw.call('DoAnything', [Buffer.alloc(0)])).status, 'UNIMPLEMENTED');
  });

  test('random bytes, to every call', async () => {
    const methods = [...planning, 'DoGet', 'DoPut', 'DoExchange', 'DoAction', 'ListFlights'];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...methods), fc.uint8Array({ maxLength: 200 }), async (method, bytes) => {
        const answer = await raw.call(method, [bytes]);
        if (answer.status !== 'OK')
          refusedWith(answer, ['INVALID_REQUEST', 'TICKET_INVALID', 'NOT_FOUND', 'UNSUPPORTED_FEATURE'], method);
      }),
      { numRuns: 300 },
    );
  });

  test('descriptors that name nothing', async () => {
    const path = (...parts: readonly string[]) =>
      Buffer.concat([Buffer.from([8, 1]), ...parts.map((part) => bytesField(3, Buffer.from(part)))]);
    const cases: [string, Uint8Array, readonly string[]][] = [
      ['an unknown type', Buffer.from([8, 9]), ['INVALID_REQUEST']],
      ['an empty path', path(), ['INVALID_REQUEST']],
      ['one part', path('small'), ['INVALID_REQUEST']],
      ['a dot in a part', path('lake', 'a.b'), ['INVALID_REQUEST']],
      ['an empty part', path('lake', ''), ['INVALID_REQUEST']],
      ['too many parts', path(...Array.from({ length: 65 }, () => 'a')), ['INVALID_REQUEST']],
      ['a long part', path('lake', 'a'.repeat(100_000)), ['INVALID_REQUEST', 'NOT_FOUND']],
      ['a path upwards', path('lake', '../../etc/passwd'), ['INVALID_REQUEST', 'NOT_FOUND']],
      [
        'no UTF-8',
        Buffer.concat([Buffer.from([8, 1]), bytesField(3, Buffer.from([0xff, 0xfe])), bytesField(3, Buffer.from('x'))]),
        ['INVALID_REQUEST', 'NOT_FOUND'],
      ],
      ['an absent table', path('lake', 'absent'), ['NOT_FOUND']],
    ];
    for (const method of planning) {
      for (const [what, descriptor, codes] of cases) refusedWith(await raw.call(method, [descriptor]), codes, what);
    }
  });

  test('JSON that is none, or not of the form', async () => {
    const table = 'lake.small';
    const texts = [
      '',
      '{',
      'null',
      '[]',
      '7',
      '"lake.small"',
      '{"table": "lake.small"',
      '{"table": "lake.small"} x',
      '{"table": "lake.small", "table": "lake.numbers"}',
      "{'table': 'lake.small'}",
      '{"table": NaN}',
      '{"table": "lake.small", "__proto__": {"admin": true}}',
      '{"table": "lake.small", "constructor": 1}',
      `${'['.repeat(100_000)}`,
      `{"table": ${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`,
      '\ufeff{"table": "lake.small"}'.slice(0, 5),
    ];
    for (const text of texts) {
      refusedWith(
        await raw.call('GetFlightInfo', [commandDescriptor(Buffer.from(text))]),
        ['INVALID_REQUEST', 'LIMIT_EXCEEDED'],
        text.slice(0, 60),
      );
    }
    refusedWith(
      await raw.call('GetFlightInfo', [commandDescriptor(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))]),
      ['INVALID_REQUEST'],
      'no UTF-8',
    );
    refusedWith(
      await raw.call('GetFlightInfo', [commandDescriptor(Buffer.alloc(megabyte + 1, 0x20))]),
      ['LIMIT_EXCEEDED', 'INVALID_REQUEST'],
      'long',
    );
    const fields: object[] = [
      { tabel: table },
      { table: 7 },
      { table: 'small' },
      { table, columns: [] },
      { table, columns: 'id' },
      { table, columns: [7] },
      { table, columns: ['id', 'id'] },
      { table, columns: ['"'] },
      { table, shards: 0 },
      { table, shards: 1_025 },
      { table, shards: 1.5 },
      { table, shards: '2' },
      { table, limit: -1 },
      { table, limit: 1e300 },
      { table, batch_rows: 0 },
      { table, batch_rows: 2 ** 40 },
      { table, ordered: 'yes' },
      { table, compression: 'gzip' },
      { table, at: {} },
      { table, at: { snapshot_id: 'x' } },
      { table, at: { snapshot_id: 7 } },
      { table, at: { ref: 'main', snapshot_id: '7' } },
      { table, at: { timestamp: '2026-01-01' } },
      { table, at: { timestamp: 'yesterday' } },
      { table, run: { id: 7 } },
      { table, filter: 7 },
      { table, filtre: 'id = 1' },
    ];
    for (const request of fields) {
      for (const method of ['GetFlightInfo', 'GetSchema']) {
        refusedWith(
          await raw.call(method, [jsonDescriptor(request)]),
          ['INVALID_REQUEST', 'INVALID_FILTER'],
          JSON.stringify(request),
        );
      }
    }
    for (const request of [
      { table, epoch: {} },
      { table, lease: '1h' },
    ]) {
      refusedWith(
        await raw.call('GetFlightInfo', [jsonDescriptor(request)]),
        ['UNSUPPORTED_FEATURE'],
        JSON.stringify(request),
      );
    }
  });

  test('filters that are none', async () => {
    const filters: unknown[] = [
      '',
      ' ',
      'id',
      'id =',
      '= 1',
      'id = = 1',
      'id = 1 AND',
      "id = 'x",
      'id = 1; DROP TABLE x',
      'id IN ()',
      'id BETWEEN 1',
      "id = 'one'",
      'id = 1.5.2',
      "text LIKE '%middle%'",
      'text LIKE 7',
      'id IS NAN',
      'lower(text) = 1',
      '(SELECT 1)',
      `${'('.repeat(70_000)}`,
      `${'('.repeat(300)}id = 1${')'.repeat(300)}`,
      `${'NOT '.repeat(10_000)}id = 1`,
      `id IN (${Array.from({ length: 10_001 }, (_, at) => at).join()})`,
      Array.from({ length: 10_001 }, () => 'id = 1').join(' OR '),
      `text = '${'x'.repeat(70_000)}'`,
      {},
      { type: 'eq' },
      { type: 'nope', term: 'id', value: 1 },
      { type: 'eq', term: 'id', value: {} },
      { type: 'eq', term: 7, value: 1 },
      { type: 'and', left: true },
      Array.from({ length: 400 }).reduce<object>((inner) => ({ type: 'not', child: inner }), {
        type: 'eq',
        term: 'id',
        value: 1,
      }),
    ];
    const codes = ['INVALID_FILTER', 'INVALID_REQUEST', 'LIMIT_EXCEEDED', 'UNKNOWN_COLUMN'];
    for (const filter of filters) {
      refusedWith(
        await raw.call('GetFlightInfo', [jsonDescriptor({ table: 'lake.small', filter })]),
        codes,
        JSON.stringify(filter).slice(0, 80),
      );
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.constantFrom(
            'id',
            'text',
            '=',
            '<',
            'AND',
            'OR',
            'NOT',
            '(',
            ')',
            'IN',
            ',',
            '1',
            "'x'",
            'NULL',
            'IS',
            'LIKE',
            '-',
            '"',
          ),
          { maxLength: 12 },
        ),
        async (words) => {
          const answer = await raw.call('GetFlightInfo', [
            jsonDescriptor({ table: 'lake.small', filter: words.join(' ') }),
          ]);
          if (answer.status !== 'OK') refusedWith(answer, codes, words.join(' '));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('actions with bodies that are none', async () => {
    const action = (type: string, body: string | Uint8Array): Buffer =>
      Buffer.concat([bytesField(1, Buffer.from(type)), bytesField(2, Buffer.from(body))]);
    const bodies = ['', '{', '[]', '7', '{"table": 7}', '{"table": "lake.small", "more": 1}', '\0\0\0', '\n\x02\b\x01'];
    const types = [
      'headrace.commit',
      'headrace.snapshots',
      'headrace.explain',
      'CancelFlightInfo',
      'RenewFlightEndpoint',
    ];
    for (const type of types) {
      for (const body of bodies) {
        refusedWith(
          await raw.call('DoAction', [action(type, body)]),
          ['INVALID_REQUEST', 'TICKET_INVALID'],
          `${type} ${body}`,
        );
      }
    }
    const identifier = { namespace: ['lake'], name: 'small' };
    const commits: object[] = [
      { requirements: [], updates: [] },
      { identifier: 7, requirements: [], updates: [] },
      { identifier, requirements: {}, updates: [] },
      { identifier, requirements: [{ type: 'nope' }], updates: [] },
      { identifier, requirements: [], updates: [{ action: 'nope' }] },
      {
        identifier,
        requirements: [],
        updates: [{ action: 'add-schema', schema: { type: 'struct', fields: [{ id: 'x' }] } }],
      },
      { identifier, requirements: [], updates: [{ action: 'set-current-schema', 'schema-id': 99 }] },
      { identifier, requirements: [], updates: [{ action: 'add-snapshot', snapshot: {} }] },
      { identifier, requirements: [], updates: [{ action: 'set-location', location: '/etc' }] },
      { identifier, requirements: [], updates: [{ action: 'upgrade-format-version', 'format-version': 99 }] },
    ];
    for (const commit of commits) {
      const answer = await raw.call('DoAction', [action('headrace.commit', JSON.stringify(commit))]);
      refusedWith(
        answer,
        ['INVALID_REQUEST', 'UNSUPPORTED_FEATURE', 'NOT_FOUND', 'COMMIT_CONFLICT'],
        JSON.stringify(commit),
      );
    }
    refusedWith(await raw.call('DoAction', [action('nope', '')]), ['INVALID_REQUEST'], 'an unknown action');
    refusedWith(await raw.call('DoAction', [action('x'.repeat(1_000), '')]), ['INVALID_REQUEST'], 'a long name');
    refusedWith(await raw.call('DoAction', [action('promote', '')]), ['UNSUPPORTED_FEATURE'], 'a reserved action');
    refusedWith(
      await raw.call('DoAction', [action('headrace.explain', Buffer.alloc(2 * megabyte, 0x20))]),
      ['LIMIT_EXCEEDED', 'INVALID_REQUEST'],
      'a long body',
    );
  });
});
