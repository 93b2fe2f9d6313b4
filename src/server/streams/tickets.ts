import { randomUUID } from 'node:crypto';
import type { Sealer } from '../../auth/sealing.ts';
import type { TicketSealer } from '../../auth/tickets.ts';
import { ServiceError } from '../../core/errors.ts';
import { type TableUuid, tableUuid } from '../../core/ids.ts';
import type { Compression, RunLabels } from '../../core/requests.ts';
import type { Position, ShardRange } from '../../scan/shards.ts';
import { type ScanTerms, termsFromJson, termsToJson } from './scan-terms.ts';

/** How a stream is cut and encoded; none of it changes which rows it has. */
export interface StreamForm {
  readonly batchRows: number | null;
  readonly compression: Compression;
  readonly dictionaries: boolean;
}

/** What a ticket holds besides its principal and expiry. It grants nothing: DoGet decides afresh. */
export interface Ticket {
  /** Stays when the ticket is renewed, so that its cursors do. */
  readonly id: string;
  readonly uuid: TableUuid;
  readonly terms: ScanTerms;
  readonly form: StreamForm;
  readonly range: ShardRange;
  /** Of the decision under which the plan was made. */
  readonly policyDigest: string;
  /** The plan's random id and the caller's labels, for logs. */
  readonly plan: string;
  readonly run: RunLabels | null;
}

/** A place in one ticket's stream, after some of its batches. */
export interface Cursor {
  /** The ticket's id. */
  readonly ticket: string;
  /** Of the decision under which the rows before it were sent. */
  readonly policyDigest: string;
  readonly position: Position;
  /** Rows of the stream before it. */
  readonly rows: number;
}

export interface CursorSealer {
  sealCursor(cursor: Cursor, principal: string, expiresAt: number): string;
}

/** Seals and opens tickets and cursors for one principal at a time. */
export interface Tickets extends CursorSealer {
  seal(ticket: Ticket, principal: string, expiresAt: number): Uint8Array;
  open(bytes: Uint8Array, principal: string): Promise<Ticket>;
  /** TICKET_INVALID for a cursor of another ticket, REVOKED for one of another decision. */
  openCursor(text: string, ticket: Ticket, principal: string): Promise<Cursor>;
}

export const newTicketId = (): string => randomUUID();

export const createCursorSealer = (sealer: Sealer): CursorSealer => ({
  sealCursor({ ticket, policyDigest, position, rows }, principal, expiresAt) {
    const payload = { principal, ticket, policy: policyDigest, at: [position.file, position.row], rows };
    return new TextDecoder().decode(sealer.seal('cursor', payload, expiresAt));
  },
});

export function createTickets(sealer: TicketSealer): Tickets {
  return {
    ...createCursorSealer(sealer),

    seal: (ticket, principal, expiresAt) => {
      const { start, end } = ticket.range;
      const range = [start.file, start.row, end.file, end.row];
      return sealer.seal('ticket', { ...ticket, principal, terms: termsToJson(ticket.terms), range }, expiresAt);
    },

    async open(bytes, principal) {
      const payload = await sealer.open('ticket', bytes, principal);
      const { terms, range, uuid, ...rest } = payload as unknown as Omit<Ticket, 'terms' | 'range'> & {
        readonly terms: object;
        readonly range: readonly [number, number, number, number];
      };
      const [startFile, startRow, endFile, endRow] = range;
      return {
        ...rest,
        uuid: tableUuid(uuid),
        terms: termsFromJson(terms),
        range: { start: { file: startFile, row: startRow }, end: { file: endFile, row: endRow } },
      };
    },

    async openCursor(text, ticket, principal) {
      const payload = await sealer.open('cursor', new TextEncoder().encode(text), principal);
      const { ticket: id, policy, at, rows } = payload as unknown as CursorPayload;
      if (id !== ticket.id) throw new ServiceError('TICKET_INVALID', 'the cursor belongs to another ticket');
      if (policy !== ticket.policyDigest) throw revokedMeanwhile();
      return { ticket: id, policyDigest: policy, position: { file: at[0], row: at[1] }, rows };
    },
  };
}

interface CursorPayload {
  readonly ticket: string;
  readonly policy: string;
  readonly at: readonly [number, number];
  readonly rows: number;
}

/** A stream's decision changed between two of its batches: one stream never mixes two. */
export const revokedMeanwhile = (): ServiceError =>
  new ServiceError('REVOKED', 'what policy permits on this table changed while it was read: plan again');
