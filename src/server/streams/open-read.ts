import { type Auditor, auditOfDecision } from '../../auth/audit.ts';
import { validUntilMs } from '../../auth/authenticate/validity.ts';
import type { Principal } from '../../core/access.ts';
import { isServiceError, ServiceError } from '../../core/errors.ts';
import { formatTable } from '../../core/identifier.ts';
import { fieldIdKey } from '../../scan/arrow/column.ts';
import type { ScanPlan } from '../../scan/plan.ts';
import type { MaskKeys } from '../../scan/restrict/masks.ts';
import { type Gate, type SeenTable, who } from '../gate.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Trace } from '../telemetry/traces.ts';
import type { RunningPlans } from './running-plans.ts';
import { planDigest } from './scan-terms.ts';
import type { DeskCall, OpenRead } from './stream-desk.ts';
import { type Resume, type StreamStart, specOf } from './stream-spec.ts';
import type { Ticket, Tickets } from './tickets.ts';
import type { CallAccount } from './wire/bulk-handlers.ts';

export interface OpenReadServices {
  readonly gate: Gate;
  readonly tickets: Tickets;
  readonly auditor: Auditor;
  readonly running: RunningPlans;
  readonly metrics: Metrics;
  /** By what the query is: the same in all its streams, resumed and planned again, and another for every other query. */
  readonly maskKeys: (query: string) => MaskKeys;
}

/** A decided read, to become a running stream. */
export interface DecidedRead {
  readonly principal: Principal;
  readonly account: CallAccount;
  readonly seen: SeenTable;
  readonly plan: ScanPlan;
  readonly ticket: Ticket;
  /** Ended with the stream. */
  readonly trace: Trace;
}

/**
 * Opens a stream: from now on its rights are watched, also while its reader takes nothing, and CancelFlightInfo reaches it. One audit record
 * is written when it ends, however it ends.
 */
export async function openRead(decided: DecidedRead, call: DeskCall, services: OpenReadServices): Promise<OpenRead> {
  const { principal, account, seen, plan, ticket, trace } = decided;
  const { metrics } = services;
  const start = await startOf(ticket, call.resume, principal, services.tickets);
  const spec = specOf(ticket, plan, start, principal, services.maskKeys(queryOf(ticket, principal)));
  const place = services.running.start(ticket.plan, call.fail);
  const check = (): Promise<void> => services.gate.recheck(principal, seen, call.signal);
  const watch = setInterval(() => check().catch((error: unknown) => endWith(error, call)), watchMs).unref();
  const tally = { rows: 0, bytes: 0 };
  const streaming = trace.begin('stream');
  return {
    account,
    validUntilMs: validUntilMs(principal),
    spec,
    check,
    // What was read, kept or skipped tells of rows that a restricted principal does not see, and anybody may read the metrics.
    scanned(bytes, rows) {
      if (seen.decision.restricted) return;
      metrics.add('scannedBytes', bytes, account);
      metrics.add('scannedRows', rows, account);
    },
    sent(bytes, rows) {
      tally.bytes += bytes;
      tally.rows += rows;
      metrics.add('sentBytes', bytes, account);
      metrics.add('sentRows', rows, account);
    },
    end(outcome, { firstMs, readerMs }) {
      clearInterval(watch);
      const sent = { 'headrace.rows': tally.rows, 'headrace.bytes': tally.bytes };
      streaming.end(outcome, {
        ...sent,
        'headrace.reader_ms': Math.round(readerMs),
        ...(firstMs === null ? {} : { 'headrace.first_batch_ms': Math.round(firstMs) }),
      });
      trace.end(outcome, {
        ...sent,
        'headrace.table': formatTable(seen.table.identifier),
        'headrace.plan': ticket.plan,
      });
      place[Symbol.dispose]();
      services.auditor.record({
        kind: 'stream',
        direction: 'read',
        ...who(principal),
        table: formatTable(seen.table.identifier),
        ...auditOfDecision(seen.decision),
        snapshotId: ticket.terms.snapshotId?.toString() ?? null,
        columns: plan.schemas.arrow.fields.map((field) => Number(field.metadata.get(fieldIdKey))),
        masked: maskedFields(plan),
        ...tally,
        plan: ticket.plan,
        run: ticket.run?.id ?? null,
        outcome,
      });
    },
  };
}

async function startOf(
  ticket: Ticket,
  resume: Resume | null,
  principal: Principal,
  tickets: Tickets,
): Promise<StreamStart> {
  if (resume === null) return { position: ticket.range.start, rows: 0, dropRows: 0 };
  if (resume.kind === 'offset') return { position: ticket.range.start, rows: resume.rows, dropRows: resume.rows };
  const cursor = await tickets.openCursor(resume.cursor, ticket, principal.name);
  return { position: cursor.position, rows: cursor.rows, dropRows: 0 };
}

/** A little more than what lies between two checks, so that none falls out. */
const watchMs = 1_100;

function endWith(error: unknown, { signal, fail }: DeskCall): void {
  if (signal.aborted) return;
  fail(isServiceError(error) ? error : new ServiceError('UNAVAILABLE', unchecked, { cause: error }));
}

const unchecked = 'whether the right to read still holds cannot be checked now: resume the stream later';

const queryOf = ({ uuid, terms, policyDigest }: Ticket, { name }: Principal): string =>
  `${planDigest(uuid, terms, policyDigest)} ${name}`;

const maskedFields = ({ access }: ScanPlan): number[] =>
  [...access.columns].flatMap(([id, column]) => (column.kind === 'masked' ? [id as number] : []));
