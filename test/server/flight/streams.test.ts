import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isServiceError, type ServiceError } from '../../../src/core/errors.ts';
import type { CallContext } from '../../../src/server/streams/wire/bulk-handlers.ts';
import { runPython } from '../../support/python.ts';
import { startToy, toyMessages } from './toy.ts';

const client = `
import pyarrow as pa, pyarrow.flight as fl, time
c = fl.connect(f"grpc://127.0.0.1:{input['port']}")
def outcome(work):
    try:
        work()
        return 'OK'
    except Exception as error:
        return type(error).__name__ + ': ' + str(error)
`;

/** Streams batches of about 1 MB until its signal fires, and says what the signal's reason was. */
function endless() {
  const reasons: Promise<ServiceError>[] = [];
  let sent = 0;
  const [schema, batch] = toyMessages(250_000);
  const doGet = async function* (call: CallContext) {
    reasons.push(new Promise((resolve) => call.signal.addEventListener('abort', () => resolve(call.signal.reason))));
    yield schema;
    for (;;) {
      sent++;
      yield batch;
    }
  };
  return { doGet, reasons, sent: () => sent };
}

test('cancelling, a deadline and a broken connection each reach the handler’s signal', async () => {
  const { doGet, reasons } = endless();
  await using toy = await startToy({ doGet });
  const script = `${client}
import os
reader = c.do_get(fl.Ticket(b'cancel'))
reader.read_chunk()
reader.cancel()
output = outcome(lambda: c.do_get(fl.Ticket(b'late'), fl.FlightCallOptions(timeout=0.3)).read_all())
other = fl.connect(f"grpc://127.0.0.1:{input['port']}/", generic_options=[('grpc.channel_id', 7)])
left = other.do_get(fl.Ticket(b'left'))
left.read_chunk()
import sys, json
json.dump(output, sys.stdout); sys.stdout.flush()
os._exit(0)
`;
  assert.match(String(await runPython(script, { port: toy.port })), /FlightTimedOutError/);
  const fired = await Promise.all(reasons);
  assert.equal(fired.length, 3);
  assert.ok(isServiceError(fired[0], 'CANCELLED'));
  // The client's own clock may cancel a moment before ours says so.
  assert.ok(isServiceError(fired[1], 'DEADLINE_EXCEEDED') || isServiceError(fired[1], 'CANCELLED'));
  assert.equal(fired[2]!.code, 'CANCELLED');
  while (toy.server.activeCalls > 0) await new Promise((resolve) => setTimeout(resolve, 10));
});

test('20 stalled readers hold a bounded number of bytes and slow nobody; further streams are refused with a typed error', async () => {
  const { doGet, sent } = endless();
  const small = toyMessages(5);
  await using toy = await startToy(
    {
      async *doGet(call, ticket) {
        if (ticket.length === 1) yield* small;
        else yield* doGet(call);
      },
    },
    {
      limits: {
        messageBytesTarget: 2 << 20,
        messageBytesMax: 4 << 20,
        streamBytesMax: 8 << 20,
        streamsBytesMax: 60 << 20,
        streamReserveBytesMin: 2 << 20,
      },
    },
  );
  const script = `${client}
clients = [fl.connect(f"grpc://127.0.0.1:{input['port']}", generic_options=[('grpc.use_local_subchannel_pool', 1)]) for _ in range(20)]
stalled = [k.do_get(fl.Ticket(b'stall')) for k in clients]
for reader in stalled: reader.read_chunk()
time.sleep(0.5)
start = time.time()
rows = sum(c.do_get(fl.Ticket(b'x')).read_all().num_rows for _ in range(20))
elapsed = time.time() - start
refused = outcome(lambda: [k.do_get(fl.Ticket(b'stall')) for k in clients[:4]])
output = [rows, elapsed, refused]
for reader in stalled: reader.cancel()
`;
  const before = process.memoryUsage().rss;
  let queuedMax = 0;
  const watch = setInterval(async () => {
    const queued = /^headrace_queued_bytes (\d+)/m.exec(await toy.metrics.exposition());
    queuedMax = Math.max(queuedMax, Number(queued?.[1] ?? 0));
  }, 50);
  const [rows, , refused] = (await runPython(script, { port: toy.port }).finally(() => clearInterval(watch))) as [
    number,
    number,
    string,
  ];
  assert.equal(rows, 100);
  assert.match(refused, /LIMIT_EXCEEDED: \d+ streams are open/);
  assert.ok(queuedMax > 0 && queuedMax <= 60 << 20, `${queuedMax} bytes were queued`);
  assert.ok(sent() < 20 * 40, `${sent()} batches were made for readers that read nothing`);
  assert.ok(process.memoryUsage().rss - before < 300 << 20);
});

test('a reader that takes nothing for too long loses its stream, and its bytes come back', async () => {
  const { doGet, reasons } = endless();
  await using toy = await startToy({ doGet }, { limits: { streamStallMs: 300 } });
  const script = `${client}
reader = c.do_get(fl.Ticket(b'stall'))
reader.read_chunk()
time.sleep(1)
output = outcome(lambda: reader.read_all())
`;
  const outcome = String(await runPython(script, { port: toy.port }));
  assert.match(outcome, /LIMIT_EXCEEDED|Cancelled|CANCELLED|RST_STREAM/);
  assert.ok(isServiceError(await reasons[0], 'LIMIT_EXCEEDED'));
  while (toy.server.activeCalls > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.match(await toy.metrics.exposition(), /^headrace_queued_bytes 0$/m);
});

test('a DoPut is read one message at a time, and a message beyond the limit is refused with a typed error', async () => {
  let received = 0;
  let receivedWhenResumed: number | null = null;
  const { promise: go, resolve: resume } = Promise.withResolvers<void>();
  // Time enough for more messages to come in, if they were asked for.
  const resumeLater = (): void => {
    setTimeout(() => {
      receivedWhenResumed ??= received;
      resume();
    }, 700);
  };
  await using toy = await startToy(
    {
      async *doPut(_call, descriptor, messages) {
        for await (const message of messages) {
          received += message.body.length;
          if (descriptor.kind !== 'path' || received === 0) continue;
          resumeLater();
          await go;
        }
        yield new Uint8Array([1]);
      },
    },
    { limits: { messageBytesMax: 1 << 20 } },
  );
  const script = `${client}
def put(descriptor, batches, rows):
    batch = pa.record_batch([pa.array(range(rows), pa.int64())], ['n'])
    writer, meta = c.do_put(descriptor, batch.schema)
    for _ in range(batches): writer.write_batch(batch)
    writer.done_writing()
    meta.read()
    writer.close()
output = [outcome(lambda: put(fl.FlightDescriptor.for_path('slow'), 40, 100_000)),
          outcome(lambda: put(fl.FlightDescriptor.for_command(b'large'), 1, 1_000_000))]
`;
  const [slow, large] = (await runPython(script, { port: toy.port })) as [string, string];
  assert.equal(slow, 'OK');
  assert.equal(receivedWhenResumed, 800_000);
  assert.match(large, /LIMIT_EXCEEDED: a message has more than 1048576 bytes/);
});

test('draining lets a stream finish, takes no new ones, and ends what is late with UNAVAILABLE', async () => {
  const [schema, batch] = toyMessages(1000);
  const { promise: started, resolve: onStart } = Promise.withResolvers<void>();
  let open = 0;
  await using toy = await startToy({
    async *doGet(call, ticket) {
      yield schema;
      if (++open === 2) onStart();
      const late = ticket.length === 4;
      for (let at = 0; at < 10 || late; at++) {
        yield batch;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      void call;
    },
  });
  const script = `${client}
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(2)
def read(ticket): return c.do_get(fl.Ticket(ticket)).read_all().num_rows
done, late = pool.submit(read, b'done!'), pool.submit(lambda: outcome(lambda: read(b'late')))
rows = done.result()
fresh = outcome(lambda: fl.connect(f"grpc://127.0.0.1:{input['port']}", generic_options=[('grpc.use_local_subchannel_pool', 1)]).do_get(fl.Ticket(b'new!!')).read_all())
output = [rows, late.result(), fresh]
`;
  const result = runPython(script, { port: toy.port }) as Promise<[number, string, string]>;
  await started;
  const begun = performance.now();
  await toy.server.drain(1500);
  assert.ok(performance.now() - begun < 4000);
  const [rows, late, fresh] = await result;
  assert.equal(rows, 10_000);
  assert.match(late, /UNAVAILABLE: the server is shutting down/);
  assert.match(fresh, /FlightUnavailableError/);
  assert.equal(toy.server.activeCalls, 0);
});
