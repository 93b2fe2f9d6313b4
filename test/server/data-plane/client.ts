/** A gRPC client of raw bytes, for what well-behaved clients never send. */
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type SecureClientSessionOptions } from 'node:http2';
import { encodeFlightData } from '../../../src/server/streams/wire/flight-data.ts';

export interface Answer {
  readonly http: number;
  readonly grpc: string | undefined;
  readonly code: string | undefined;
  readonly message: string;
  /** Bytes of the names and values of headers and trailers together. */
  readonly headerBytes: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: Buffer;
  readonly rstCode: number;
}

export interface Request {
  readonly method: string;
  readonly data?: readonly Uint8Array[];
  /** A null drops a header that is usually sent. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | null>>;
  /** Whether the request ends; true when absent. */
  readonly end?: boolean;
}

/** Starts a call and sends its data. */
export function start(session: ClientHttp2Session, request: Request): ClientHttp2Stream {
  const { method, data = [], headers = {}, end = true } = request;
  const all: Record<string, string | readonly string[] | null> = {
    ':method': 'POST',
    ':path': `/arrow.flight.protocol.FlightService/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  };
  const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
  const stream = session.request(sent as Record<string, string | string[]>, { endStream: false });
  stream.on('error', () => {});
  for (const chunk of data) stream.write(chunk);
  if (end) stream.end();
  return stream;
}

/** How a call ends, once it has. With `endWithServer` false an open request stays open. */
export async function answerOf(stream: ClientHttp2Stream, endWithServer = true): Promise<Answer> {
  const headers: Record<string, string> = {};
  let headerBytes = 0;
  const note = (received: object): void => {
    for (const [name, value] of Object.entries(received)) {
      headers[name] = String(value);
      headerBytes += name.length + String(value).length;
    }
  };
  stream.on('response', note);
  stream.on('trailers', note);
  const data: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => data.push(chunk));
  if (endWithServer) stream.once('end', () => stream.end());
  // Not `once`, which an error of the stream would reject.
  await new Promise<void>((resolve) => stream.once('close', () => resolve()));
  return {
    http: Number(headers[':status']),
    grpc: headers['grpc-status'],
    code: headers['headrace-error-code'],
    message: decodeURIComponent(headers['grpc-message'] ?? ''),
    headerBytes,
    headers,
    data: Buffer.concat(data),
    rstCode: stream.rstCode ?? 0,
  };
}

export const call = (session: ClientHttp2Session, request: Request): Promise<Answer> =>
  answerOf(start(session, request));

export async function openSession(port: number, options: SecureClientSessionOptions = {}): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`, { maxSendHeaderBlockLength: 1 << 20, ...options });
  session.on('error', () => {});
  await once(session, 'connect');
  return session;
}

/** A message behind its five-byte prefix. */
export function frame(payload: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

/** A Ticket of so many bytes. */
export const ticket = (length: number): Buffer => frame(Buffer.from([0x0a, length, ...Buffer.alloc(length, 0x41)]));

/** The first message of an upload. */
export const descriptor = frame(
  encodeFlightData({ header: Buffer.from([1]), body: [], bodyBytes: 0, descriptor: { kind: 'path', path: ['a'] } }),
);

/** A message of an upload with a body of zeros. */
export const uploadMessage = (bodyBytes: number): Buffer =>
  frame(encodeFlightData({ header: Buffer.from([1]), body: [new Uint8Array(bodyBytes)], bodyBytes }));
