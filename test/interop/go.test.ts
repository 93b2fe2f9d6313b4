/** Headrace as arrow-go sees it: the calls that pyarrow's client lacks, and the rest once more with another Arrow and another gRPC. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startServer, type TestServer } from '../support/server.ts';
import {
  buildFlightClient,
  type FlightClient,
  go,
  type Refused,
  type SeenColumn,
  type SeenEndpoint,
  type SeenInfo,
  type SeenStream,
} from './flight-client.ts';

const ticketTtlMs = 4_000;
const rows = 5_000;
/** About 90 MB in three files, so that there always is more to read. */
const large = { rows: 360_000, files: 3, noteChars: 200 };
const trips = { request: { table: 'lake.trips' } };
const reuseConnection = 'arrow-flight-reuse-connection://?';

let client: FlightClient;
let server: TestServer;
let token: string;
let written: SeenStream['rows'];
let firstSnapshot: string;

before(async () => {
  client = await buildFlightClient();
  server = await startServer({ env: { HEADRACE_TICKETS_TTL: `${ticketTtlMs / 1_000}s` } });
  assert.equal((await server.cli('create-namespace', 'lake')).code, 0);
  token = await server.token('gopher', ['admin']);
  const create = { table: 'lake.trips', mode: 'create', partition_by: ['day(at)'] };
  const put = await seen<SeenPut>('put', { request: create, rows, batchRows: 700, show: true });
  written = put.rows;
  firstSnapshot = put.results[0]!.snapshot_id;
  assert.deepEqual(put.results, [{ snapshot_id: firstSnapshot, rows, files: 4 }]);
});

after(async () => {
  await server?.[Symbol.asyncDispose]();
  await client?.[Symbol.asyncDispose]();
});

test('arrow-go reads from the data files what DoPut took', async () => {
  const files = await readdir(join(server.dataDir, 'warehouse'), { recursive: true });
  const paths = files
    .filter((file) => /trips.*\.parquet$/.test(file))
    .map((file) => join(server.dataDir, 'warehouse', file));
  assert.equal(paths.length, 4);
  assert.deepEqual(byId(await seen<SeenStream['rows']>('files', { paths })), written);
});

interface SeenPut {
  readonly results: readonly { readonly snapshot_id: string; readonly rows: number; readonly files: number }[];
  readonly rows: SeenStream['rows'];
}

interface SeenPlace {
  readonly endpoint: number;
  readonly location: string;
  readonly stream: SeenStream;
}

const seen = <Seen>(scenario: string, input: object): Promise<Seen> =>
  client.run(scenario, { uri: `grpc+tcp://127.0.0.1:${server.flight}`, token, ...input });
const refused = async (scenario: string, input: object): Promise<Refused> =>
  (await seen<{ readonly refused: Refused }>(scenario, input)).refused;
const dataLocation = () => `grpc+tcp://127.0.0.1:${server.data}`;
const byId = (all: SeenStream['rows']) => all.toSorted((a, b) => Number(a.id) - Number(b.id));
const rowsAt = (places: readonly SeenPlace[], location: string) =>
  byId(places.filter((place) => place.location === location).flatMap((place) => place.stream.rows));
const ids = (stream: SeenStream) => stream.rows.map((row) => row.id);

const columns: readonly SeenColumn[] = [
  { name: 'id', type: 'int64', nullable: false, fieldId: '1' },
  { name: 'word', type: 'utf8', nullable: true, fieldId: '2' },
  { name: 'fare', type: 'decimal(9, 2)', nullable: true, fieldId: '3' },
  { name: 'at', type: 'timestamp[us, tz=UTC]', nullable: true, fieldId: '4' },
  { name: 'day', type: 'date32', nullable: true, fieldId: '5' },
  { name: 'tags', type: 'list<element: utf8, nullable>', nullable: true, fieldId: '6' },
  { name: 'place', type: 'struct<city: utf8 nullable, zip: int32 nullable>', nullable: true, fieldId: '7' },
  { name: 'score', type: 'float64', nullable: true, fieldId: '8' },
  { name: 'note', type: 'utf8', nullable: true, fieldId: '9' },
];

test('the client itself is vetted, and its modules are those of go.sum', async () => {
  await go('vet', './...');
  assert.match(await go('mod', 'verify'), /all modules verified/);
});

test('GetFlightInfo plans: a schema, endpoints with three locations each, an expiry, exact counts', async () => {
  const start = Date.now();
  const info = await seen<SeenInfo>('plan', { request: { ...trips.request, shards: 3, ordered: true } });
  assert.deepEqual(info.columns, columns);
  assert.equal(info.totalRecords, rows);
  assert.ok(info.totalBytes > 0);
  assert.equal(info.ordered, true);
  assert.equal(info.metadata!.snapshot_id, firstSnapshot);
  assert.equal(info.metadata!.files, 4);
  assert.equal(info.endpoints.length, 3);
  assert.equal(new Set(info.endpoints.map(({ ticket }) => ticket)).size, 3);
  for (const { locations, expiresAt } of info.endpoints) {
    assert.equal(locations.length, 3);
    assert.match(locations[0]!, /^grpc\+tcp:\/\/127\.0\.0\.1:\d+$/, 'a worker');
    assert.deepEqual(locations.slice(1), [dataLocation(), reuseConnection]);
    const lifeMs = Date.parse(expiresAt) - start;
    assert.ok(lifeMs > 0 && lifeMs <= ticketTtlMs + 10_000, `${lifeMs} ms`);
  }
});

test('GetSchema answers the columns as the stream has them, for a command and for a path', async () => {
  const request = { ...trips.request, columns: ['place.zip', 'word'] };
  assert.deepEqual(await seen('schema', { path: ['lake', 'trips'] }), columns);
  const answered = await seen<SeenColumn[]>('schema', { request });
  const [place] = await seen<SeenPlace[]>('read', { request });
  assert.deepEqual(answered, place!.stream.columns);
  assert.deepEqual(
    answered.map(({ name, type, fieldId }) => [name, type, fieldId]),
    [
      ['place', 'struct<zip: int32 nullable>', '7'],
      ['word', 'utf8', '2'],
    ],
  );
});

test('PollFlightInfo answers a complete plan at once, and its tickets read', async () => {
  const poll = await seen<SeenPoll>('poll', { request: { ...trips.request, shards: 2 } });
  assert.equal(poll.complete, true);
  assert.equal(poll.progress, 1);
  assert.equal(poll.info.totalRecords, rows);
  assert.equal(poll.info.endpoints.length, 2);
  assert.equal(poll.expiresAt, poll.info.endpoints[0]!.expiresAt);
  assert.equal(poll.rows, rows);
  assert.equal((await refused('poll', { request: { table: 'lake.absent' } })).code, 'NotFound');
});

interface SeenPoll {
  readonly info: SeenInfo;
  readonly complete: boolean;
  readonly progress: number;
  readonly expiresAt: string;
  readonly rows: number;
}

for (const compression of ['none', 'lz4', 'zstd']) {
  for (const dictionaries of [false, true]) {
    const form = `compression ${compression}${dictionaries ? ' and dictionaries' : ''}`;
    test(`DoGet gives what DoPut took, on the data port and on the connection itself, with ${form}`, async () => {
      const request = { ...trips.request, shards: 2, compression, dictionaries };
      const places = await seen<SeenPlace[]>('read', { request });
      assert.equal(places.length, 6);
      for (const location of [dataLocation(), reuseConnection]) assert.deepEqual(rowsAt(places, location), written);
      const types = new Map(places[0]!.stream.columns.map(({ name, type }) => [name, type]));
      assert.equal(types.get('word')!.startsWith('dictionary<values=utf8'), dictionaries);
      assert.equal(types.get('score'), 'float64');
    });
  }
}

test('rows have the values that were written, of every type', async () => {
  const [place] = await seen<SeenPlace[]>('read', { request: { ...trips.request, filter: 'id IN (1, 2039)' } });
  const [first, later] = byId(place!.stream.rows);
  assert.deepEqual(first, {
    id: 1,
    word: 'brook',
    fare: '0.25',
    at: '2001-03-01T00:01:00Z',
    day: '2001-03-01',
    tags: ['amber'],
    place: { city: 'city brook', zip: 10_001 },
    score: 0.125,
    note: '',
  });
  assert.deepEqual(
    { ...later, note: '' },
    {
      id: 2039,
      word: 'ember',
      fare: '509.75',
      at: '2001-03-02T09:59:00Z',
      day: '2001-03-02',
      tags: null,
      place: null,
      score: 254.875,
      note: '',
    },
  );
  assert.equal(written[6]!.word, null);
});

test('compressed bodies are smaller on the wire, and dictionaries are sent once a stream', async () => {
  const size = async (form: object) => {
    const request = { ...trips.request, columns: ['word', 'at'], filter: 'id < 1400', batch_rows: 100, ...form };
    const [place] = await seen<SeenPlace[]>('read', { request });
    return place!.stream.bodyBytes;
  };
  const plain = await size({});
  assert.ok((await size({ compression: 'zstd' })) < 0.8 * plain);
  assert.ok((await size({ compression: 'lz4' })) < 0.9 * plain);
  assert.ok((await size({ dictionaries: true })) < plain);
});

test('batches keep to batch_rows, and each tells how far the stream is', async () => {
  const request = { ...trips.request, filter: 'id < 1000', batch_rows: 300 };
  const { stream } = (await seen<SeenPlace[]>('read', { request }))[0]!;
  assert.ok(stream.batchRows.every((count) => count > 0 && count <= 300));
  const sums = stream.batchRows.map((_, at) => stream.batchRows.slice(0, at + 1).reduce((a, b) => a + b));
  assert.deepEqual(
    stream.progress.map(({ next }) => next),
    sums,
  );
  assert.equal(sums.at(-1), 1_000);
});

test('an empty result is one batch of zero rows', async () => {
  const [place] = await seen<SeenPlace[]>('read', { request: { ...trips.request, filter: 'id < 0' } });
  assert.deepEqual(place!.stream.batchRows, [0]);
  assert.deepEqual(place!.stream.columns, columns);
});

test('DoExchange plans and streams in one call', async () => {
  const stream = await seen<SeenStream>('exchange', { request: { ...trips.request, compression: 'lz4' } });
  assert.deepEqual(byId(stream.rows), written);
  assert.equal((await refused('exchange', { request: { table: 'lake.trips', shards: 2 } })).code, 'InvalidArgument');
});

for (const form of [{}, { dictionary: true }, { compression: 'zstd' }, { compression: 'lz4', dictionary: true }]) {
  test(`DoPut takes a stream with ${JSON.stringify(form)}`, async () => {
    const name = `forms_${Object.values(form).join('_')}`;
    const table = `lake.${name}`;
    const input = { rows: 2_000, batchRows: 300, show: true, ...form };
    const put = await seen<SeenPut>('put', { request: { table, mode: 'create' }, ...input });
    assert.equal(put.results[0]!.rows, 2_000);
    const stream = await seen<SeenStream>('exchange', { request: { table } });
    assert.deepEqual(byId(stream.rows), put.rows);
  });
}

test('DoPut is refused where the table exists already, and where it is absent', async () => {
  const input = { rows: 10, batchRows: 10 };
  const again = await refused('put', { request: { table: 'lake.trips', mode: 'create' }, ...input });
  assert.equal(again.code, 'AlreadyExists');
  const absent = await refused('put', { request: { table: 'lake.absent', mode: 'append' }, ...input });
  assert.equal(absent.code, 'NotFound');
});

test('CancelFlightInfo ends the stream with CANCELLED, stops its reads, and lets no stream of the plan start', async () => {
  for (let file = 0; file < large.files; file++) {
    const each = large.rows / large.files;
    const request = { table: 'lake.large', mode: file === 0 ? 'create' : 'append' };
    await seen('put', { request, first: file * each, rows: each, batchRows: 20_000, noteChars: large.noteChars });
  }
  for (const wrapped of [false, true]) {
    const before = await scannedRows();
    const request = { table: 'lake.large', batch_rows: 4_096 };
    const cancelled = await seen<SeenCancel>('cancel', { request, batches: 2, wrapped });
    const scanned = (await scannedRows()) - before;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.equal((await scannedRows()) - before, scanned, 'nothing is read for it any more');
    assert.equal(cancelled.status, 'CANCEL_STATUS_CANCELLED');
    assert.equal(cancelled.ended?.code, 'Canceled');
    assert.match(cancelled.ended.message, /^CANCELLED: /);
    assert.ok(cancelled.rowsBefore > 0 && cancelled.rowsBefore + cancelled.rowsAfter < large.rows);
    assert.ok(scanned > 0 && scanned < large.rows, `${scanned} rows were read`);
    assert.equal(cancelled.again?.code, 'Canceled');
  }
  assert.equal((await seen<SeenStream>('exchange', trips)).rows.length, rows, 'another plan is not concerned');
});

interface SeenCancel {
  readonly status: string;
  readonly rowsBefore: number;
  readonly rowsAfter: number;
  readonly ended: Refused | null;
  readonly again: Refused | null;
}

async function scannedRows(): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${server.http}/metrics`)).text();
  const lines = metrics.split('\n').filter((line) => line.startsWith('headrace_scanned_rows_total{'));
  return lines.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);
}

interface SeenRenewal {
  readonly old: SeenEndpoint;
  readonly renewed: SeenEndpoint;
  readonly first: SeenStream;
  readonly oldLater: SeenStream;
  readonly renewedLater: SeenStream;
  readonly continued: SeenStream;
}

test('RenewFlightEndpoint gives the same endpoint a later expiry; the cursors of the old ticket stay good', async () => {
  const request = { ...trips.request, batch_rows: 1_000, columns: ['id'] };
  const renewal = await seen<SeenRenewal>('renew', { request, renewAfterMs: 1_200, readAfterMs: 1_200 });
  assert.ok(Date.parse(renewal.renewed.expiresAt) > Date.parse(renewal.old.expiresAt));
  assert.deepEqual(renewal.renewed.locations, renewal.old.locations);
  assert.notEqual(renewal.renewed.ticket, renewal.old.ticket);
  assert.equal(renewal.first.rows.length, rows);
  assert.deepEqual(ids(renewal.renewedLater), ids(renewal.first));
  assert.deepEqual(ids(renewal.oldLater), ids(renewal.first));
  assert.deepEqual(ids(renewal.continued), ids(renewal.first).slice(renewal.first.batchRows[0]));
});

test('a renewed ticket still reads when the old one has expired', async () => {
  const request = { ...trips.request, columns: ['id'] };
  const renewal = await seen<SeenRenewal>('renew', {
    request,
    renewAfterMs: ticketTtlMs - 1_500,
    readAfterMs: ticketTtlMs + 500,
  });
  assert.equal(renewal.oldLater.refused?.code, 'FailedPrecondition');
  assert.match(renewal.oldLater.refused.message, /^TICKET_EXPIRED: /);
  assert.equal(renewal.renewedLater.rows.length, rows);
});

test('session options: each has an invalid name, none is kept, and there is no session to close', async () => {
  const sessions = await seen<object>('sessions', {});
  const names = ['text', 'flag', 'count', 'ratio', 'list', 'unset'];
  assert.deepEqual(sessions, {
    errors: Object.fromEntries(names.map((name) => [name, 'INVALID_NAME'])),
    options: [],
    close: 'NOT_CLOSEABLE',
  });
});

test('ListFlights lists the tables by path, of one namespace where asked', async () => {
  const flights = await seen<SeenInfo[]>('flights', {});
  const listed = flights.find(({ path }) => path?.join('.') === 'lake.trips');
  assert.deepEqual(listed!.columns, columns);
  assert.deepEqual(await seen('flights', { expression: 'elsewhere' }), []);
  assert.equal((await seen<SeenInfo[]>('flights', { expression: 'lake' })).length, flights.length);
  assert.equal((await seen<SeenInfo>('plan', { path: listed!.path! })).totalRecords, rows);
});

test('ListActions and DoAction', async () => {
  const actions = await seen<Record<string, string>>('actions', {});
  for (const type of [
    'CancelFlightInfo',
    'RenewFlightEndpoint',
    'SetSessionOptions',
    'GetSessionOptions',
    'CloseSession',
    'headrace.commit',
    'headrace.snapshots',
    'headrace.explain',
  ]) {
    assert.ok(actions[type], type);
  }
  const [answer] = await seen<string[]>('action', { type: 'headrace.snapshots', body: '{"table": "lake.trips"}' });
  const { current_snapshot_id, snapshots } = JSON.parse(answer!);
  assert.equal(current_snapshot_id, firstSnapshot);
  assert.equal(snapshots[0].summary['total-records'], `${rows}`);
  assert.equal((await refused('action', { type: 'headrace.unheard', body: '' })).code, 'InvalidArgument');
});

test('refusals carry gRPC’s code and ours', async () => {
  const cases: readonly (readonly [object, string, RegExp])[] = [
    [{ request: { table: 'lake.absent' } }, 'NotFound', /^NOT_FOUND: /],
    [{ request: { ...trips.request, columns: ['wrod'] } }, 'InvalidArgument', /^UNKNOWN_COLUMN: /],
    [{ request: { ...trips.request, filter: 'id >' } }, 'InvalidArgument', /^INVALID_FILTER: /],
    [{ request: { ...trips.request, unheard: 1 } }, 'InvalidArgument', /^INVALID_REQUEST: /],
    [{ request: { ...trips.request, epoch: { seed: 1 } } }, 'Unimplemented', /^UNSUPPORTED_FEATURE: /],
    [{ ...trips, token: '' }, 'Unauthenticated', /^UNAUTHENTICATED: /],
    [{ ...trips, token: `${token}x` }, 'Unauthenticated', /^UNAUTHENTICATED: /],
  ];
  for (const [input, code, message] of cases) {
    const answer = await refused('plan', input);
    assert.equal(answer.code, code, answer.message);
    assert.match(answer.message, message);
  }
});
