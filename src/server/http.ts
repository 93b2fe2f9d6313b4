import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { ServiceError } from '../core/errors.ts';
import type { Limits } from '../core/limits.ts';
import { type ErrorStyle, httpError, libraryError } from './http-errors.ts';
import { type Log, publicError } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';

const headerBytesMax = 32 << 10;
const connectionTimeoutMs = 60_000;
const requestTimeoutMs = 60_000;
const keepAliveTimeoutMs = 75_000;
const urlCharsMax = 8_192;
const readyTimeoutMs = 5_000;

/** What a reload of policies gives: the new set's version and size, or where the new set is wrong. */
export type ReloadResult =
  | { readonly kind: 'loaded'; readonly version: string; readonly policies: number }
  | {
      readonly kind: 'refused';
      readonly file: string | null;
      readonly line: number | null;
      readonly reason: string;
    };

/** A part that the server cannot work without. */
export interface Dependency {
  readonly name: string;
  /** Resolves where it is usable, rejects otherwise. */
  check(signal: AbortSignal): Promise<void>;
}

export interface HttpOptions {
  readonly limits: Pick<Limits, 'httpBodyBytesMax' | 'connectionsMax'>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly dependencies: readonly Dependency[];
  /** Whether the server has stopped taking work. */
  readonly isDraining: () => boolean;
  /** Verifies the bearer token and that its principal may `administer`; throws UNAUTHENTICATED or PERMISSION_DENIED. */
  readonly authorizeAdmin: (token: string | null, signal: AbortSignal) => Promise<void>;
  readonly reloadPolicies: (signal: AbortSignal) => Promise<ReloadResult>;
  /** PEM texts; null = plain HTTP. */
  readonly tls: { readonly cert: Buffer; readonly key: Buffer; readonly clientCa: Buffer | null } | null;
}

/** The HTTP side of the server. It is not listening yet: {@link listenHttp} does that, `close` ends it. */
export function createHttp(options: HttpOptions): FastifyInstance {
  const { limits, log, metrics, tls } = options;
  const app = Fastify({
    logger: false,
    bodyLimit: limits.httpBodyBytesMax,
    connectionTimeout: connectionTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    maxRequestsPerSocket: 10_000,
    routerOptions: { maxParamLength: urlCharsMax },
    forceCloseConnections: 'idle',
    ...(tls === null ? { http: { maxHeaderSize: headerBytesMax } } : { https: tlsOptions(tls) }),
  }) as FastifyInstance;
  app.server.maxConnections = limits.connectionsMax;
  app.addHook('onResponse', (request, reply, done) => {
    const labels = { route: request.routeOptions.url ?? 'none', status: String(reply.statusCode) };
    metrics.record('httpSeconds', reply.elapsedTime / 1_000, labels);
    done();
  });
  app.setErrorHandler((error, request, reply) => {
    const known = libraryError(error) ?? error;
    send(reply, publicError(log, known, { route: request.routeOptions.url, peer: request.ip }), style(request));
  });
  app.setNotFoundHandler((request, reply) => {
    send(reply, new ServiceError('NOT_FOUND', 'there is nothing at this address'), style(request));
  });
  addHealth(app, options);
  addPolicies(app, options);
  addCatalogAnswer(app);
  return app;
}

function tlsOptions({ cert, key, clientCa }: NonNullable<HttpOptions['tls']>) {
  const common = { cert, key, maxHeaderSize: headerBytesMax };
  return clientCa === null ? common : { ...common, ca: clientCa, requestCert: true, rejectUnauthorized: true };
}

function addHealth(app: FastifyInstance, { dependencies, isDraining, metrics, log }: HttpOptions): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    if (isDraining()) return reply.code(503).send({ status: 'draining' });
    const failed = await failedDependencies(dependencies, log);
    if (failed.length === 0) return { status: 'ready' };
    return reply.code(503).send({ status: 'not ready', failed });
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics.exposition()),
  );
}

async function failedDependencies(dependencies: readonly Dependency[], log: Log): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(readyTimeoutMs);
  const { promise: late, reject } = Promise.withResolvers<never>();
  late.catch(() => {});
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  const failed: string[] = [];
  for (const dependency of dependencies) {
    try {
      await Promise.race([dependency.check(signal), late]);
    } catch (cause) {
      log.warn('a dependency is down', { route: '/readyz' }, cause);
      failed.push(dependency.name);
    }
  }
  return failed;
}

function addPolicies(app: FastifyInstance, { authorizeAdmin, reloadPolicies, log }: HttpOptions): void {
  app.post('/api/policies/reload', async (request, reply) => {
    await authorizeAdmin(bearerToken(request), request.signal);
    const result = await reloadPolicies(request.signal);
    if (result.kind === 'loaded') {
      const { version, policies } = result;
      log.info('policies reloaded', { policyVersion: version, policies });
      return { version, policies };
    }
    const { file, line, reason } = result;
    return send(reply, new ServiceError('INVALID_POLICY', reason), 'headrace', { file, line, reason });
  });
}

/** Clients that look for Iceberg's REST catalog learn that it is not there yet, in its own terms. */
function addCatalogAnswer(app: FastifyInstance): void {
  const answer = (): never => {
    throw new ServiceError('UNSUPPORTED_FEATURE', 'the Iceberg REST catalog is not supported by this version');
  };
  app.all('/catalog/v1', answer);
  app.all('/catalog/v1/*', answer);
}

const style = (request: FastifyRequest): ErrorStyle => (request.url.startsWith('/catalog/') ? 'iceberg' : 'headrace');

function send(
  reply: FastifyReply,
  error: ServiceError,
  errorStyle: ErrorStyle,
  details: Readonly<Record<string, unknown>> = {},
): FastifyReply {
  const { status, headers, body } = httpError(error, errorStyle, details);
  return reply.code(status).headers(headers).send(body);
}

/** The token of `Authorization: Bearer …`; null where there is no such header. Throws UNAUTHENTICATED for another scheme. */
function bearerToken(request: FastifyRequest): string | null {
  const header = request.headers.authorization;
  if (header === undefined) return null;
  const token = /^bearer +(\S+) *$/i.exec(header)?.[1];
  if (token === undefined) {
    throw new ServiceError('UNAUTHENTICATED', 'the Authorization header must be "Bearer" and a token');
  }
  return token;
}

/** Listens and gives the port. Throws UNAVAILABLE where that is not possible. */
export async function listenHttp(app: FastifyInstance, host: string, port: number): Promise<number> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    throw new ServiceError('UNAVAILABLE', `HTTP cannot listen on ${host}:${port}`, { cause });
  }
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new Error('an HTTP server listens on a port');
  return address.port;
}
