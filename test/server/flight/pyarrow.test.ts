import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, errorTable, ServiceError } from '../../../src/core/errors.ts';
import type { CallContext } from '../../../src/server/streams/wire/bulk-handlers.ts';
import { runPython } from '../../support/python.ts';
import { startToy, toyInfo, toyMessages } from './toy.ts';

const client = `
import pyarrow as pa, pyarrow.flight as fl
def connect(**options):
    return fl.connect(f"grpc://127.0.0.1:{input['port']}", **options)
def outcome(work):
    try:
        work()
        return ['OK', '']
    except Exception as error:
        return [type(error).__name__, str(error)]
`;

test('pyarrow plans, lists, streams, puts, exchanges and acts', async () => {
  const calls: CallContext[] = [];
  const encoder = new TextEncoder();
  await using toy = await startToy({
    async getFlightInfo(call, descriptor) {
      calls.push(call);
      const ticket = descriptor.kind === 'cmd' ? descriptor.cmd : encoder.encode(descriptor.path.join('/'));
      const endpoint = { ticket, locations: [], expiresAtMs: 1_700_000_000_123, appMetadata: new Uint8Array(0) };
      return toyInfo({ descriptor, endpoints: [endpoint], totalRecords: 5, appMetadata: encoder.encode('{"plan":1}') });
    },
    async getSchema() {
      return toyInfo().schema;
    },
    async *listFlights(_call, criteria) {
      yield toyInfo({ descriptor: { kind: 'path', path: ['silver', new TextDecoder().decode(criteria)] } });
    },
    async *doGet(call, ticket) {
      calls.push(call);
      yield* toyMessages(ticket.length, encoder.encode('{"next":5}'));
    },
    async *doPut(_call, descriptor, messages) {
      let bytes = 0;
      let count = 0;
      for await (const message of messages) {
        bytes += message.body.length;
        count++;
      }
      yield encoder.encode(JSON.stringify({ kind: descriptor.kind, bytes, count }));
    },
    async *doExchange(_call, descriptor) {
      yield* toyMessages(descriptor.kind === 'cmd' ? descriptor.cmd.length : 0);
    },
    async *doAction(_call, type, body) {
      yield encoder.encode(`${type}:${body.length}`);
      yield encoder.encode('end');
    },
    async *listActions() {
      yield { type: 'headrace.snapshots', description: 'Lists snapshots' };
    },
  });
  const script = `${client}
c = connect()
options = fl.FlightCallOptions(headers=[(b'authorization', b'Bearer t0ken'), (b'headrace-offset', b'7')])
info = c.get_flight_info(fl.FlightDescriptor.for_command(b'12345'), options)
reader = c.do_get(info.endpoints[0].ticket, options)
chunk = reader.read_chunk()
put = fl.FlightDescriptor.for_path('a', 'b')
writer, meta = c.do_put(put, pa.schema([('n', pa.int32())]))
writer.write_batch(pa.record_batch([pa.array(range(1000), pa.int32())], ['n']))
writer.done_writing()
result = meta.read().to_pybytes().decode()
writer.close()
ew, er = c.do_exchange(fl.FlightDescriptor.for_command(b'xyz'))
ew.done_writing()
output = {
  'rows': info.total_records, 'app': info.app_metadata.decode(), 'expires': str(info.endpoints[0].expiration_time),
  'schema': str(info.schema), 'chunk': chunk.data.to_pydict(), 'meta': chunk.app_metadata.to_pybytes().decode(),
  'schema2': str(c.get_schema(fl.FlightDescriptor.for_path('x')).schema),
  'flights': [[p.decode() for p in f.descriptor.path] for f in c.list_flights(b'crit')],
  'put': result, 'exchange': er.read_all().num_rows,
  'actions': [r.body.to_pybytes().decode() for r in c.do_action(fl.Action('act', b'abc'))],
  'list': [[a.type, a.description] for a in c.list_actions()],
}
ew.close()
`;
  const output = (await runPython(script, { port: toy.port })) as Record<string, unknown>;
  assert.deepEqual(output, {
    rows: 5,
    app: '{"plan":1}',
    expires: '2023-11-14 22:13:20.123000+00:00',
    schema: 'n: int32',
    chunk: { n: [0, 1, 2, 3, 4] },
    meta: '{"next":5}',
    schema2: 'n: int32',
    flights: [['silver', 'crit']],
    put: '{"kind":"path","bytes":4000,"count":2}',
    exchange: 3,
    actions: ['act:3', 'end'],
    list: [['headrace.snapshots', 'Lists snapshots']],
  });
  assert.equal(calls[0]!.token, 't0ken');
  assert.deepEqual(calls[1]!.resume, { kind: 'offset', rows: 7 });
  assert.match(toy.log(), /"event":"call ended"/);
  assert.doesNotMatch(toy.log(), /t0ken/);
  assert.match(await toy.metrics.exposition(), /headrace_call_duration_seconds_count\{call="DoGet",code="OK"\} 1/);
});

test('errors reach pyarrow as its exception types, with the code, and no foreign text', async () => {
  // INTERNAL never carries its own text, so it has a case of its own below.
  const codes = (Object.keys(errorTable) as ErrorCode[]).filter((code) => code !== 'INTERNAL');
  await using toy = await startToy({
    async *doGet(call, ticket) {
      const name = new TextDecoder().decode(ticket);
      const [schema, batch] = toyMessages(3);
      if (name === 'slow') await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
      if (name.startsWith('late:')) {
        yield schema;
        yield batch;
      }
      if (name.endsWith('foreign')) throw new Error('canary-4711');
      if (name.endsWith('long')) throw new ServiceError('INVALID_REQUEST', 'ü\ud800'.repeat(20_000));
      throw new ServiceError(name as ErrorCode, 'what was wrong, where, and what would be right: "ü" 100%');
    },
  });
  const script = `${client}
c = connect()
output = {name: outcome(lambda: c.do_get(fl.Ticket(name.encode())).read_all()) for name in input['names']}
headers = fl.FlightCallOptions(headers=[(b'headrace-cursor', b'x'), (b'headrace-offset', b'1')])
output['both'] = outcome(lambda: c.do_get(fl.Ticket(b'x'), headers).read_all())
output['basic'] = outcome(lambda: c.do_get(fl.Ticket(b'x'), fl.FlightCallOptions(headers=[(b'authorization', b'Basic eA==')])).read_all())
output['deadline'] = outcome(lambda: c.do_get(fl.Ticket(b'slow'), fl.FlightCallOptions(timeout=0.2)).read_all())
`;
  const names = [...codes, 'foreign', 'late:foreign', 'long'];
  const output = (await runPython(script, { port: toy.port, names })) as Record<string, [string, string]>;
  for (const code of codes) {
    assert.match(output[code]![1], new RegExp(`message: ${code}: what was wrong.*"ü" 100%`, 's'), code);
  }
  const type = (name: string): string => output[name]![0];
  assert.equal(type('UNAUTHENTICATED'), 'FlightUnauthenticatedError');
  assert.equal(type('PERMISSION_DENIED'), 'FlightUnauthorizedError');
  assert.equal(type('UNAVAILABLE'), 'FlightUnavailableError');
  assert.equal(type('CANCELLED'), 'FlightCancelledError');
  assert.equal(type('DEADLINE_EXCEEDED'), 'FlightTimedOutError');
  assert.equal(type('INVALID_FILTER'), 'ArrowInvalid');
  assert.equal(type('NOT_FOUND'), 'ArrowKeyError');
  for (const name of ['foreign', 'late:foreign']) {
    assert.match(output[name]![1], /message: INTERNAL: internal error [0-9a-f-]{36}/);
    assert.doesNotMatch(output[name]![1], /canary/);
  }
  assert.match(output.long![1], /message: INVALID_REQUEST: ü\ufffdü.*…/s);
  assert.match(output.both![1], /message: INVALID_REQUEST: send either/);
  assert.match(output.basic![1], /message: UNAUTHENTICATED: the authorization header/);
  assert.equal(type('deadline'), 'FlightTimedOutError');
  assert.doesNotMatch(toy.log(), /canary/);
  assert.match(toy.log(), /"event":"internal error"/);
});
