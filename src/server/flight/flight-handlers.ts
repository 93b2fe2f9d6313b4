import { currentSchemaOf } from '../../catalog/metadata/time-travel.ts';
import type { Principal } from '../../core/access.ts';
import { ServiceError } from '../../core/errors.ts';
import { formatNamespace, type Namespace, parseNamespace } from '../../core/identifier.ts';
import type { Limits } from '../../core/limits.ts';
import { arrowSchemaOf } from '../../scan/arrow/iceberg.ts';
import { shardPlan } from '../../scan/plan.ts';
import { visibleSchema } from '../../scan/visible-schema.ts';
import type { Gate, SeenTable } from '../gate.ts';
import { type ReadObserver, type ReadServices, readPlan, readTicket } from '../streams/read.ts';
import type { CallAccount, CallContext } from '../streams/wire/bulk-handlers.ts';
import type { FlightDescriptor, FlightInfo, FlightMessage } from '../streams/wire/messages.ts';
import { type WriteServices, writePut } from '../streams/write.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type ActionServices, actionTypes, runAction } from './actions.ts';
import { flightInfo, type PlannedRequest, planRequest, requestSchema, schemaMessage, ticketOf } from './flight-info.ts';
import type { FlightHandlers } from './handlers.ts';
import { parsePutDescriptor, parseScanDescriptor } from './requests.ts';

export interface FlightServices extends ActionServices, ReadServices {
  readonly write: WriteServices;
  readonly metrics: Metrics;
  readonly limits: Limits;
}

/** The Flight service: each call authenticates, asks the gate, and hands over to the streams. */
export function createFlightHandlers(services: FlightServices): FlightHandlers {
  const { gate, limits, metrics } = services;

  const enter = async (
    call: CallContext,
  ): Promise<{ readonly principal: Principal; readonly account: CallAccount }> => {
    const principal = await gate.authenticate(call.token, call.signal);
    const account = { team: principal.teams[0] ?? 'none', workload: principal.workload ?? 'none' };
    call.account(account);
    return { principal, account };
  };

  // What was read, kept or skipped tells of rows that a restricted principal does not see, and anybody may read the metrics.
  const observerFor = (account: CallAccount, isRestricted: () => boolean): ReadObserver => ({
    scanned(bytes, rows) {
      if (isRestricted()) return;
      metrics.add('scannedBytes', bytes, account);
      metrics.add('scannedRows', rows, account);
    },
    sent(bytes, rows) {
      metrics.add('sentBytes', bytes, account);
      metrics.add('sentRows', rows, account);
    },
  });

  /** What streams aim for depends on how many others there are. */
  const streamed = ({ messageBytesTarget }: CallContext): ReadServices => ({
    ...services,
    limits: { ...limits, messageBytesTarget },
  });

  const countPlan = ({ plan: { counts }, seen }: PlannedRequest, account: CallAccount): void => {
    if (seen.decision.restricted) return;
    metrics.add('plannedFiles', counts.files, account);
    metrics.add('prunedFiles', counts.filesPruned, account);
    metrics.add('plannedRowGroups', counts.rowGroups, account);
    metrics.add('prunedRowGroups', counts.rowGroupsPruned, account);
  };

  const infoOf = async (call: CallContext, descriptor: FlightDescriptor): Promise<FlightInfo> => {
    const { principal, account } = await enter(call);
    const request = parseScanDescriptor(descriptor, limits);
    const planned = await planRequest(principal, request, services, call.signal);
    countPlan(planned, account);
    return flightInfo(principal, request, descriptor, planned, services);
  };

  return {
    authenticate: async (call) => (await enter(call)).principal.name,

    /** Gives the token back once it is verified: what clients get from a handshake they send with every call that follows. */
    async *handshake(call, payloads) {
      for await (const payload of payloads) {
        const token = call.token ?? (payload.length > 0 ? new TextDecoder().decode(payload) : null);
        await gate.authenticate(token, call.signal);
        yield new TextEncoder().encode(token ?? '');
      }
    },

    async *listFlights(call, criteria) {
      const { principal } = await enter(call);
      const namespace = criteria.length === 0 ? null : parseNamespace(new TextDecoder().decode(criteria));
      for await (const seen of gate.list(principal, call.signal)) {
        if (namespace === null || isWithin(namespace, seen.table.identifier.namespace)) yield listed(seen);
      }
    },

    getFlightInfo: infoOf,

    async pollFlightInfo(call, descriptor) {
      const info = await infoOf(call, descriptor);
      return { info, next: null, progress: 1, expiresAtMs: info.endpoints[0]?.expiresAtMs ?? null };
    },

    async getSchema(call, descriptor) {
      const { principal } = await enter(call);
      const request = parseScanDescriptor(descriptor, limits);
      const seen = await gate.see(principal, request.table, call.signal);
      gate.require(principal, seen, 'readTable');
      return schemaMessage(requestSchema(request, seen), request.dictionaries);
    },

    async *doGet(call, ticket) {
      const { principal, account } = await enter(call);
      const { plan } = await services.tickets.open(ticket, principal.name);
      using _stream = services.running.start(plan, call.fail);
      const noting = notingGate(gate);
      const observer = observerFor(account, () => noting.restricted);
      yield* readTicket(ticket, call.resume, principal, { ...streamed(call), gate: noting.gate }, observer, call);
    },

    async *doPut(call, descriptor, messages) {
      const { principal, account } = await enter(call);
      const request = parsePutDescriptor(descriptor, limits);
      const observer = {
        received: (bytes: number) => metrics.add('putBytes', bytes, account),
        committed: (rows: number) => metrics.add('putRows', rows, account),
      };
      const result = await writePut(request, messages, principal, services.write, observer, call.signal);
      const answer = { snapshot_id: result.snapshotId, rows: result.rows, files: result.files };
      yield new TextEncoder().encode(JSON.stringify(answer));
    },

    /** One call plans and streams; it has no shards, and its cursors continue a call with the same request. */
    async *doExchange(call, descriptor): AsyncGenerator<FlightMessage> {
      const { principal, account } = await enter(call);
      const request = parseScanDescriptor(descriptor, limits);
      if (request.shards !== 1)
        throw new ServiceError('INVALID_REQUEST', 'an exchange is one stream: leave "shards" out');
      const planned = await planRequest(principal, request, services, call.signal);
      countPlan(planned, account);
      const { seen, plan, digest, planId } = planned;
      const ticket = ticketOf(request, planned, shardPlan(plan, 1)[0]!, digest);
      using _stream = services.running.start(planId, call.fail);
      const observer = observerFor(account, () => seen.decision.restricted);
      yield* readPlan({ ticket, plan, seen, resume: call.resume }, principal, streamed(call), observer, call);
    },

    async *doAction(call, type, body) {
      const { principal } = await enter(call);
      yield await runAction(type, body, principal, services, call.signal);
    },

    async *listActions(call) {
      await enter(call);
      yield* actionTypes;
    },
  };
}

/** A gate that remembers whether what it decided for a ticket is restricted; until then it is. */
function notingGate(gate: Gate): { readonly gate: Gate; readonly restricted: boolean } {
  let restricted = true;
  const seeAgain: Gate['seeAgain'] = async (...question) => {
    const seen = await gate.seeAgain(...question);
    restricted = seen.decision.restricted;
    return seen;
  };
  return {
    gate: { ...gate, seeAgain },
    get restricted() {
      return restricted;
    },
  };
}

const isWithin = (outer: Namespace, inner: Namespace): boolean =>
  `${formatNamespace(inner)}.`.startsWith(`${formatNamespace(outer)}.`);

/** A table as ListFlights shows it: to be planned by its path. */
function listed({ table, decision }: SeenTable): FlightInfo {
  const schema = visibleSchema(currentSchemaOf(table.metadata), decision.columns);
  const { namespace, name } = table.identifier;
  return {
    schema: schemaMessage(arrowSchemaOf(schema)),
    descriptor: { kind: 'path', path: [...namespace, name] },
    endpoints: [],
    totalRecords: -1,
    totalBytes: -1,
    ordered: false,
    appMetadata: new Uint8Array(0),
  };
}
