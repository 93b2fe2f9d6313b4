import type { Principal } from '../../core/access.ts';
import { isServiceError, ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import { shardPlan } from '../../scan/plan.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Trace, Traces } from '../telemetry/traces.ts';
import { type OpenPutServices, openPut } from './open-put.ts';
import { type OpenReadServices, openRead } from './open-read.ts';
import { type PlannedRequest, planRequest, ticketOf } from './plan-request.ts';
import type { Planner } from './planner.ts';
import { parsePutDescriptor, parseScanDescriptor } from './requests.ts';
import { termsDigest } from './scan-terms.ts';
import type { DeskCall, OpenRead, StreamDesk } from './stream-desk.ts';
import { revokedMeanwhile } from './tickets.ts';
import type { CallAccount } from './wire/bulk-handlers.ts';
import type { FlightDescriptor } from './wire/messages.ts';

export interface DeskServices extends OpenReadServices, OpenPutServices {
  readonly traces: Traces;
  readonly planner: Planner;
  readonly limits: Limits;
}

/** The desk that decides itself, from policies and catalog. */
export function createMainDesk(services: DeskServices): StreamDesk {
  const { gate, limits, metrics, planner, tickets, traces } = services;

  const enter = async ({ token, signal }: DeskCall) => {
    const principal = await gate.authenticate(token, signal);
    return { principal, account: accountOf(principal) };
  };

  /** It has no shards, and its cursors continue a call with the same request. */
  const exchange = async (call: DeskCall, descriptor: FlightDescriptor, trace: Trace): Promise<OpenRead> => {
    const { principal, account } = await trace.step('authenticate', () => enter(call));
    const request = parseScanDescriptor(descriptor, limits);
    if (request.shards !== 1)
      throw new ServiceError('INVALID_REQUEST', 'an exchange is one stream: leave "shards" out');
    const planned = await planRequest(principal, request, services, call.signal, trace);
    countPlan(metrics, planned, account);
    const { seen, plan, terms } = planned;
    const ticket = ticketOf(request, planned, shardPlan(plan, 1)[0]!, termsDigest(seen.facts.uuid, terms));
    return openRead({ principal, account, seen, plan, ticket, trace }, call, services);
  };

  return {
    async authenticate(call) {
      const { principal, account } = await enter(call);
      return { name: principal.name, account };
    },

    openTicket(call, bytes) {
      return traced(traces.begin('DoGet', call.traceparent), async (trace) => {
        const { principal, account } = await trace.step('authenticate', () => enter(call));
        const { ticket, seen } = await trace.step('decide', async () => {
          const opened = await tickets.open(bytes, principal.name);
          return { ticket: opened, seen: await gate.seeAgain(principal, opened.uuid, call.signal) };
        });
        if (seen.decision.digest !== ticket.policyDigest) throw call.resume === null ? planAgain() : revokedMeanwhile();
        const plan = await trace.step('plan', () => planner.plan(seen, ticket.terms, call.signal));
        return openRead({ principal, account, seen, plan, ticket, trace }, call, services);
      });
    },

    openExchange(call, descriptor) {
      return traced(traces.begin('DoExchange', call.traceparent), (trace) => exchange(call, descriptor, trace));
    },

    openPut(call, descriptor) {
      return traced(traces.begin('DoPut', call.traceparent), async (trace) => {
        const caller = await trace.step('authenticate', () => enter(call));
        return openPut(parsePutDescriptor(descriptor, limits), { ...caller, trace }, services, call.signal);
      });
    },
  };
}

/** Ends the trace of a call that is refused; what is opened ends it itself. */
async function traced<Open>(trace: Trace, open: (trace: Trace) => Promise<Open>): Promise<Open> {
  try {
    return await open(trace);
  } catch (error) {
    trace.end(isServiceError(error) ? error.code : 'INTERNAL');
    throw error;
  }
}

/** On whose account a principal's calls go. */
export const accountOf = ({ teams, workload }: Principal): CallAccount => ({
  team: teams[0] ?? 'none',
  workload: workload ?? 'none',
});

/** Counts what a plan kept and skipped, for whom nothing is hidden. */
export function countPlan(metrics: Metrics, { plan: { counts }, seen }: PlannedRequest, account: CallAccount): void {
  if (seen.decision.restricted) return;
  metrics.add('plannedFiles', counts.files, account);
  metrics.add('prunedFiles', counts.filesPruned, account);
  metrics.add('plannedRowGroups', counts.rowGroups, account);
  metrics.add('prunedRowGroups', counts.rowGroupsPruned, account);
}

const planAgain = (): ServiceError =>
  new ServiceError(
    'TICKET_EXPIRED',
    'what policy permits on this table changed since the scan was planned: plan again',
  );
