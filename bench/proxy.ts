/**
 * A path with latency: TCP to ports of 127.0.0.1, whose bytes arrive half a round trip later, in either direction, with unlimited
 * bandwidth. It counts what it carries.
 * usage: node bench/proxy.ts ROUND_TRIP_MS PORT…   Prints a JSON line {"ports": {"PORT": PROXY_PORT}}, then, for each line of
 * standard input, {"toClients": bytes so far}; serves until its standard input ends.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** Bytes under way in one direction of a connection; beyond it the sender waits, as it would for a full window of TCP. */
const underWayBytesMax = 256 << 20;

const [roundTripMs, ...targets] = process.argv.slice(2).map(Number);
const delayMs = roundTripMs! / 2;
let toClients = 0;

/** Hands on what arrives, each chunk its delay later. */
function carry(from: Socket, to: Socket, count: (bytes: number) => void): void {
  const underWay: { readonly chunk: Buffer | null; readonly dueMs: number }[] = [];
  let [bytes, timer]: [number, NodeJS.Timeout | null] = [0, null];
  const deliver = (): void => {
    timer = null;
    for (let first = underWay[0]; first !== undefined; first = underWay[0]) {
      // The receiver's own buffers are full: nothing overtakes.
      if (to.writableNeedDrain) return void to.once('drain', deliver);
      const waitMs = first.dueMs - performance.now();
      if (waitMs > 0.5) {
        timer = setTimeout(deliver, waitMs);
        return;
      }
      underWay.shift();
      if (first.chunk === null) return void to.end();
      to.write(first.chunk);
      bytes -= first.chunk.length;
      if (bytes < underWayBytesMax) from.resume();
    }
  };
  const send = (chunk: Buffer | null): void => {
    underWay.push({ chunk, dueMs: performance.now() + delayMs });
    if (timer === null && underWay.length === 1) deliver();
  };
  from.on('data', (chunk: Buffer) => {
    count(chunk.length);
    bytes += chunk.length;
    if (bytes >= underWayBytesMax) from.pause();
    send(chunk);
  });
  from.once('end', () => send(null));
}

function proxyTo(port: number): Promise<number> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const target = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const drop = (): void => {
      client.destroy();
      target.destroy();
    };
    for (const socket of [client, target]) socket.on('error', drop).once('close', drop);
    carry(client, target, () => {});
    carry(target, client, (bytes) => {
      toClients += bytes;
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

const ports: Record<string, number> = {};
for (const target of targets) ports[target] = await proxyTo(target);
console.log(JSON.stringify({ ports }));
for await (const _ of createInterface({ input: process.stdin })) console.log(JSON.stringify({ toClients }));
process.exit(0);
