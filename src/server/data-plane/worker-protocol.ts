/** What the main thread and a data-plane worker say to each other. Everything here is carried by structured cloning. */
import type { MessagePort } from 'node:worker_threads';
import type { SecretKey } from '../../auth/key-files.ts';
import type { BuiltCommit, CommitOptions, Table } from '../../catalog/catalog-types.ts';
import type { TableDefinition } from '../../catalog/commit/new-table.ts';
import type { TableUpdate } from '../../catalog/metadata/commit-types.ts';
import type { TableMetadata } from '../../catalog/metadata/types.ts';
import type { LogLevel } from '../../core/config.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import type { IngestCommit } from '../../write/ingest-catalog.ts';
import type { Caller, StreamOutcome, StreamPace, WrittenTally } from '../streams/stream-desk.ts';
import type { Resume, StreamSpec } from '../streams/stream-spec.ts';
import type { CallAccount } from '../streams/wire/bulk-handlers.ts';
import type { FlightDescriptor } from '../streams/wire/messages.ts';
import type { EndedCall } from '../streams/wire/serve-call.ts';
import type { TlsMaterial } from '../streams/wire/tls-material.ts';
import type { PutSpec } from '../streams/write-spec.ts';
import type { Listener } from './options.ts';

/** What a worker starts with. */
export interface WorkerStart {
  readonly listeners: readonly Listener[];
  readonly controlPort: number;
  readonly tls: TlsMaterial | null;
  readonly warehouse: string;
  /** Of this worker: what is parted among threads is parted already. */
  readonly limits: Limits;
  readonly logLevel: LogLevel;
  /** Seals cursors; tickets are opened by the main thread alone. */
  readonly cursorKey: SecretKey;
  readonly ticketTtlMs: number;
  /** The count of changes that decisions may rest on. */
  readonly changes: SharedArrayBuffer;
  /** The sums of what streams hold, and which place in them is this worker's. */
  readonly ledger: SharedArrayBuffer;
  /** The way to the column cache, of this worker alone; null = there is none. */
  readonly cache: MessagePort | null;
  readonly thread: number;
  readonly threads: number;
}

/** Questions between two threads that wait at once: several for each call. */
export const asksMax = 10_000;

/** A call of a worker, numbered by it. */
export type CallNumber = number;

export interface OpenRequest {
  readonly token: string | null;
  readonly resume: Resume | null;
  readonly traceparent: string | null;
}

interface Opened<Spec> {
  readonly account: CallAccount;
  readonly spec: Spec;
  readonly validUntilMs: number;
}
export type OpenedRead = Opened<StreamSpec>;
export type OpenedPut = Opened<PutSpec>;

/** What calls did since the last report. */
export interface CallProgress {
  readonly call: CallNumber;
  readonly scannedBytes: number;
  readonly scannedRows: number;
  readonly sentBytes: number;
  readonly sentRows: number;
  readonly receivedBytes: number;
}

export type PlainCommitOptions = Omit<CommitOptions, 'signal' | 'principal'>;
export type PlainCommit = Omit<BuiltCommit, 'cleanup'>;

/** What the main thread does for a worker. A call's questions are cancelled together, by `cancel`. */
export interface MainMethods {
  authenticate(call: CallNumber, request: OpenRequest): Promise<Caller>;
  openTicket(call: CallNumber, request: OpenRequest, ticket: Uint8Array): Promise<OpenedRead>;
  openExchange(call: CallNumber, request: OpenRequest, descriptor: FlightDescriptor): Promise<OpenedRead>;
  openPut(call: CallNumber, request: OpenRequest, descriptor: FlightDescriptor): Promise<OpenedPut>;
  /** Throws once the call's rights no longer hold. */
  check(call: CallNumber): Promise<void>;
  cancel(call: CallNumber): void;
  progress(calls: readonly CallProgress[], connections: number): void;
  /** What a write wrote, or how a read went. */
  end(call: CallNumber, outcome: StreamOutcome, written: WrittenTally | null, pace: StreamPace | null): void;

  tableExists(call: CallNumber): Promise<boolean>;
  loadTable(call: CallNumber): Promise<Table>;
  isKeyUsed(call: CallNumber, key: string): Promise<boolean>;
  recallCommit(call: CallNumber, options: PlainCommitOptions): Promise<IngestCommit | null>;
  stageTable(call: CallNumber, definition: TableDefinition): Promise<TableMetadata>;
  /** The table that the call staged before. */
  createStaged(call: CallNumber, updates: readonly TableUpdate[], options: PlainCommitOptions): Promise<IngestCommit>;
  /** Asks the worker to build a commit, once for each attempt. */
  retryCommit(call: CallNumber, options: PlainCommitOptions): Promise<IngestCommit>;

  openUpload(principal: string): number;
  closeUpload(place: number): void;

  ready(ports: readonly number[]): void;
  callEnded(call: EndedCall): void;
  refused(): void;
}

/** What a worker does for the main thread. */
export interface WorkerMethods {
  fail(call: CallNumber, code: ErrorCode, message: string): void;
  build(call: CallNumber, table: Table): Promise<PlainCommit>;
  /** Removes the files of the last build. */
  cleanUp(call: CallNumber): Promise<void>;
  drain(graceMs: number): Promise<void>;
  close(): Promise<void>;
}
