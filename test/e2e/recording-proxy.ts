import { connect, createServer } from 'node:net';

export interface RecordingProxy extends AsyncDisposable {
  readonly port: number;
  /** Everything that came from the server so far, connection after connection. */
  received(): Buffer;
}

/** Passes TCP through to `port` and keeps every byte that the server sends: what a client received, before anything decodes it. */
export async function startRecordingProxy(port: number): Promise<RecordingProxy> {
  const records: Buffer[][] = [];
  const server = createServer((client) => {
    const record: Buffer[] = [];
    records.push(record);
    const upstream = connect(port, '127.0.0.1');
    upstream.on('data', (chunk: Buffer) => record.push(chunk));
    client.pipe(upstream).pipe(client);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const)
      one.on('error', () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    received: () => Buffer.concat(records.map((record) => dataFrames(Buffer.concat(record)))),
    [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

const frameHeaderBytes = 9;
const dataFrame = 0;

/** The payloads of HTTP/2's DATA frames (RFC 9113, section 4.1) joined stream by stream, so that no frame's border cuts a word. */
function dataFrames(bytes: Buffer): Buffer {
  const streams = new Map<number, Buffer[]>();
  for (let at = 0; at + frameHeaderBytes <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    if (bytes[at + 3] === dataFrame) {
      const stream = bytes.readUInt32BE(at + 5);
      const payload = bytes.subarray(at + frameHeaderBytes, at + frameHeaderBytes + length);
      streams.set(stream, [...(streams.get(stream) ?? []), payload]);
    }
    at += frameHeaderBytes + length;
  }
  return Buffer.concat([...streams.values()].map((payloads) => Buffer.concat(payloads)));
}
