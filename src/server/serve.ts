import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { createAuditor } from '../auth/audit.ts';
import { type Authenticator, openAuthenticator } from '../auth/authenticate/authenticator.ts';
import { localAudience, localClaimNames, localIssuerName } from '../auth/authenticate/local-issuer.ts';
import { loadOrCreateKeys, type SecretKey } from '../auth/key-files.ts';
import type { PolicyStore } from '../auth/policy/reload.ts';
import { openTicketSealer } from '../auth/tickets.ts';
import type { Config } from '../core/config.ts';
import { ServiceError } from '../core/errors.ts';
import { formatTable } from '../core/identifier.ts';
import type { ColumnCache } from '../scan/cache/cache.ts';
import { createReadPool } from '../scan/read-pool.ts';
import type { MaskKeys } from '../scan/restrict/masks.ts';
import { defaultCacheBytes, openColumnCache } from './column-cache/column-cache.ts';
import { startWorkerPool, type WorkerPool } from './data-plane/worker-pool.ts';
import { type DecisionClock, startDecisionClock } from './decision-clock.ts';
import { type Embedded, openEmbedded } from './embedded.ts';
import { createFlightHandlers, type FlightServices } from './flight/flight-handlers.ts';
import { createLocations, type DataPorts } from './flight/locations.ts';
import { type FlightServer, observeBudget, startFlightServer } from './flight/service.ts';
import { createGate, type Gate } from './gate.ts';
import { accountBuffersWithHeap } from './heap-policy.ts';
import { startHttp } from './http.ts';
import { type Lifecycle, type Part, startLifecycle } from './lifecycle.ts';
import { ByteBudget } from './streams/byte-budget.ts';
import { createMainDesk } from './streams/main-desk.ts';
import { createPlanner } from './streams/planner.ts';
import { createRunningPlans } from './streams/running-plans.ts';
import { ledgerMemory, openLedger } from './streams/shared-ledger.ts';
import { createTickets } from './streams/tickets.ts';
import { UploadSlots } from './streams/upload-slots.ts';
import type { TlsMaterial } from './streams/wire/tls-material.ts';
import { createLog, type Log } from './telemetry/log.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';
import { openTraces } from './telemetry/open-traces.ts';
import type { Traces } from './telemetry/traces.ts';

export interface RunningServer extends AsyncDisposable {
  /** Ports as they are bound. */
  readonly flight: number;
  readonly data: number;
  readonly http: number;
  readonly log: Log;
  /** Drains on SIGTERM and SIGINT, reloads policies on SIGHUP; `stopped` resolves once everything is closed. */
  readonly lifecycle: Lifecycle;
}

/** Opens the embedded state and serves it: Flight on the control and the data port, HTTP beside them. */
export async function serveHeadrace(config: Config): Promise<RunningServer> {
  accountBuffersWithHeap();
  await using resources = new AsyncDisposableStack();
  const { limits, host } = config;
  const log = createLog(config.log.level);
  const metrics = createMetrics(limits.metricLabelsMax);
  resources.defer(() => metrics.close());
  const traces = await openTraces(process.env);
  resources.defer(() => traces.close());
  const embedded = resources.use(await openEmbedded(config));
  const policies = resources.use(await openPolicies(embedded, log));
  const { revocations, catalog } = embedded;
  const clock = resources.use(startDecisionClock({ policies, revocations, store: catalog.store }));
  const gate = openGate(config, embedded, policies, clock, log);
  let plane: WorkerPool | null = null;
  const keys = await loadKeys(config);
  const cacheBytes = config.cache.memoryBytes ?? defaultCacheBytes();
  const cache =
    cacheBytes === 0 ? null : resources.use(await openColumnCache({ bytesMax: cacheBytes, limits, metrics, log }));
  const ports = (): DataPorts => ({ shared: plane?.sharedPort ?? 0, workers: plane?.ports ?? [] });
  const services = await flightServices({
    config,
    embedded,
    policies,
    gate,
    metrics,
    traces,
    log,
    keys,
    ports,
    cache: cache?.local ?? null,
  });
  const tls = await readTls(config);
  const count = config.workers ?? workersByCores();
  const threads = count + 1;
  const ledger = ledgerMemory(threads);
  const budget = new ByteBudget(limits, { threads, ledger: openLedger(ledger, 0) });
  for (const stop of observeBudget(metrics, budget)) resources.defer(stop);
  const uploads = new UploadSlots(limits);
  const handlers = createFlightHandlers(services);
  const { port, dataPort, workerPorts } = config.flight;
  const flight = resources.use(
    await startFlightServer({ handlers, host, port, tls, limits, log, metrics, budget, uploads }),
  );
  const data = resources.use(
    await startWorkerPool({
      count,
      host,
      sharedPort: dataPort,
      workerPorts,
      firstThread: 1,
      start: {
        controlPort: flight.port,
        tls,
        warehouse: config.warehouse,
        limits: { ...limits, footerCacheBytesMax: Math.ceil(limits.footerCacheBytesMax / (2 * count)) },
        logLevel: config.log.level,
        cursorKey: keys.tickets[0]!,
        ticketTtlMs: config.tickets.ttlMs,
        changes: clock.shared,
        ledger,
        threads,
      },
      connectCache: () => cache?.connect() ?? null,
      services: {
        desk: services.desk,
        uploads,
        ended: ({ method, code, seconds }) => metrics.record('callSeconds', seconds, { call: method, code }),
        refused: () => metrics.add('refusedStreams', 1, {}),
      },
      log,
    }),
  );
  plane = data;
  resources.defer(metrics.observe('connections', () => data.connections));
  const http = await startHttp({
    host,
    port: config.http.port,
    limits,
    log,
    metrics,
    tls,
    isReady: async () => {
      if (data.ports.length === 0) throw new ServiceError('UNAVAILABLE', 'no data-plane worker lives');
      await embedded.catalog.store.changes();
    },
    authorizeAdmin: (token, signal) => gate.requireAdministrator(token, signal),
    reloadPolicies: () => policies.reload(),
  });
  const owned = resources.move();
  const drained = (name: string, server: FlightServer | WorkerPool): Part => ({
    name,
    stop: (graceMs) => {
      http.startDraining();
      return server.drain(graceMs);
    },
  });
  const stages = [
    [drained('flight', flight), drained('data', data)],
    [{ name: 'http', stop: () => http.close() }],
    [{ name: 'state', stop: () => owned.disposeAsync() }],
  ];
  const impatient = (): void => void Promise.all([flight.close(), data.close()]);
  const lifecycle = startLifecycle(stages, { graceMs: limits.drainGraceMs, log, impatient });
  lifecycle.onReload(() => {
    policies.reload().catch((error: unknown) => log.error(policiesKept, {}, error));
  });
  log.info('serving', { host, dataDir: config.dataDir, version: policies.current.version });
  return {
    flight: flight.port,
    data: data.sharedPort,
    http: http.port,
    log,
    lifecycle,
    async [Symbol.asyncDispose]() {
      lifecycle.stop('closed');
      await lifecycle.stopped;
    },
  };
}

const policiesKept = 'policies were not reloaded; the set in force stays';

function openPolicies(embedded: Embedded, log: Log): Promise<PolicyStore> {
  return embedded.openPolicies({
    onError: (error) => log.error(policiesKept, {}, error),
    onWarnings: (warnings) => {
      for (const { file, line } of warnings)
        log.warn('a policy may not do what it says: run headrace policy check', { file, line });
    },
  });
}

function openGate(config: Config, embedded: Embedded, policies: PolicyStore, clock: DecisionClock, log: Log): Gate {
  return createGate({
    authenticator: openTokens(config, embedded),
    policies,
    catalog: embedded.catalog,
    facts: embedded.facts,
    // The log stamps its lines itself.
    auditor: createAuditor(({ time: _time, ...line }, message) => log.audit(line, message)),
    log,
    now: Date.now,
    changes: () => clock.now(),
  });
}

function openTokens(config: Config, { issuer, revocations }: Embedded): Authenticator {
  const { auth } = config;
  const common = { revocations, anonymous: auth.anonymous };
  if (auth.issuer === null) {
    const { workload, engine, teams } = localClaimNames;
    return openAuthenticator({
      ...common,
      issuer: localIssuerName,
      audience: localAudience,
      localIssuer: issuer!,
      teamsClaim: teams,
      workloadClaim: workload,
      engineClaim: engine,
    });
  }
  const { teamsClaim, workloadClaim, engineClaim } = auth;
  return openAuthenticator({ ...common, ...auth.issuer, teamsClaim, workloadClaim, engineClaim });
}

interface ServiceParts {
  readonly config: Config;
  readonly embedded: Embedded;
  readonly policies: PolicyStore;
  readonly gate: Gate;
  readonly metrics: Metrics;
  readonly traces: Traces;
  readonly log: Log;
  readonly keys: Keys;
  readonly ports: () => DataPorts;
  readonly cache: ColumnCache | null;
}

interface Keys {
  readonly tickets: readonly SecretKey[];
  /** The key of the hash masks. */
  readonly mask: Uint8Array;
}

async function loadKeys({ dataDir, tickets, masks }: Config): Promise<Keys> {
  const maskKeys = masks.keys.length > 0 ? masks.keys : await loadOrCreateKeys(dataDir, 'mask-keys');
  return {
    tickets:
      tickets.keys.length > 0
        ? tickets.keys.map((key, at) => ({ id: `configured-${at}`, key }))
        : await loadOrCreateKeys(dataDir, 'ticket-keys'),
    mask: maskKeys[0]!.key,
  };
}

/** One worker a core, as many as pay: more than a few are kept busy by no network. */
const workersByCores = (): number => Math.min(8, Math.max(1, availableParallelism()));

async function flightServices({
  config,
  embedded,
  policies,
  gate,
  metrics,
  traces,
  log,
  keys,
  ports,
  cache,
}: ServiceParts): Promise<FlightServices> {
  const { limits } = config;
  const { catalog, objects, footers } = embedded;
  const scan = { objects, footers, limits, cache, pool: createReadPool(limits) };
  const { auditor } = gate;
  const planner = createPlanner(scan, limits, (table, problem) => {
    log.warn('a row filter cannot be bound to its table and admits no row', { table, code: problem.code });
  });
  const tickets = createTickets(await openTicketSealer({ keys: keys.tickets }));
  const running = createRunningPlans();
  const now = Date.now;
  const desk = createMainDesk({
    gate,
    catalog,
    planner,
    tickets,
    running,
    auditor,
    metrics,
    traces,
    limits,
    maskKeys: (query) => maskKeysFor(keys.mask, query),
    onCreated: async ({ table }) => {
      try {
        const created = await catalog.loadTable(table, new AbortController().signal);
        await policies.observe(await embedded.facts.ofTable(created));
      } catch (error) {
        log.warn('policies will look up a new table at its first use', { table: formatTable(table) }, error);
      }
    },
  });
  const { ttlMs: ticketTtlMs } = config.tickets;
  const write = { ingest: { objects, footers, limits, now }, limits };
  return {
    gate,
    catalog,
    metrics,
    traces,
    limits,
    planner,
    tickets,
    running,
    ticketTtlMs,
    now,
    locations: createLocations(config, ports),
    desk,
    bulk: { scan, limits, cursors: tickets, ticketTtlMs, now, write },
  };
}

const maskKeysFor = (global: Uint8Array, query: string): MaskKeys => ({
  global,
  query: createHmac('sha256', global).update(`query ${query}`).digest(),
});

async function readTls({ tls }: Config): Promise<TlsMaterial | null> {
  if (tls === null) return null;
  const { cert, key, clientCa } = tls;
  return {
    cert: await readFile(cert),
    key: await readFile(key),
    clientCa: clientCa === null ? null : await readFile(clientCa),
  };
}
