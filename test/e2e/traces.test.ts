/** A server with a collector tells it of each call, from planning to the last byte, below the caller's own span. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { openLake } from './lake.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';

test('planning, streams on workers and writes arrive at the collector, and no name of a column or a value does', async () => {
  const received: Buffer[] = [];
  const collector = createServer(async (request, response) => {
    for await (const chunk of request) received.push(chunk as Buffer);
    response.end();
  });
  await new Promise<void>((resolve) => {
    collector.listen(0, '127.0.0.1', resolve);
  });
  const { port } = collector.address() as AddressInfo;
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_EXPORTER_OTLP_COMPRESSION: 'none' };
  {
    await using lake = await openLake({ env });
    await lake.run(
      `
import pyarrow.flight as fl
client.put("bronze.traced", pa.table({"secretcolumn": ["secretvalue"] * 50}), mode="create")
flight = fl.connect(f"grpc://127.0.0.1:{input['flight']}")
headers = [(b"authorization", f"Bearer {input['token']}".encode()), (b"traceparent", input["traceparent"].encode())]
options = fl.FlightCallOptions(headers=headers)
info = flight.get_flight_info(fl.FlightDescriptor.for_command(json.dumps({"table": "bronze.traced"}).encode()), options)
place = next(place for place in info.endpoints[0].locations if place.uri.startswith(b"grpc"))
output = fl.connect(place).do_get(info.endpoints[0].ticket, options).read_all().num_rows
`,
      {
        flight: lake.server.flight,
        token: lake.token,
        traceparent: `00-${traceId}-b7ad6b7169203331-01`,
      },
    );
    // What is left is sent as the server stops.
  }
  collector.close();
  const sent = Buffer.concat(received);
  for (const name of [
    'DoPut',
    'commit',
    'GetFlightInfo',
    'DoGet',
    'authenticate',
    'decide',
    'plan',
    'seal',
    'stream',
  ]) {
    assert.ok(sent.includes(name), `a span named ${name}`);
  }
  assert.ok(sent.includes('headrace.first_batch_ms'));
  assert.ok(sent.includes(Buffer.from(traceId, 'hex')), 'the caller’s trace goes on');
  assert.ok(sent.includes('bronze.traced'));
  assert.ok(!sent.includes('secretcolumn') && !sent.includes('secretvalue'));
});
