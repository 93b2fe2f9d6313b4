import { randomUUID } from 'node:crypto';
import type { Principal } from '../../core/access.ts';
import type { ScanRequest } from '../../core/requests.ts';
import type { ScanPlan } from '../../scan/plan.ts';
import type { Gate, SeenTable } from '../gate.ts';
import type { Trace } from '../telemetry/traces.ts';
import type { Planner } from './planner.ts';
import { type ScanTerms, settleTerms } from './scan-terms.ts';
import type { Ticket } from './tickets.ts';

/** A request planned for a principal, and everything that a ticket of it needs. */
export interface PlannedRequest {
  readonly seen: SeenTable;
  readonly terms: ScanTerms;
  readonly plan: ScanPlan;
  /** Random, for logs. */
  readonly planId: string;
}

/** Decides and plans a scan. NOT_FOUND, PERMISSION_DENIED and what planning throws. */
export async function planRequest(
  principal: Principal,
  request: ScanRequest,
  services: { readonly gate: Gate; readonly planner: Planner },
  signal: AbortSignal,
  trace: Trace,
): Promise<PlannedRequest> {
  const seen = await trace.step('decide', () => services.gate.see(principal, request.table, signal));
  services.gate.require(principal, seen, 'readTable');
  const terms = settleTerms(request, seen.table.metadata);
  const plan = await trace.step('plan', () => services.planner.plan(seen, terms, signal));
  return { seen, terms, plan, planId: randomUUID() };
}

export function ticketOf(request: ScanRequest, planned: PlannedRequest, range: Ticket['range'], id: string): Ticket {
  const { batchRows, compression, dictionaries, run } = request;
  return {
    id,
    uuid: planned.seen.facts.uuid,
    terms: planned.terms,
    form: { batchRows, compression, dictionaries },
    range,
    policyDigest: planned.seen.decision.digest,
    plan: planned.planId,
    run,
  };
}
