import { isIP } from 'node:net';
import {
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServerOptions,
} from '@grpc/grpc-js';
import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import { ByteBudget } from '../streams/byte-budget.ts';
import { UploadSlots } from '../streams/upload-slots.ts';
import { type FlightMethod, methodOf } from '../streams/wire/bulk-handlers.ts';
import { resetAllowance } from '../streams/wire/flood.ts';
import type { RpcCall } from '../streams/wire/rpc-call.ts';
import { type EndedCall, serveCall } from '../streams/wire/serve-call.ts';
import { settlesWithin } from '../streams/wire/settles-within.ts';
import type { TlsMaterial } from '../streams/wire/tls-material.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { guardConnections } from './connection-guard.ts';
import { serviceDefinition } from './definition.ts';
import { http2Servers, limitReceivedMessage, setHttp2Options } from './grpc-internals.ts';
import { type GrpcCall, takeCall } from './grpc-transport.ts';
import type { FlightHandlers } from './handlers.ts';
import { type RpcEnvironment, receivedBytesMax, rpcs } from './rpcs.ts';

const streamWindowBytes = 1 << 20;
/** What calls that did not finish in time get to tell their callers so. */
const lastWordsMs = 1_000;
export interface FlightServerOptions {
  readonly handlers: FlightHandlers;
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly tls?: TlsMaterial | null;
  readonly limits: Limits;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Shared by servers that send from one process; made here where absent. */
  readonly budget?: ByteBudget;
  /** Shared by servers that receive into one process; made here where absent. */
  readonly uploads?: UploadSlots;
}

export interface FlightServer extends AsyncDisposable {
  readonly port: number;
  readonly activeCalls: number;
  /** Takes no new calls, lets running ones finish for `graceMs`, then ends them with UNAVAILABLE. */
  drain(graceMs: number): Promise<void>;
  /** Ends everything now. */
  close(): Promise<void>;
}

/** Serves Flight on one port. Throws UNAVAILABLE where the port cannot be listened on. */
export async function startFlightServer(options: FlightServerOptions): Promise<FlightServer> {
  const { handlers, limits, log, metrics } = options;
  const budget = options.budget ?? new ByteBudget(limits);
  const uploads = options.uploads ?? new UploadSlots(limits);
  const refused = (): void => metrics.add('refusedStreams', 1, {});
  const environment: RpcEnvironment = { handlers, budget, uploads, limits, refused };
  const ended = ({ method, code, seconds }: EndedCall): void =>
    metrics.record('callSeconds', seconds, { call: method, code });
  const running = new Set<RpcCall>();
  const calls = new WeakMap<object, GrpcCall>();
  const server = new Server({ ...serverOptions(limits), interceptors: [interceptor(limits, calls)] });
  setHttp2Options(server, { ...resetAllowance, streamWindowBytes });
  const serve = async (taken: GrpcCall | undefined, method: FlightMethod): Promise<void> => {
    if (taken === undefined) return;
    const { call, headers } = taken;
    running.add(call);
    await serveCall(call, { method, headers, messageBytesTarget: limits.messageBytesTarget, log, ended }, (context) =>
      rpcs[method](call, context, environment),
    );
    running.delete(call);
  };
  const implementation = Object.fromEntries(
    Object.keys(serviceDefinition).map((name) => [
      name,
      ({ metadata }: { readonly metadata: object }): void => void serve(calls.get(metadata), name as FlightMethod),
    ]),
  );
  server.addService(serviceDefinition, implementation);
  const port = await bind(server, options);
  const guards = http2Servers(server).map((http2Server) => guardConnections(http2Server, limits));
  const stopObserving = [
    metrics.observe('connections', () => guards.reduce((sum, guard) => sum + guard.connections, 0)),
    ...(options.budget === undefined ? observeBudget(metrics, budget) : []),
  ];
  const close = async (): Promise<void> => {
    for (const stop of stopObserving) stop();
    server.forceShutdown();
  };
  const drain = (graceMs: number): Promise<void> => drainCalls(server, running, graceMs).then(close);
  return {
    port,
    get activeCalls() {
      return running.size;
    },
    drain,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Shows a budget's use in the metrics; gives the ways to stop. */
export function observeBudget(metrics: Metrics, budget: ByteBudget): readonly (() => void)[] {
  return [
    metrics.observe('activeStreams', () => budget.openStreams),
    metrics.observe('queuedBytes', () => budget.queuedBytes),
  ];
}

function serverOptions(limits: Limits): ServerOptions {
  return {
    'grpc.max_receive_message_length': limits.messageBytesMax,
    // Flight frames around a body of the largest size, cursor included.
    'grpc.max_send_message_length': limits.messageBytesMax + (1 << 20),
    'grpc.max_concurrent_streams': limits.connectionStreamsMax,
    'grpc.max_connection_idle_ms': limits.connectionIdleMs,
    'grpc.max_connection_age_ms': limits.connectionAgeMs,
    'grpc.max_connection_age_grace_ms': limits.connectionAgeGraceMs,
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.enable_channelz': 0,
  };
}

/** Takes each call over from the library before it reads anything, so that our own object reads, sends and ends it. */
function interceptor(limits: Limits, calls: WeakMap<object, GrpcCall>): ServerInterceptor {
  return (method, base) => {
    const name = methodOf(method.path);
    const messageBytesMax = name === null ? limits.requestBytesMax : receivedBytesMax(name, limits);
    limitReceivedMessage(base, messageBytesMax);
    const taken = takeCall(base, { stallMs: limits.streamStallMs, messageBytesMax });
    const { call } = taken;
    return new ServerInterceptingCall(base, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, proceed) => {
            taken.started(metadata);
            calls.set(metadata, taken);
            proceed(metadata);
          },
          onReceiveMessage: (message: Buffer) => call.received(message),
          onReceiveHalfClose: () => call.inputEnded(),
          onCancel: () => call.cancelled(),
        }),
    });
  };
}

function bind(server: Server, { host, port, tls }: FlightServerOptions): Promise<number> {
  const credentials = tls
    ? ServerCredentials.createSsl(tls.clientCa, [{ cert_chain: tls.cert, private_key: tls.key }], tls.clientCa !== null)
    : ServerCredentials.createInsecure();
  const address = isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (cause, bound) => {
      if (cause === null) resolve(bound);
      else reject(new ServiceError('UNAVAILABLE', `Flight cannot listen on ${address}`, { cause }));
    });
  });
}

async function drainCalls(server: Server, running: ReadonlySet<RpcCall>, graceMs: number): Promise<void> {
  const finished = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  if (await settlesWithin(finished, graceMs)) return;
  const late = new ServiceError('UNAVAILABLE', 'the server is shutting down: call another one, or again later');
  for (const call of running) call.fail(late);
  await settlesWithin(finished, lastWordsMs);
}
