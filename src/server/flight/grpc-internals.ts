/**
 * The few places where the service reaches behind grpc-js's public interface, because it offers no option for them. The version is pinned;
 * each reach checks what it finds and says so when the library has changed.
 */
import { type Http2Server, constants as http2, type ServerHttp2Stream } from 'node:http2';
import type { Server, ServerInterceptingCallInterface } from '@grpc/grpc-js';

export interface Http2Options {
  /** Resets that a connection may send at once, and per second after that. Node's default ends sessions of honest loaders that cancel. */
  readonly streamResetBurst: number;
  readonly streamResetRate: number;
  /** Bytes that a client may send ahead on one call; 64 KB, the default, limits a DoPut to 3 MB/s over a latency of 20 ms. */
  readonly streamWindowBytes: number;
}

/** Adds options to the HTTP/2 servers that `server` creates later. */
export function setHttp2Options(server: Server, options: Http2Options): void {
  const common: unknown = Reflect.get(server, 'commonServerOptions');
  if (typeof common !== 'object' || common === null) throw changed('Server.commonServerOptions');
  const { streamWindowBytes, ...reset } = options;
  const settings: unknown = Reflect.get(common, 'settings');
  Object.assign(common, reset, { settings: { ...(settings ?? {}), initialWindowSize: streamWindowBytes } });
}

/** The HTTP/2 servers that a bound `server` listens with. */
export function http2Servers(server: Server): readonly Http2Server[] {
  const servers: unknown = Reflect.get(server, 'http2Servers');
  if (!(servers instanceof Map)) throw changed('Server.http2Servers');
  return [...servers.keys()];
}

/** The HTTP/2 stream under a call. */
export function streamOf(call: ServerInterceptingCallInterface): ServerHttp2Stream {
  const stream: unknown = Reflect.get(call, 'stream');
  if (typeof stream !== 'object' || stream === null || !('rstCode' in stream)) throw changed('the call’s stream');
  return stream as ServerHttp2Stream;
}

/** Narrows the size of the messages that one call may receive below the server's own limit. */
export function limitReceivedMessage(call: ServerInterceptingCallInterface, bytesMax: number): void {
  const decoder: unknown = Reflect.get(call, 'decoder');
  if (typeof decoder !== 'object' || decoder === null || !('maxReadMessageLength' in decoder)) {
    throw changed('the call’s decoder');
  }
  decoder.maxReadMessageLength = bytesMax;
}

/** Ends a stream at once, dropping what waits in it. */
export function resetStream(stream: ServerHttp2Stream): void {
  if (!stream.closed) stream.close(http2.NGHTTP2_CANCEL);
}

function changed(what: string): Error {
  return new Error(`grpc-js has changed: ${what} is not what it was; adapt grpc-internals.ts to the new version`);
}
