import type { ErrorCode, ServiceError } from '../../core/errors.ts';
import type { IngestCatalog } from '../../write/ingest-catalog.ts';
import type { Resume, StreamSpec } from './stream-spec.ts';
import type { CallAccount } from './wire/bulk-handlers.ts';
import type { FlightDescriptor } from './wire/messages.ts';
import type { PutSpec } from './write-spec.ts';

/** The call that a stream is opened for. */
export interface DeskCall {
  /** The bearer token as the caller sent it. */
  readonly token: string | null;
  readonly resume: Resume | null;
  /** As the caller sent it, for traces. */
  readonly traceparent: string | null;
  readonly signal: AbortSignal;
  /** Ends the call at once, also while its reader takes nothing; fires `signal` with the reason. */
  readonly fail: (reason: ServiceError) => void;
}

/**
 * Where streams are decided: who calls, what it may read or write, and what exactly. What it opens is plain data that any thread can run,
 * which then tells of its progress and its end. One desk stands in the main thread, with the policies and the catalog; each worker has
 * one that asks that one.
 */
export interface StreamDesk {
  /** The caller's name and account. Throws UNAUTHENTICATED. */
  authenticate(call: DeskCall): Promise<Caller>;
  /** Decides afresh: a ticket whose decision changed is TICKET_EXPIRED before its first row and REVOKED where it is resumed. */
  openTicket(call: DeskCall, ticket: Uint8Array): Promise<OpenRead>;
  /** Plans and opens at once. */
  openExchange(call: DeskCall, descriptor: FlightDescriptor): Promise<OpenRead>;
  openPut(call: DeskCall, descriptor: FlightDescriptor): Promise<OpenPut>;
}

export interface Caller {
  readonly name: string;
  readonly account: CallAccount;
}

/** How a stream ended. */
export type StreamOutcome = 'complete' | ErrorCode;

interface OpenStream {
  readonly account: CallAccount;
  /** When the caller's token ends. */
  readonly validUntilMs: number;
  /** Asked between batches: throws once the token or the decision no longer holds. Costs nothing while nothing changed. */
  check(): Promise<void>;
}

/** A stream to be run, and to be ended exactly once. */
export interface OpenRead extends OpenStream {
  readonly spec: StreamSpec;
  scanned(bytes: number, rows: number): void;
  sent(bytes: number, rows: number): void;
  end(outcome: StreamOutcome, pace: StreamPace): void;
}

/** Where a stream's time went. */
export interface StreamPace {
  /** From its opening to its first message; null where none came. */
  readonly firstMs: number | null;
  /** That its reader took to take what it was given. */
  readonly readerMs: number;
}

/** A write to be run, and to be ended exactly once. */
export interface OpenPut extends OpenStream {
  readonly spec: PutSpec;
  /** The table that was opened, for this caller alone, and no other. */
  readonly catalog: Omit<IngestCatalog, 'objects'>;
  received(bytes: number): void;
  end(outcome: StreamOutcome, written: WrittenTally): void;
}

/** What is on record of a write. */
export interface WrittenTally {
  /** Field ids that came in. */
  readonly columns: readonly number[];
  /** Of what was committed: no rows and null where nothing was. */
  readonly rows: number;
  readonly snapshotId: string | null;
}
