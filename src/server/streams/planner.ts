import { LRUCache } from 'lru-cache';
import { snapshotsById } from '../../catalog/metadata/time-travel.ts';
import { ServiceError } from '../../core/errors.ts';
import { formatTable } from '../../core/identifier.ts';
import type { Limits } from '../../core/limits.ts';
import { planScan, type ScanPlan, type ScanServices } from '../../scan/plan.ts';
import type { SeenTable } from '../gate.ts';
import { parseFilterSource, planDigest, type ScanTerms } from './scan-terms.ts';

/** Plans scans, each once: a plan is a pure function of table, snapshot, request and decision, and is kept under their digest. */
export interface Planner {
  plan(seen: SeenTable, terms: ScanTerms, signal: AbortSignal): Promise<ScanPlan>;
}

/** `onProblem` is told, for the log, of a row filter that admits nothing because it cannot be bound to the table. */
export function createPlanner(
  services: ScanServices,
  limits: Limits,
  onProblem: (table: string, problem: ServiceError) => void,
): Planner {
  const plans = new LRUCache<string, ScanPlan>({
    maxSize: limits.planCacheBytesMax,
    sizeCalculation: ({ memory }) => memory,
  });
  return {
    async plan(seen, terms, signal) {
      requireReadable(seen);
      const digest = planDigest(seen.facts.uuid, terms, seen.decision.digest);
      const known = plans.get(digest);
      if (known !== undefined) return known;
      const plan = await planTerms(seen, terms, services, signal);
      if (plan.rowFilterProblem !== null) onProblem(formatTable(seen.table.identifier), plan.rowFilterProblem);
      plans.set(digest, plan);
      return plan;
    },
  };
}

function requireReadable({ decision, table }: SeenTable): void {
  if (decision.columns.size > 0) return;
  throw new ServiceError(
    'PERMISSION_DENIED',
    `no column of ${formatTable(table.identifier)} is permitted to ${decision.principal}`,
  );
}

function planTerms(seen: SeenTable, terms: ScanTerms, services: ScanServices, signal: AbortSignal): Promise<ScanPlan> {
  const { metadata } = seen.table;
  const schema = metadata.schemas.find(({ schemaId }) => schemaId === terms.schemaId);
  const snapshot = terms.snapshotId === null ? null : snapshotsById(metadata).get(terms.snapshotId);
  if (schema === undefined || snapshot === undefined) {
    throw new ServiceError(
      'NOT_FOUND',
      `snapshot ${terms.snapshotId} of the table is gone: it was expired since the scan was planned`,
    );
  }
  const filter = parseFilterSource(terms.filter, services.limits);
  const { columns, limit } = terms;
  return planScan({ metadata, snapshot, schema, columns, filter, limit, access: seen.decision }, services, signal);
}
