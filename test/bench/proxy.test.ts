import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { startChild } from '../../bench/child.ts';

const roundTripMs = 20;
const timeoutMs = 30_000;

test('the proxy hands on every byte in order, a round trip late, and counts those to the client', async () => {
  const sent = Buffer.alloc(5_000_000);
  for (let at = 0; at < sent.length; at += 4) sent.writeUInt32LE(at, at);
  const server = createServer((socket) => socket.once('data', () => socket.end(sent))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  {
    const script = join(import.meta.dirname, '../../bench/proxy.ts');
    await using proxy = startChild(process.execPath, [script, String(roundTripMs), String(port)]);
    const { ports } = JSON.parse(await proxy.line(timeoutMs)) as { readonly ports: Record<string, number> };
    const client = connect({ port: ports[port]!, host: '127.0.0.1' });
    const startMs = performance.now();
    client.write('go');
    const first = once(client, 'readable').then(() => performance.now() - startMs);
    const received = await buffer(client);
    assert.ok(received.equals(sent));
    assert.ok((await first) >= roundTripMs * 0.9, 'two halves of a round trip lie between question and answer');
    proxy.send('\n');
    assert.deepEqual(JSON.parse(await proxy.line(timeoutMs)), { toClients: sent.length });
  }
  server.close();
});
