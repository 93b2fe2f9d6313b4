import { randomUUID } from 'node:crypto';
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
  readonly position: Position;
  /** Rows of the stream before it. */
  readonly rows: number;
}

/** Seals and opens tickets and cursors for one principal at a time. */
export interface Tickets {
  seal(ticket: Ticket, principal: string, expiresAt: number): Promise<Uint8Array>;
  open(bytes: Uint8Array, principal: string): Promise<Ticket>;
  sealCursor(cursor: Cursor, principal: string, expiresAt: number): Promise<string>;
  /** TICKET_INVALID also for a cursor of another ticket. */
  openCursor(text: string, ticket: Ticket, principal: string): Promise<Cursor>;
}

export const newTicketId = (): string => randomUUID();

export function createTickets(sealer: TicketSealer): Tickets {
  return {
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

    async sealCursor(cursor, principal, expiresAt) {
      const { file, row } = cursor.position;
      const payload = { principal, ticket: cursor.ticket, at: [file, row], rows: cursor.rows };
      return new TextDecoder().decode(await sealer.seal('cursor', payload, expiresAt));
    },

    async openCursor(text, ticket, principal) {
      const payload = await sealer.open('cursor', new TextEncoder().encode(text), principal);
      const { ticket: id, at, rows } = payload as unknown as { ticket: string; at: [number, number]; rows: number };
      if (id !== ticket.id) throw new ServiceError('TICKET_INVALID', 'the cursor belongs to another ticket');
      return { ticket: id, position: { file: at[0], row: at[1] }, rows };
    },
  };
}
