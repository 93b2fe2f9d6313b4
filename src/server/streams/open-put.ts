import { type Auditor, auditOfDecision } from '../../auth/audit.ts';
import { validUntilMs } from '../../auth/authenticate/validity.ts';
import type { Catalog } from '../../catalog/catalog-types.ts';
import type { Principal } from '../../core/access.ts';
import { ServiceError } from '../../core/errors.ts';
import { formatTable } from '../../core/identifier.ts';
import type { PutRequest } from '../../core/requests.ts';
import { type Gate, type SeenTable, who } from '../gate.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Trace } from '../telemetry/traces.ts';
import type { OpenPut } from './stream-desk.ts';
import type { CallAccount } from './wire/bulk-handlers.ts';
import type { PutSpec, RowRule } from './write-spec.ts';

export interface OpenPutServices {
  readonly gate: Gate;
  readonly catalog: Catalog;
  readonly auditor: Auditor;
  readonly metrics: Metrics;
  /** Told of a table that did not exist before, so that policies can look up its columns. Never fails: the commit is made. */
  readonly onCreated: (request: PutRequest) => Promise<void>;
}

/**
 * Opens a write. `create` needs `write` on the namespace, the others on the table. Whoever sees only some rows may append only such rows, and
 * whoever does not see everything raw may not replace what it cannot see.
 */
export async function openPut(
  request: PutRequest,
  {
    principal,
    account,
    trace,
  }: { readonly principal: Principal; readonly account: CallAccount; readonly trace: Trace },
  services: OpenPutServices,
  signal: AbortSignal,
): Promise<OpenPut> {
  const { metrics, auditor, gate } = services;
  const seen = await trace.step('decide', () => authorize(request, principal, services, signal));
  const writing = trace.begin('write');
  let bytes = 0;
  return {
    account,
    validUntilMs: validUntilMs(principal),
    spec: specOf(request, principal, seen),
    catalog: catalogOf(request, services, trace),
    check: () => gate.recheck(principal, seen, signal),
    received(more) {
      bytes += more;
      metrics.add('putBytes', more, account);
    },
    end(outcome, { columns, rows, snapshotId }) {
      if (snapshotId !== null) metrics.add('putRows', rows, account);
      writing.end(outcome, { 'headrace.rows': rows, 'headrace.bytes': bytes });
      trace.end(outcome, { 'headrace.table': formatTable(request.table) });
      auditor.record({
        kind: 'stream',
        direction: 'write',
        ...who(principal),
        table: formatTable(request.table),
        ...(seen === null
          ? { policyVersion: null, policyDigest: null, determinedBy: [] }
          : auditOfDecision(seen.decision)),
        snapshotId,
        columns,
        rows,
        bytes,
        outcome,
      });
    },
  };
}

/** The table that is written to; null where it is to be created. */
async function authorize(
  request: PutRequest,
  principal: Principal,
  { gate }: OpenPutServices,
  signal: AbortSignal,
): Promise<SeenTable | null> {
  if (request.mode === 'create') {
    await gate.requireCreate(principal, request.table);
    return null;
  }
  const seen = await gate.see(principal, request.table, signal);
  gate.require(principal, seen, 'write');
  if (request.mode === 'overwrite' && seen.decision.restricted) {
    throw new ServiceError(
      'PERMISSION_DENIED',
      `${principal.name} does not see every row and column of ${formatTable(request.table)} as it is, and may not replace any`,
    );
  }
  return seen;
}

function specOf(request: PutRequest, { name }: Principal, seen: SeenTable | null): PutSpec {
  const reads = seen?.decision.actions.has('readTable') ?? false;
  return {
    request,
    principal: name,
    columns: seen?.decision.restricted ? seen.decision.columns : null,
    reads,
    rows: reads ? rowRule(seen!) : null,
  };
}

function rowRule({ decision: { rowFilter }, table }: SeenTable): RowRule | null {
  return rowFilter === null ? null : { filter: rowFilter, schemas: table.metadata.schemas };
}

/** The catalog's part of this one write. Names that come back from where rows are handled are not looked at. */
function catalogOf(
  { table, ...rest }: PutRequest,
  { catalog, onCreated }: OpenPutServices,
  trace: Trace,
): OpenPut['catalog'] {
  return {
    tableExists: () => catalog.tableExists(table),
    loadTable: (_, signal) => catalog.loadTable(table, signal),
    isKeyUsed: (key) => catalog.isKeyUsed(key),
    recallCommit: (options) => catalog.recallCommit(options),
    stageTable: (_, definition) => catalog.stageTable(table, definition),
    async createStaged(_, staged, updates, options) {
      const committed = await trace.step('commit', () => catalog.createStaged(table, staged, updates, options));
      await onCreated({ table, ...rest });
      return committed;
    },
    retryCommit: (_, build, options) => trace.step('commit', () => catalog.retryCommit(table, build, options)),
  };
}
