import { type Auditor, auditOfDecision } from '../../auth/audit.ts';
import type { Principal } from '../../core/access.ts';
import { type ErrorCode, isServiceError, ServiceError } from '../../core/errors.ts';
import { formatTable } from '../../core/identifier.ts';
import type { Limits } from '../../core/limits.ts';
import { type Batch, fieldIdKey } from '../../scan/arrow/column.ts';
import { createIpcEncoder, type EncodedMessage, type IpcEncoder } from '../../scan/arrow/ipc-write.ts';
import { withDictionaries } from '../../scan/arrow/kernels/dictionary-encode.ts';
import { nullColumn } from '../../scan/arrow/kernels/null-column.ts';
import { sliceColumn } from '../../scan/arrow/kernels/slice.ts';
import type { ScanPlan, ScanServices } from '../../scan/plan.ts';
import type { MaskKeys } from '../../scan/restrict/masks.ts';
import type { Position } from '../../scan/shards.ts';
import { type ScanChunk, streamRange } from '../../scan/stream.ts';
import { type Gate, type SeenTable, who } from '../gate.ts';
import type { Planner } from './planner.ts';
import { planDigest } from './scan-terms.ts';
import type { Ticket, Tickets } from './tickets.ts';

/** One IPC message on its way out; `appMetadata` only with record batches. */
export interface StreamMessage extends EncodedMessage {
  readonly appMetadata?: Uint8Array | undefined;
}

/** Where a stream begins: at its ticket's start, at a sealed cursor, or after so many rows. */
export type Resume =
  | { readonly kind: 'cursor'; readonly cursor: string }
  | { readonly kind: 'offset'; readonly rows: number };

/** What a stream has done so far, for metrics and audit. */
export interface StreamTally {
  rows: number;
  bytes: number;
}

export interface ReadServices {
  readonly gate: Gate;
  readonly planner: Planner;
  readonly tickets: Tickets;
  readonly auditor: Auditor;
  readonly scan: ScanServices;
  readonly limits: Limits;
  readonly ticketTtlMs: number;
  /** By what the query is: the same in all its streams, resumed and planned again, and another for every other query. */
  readonly maskKeys: (query: string) => MaskKeys;
  readonly now: () => number;
}

/** What a stream is told of what it reads, for the metrics. */
export interface ReadObserver {
  readonly scanned: (bytes: number, rows: number) => void;
  readonly sent: (bytes: number, rows: number) => void;
}

/** The call that a stream is sent on. */
export interface StreamCall {
  readonly signal: AbortSignal;
  /** Ends the call at once, also while its reader takes nothing; fires `signal` with the reason. */
  readonly fail: (reason: ServiceError) => void;
}

/**
 * The stream of one ticket. Decides afresh: a ticket whose decision changed is TICKET_EXPIRED before its first row and REVOKED in a
 * stream that continues; token and decision are checked again between batches and while the reader takes none. Every stream has at
 * least one record batch.
 */
export async function* readTicket(
  bytes: Uint8Array,
  resume: Resume | null,
  principal: Principal,
  services: ReadServices,
  observer: ReadObserver,
  call: StreamCall,
): AsyncGenerator<StreamMessage> {
  const { signal } = call;
  const ticket = await services.tickets.open(bytes, principal.name);
  const seen = await services.gate.seeAgain(principal, ticket.uuid, signal);
  if (seen.decision.digest !== ticket.policyDigest) {
    throw resume === null
      ? new ServiceError(
          'TICKET_EXPIRED',
          'what policy permits on this table changed since the scan was planned: plan again',
        )
      : new ServiceError('REVOKED', 'what policy permits on this table changed while it was read: plan again');
  }
  const { plan } = await services.planner.plan(seen, ticket.terms, signal);
  yield* readPlan({ ticket, plan, seen, resume }, principal, services, observer, call);
}

export interface PlannedStream {
  readonly ticket: Ticket;
  readonly plan: ScanPlan;
  readonly seen: SeenTable;
  readonly resume: Resume | null;
}

/** Streams what is planned, and writes one audit record when it ends, however it ends. */
export async function* readPlan(
  stream: PlannedStream,
  principal: Principal,
  services: ReadServices,
  observer: ReadObserver,
  call: StreamCall,
): AsyncGenerator<StreamMessage> {
  const { signal } = call;
  const { plan, ticket, seen } = stream;
  const tally: StreamTally = { rows: 0, bytes: 0 };
  let outcome: 'complete' | ErrorCode | null = null;
  const recheck = (): Promise<void> => services.gate.recheck(principal, seen, signal);
  const watch = setInterval(() => recheck().catch((error: unknown) => endWith(error, call)), watchMs).unref();
  try {
    for await (const message of messages(stream, principal, services, observer, tally, signal)) {
      yield message;
      await recheck();
    }
    outcome = 'complete';
  } catch (error) {
    outcome = isServiceError(error) ? error.code : 'INTERNAL';
    throw error;
  } finally {
    clearInterval(watch);
    services.auditor.record({
      kind: 'stream',
      direction: 'read',
      ...who(principal),
      table: formatTable(seen.table.identifier),
      ...auditOfDecision(seen.decision),
      snapshotId: ticket.terms.snapshotId?.toString() ?? null,
      columns: plan.schemas.arrow.fields.map((field) => Number(field.metadata.get(fieldIdKey))),
      masked: maskedFields(plan),
      rows: tally.rows,
      bytes: tally.bytes,
      plan: ticket.plan,
      run: ticket.run?.id ?? null,
      // A stream that is ended from outside is left at its last batch.
      outcome: outcome ?? (isServiceError(signal.reason) ? signal.reason.code : 'CANCELLED'),
    });
  }
}

/** A little more than what lies between two checks, so that none falls out. */
const watchMs = 1_100;

function endWith(error: unknown, { signal, fail }: StreamCall): void {
  if (signal.aborted) return;
  fail(isServiceError(error) ? error : new ServiceError('UNAVAILABLE', unchecked, { cause: error }));
}

const unchecked = 'whether the right to read still holds cannot be checked now: resume the stream later';

const maskedFields = ({ access }: ScanPlan): number[] =>
  [...access.columns].flatMap(([id, column]) => (column.kind === 'masked' ? [id as number] : []));

async function* messages(
  { ticket, plan, resume }: PlannedStream,
  principal: Principal,
  services: ReadServices,
  observer: ReadObserver,
  tally: StreamTally,
  signal: AbortSignal,
): AsyncGenerator<StreamMessage> {
  const start = await startOf(ticket, resume, principal, services.tickets);
  const encoder = createIpcEncoder(plan.schemas.arrow, ticket.form);
  let sentRows = start.rows;
  const encode = async (batch: Batch, next: Position): Promise<StreamMessage[]> => {
    sentRows += batch.rows;
    const cursor = { ticket: ticket.id, policyDigest: ticket.policyDigest, position: next, rows: sentRows };
    // From now on, not from the stream's start: a stream that ran for longer than a ticket lives may still be resumed.
    const expiresAt = Math.floor((services.now() + services.ticketTtlMs) / 1000);
    const sealed = services.tickets.sealCursor(cursor, principal.name, expiresAt);
    const held = ticket.form.dictionaries ? withDictionaries(batch) : batch;
    const out = withMetadata(encoder, held, JSON.stringify({ next: sentRows, cursor: sealed }));
    const bytes = out.reduce((sum, message) => sum + message.header.length + message.bodyBytes, 0);
    tally.rows += batch.rows;
    tally.bytes += bytes;
    observer.sent(bytes, batch.rows);
    return out;
  };

  let any = false;
  for await (const { batch, next } of chunksFrom(start, ticket, plan, principal, services, observer, signal)) {
    any = true;
    yield* await encode(batch, next);
  }
  if (!any) yield* await encode(emptyBatch(plan), ticket.range.end);
}

/** The rows before a stream's start: those before a cursor were sent, those before an offset are read again and dropped. */
interface Start {
  readonly position: Position;
  readonly rows: number;
  readonly dropRows: number;
}

async function startOf(ticket: Ticket, resume: Resume | null, principal: Principal, tickets: Tickets): Promise<Start> {
  if (resume === null) return { position: ticket.range.start, rows: 0, dropRows: 0 };
  if (resume.kind === 'offset') return { position: ticket.range.start, rows: resume.rows, dropRows: resume.rows };
  const cursor = await tickets.openCursor(resume.cursor, ticket, principal.name);
  return { position: cursor.position, rows: cursor.rows, dropRows: 0 };
}

async function* chunksFrom(
  start: Start,
  ticket: Ticket,
  plan: ScanPlan,
  principal: Principal,
  services: ReadServices,
  observer: ReadObserver,
  signal: AbortSignal,
): AsyncGenerator<ScanChunk> {
  const { limits } = services;
  const columnsBytes = plan.schemas.arrow.fields.length * columnOverheadBytes;
  const range = { start: start.position, end: ticket.range.end };
  const options = {
    batchRows: ticket.form.batchRows,
    // A message of the target's size fits into the reserve that each stream has, whatever stalled readers hold.
    bytesTarget: Math.max(limits.messageBytesTarget - columnsBytes, limits.messageBytesTarget / 2),
    bytesMax: limits.messageBytesMax - messageOverheadBytes,
    maskKeys: services.maskKeys(queryOf(ticket, principal)),
    rowsLeft: plan.limit === null ? null : Math.max(0, plan.limit - start.rows + start.dropRows),
  };
  const scan = { ...services.scan, onRead: observer.scanned };
  let toDrop = start.dropRows;
  for await (const chunk of streamRange(plan, range, options, scan, signal)) {
    const { rows } = chunk.batch;
    if (toDrop >= rows) toDrop -= rows;
    else {
      yield toDrop === 0 ? chunk : { ...chunk, batch: tail(chunk.batch, toDrop) };
      toDrop = 0;
    }
  }
}

const queryOf = ({ uuid, terms, policyDigest }: Ticket, { name }: Principal): string =>
  `${planDigest(uuid, terms, policyDigest)} ${name}`;

/** What a message holds besides its batch: header, app_metadata and framing. */
const messageOverheadBytes = 64 * 1024;
/** The padding and the description of a column's buffers. */
const columnOverheadBytes = 256;

const tail = (batch: Batch, from: number): Batch => ({
  schema: batch.schema,
  rows: batch.rows - from,
  columns: batch.columns.map((column) => sliceColumn(column, from, batch.rows)),
});

const emptyBatch = ({ schemas: { arrow } }: ScanPlan): Batch => ({
  schema: arrow,
  rows: 0,
  columns: arrow.fields.map((field) => nullColumn(field.type, 0)),
});

function withMetadata(encoder: IpcEncoder, batch: Batch, metadata: string): StreamMessage[] {
  const out: StreamMessage[] = encoder.encode(batch);
  const last = out.length - 1;
  out[last] = { ...out[last]!, appMetadata: new TextEncoder().encode(metadata) };
  return out;
}
