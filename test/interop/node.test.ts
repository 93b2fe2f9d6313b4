/** Headrace as a program in JavaScript sees it: grpc-js, the published definitions, apache-arrow. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import {
  Bool,
  Field,
  Float64,
  Int32,
  Int64,
  RecordBatchReader,
  Table as Rows,
  Struct,
  type Table,
  TimestampMicrosecond,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { startServer, type TestServer } from '../support/server.ts';
import { command, type FlightCalls, flightData, openFlight, readTable, refusalOf } from './grpc-client.ts';

const rows = 20_000;
const request = { table: 'lake.events' };
const cities = ['Oslo', 'Łódź', '東京', null];

let server: TestServer;
let token: string;
let flight: FlightCalls;

before(async () => {
  server = await startServer();
  assert.equal((await server.cli('create-namespace', 'lake')).code, 0);
  token = await server.token('nora', ['admin']);
  flight = openFlight(server.flight, token);
  const result = await put({ ...request, mode: 'create' }, events(0, rows));
  assert.equal(result.rows, rows);
});
after(async () => {
  flight?.close();
  await server?.[Symbol.asyncDispose]();
});

const idAt = (row: number): number => row;
const cityAt = (row: number): string | null => cities[row % cities.length]!;
const hotAt = (row: number): boolean => row % 3 === 0;
const scoreAt = (row: number): number => row / 8;
/** In milliseconds, as apache-arrow gives every timestamp. */
const timeAt = (row: number): number => row * 1_000;

function events(start: number, end: number): Table {
  const at = Array.from({ length: end - start }, (_, row) => start + row);
  const place = new Struct([new Field('zip', new Int32(), true), new Field('city', new Utf8(), true)]);
  return new Rows({
    id: vectorFromArray(
      at.map((row) => BigInt(idAt(row))),
      new Int64(),
    ),
    city: vectorFromArray(at.map(cityAt), new Utf8()),
    hot: vectorFromArray(at.map(hotAt), new Bool()),
    score: vectorFromArray(at.map(scoreAt), new Float64()),
    at: vectorFromArray(at.map(timeAt), new TimestampMicrosecond('UTC')),
    place: vectorFromArray(
      at.map((row) => ({ zip: 10_000 + row, city: cityAt(row) })),
      place,
    ),
  });
}

async function put(json: object, table: Table): Promise<{ readonly rows: number; readonly snapshot_id: string }> {
  const call = flight.doPut();
  for (const message of flightData(command(json), tableToIPC(table, 'stream'))) call.write(message);
  call.end();
  const results = [];
  for await (const { app_metadata } of call) results.push(JSON.parse(app_metadata.toString()));
  assert.equal(results.length, 1);
  return results[0];
}

async function scan(more: object, port = server.flight): Promise<Table> {
  const info = await flight.getFlightInfo(command({ ...request, ...more }));
  const elsewhere = openFlight(port, token);
  const parts = [];
  for (const { ticket } of info.endpoint) parts.push(await readTable(elsewhere.doGet(ticket)));
  elsewhere.close();
  return parts[0]!.concat(...parts.slice(1));
}

/** The values of every row, in the order of ids, against those that were written. */
function assertAllRows(table: Table): void {
  assert.equal(table.numRows, rows);
  const seen = table.toArray().map((row) => row!.toJSON());
  seen.sort((a, b) => Number(a.id - b.id));
  for (const [row, { id, city, hot, score, at, place }] of seen.entries()) {
    assert.deepEqual([id, city, hot, score], [BigInt(row), cityAt(row), hotAt(row), scoreAt(row)]);
    assert.equal(at, timeAt(row));
    assert.deepEqual(place.toJSON(), { zip: 10_000 + row, city: cityAt(row) });
  }
}

for (const form of [
  {},
  { compression: 'lz4' },
  { compression: 'zstd' },
  { dictionaries: true },
  { dictionaries: true, compression: 'zstd', batch_rows: 1_000 },
]) {
  test(`apache-arrow reads back what it wrote, with ${JSON.stringify(form)}`, async () => {
    const table = await scan({ ...form, shards: 3 });
    assertAllRows(table);
    const [, city] = table.schema.fields;
    assert.equal(String(city!.type).startsWith('Dictionary'), 'dictionaries' in form);
  });
}

test('the data port serves the same tickets', async () => {
  const { endpoint } = await flight.getFlightInfo(command(request));
  assert.deepEqual(
    endpoint[0]!.location.slice(1).map(({ uri }) => uri),
    [`grpc+tcp://127.0.0.1:${server.data}`, 'arrow-flight-reuse-connection://?'],
  );
  assertAllRows(await scan({ shards: 2 }, server.data));
});

test('a plan tells its schema, rows and snapshot', async () => {
  const { info, flight_descriptor } = await flight.pollFlightInfo(command({ ...request, columns: ['score', 'id'] }));
  assert.equal(flight_descriptor ?? null, null, 'the plan is complete');
  assert.equal(info.total_records, `${rows}`);
  assert.match(JSON.parse(info.app_metadata.toString()).snapshot_id, /^\d+$/);
  const table = await readTable(flight.doGet(info.endpoint[0]!.ticket));
  assert.deepEqual(
    table.schema.fields.map(({ name, type }) => [name, String(type)]),
    [
      ['score', 'Float64'],
      ['id', 'Int64'],
    ],
  );
  const planned = RecordBatchReader.from(info.schema).open().schema;
  assert.deepEqual(planned.fields.map(String), table.schema.fields.map(String));
});

test('DoExchange filters and limits in one call', async () => {
  const call = flight.doExchange();
  const filter = "city = 'Łódź' AND place.zip >= 20000";
  call.write({ flight_descriptor: command({ ...request, filter, columns: ['id', 'city'], limit: 100 }) });
  call.end();
  const table = await readTable(call);
  assert.equal(table.numRows, 100);
  for (const row of table) {
    assert.equal(row!.city, 'Łódź');
    assert.ok(Number(row!.id) >= 10_000);
  }
});

test('an empty result has the columns and no rows', async () => {
  const table = await scan({ filter: 'id < 0' });
  assert.equal(table.numRows, 0);
  assert.deepEqual(
    table.schema.fields.map(({ name }) => name),
    ['id', 'city', 'hot', 'score', 'at', 'place'],
  );
});

test('appending makes a snapshot, and the snapshot before it still reads the same', async () => {
  const create = await put({ table: 'lake.growing', mode: 'create' }, events(0, 100));
  const append = await put({ table: 'lake.growing', mode: 'append' }, events(100, 150));
  assert.notEqual(append.snapshot_id, create.snapshot_id);
  assert.equal((await scan({ table: 'lake.growing' })).numRows, 150);
  const before = await scan({ table: 'lake.growing', at: { snapshot_id: create.snapshot_id } });
  assert.equal(before.numRows, 100);
});

test('actions are listed and answer', async () => {
  const types = [];
  for await (const { type } of flight.listActions()) types.push(type);
  assert.ok(types.includes('headrace.snapshots') && types.includes('RenewFlightEndpoint'));
  const body = Buffer.from(JSON.stringify({ table: 'lake.events' }));
  for await (const result of flight.doAction({ type: 'headrace.snapshots', body })) {
    assert.equal(JSON.parse(result.body.toString()).snapshots.length, 1);
  }
});

/** How a call fails; it must. */
const refusal = (work: Promise<unknown>) => work.then(() => assert.fail('the call succeeded'), refusalOf);

test('a refusal has a status, a text and the trailer headrace-error-code', async () => {
  const absent = await refusal(flight.getFlightInfo(command({ table: 'lake.absent' })));
  assert.deepEqual([absent.code, absent.ours], [status.NOT_FOUND, 'NOT_FOUND']);
  assert.match(absent.details, /^NOT_FOUND: .*lake\.absent/);
  const unknown = await refusal(flight.getFlightInfo(command({ ...request, columns: ['scor'] })));
  assert.equal(unknown.code, status.INVALID_ARGUMENT);
  assert.equal(unknown.ours, 'UNKNOWN_COLUMN');
  const forged = await refusal(readTable(flight.doGet({ ticket: Buffer.from('forged') })));
  assert.deepEqual([forged.code, forged.ours], [status.PERMISSION_DENIED, 'TICKET_INVALID']);
  const stranger = openFlight(server.flight, null);
  const nobody = await refusal(stranger.getFlightInfo(command(request)));
  assert.deepEqual([nobody.code, nobody.ours], [status.UNAUTHENTICATED, 'UNAUTHENTICATED']);
  stranger.close();
});

test('a cancelled stream ends, and leaves the connection as it was', async () => {
  const { endpoint } = await flight.getFlightInfo(command({ ...request, batch_rows: 100 }));
  const call = flight.doGet(endpoint[0]!.ticket);
  const seen = async (): Promise<number> => {
    let messages = 0;
    for await (const _ of call) if (++messages === 3) call.cancel();
    return messages;
  };
  assert.equal((await refusal(seen())).code, status.CANCELLED);
  assertAllRows(await scan({}));
});
