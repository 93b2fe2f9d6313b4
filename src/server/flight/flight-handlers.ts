import { currentSchemaOf } from '../../catalog/metadata/time-travel.ts';
import type { Principal } from '../../core/access.ts';
import { isServiceError } from '../../core/errors.ts';
import { formatNamespace, formatTable, type Namespace, parseNamespace } from '../../core/identifier.ts';
import type { Limits } from '../../core/limits.ts';
import { arrowSchemaOf } from '../../scan/arrow/iceberg.ts';
import { visibleSchema } from '../../scan/visible-schema.ts';
import type { SeenTable } from '../gate.ts';
import { type BulkServices, createBulkHandlers } from '../streams/bulk-calls.ts';
import { accountOf, countPlan } from '../streams/main-desk.ts';
import { planRequest } from '../streams/plan-request.ts';
import { parseScanDescriptor } from '../streams/requests.ts';
import type { StreamDesk } from '../streams/stream-desk.ts';
import type { CallAccount, CallContext } from '../streams/wire/bulk-handlers.ts';
import type { FlightDescriptor, FlightInfo } from '../streams/wire/messages.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Traces } from '../telemetry/traces.ts';
import { type ActionServices, actionTypes, runAction } from './actions.ts';
import { flightInfo, requestSchema, schemaMessage } from './flight-info.ts';
import type { FlightHandlers } from './handlers.ts';

export interface FlightServices extends ActionServices {
  readonly desk: StreamDesk;
  readonly bulk: BulkServices;
  readonly metrics: Metrics;
  readonly traces: Traces;
  readonly limits: Limits;
}

/** The Flight service: each call authenticates, asks the gate, and hands over to the streams. */
export function createFlightHandlers(services: FlightServices): FlightHandlers {
  const { gate, limits, metrics } = services;

  const enter = async (
    call: CallContext,
  ): Promise<{ readonly principal: Principal; readonly account: CallAccount }> => {
    const principal = await gate.authenticate(call.token, call.signal);
    const account = accountOf(principal);
    call.account(account);
    return { principal, account };
  };

  const infoOf = async (call: CallContext, descriptor: FlightDescriptor): Promise<FlightInfo> => {
    const trace = services.traces.begin(call.method, call.traceparent);
    try {
      const { principal, account } = await trace.step('authenticate', () => enter(call));
      const request = parseScanDescriptor(descriptor, limits);
      const planned = await planRequest(principal, request, services, call.signal, trace);
      countPlan(metrics, planned, account);
      const info = await trace.step('seal', async () => flightInfo(principal, request, descriptor, planned, services));
      trace.end('complete', { 'headrace.table': formatTable(request.table), 'headrace.plan': planned.planId });
      return info;
    } catch (error) {
      trace.end(isServiceError(error) ? error.code : 'INTERNAL');
      throw error;
    }
  };

  return {
    ...createBulkHandlers(services.desk, services.bulk),

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
