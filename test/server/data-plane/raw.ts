/** HTTP/2 frame by frame over a bare socket, for what no library sends. */
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const endStream = 1;
export const endHeaders = 4;
export const ack = 1;

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** One frame (RFC 9113 §4.1). `length` lies about the payload's where it is given. */
export function rawFrame(type: number, flags: number, stream: number, payload: Uint8Array, length?: number): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length ?? payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block of literals that are not indexed (RFC 7541 §6.2.2). */
export function headerBlock(headers: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value, 'latin1');
    return Buffer.concat([integer(bytes.length), bytes]);
  };
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

/** A length with a prefix of seven bits (RFC 7541 §5.1). */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

export const grpcHeaders = (method = 'DoGet'): readonly (readonly [string, string])[] => [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', `/arrow.flight.protocol.FlightService/${method}`],
  [':authority', 'localhost'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
];

export const headersFrame = (stream: number, flags = endHeaders, method = 'DoGet'): Buffer =>
  rawFrame(frameType.headers, flags, stream, headerBlock(grpcHeaders(method)));

export interface RawConnection extends Disposable {
  readonly socket: Socket;
  /** Types of the frames received so far, each with its stream and payload. */
  readonly received: {
    readonly type: number;
    readonly flags: number;
    readonly stream: number;
    readonly payload: Buffer;
  }[];
  /** Whether the server has ended the connection. */
  readonly ended: boolean;
  /** Sends, and waits where the socket is full; false once the server has gone. */
  send(bytes: Uint8Array): Promise<boolean>;
  /** Resolves when the server ends the connection. */
  readonly closed: Promise<void>;
}

/** Connects, and opens HTTP/2 unless `greeting` says otherwise. Answers nothing by itself. */
export async function connectRaw(
  port: number,
  greeting: Uint8Array = Buffer.concat([preface, rawFrame(frameType.settings, 0, 0, Buffer.alloc(0))]),
): Promise<RawConnection> {
  const socket = createConnection(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => {});
  const received: RawConnection['received'] = [];
  let pending = Buffer.alloc(0);
  let ended = false;
  const closed = new Promise<void>((resolve) =>
    socket.once('close', () => {
      ended = true;
      resolve();
    }),
  );
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 9) {
      const length = pending.readUIntBE(0, 3);
      if (pending.length < 9 + length) break;
      received.push({
        type: pending[3]!,
        flags: pending[4]!,
        stream: pending.readUInt32BE(5),
        payload: Buffer.from(pending.subarray(9, 9 + length)),
      });
      pending = pending.subarray(9 + length);
    }
  });
  socket.write(greeting);
  return {
    socket,
    received,
    closed,
    get ended() {
      return ended;
    },
    async send(bytes) {
      if (ended) return false;
      if (!socket.write(bytes)) await Promise.race([once(socket, 'drain').catch(() => {}), closed]);
      return !ended;
    },
    [Symbol.dispose]: () => socket.destroy(),
  };
}
