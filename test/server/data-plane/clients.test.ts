/** The data plane as pyarrow's C++ client and grpc-js see it, in plain text and over TLS. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, credentials, type ServiceError as GrpcError, Metadata, status } from '@grpc/grpc-js';
import { isServiceError, ServiceError } from '../../../src/core/errors.ts';
import type { CallContext } from '../../../src/server/streams/wire/bulk-handlers.ts';
import { encodeFlightData } from '../../../src/server/streams/wire/flight-data.ts';
import type { FlightMessage } from '../../../src/server/streams/wire/messages.ts';
import { makeTlsFiles } from '../../support/certificates.ts';
import { runPython } from '../../support/python.ts';
import { toyMessages } from '../flight/toy.ts';
import { anyPort, startToy } from './toy.ts';

const rows = 250_000;
const reasons: Promise<ServiceError>[] = [];

const handlers = {
  async *doGet(call: CallContext, bytes: Uint8Array): AsyncGenerator<FlightMessage> {
    const name = Buffer.from(bytes).toString();
    if (name === 'fail') throw new ServiceError('NOT_FOUND', 'ü'.repeat(10_000));
    if (name === 'who') throw new ServiceError('UNAUTHENTICATED', `${call.token} ${JSON.stringify(call.resume)}`);
    const [schema, batch] = toyMessages(rows);
    yield schema;
    if (name !== 'endless') return yield batch;
    reasons.push(new Promise((resolve) => call.signal.addEventListener('abort', () => resolve(call.signal.reason))));
    for (;;) yield batch;
  },
  async *doPut(_call: CallContext, _descriptor: unknown, messages: AsyncIterable<{ readonly body: Uint8Array }>) {
    let bytes = 0;
    for await (const { body } of messages) {
      bytes += body.length;
      if (body.length > 0) yield new TextEncoder().encode(String(bytes));
    }
  },
  async *doExchange(
    _call: CallContext,
    _descriptor: unknown,
    messages: AsyncIterable<{ readonly header: Uint8Array; readonly body: Uint8Array }>,
  ) {
    for await (const { header, body } of messages) yield { header, body: [body], bodyBytes: body.length };
  },
};

const script = `
import pyarrow as pa, pyarrow.flight as fl, time, threading
tls = dict(tls_root_certs=input['ca']) if 'ca' in input else {}
scheme = 'grpc+tls' if tls else 'grpc'
def connect(): return fl.connect(f"{scheme}://localhost:{input['port']}", generic_options=[('grpc.use_local_subchannel_pool', 1)], **tls)
c = connect()
def outcome(work):
    try:
        work()
        return 'OK'
    except Exception as error:
        return type(error).__name__ + ': ' + str(error)[:200]
batch = pa.record_batch([pa.array(range(100_000), pa.int64())], ['n'])
def put():
    writer, meta = c.do_put(fl.FlightDescriptor.for_path('a'), batch.schema)
    seen = []
    for _ in range(20):
        writer.write_batch(batch)
        seen.append(meta.read().to_pybytes().decode())
    writer.done_writing()
    assert meta.read() is None
    writer.close()
    return seen[-1]
def exchange():
    writer, reader = c.do_exchange(fl.FlightDescriptor.for_command(b'x'))
    writer.begin(batch.schema)
    writer.write_batch(batch)
    writer.done_writing()
    table = reader.read_all()
    writer.close()
    return table.equals(pa.table(batch))
def cancel():
    reader = connect().do_get(fl.Ticket(b'endless'))
    reader.read_chunk()
    reader.cancel()
    return 'cancelled'
table = c.do_get(fl.Ticket(b'all')).read_all()
headers = fl.FlightCallOptions(headers=[(b'authorization', b'Bearer t'), (b'headrace-offset', b'3')])
results = []
def parallel():
    results.append(sum(c.do_get(fl.Ticket(b'all')).read_all().num_rows for _ in range(10)))
threads = [threading.Thread(target=parallel) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
output = {
  'rows': table.num_rows,
  'last': table['n'][-1].as_py(),
  'put': put(),
  'exchange': exchange(),
  'parallel': results,
  'cancelled': cancel(),
  'late': outcome(lambda: connect().do_get(fl.Ticket(b'endless'), fl.FlightCallOptions(timeout=0.3)).read_all()),
  'failed': outcome(lambda: c.do_get(fl.Ticket(b'fail')).read_all()),
  'who': outcome(lambda: c.do_get(fl.Ticket(b'who'), headers).read_all()),
  'info': outcome(lambda: c.get_flight_info(fl.FlightDescriptor.for_path('a'))),
}
`;

async function withPyarrow(port: number, ca?: string): Promise<void> {
  const seen = (await runPython(script, { port, ...(ca === undefined ? {} : { ca }) })) as Record<string, unknown>;
  assert.equal(seen.rows, rows);
  assert.equal(seen.last, rows - 1);
  assert.equal(seen.put, String(20 * 800_000));
  assert.equal(seen.exchange, true);
  assert.deepEqual(
    seen.parallel,
    Array.from({ length: 4 }, () => 10 * rows),
  );
  assert.equal(seen.cancelled, 'cancelled');
  assert.match(String(seen.late), /FlightTimedOutError/);
  assert.match(String(seen.failed), /NOT_FOUND: üü/);
  assert.match(String(seen.who), /UNAUTHENTICATED: t \{"kind":"offset","rows":3\}/);
  assert.match(String(seen.info), /UNSUPPORTED_FEATURE: GetFlightInfo is served on the control port, 8815/);
  const fired = await Promise.all(reasons.splice(0));
  assert.equal(fired.length, 2);
  assert.ok(
    fired.every((reason) => isServiceError(reason, 'CANCELLED') || isServiceError(reason, 'DEADLINE_EXCEEDED')),
  );
}

test('pyarrow reads, writes, exchanges, cancels, runs out of time and is told what failed', async () => {
  await using toy = await startToy(handlers, { listeners: [{ ...anyPort, host: 'localhost' }] });
  await withPyarrow(toy.port);
  while (toy.server.activeCalls > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('the same over TLS; strangers are refused, and with a client authority those it did not sign', async () => {
  const { ca, otherCa, server, client, stranger } = makeTlsFiles();
  const listeners = [{ ...anyPort, host: 'localhost' }];
  await using open = await startToy(handlers, { tls: { ...server, clientCa: null }, listeners });
  await using closed = await startToy(handlers, { tls: { ...server, clientCa: ca }, listeners });
  await withPyarrow(open.port, ca.toString());
  const reading = `
import pyarrow.flight as fl
def read(port, scheme='grpc+tls', **options):
    try:
        client = fl.connect(f"{scheme}://localhost:{port}", **options)
        return client.do_get(fl.Ticket(b'x'), fl.FlightCallOptions(timeout=5)).read_all().num_rows
    except Exception as error:
        return type(error).__name__
ca = dict(tls_root_certs=input['ca'])
signed = dict(cert_chain=input['cert'], private_key=input['key'], **ca)
other = dict(cert_chain=input['otherCert'], private_key=input['otherKey'], **ca)
output = [read(input['open'], **signed), read(input['closed'], **signed), read(input['closed'], **ca), read(input['closed'], **other),
          read(input['open'], tls_root_certs=input['otherCa']), read(input['open'], 'grpc')]
`;
  const outcomes = (await runPython(reading, {
    open: open.port,
    closed: closed.port,
    ca: ca.toString(),
    otherCa: otherCa.toString(),
    cert: client.cert.toString(),
    key: client.key.toString(),
    otherCert: stranger.cert.toString(),
    otherKey: stranger.key.toString(),
  })) as unknown[];
  assert.deepEqual(outcomes.slice(0, 2), [rows, rows]);
  for (const refused of outcomes.slice(2)) assert.match(String(refused), /Error/);
});

test('grpc-js reads, writes and is told what failed, code by code', async () => {
  await using toy = await startToy(handlers);
  const client = new Client(`127.0.0.1:${toy.port}`, credentials.createInsecure());
  const path = (method: string): string => `/arrow.flight.protocol.FlightService/${method}`;
  const bytes = (value: Buffer): Buffer => value;
  const read = async (name: string, deadlineMs = 10_000): Promise<number> => {
    const request = Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)]);
    const options = { deadline: Date.now() + deadlineMs };
    const call = client.makeServerStreamRequest(path('DoGet'), bytes, bytes, request, new Metadata(), options);
    let received = 0;
    for await (const message of call) received += (message as Buffer).length;
    return received;
  };
  assert.ok((await read('all')) > rows * 4);
  const refusal = async (work: Promise<unknown>): Promise<GrpcError> =>
    work.then(
      () => assert.fail(),
      (error) => error,
    );
  const failed = await refusal(read('fail'));
  assert.equal(failed.code, status.NOT_FOUND);
  assert.deepEqual(failed.metadata.get('headrace-error-code'), ['NOT_FOUND']);
  assert.equal((await refusal(read('endless', 300))).code, status.DEADLINE_EXCEEDED);
  const put = client.makeBidiStreamRequest(path('DoPut'), bytes, bytes);
  const results: Buffer[] = [];
  put.on('data', (message: Buffer) => results.push(message));
  const message = { header: new Uint8Array(8), body: [new Uint8Array(100_000)], bodyBytes: 100_000 };
  put.write(encodeFlightData({ ...message, descriptor: { kind: 'path', path: ['a'] } }));
  for (let at = 0; at < 30; at++) put.write(encodeFlightData(message));
  put.end();
  await new Promise<void>((resolve, reject) => put.on('end', resolve).on('error', reject));
  assert.equal(results.length, 31);
  assert.equal(results.at(-1)!.subarray(2).toString(), String(31 * 100_000));
  client.close();
  await Promise.all(reasons.splice(0));
});
