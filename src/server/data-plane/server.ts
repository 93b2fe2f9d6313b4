import { createSecureServer, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, isIP, Server as NetServer } from 'node:net';
import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import { bulkCalls, bulkReceivedBytesMax } from '../streams/wire/bulk-calls.ts';
import { resetAllowance } from '../streams/wire/flood.ts';
import type { RpcCall } from '../streams/wire/rpc-call.ts';
import { serveCall } from '../streams/wire/serve-call.ts';
import { settlesWithin } from '../streams/wire/settles-within.ts';
import type { TlsMaterial } from '../streams/wire/tls-material.ts';
import { Connection } from './connection.ts';
import { openCall } from './http2-transport.ts';
import type { DataPlane, DataPlaneOptions, Listener } from './options.ts';
import { headerListBytesMax, type RequestHead, readHead } from './request-head.ts';

const checkMs = 1_000;
/** What calls that did not finish in time get to tell their callers so. */
const lastWordsMs = 1_000;
/** What a client that is no gRPC client gets to end its request once it has its answer. */
const foreignLingerMs = 1_000;
const handshakeTimeoutMs = 20_000;
/** Of 1, 4 and 16 KB the middle one cost least. */
const pieces = { smallBytes: 4 << 10, pieceBytesMax: 256 << 10 };
/**
 * Node writes a stream's waiting bytes in one go, so more of them mean fewer and larger writes to the socket. CPU-s per GB with 256 KB
 * 0.42, 1 MB 0.30, 4 MB 0.25, 8 MB 0.22, 16 MB 0.21 (pyarrow 0.26). Under TLS Node copies them together first: 4 MB cost 0.52 there, 1 MB
 * 0.63, 32 MB 0.70 (pyarrow 0.65).
 */
const aheadBytes = { plain: 16 << 20, tls: 4 << 20 } as const;
/** AES-128 first, as gRPC's own servers have it: both are safe, and it costs less than AES-256, which Node puts first. */
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/**
 * Serves the bulk calls of Flight on its listeners: gRPC over `node:http2`, which sends a message's parts as they lie. Throws UNAVAILABLE
 * where a port cannot be listened on.
 */
export async function startDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
  const { limits, tls, log, ended, handlers, budget, uploads, refused } = options;
  const environment = { handlers, budget, uploads, limits, refused };
  const connections = new Set<Connection>();
  const running = new Set<RpcCall>();
  const emptied: (() => void)[] = [];

  const serve = async (call: RpcCall, { method, headers, timeoutMs }: RequestHead): Promise<void> => {
    running.add(call);
    const timer =
      timeoutMs === null || timeoutMs > timeoutMsMax ? null : setTimeout(() => call.fail(late()), timeoutMs);
    const { messageBytesTarget } = limits;
    await serveCall(call, { method, headers, messageBytesTarget, log, ended }, (context) =>
      bulkCalls[method](call, context, environment),
    );
    if (timer !== null) clearTimeout(timer);
    running.delete(call);
    if (running.size === 0) for (const resolve of emptied.splice(0)) resolve();
  };

  const onStream = (stream: ServerHttp2Stream, rawHeaders: readonly string[], connection: Connection): void => {
    const read = readHead(rawHeaders, options.controlPort);
    const { peer } = connection;
    const sending = {
      peer,
      stallMs: limits.streamStallMs,
      pieces,
      aheadBytes: aheadBytes[tls === null ? 'plain' : 'tls'],
    };
    if (read.kind === 'not-grpc') refuseForeign(stream, read.httpStatus);
    else if (read.kind === 'refused') openCall(stream, { ...sending, messageBytesMax: 0 }).fail(read.error);
    else {
      const { method } = read.head;
      const messageBytesMax = bulkReceivedBytesMax(method, limits);
      const onRead = method === 'DoGet' ? undefined : (): void => connection.widen();
      void serve(openCall(stream, { ...sending, messageBytesMax, onRead }), read.head);
    }
  };

  const servers: Http2Server[] = [];
  const timer = setInterval(() => {
    const now = performance.now();
    for (const connection of connections) connection.check(now);
  }, checkMs).unref();
  const stopListening = (): void => {
    // Not the method of http2's own servers: that one ends their sessions before those know it.
    for (const server of servers) NetServer.prototype.close.call(server);
  };
  const close = async (): Promise<void> => {
    clearInterval(timer);
    stopListening();
    for (const connection of connections) connection.destroy();
  };
  try {
    for (const listener of options.listeners) {
      const server = createHttp2Server(limits, tls);
      servers.push(server);
      server.on('session', (session) => {
        const connection = new Connection(session, limits, {
          onStream,
          onClose: (closed) => void connections.delete(closed),
        });
        connections.add(connection);
        if (connections.size > limits.connectionsMax) connection.destroy();
      });
      await listen(server, listener);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const untilEmpty = (): Promise<void> =>
    running.size === 0 ? Promise.resolve() : new Promise((resolve) => emptied.push(resolve));
  return {
    ports: servers.map((server) => (server.address() as AddressInfo).port),
    get connections() {
      return connections.size;
    },
    get activeCalls() {
      return running.size;
    },
    async drain(graceMs) {
      stopListening();
      for (const connection of connections) connection.leave();
      if (!(await settlesWithin(untilEmpty(), graceMs))) {
        const error = new ServiceError('UNAVAILABLE', 'the server is shutting down: call another one, or again later');
        for (const call of running) call.fail(error);
        await settlesWithin(untilEmpty(), lastWordsMs);
      }
      await close();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Longer waits than a timer can count are none. */
const timeoutMsMax = 2 ** 31 - 1;

const late = (): ServiceError => new ServiceError('DEADLINE_EXCEEDED', 'the deadline of the call has passed');

/** Answers what is no gRPC as HTTP does. */
function refuseForeign(stream: ServerHttp2Stream, httpStatus: number): void {
  stream.on('error', () => {});
  stream.resume();
  stream.respond({ ':status': httpStatus, 'content-type': 'text/plain' });
  stream.end('This port speaks gRPC: it carries the data of Arrow Flight.\n');
  // At once, the reset would overtake the response.
  setTimeout(() => stream.close(), foreignLingerMs).unref();
}

function createHttp2Server(limits: Limits, tls: TlsMaterial | null): Http2Server {
  const options = {
    ...resetAllowance,
    // Bytes that wait for stalled readers count here; what bounds them is the budget. Node's default refuses the fourth such stream.
    maxSessionMemory: Math.ceil(limits.streamsBytesMax / 1e6) + 64,
    settings: {
      enablePush: false,
      maxConcurrentStreams: limits.connectionStreamsMax,
      maxHeaderListSize: headerListBytesMax,
    },
  };
  const server =
    tls === null
      ? createServer(options)
      : createSecureServer({
          ...options,
          cert: tls.cert,
          key: tls.key,
          minVersion: 'TLSv1.2',
          ciphers,
          handshakeTimeout: handshakeTimeoutMs,
          ...(tls.clientCa === null ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
        });
  server.maxConnections = limits.connectionsMax;
  // What these tell of a client is no news to anybody; without a listener some would end the process.
  server.on('sessionError', () => {});
  server.on('clientError', (_error, socket) => socket.destroy());
  return server;
}

function listen(server: Http2Server, { host, port, shared }: Listener): Promise<void> {
  return new Promise((resolve, reject) => {
    const address = isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
    server.once('error', (cause) =>
      reject(new ServiceError('UNAVAILABLE', `Flight data cannot listen on ${address}`, { cause })),
    );
    server.listen({ host, port, exclusive: true, reusePort: shared }, resolve);
  });
}
