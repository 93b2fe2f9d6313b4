import type { Principal } from '../../core/access.ts';
import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import { shardPlan } from '../../scan/plan.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type OpenPutServices, openPut } from './open-put.ts';
import { type OpenReadServices, openRead } from './open-read.ts';
import { type PlannedRequest, planRequest, ticketOf } from './plan-request.ts';
import type { Planner } from './planner.ts';
import { parsePutDescriptor, parseScanDescriptor } from './requests.ts';
import { termsDigest } from './scan-terms.ts';
import type { DeskCall, StreamDesk } from './stream-desk.ts';
import { revokedMeanwhile } from './tickets.ts';
import type { CallAccount } from './wire/bulk-handlers.ts';

export interface DeskServices extends OpenReadServices, OpenPutServices {
  readonly planner: Planner;
  readonly limits: Limits;
}

/** The desk that decides itself, from policies and catalog. */
export function createMainDesk(services: DeskServices): StreamDesk {
  const { gate, limits, metrics, planner, tickets } = services;

  const enter = async ({ token, signal }: DeskCall) => {
    const principal = await gate.authenticate(token, signal);
    return { principal, account: accountOf(principal) };
  };

  return {
    async authenticate(call) {
      const { principal, account } = await enter(call);
      return { name: principal.name, account };
    },

    async openTicket(call, bytes) {
      const { principal, account } = await enter(call);
      const ticket = await tickets.open(bytes, principal.name);
      const seen = await gate.seeAgain(principal, ticket.uuid, call.signal);
      if (seen.decision.digest !== ticket.policyDigest) throw call.resume === null ? planAgain() : revokedMeanwhile();
      const plan = await planner.plan(seen, ticket.terms, call.signal);
      return openRead({ principal, account, seen, plan, ticket }, call, services);
    },

    /** It has no shards, and its cursors continue a call with the same request. */
    async openExchange(call, descriptor) {
      const { principal, account } = await enter(call);
      const request = parseScanDescriptor(descriptor, limits);
      if (request.shards !== 1)
        throw new ServiceError('INVALID_REQUEST', 'an exchange is one stream: leave "shards" out');
      const planned = await planRequest(principal, request, services, call.signal);
      countPlan(metrics, planned, account);
      const { seen, plan, terms } = planned;
      const ticket = ticketOf(request, planned, shardPlan(plan, 1)[0]!, termsDigest(seen.facts.uuid, terms));
      return openRead({ principal, account, seen, plan, ticket }, call, services);
    },

    async openPut(call, descriptor) {
      const caller = await enter(call);
      return openPut(parsePutDescriptor(descriptor, limits), caller, services, call.signal);
    },
  };
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
