import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createAuditor } from '../auth/audit.ts';
import { type Authenticator, openAuthenticator } from '../auth/authenticate/authenticator.ts';
import { localAudience, localClaimNames, localIssuerName } from '../auth/authenticate/local-issuer.ts';
import { loadOrCreateKeys } from '../auth/key-files.ts';
import type { PolicyStore } from '../auth/policy/reload.ts';
import { openTicketSealer } from '../auth/tickets.ts';
import type { Config } from '../core/config.ts';
import { formatTable } from '../core/identifier.ts';
import type { MaskKeys } from '../scan/restrict/masks.ts';
import { type Embedded, openEmbedded } from './embedded.ts';
import { createFlightHandlers, type FlightServices } from './flight/flight-handlers.ts';
import { dataLocations } from './flight/locations.ts';
import { type FlightServer, observeBudget, startFlightServer } from './flight/service.ts';
import { createGate, type Gate } from './gate.ts';
import { startHttp } from './http.ts';
import { type Lifecycle, type Part, startLifecycle } from './lifecycle.ts';
import { ByteBudget } from './streams/byte-budget.ts';
import { createMainDesk } from './streams/main-desk.ts';
import { createPlanner } from './streams/planner.ts';
import { createRunningPlans } from './streams/running-plans.ts';
import { createTickets } from './streams/tickets.ts';
import { UploadSlots } from './streams/upload-slots.ts';
import type { TlsMaterial } from './streams/wire/tls-material.ts';
import { createLog, type Log } from './telemetry/log.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';

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
  await using resources = new AsyncDisposableStack();
  const { limits, host } = config;
  const log = createLog(config.log.level);
  const metrics = createMetrics(limits.metricLabelsMax);
  resources.defer(() => metrics.close());
  const embedded = resources.use(await openEmbedded(config));
  const policies = resources.use(await openPolicies(embedded, log));
  const gate = openGate(config, embedded, policies, log);
  const ports = { data: 0 };
  const services = await flightServices({ config, embedded, policies, gate, metrics, log, ports });
  const tls = await readTls(config);
  const budget = new ByteBudget(limits);
  for (const stop of observeBudget(metrics, budget)) resources.defer(stop);
  const uploads = new UploadSlots(limits);
  const shared = { handlers: createFlightHandlers(services), host, tls, limits, log, metrics, budget, uploads };
  const flight = resources.use(await startFlightServer({ ...shared, port: config.flight.port }));
  const data = resources.use(await startFlightServer({ ...shared, port: config.flight.dataPort }));
  ports.data = data.port;
  const http = await startHttp({
    host,
    port: config.http.port,
    limits,
    log,
    metrics,
    tls,
    isReady: async () => void (await embedded.catalog.store.changes()),
    authorizeAdmin: (token, signal) => gate.requireAdministrator(token, signal),
    reloadPolicies: () => policies.reload(),
  });
  const owned = resources.move();
  const drained = (name: string, server: FlightServer): Part => ({
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
    data: data.port,
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

function openGate(config: Config, embedded: Embedded, policies: PolicyStore, log: Log): Gate {
  return createGate({
    authenticator: openTokens(config, embedded),
    policies,
    catalog: embedded.catalog,
    facts: embedded.facts,
    // The log stamps its lines itself.
    auditor: createAuditor(({ time: _time, ...line }, message) => log.audit(line, message)),
    log,
    now: Date.now,
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
  readonly log: Log;
  /** Filled in once the data port is bound. */
  readonly ports: { readonly data: number };
}

async function flightServices({
  config,
  embedded,
  policies,
  gate,
  metrics,
  log,
  ports,
}: ServiceParts): Promise<FlightServices> {
  const { limits, dataDir } = config;
  const { catalog, objects, footers } = embedded;
  const ticketKeys =
    config.tickets.keys.length > 0
      ? config.tickets.keys.map((key, at) => ({ id: `configured-${at}`, key }))
      : await loadOrCreateKeys(dataDir, 'ticket-keys');
  const maskKeys = config.masks.keys.length > 0 ? config.masks.keys : await loadOrCreateKeys(dataDir, 'mask-keys');
  const scan = { objects, footers, limits };
  const { auditor } = gate;
  const planner = createPlanner(scan, limits, (table, problem) => {
    log.warn('a row filter cannot be bound to its table and admits no row', { table, code: problem.code });
  });
  const tickets = createTickets(await openTicketSealer({ keys: ticketKeys }));
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
    limits,
    maskKeys: (query) => maskKeysFor(maskKeys[0]!.key, query),
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
    limits,
    planner,
    tickets,
    running,
    ticketTtlMs,
    now,
    locations: () => dataLocations(config, ports.data),
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
