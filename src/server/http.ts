import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { bearerToken } from '../auth/authenticate/bearer.ts';
import { InvalidPolicyError } from '../auth/policy/problems.ts';
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
const closeTimeoutMs = 5_000;

export interface HttpOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly limits: Pick<Limits, 'httpBodyBytesMax' | 'connectionsMax'>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Resolves where everything that the server cannot work without is usable, rejects otherwise. */
  readonly isReady: (signal: AbortSignal) => Promise<void>;
  /** Verifies the bearer token and that its principal may `administer`; throws UNAUTHENTICATED or PERMISSION_DENIED. */
  readonly authorizeAdmin: (token: string | null, signal: AbortSignal) => Promise<void>;
  /** Throws InvalidPolicyError where the new set is broken and the old one stays. */
  readonly reloadPolicies: () => Promise<{ readonly version: string; readonly policies: number }>;
  /** PEM texts; null = plain HTTP. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer; readonly clientCa: Buffer | null } | null;
}

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
  /** From now on `/readyz` says 503, so that load balancers look elsewhere; everything else still works. */
  startDraining(): void;
  /** Stops listening, lets running requests finish for a moment, then ends them. */
  close(): Promise<void>;
}

/** Serves HTTP. Throws UNAVAILABLE where the port cannot be listened on. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { host, port } = options;
  let draining = false;
  const app = createApp(options, () => draining);
  const close = async (): Promise<void> => {
    const timer = setTimeout(() => app.server.closeAllConnections(), closeTimeoutMs);
    await app.close().finally(() => clearTimeout(timer));
  };
  try {
    await app.listen({ host, port });
  } catch (cause) {
    await app.close();
    throw new ServiceError('UNAVAILABLE', `HTTP cannot listen on ${host}:${port}`, { cause });
  }
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new Error('an HTTP server listens on a port');
  return {
    port: address.port,
    startDraining: () => {
      draining = true;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function createApp(options: HttpOptions, isDraining: () => boolean): FastifyInstance {
  const { limits, log, metrics, tls = null } = options;
  const answerError = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const known = libraryError(error) ?? error;
    send(reply, publicError(log, known, { route: request.routeOptions.url, peer: request.ip }), style(request));
  };
  const app = Fastify({
    logger: false,
    bodyLimit: limits.httpBodyBytesMax,
    connectionTimeout: connectionTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    maxRequestsPerSocket: 10_000,
    routerOptions: { maxParamLength: urlCharsMax },
    forceCloseConnections: 'idle',
    frameworkErrors: (error, request, reply) => answerError(error, request, reply),
    ...(tls === null ? { http: { maxHeaderSize: headerBytesMax } } : { https: tlsOptions(tls) }),
  }) as FastifyInstance;
  app.server.maxConnections = limits.connectionsMax;
  app.addHook('onResponse', (request, reply, done) => {
    const labels = { route: request.routeOptions.url ?? 'none', status: String(reply.statusCode) };
    metrics.record('httpSeconds', reply.elapsedTime / 1_000, labels);
    done();
  });
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request, reply) => {
    send(reply, isCatalog(request) ? noCatalog() : nothingHere(), style(request));
  });
  // No request has a body that is read: what clients send all the same is bounded, and dropped.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null, undefined));
  addHealth(app, options, isDraining);
  addPolicies(app, options);
  addCatalogAnswer(app);
  return app;
}

function tlsOptions({ cert, key, clientCa }: NonNullable<HttpOptions['tls']>) {
  const common = { cert, key, maxHeaderSize: headerBytesMax };
  return clientCa === null ? common : { ...common, ca: clientCa, requestCert: true, rejectUnauthorized: true };
}

function addHealth(app: FastifyInstance, { isReady, metrics, log }: HttpOptions, isDraining: () => boolean): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    if (isDraining()) return reply.code(503).send({ status: 'draining' });
    const signal = AbortSignal.timeout(readyTimeoutMs);
    try {
      await Promise.race([isReady(signal), firing(signal)]);
      return { status: 'ready' };
    } catch (cause) {
      log.warn('a dependency is down', { route: '/readyz' }, cause);
      return reply.code(503).send({ status: 'not ready' });
    }
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics.exposition()),
  );
}

/** Rejects once the signal fires; may be left alone. */
function firing(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return promise;
}

function addPolicies(app: FastifyInstance, { authorizeAdmin, reloadPolicies, log }: HttpOptions): void {
  app.post('/api/policies/reload', async (request, reply) => {
    await authorizeAdmin(bearerToken(request.headers.authorization), request.signal);
    try {
      const { version, policies } = await reloadPolicies();
      log.info('policies reloaded', { policyVersion: version, policies });
      return { version, policies };
    } catch (error) {
      if (!(error instanceof InvalidPolicyError)) throw error;
      const { file, line, reason } = error.problems[0] ?? { file: null, line: null, reason: error.message };
      return send(reply, error, 'headrace', { file, line, reason, problems: error.problems });
    }
  });
}

/** Clients that look for Iceberg's REST catalog learn that it is not there yet, in its own terms. */
function addCatalogAnswer(app: FastifyInstance): void {
  const answer = (): never => {
    throw noCatalog();
  };
  app.all('/catalog', answer);
  app.all('/catalog/*', answer);
}

const noCatalog = (): ServiceError =>
  new ServiceError('UNSUPPORTED_FEATURE', 'the Iceberg REST catalog is not supported by this version');
const nothingHere = (): ServiceError => new ServiceError('NOT_FOUND', 'there is nothing at this address');

const isCatalog = (request: FastifyRequest): boolean => /^\/catalog(?:[/?]|$)/.test(request.url);
const style = (request: FastifyRequest): ErrorStyle => (isCatalog(request) ? 'iceberg' : 'headrace');

function send(
  reply: FastifyReply,
  error: ServiceError,
  errorStyle: ErrorStyle,
  details: Readonly<Record<string, unknown>> = {},
): FastifyReply {
  const { status, headers, body } = httpError(error, errorStyle, details);
  return reply.code(status).headers(headers).send(body);
}
