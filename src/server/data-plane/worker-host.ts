import type { BuiltCommit, CommitOptions } from '../../catalog/catalog-types.ts';
import type { TableMetadata } from '../../catalog/metadata/types.ts';
import { ServiceError } from '../../core/errors.ts';
import type { IngestResult } from '../../write/ingest.ts';
import type { IngestCommit } from '../../write/ingest-catalog.ts';
import type {
  DeskCall,
  OpenPut,
  OpenRead,
  StreamDesk,
  StreamOutcome,
  StreamPace,
  WrittenTally,
} from '../streams/stream-desk.ts';
import type { UploadSlots } from '../streams/upload-slots.ts';
import type { EndedCall } from '../streams/wire/serve-call.ts';
import type { Channel } from './worker-channel.ts';
import type { CallNumber, MainMethods, OpenRequest, PlainCommitOptions, WorkerMethods } from './worker-protocol.ts';

/** Reaches the worker that a host serves. */
export type WorkerChannel = Channel<MainMethods, WorkerMethods>;

export interface HostServices {
  readonly desk: StreamDesk;
  readonly uploads: UploadSlots;
  readonly ended: (call: EndedCall) => void;
  readonly refused: () => void;
}

/** One call of the worker, as the main thread knows it. */
interface HostCall {
  readonly controller: AbortController;
  stream: HostStream | null;
}

type HostStream =
  | { readonly kind: 'read'; readonly open: OpenRead }
  | {
      readonly kind: 'put';
      readonly open: OpenPut;
      staged: TableMetadata | null;
      commit: Promise<IngestCommit> | null;
    };

const nothingWritten: WrittenTally = { columns: [], rows: 0, snapshotId: null };
const unknownPace: StreamPace = { firstMs: null, readerMs: 0 };

/**
 * The main thread's side of one worker: answers it from the desk, and remembers what it has open, so that nothing of it outlives the worker.
 * A worker names only its own calls, and what these were opened for is remembered here: it cannot turn one into another.
 */
export class WorkerHost {
  readonly methods: MainMethods;
  readonly #channel: () => WorkerChannel;
  readonly #calls = new Map<CallNumber, HostCall>();
  readonly #uploads = new Map<number, Disposable>();
  #nextUpload = 0;
  #connections = 0;

  /** `ready` is told of the ports, once. */
  constructor(services: HostServices, channel: () => WorkerChannel, ready: (ports: readonly number[]) => void) {
    this.#channel = channel;
    const { desk } = services;
    this.methods = {
      authenticate: async (call, request) => {
        const entered = this.#enter(call);
        try {
          return await desk.authenticate(this.#deskCall(call, entered, request));
        } finally {
          this.#calls.delete(call);
        }
      },
      openTicket: (call, request, ticket) =>
        this.#openRead(call, request, (deskCall) => desk.openTicket(deskCall, ticket)),
      openExchange: (call, request, descriptor) =>
        this.#openRead(call, request, (deskCall) => desk.openExchange(deskCall, descriptor)),
      openPut: async (call, request, descriptor) => {
        const open = await this.#open(call, request, (deskCall) => desk.openPut(deskCall, descriptor));
        this.#hold(call, { kind: 'put', open, staged: null, commit: null });
        const { account, spec, validUntilMs } = open;
        return { account, spec, validUntilMs };
      },
      check: async (call) => this.#streamOf(call).open.check(),
      cancel: (call) => this.#calls.get(call)?.controller.abort(cancelled()),
      progress: (calls, connections) => {
        this.#connections = connections;
        for (const progress of calls) {
          const stream = this.#calls.get(progress.call)?.stream;
          if (stream?.kind === 'read') {
            if (progress.scannedRows > 0) stream.open.scanned(progress.scannedBytes, progress.scannedRows);
            if (progress.sentBytes > 0) stream.open.sent(progress.sentBytes, progress.sentRows);
          } else if (progress.receivedBytes > 0) stream?.open.received(progress.receivedBytes);
        }
      },
      end: (call, outcome, written, pace) => {
        const stream = this.#calls.get(call)?.stream ?? null;
        this.#calls.delete(call);
        end(stream, outcome, written, pace);
      },
      ...this.#catalogMethods(),
      openUpload: (principal) => {
        const place = services.uploads.open(principal);
        this.#uploads.set(++this.#nextUpload, place);
        return this.#nextUpload;
      },
      closeUpload: (place) => {
        this.#uploads.get(place)?.[Symbol.dispose]();
        this.#uploads.delete(place);
      },
      ready,
      callEnded: services.ended,
      refused: services.refused,
    };
  }

  get connections(): number {
    return this.#connections;
  }

  /** Ends everything that the worker had open: it is gone. */
  abandon(): void {
    for (const { controller, stream } of this.#calls.values()) {
      controller.abort(new ServiceError('UNAVAILABLE', 'the part of the server that served the call is gone'));
      if (stream?.kind === 'put' && stream.commit !== null) void endCommitted(stream.open, stream.commit);
      else end(stream, 'UNAVAILABLE');
    }
    this.#calls.clear();
    for (const place of this.#uploads.values()) place[Symbol.dispose]();
    this.#uploads.clear();
    this.#connections = 0;
  }

  #catalogMethods() {
    const catalogOf = (call: CallNumber) => this.#putOf(call).open.catalog;
    const { table } = placeholder;
    return {
      tableExists: (call) => catalogOf(call).tableExists(table),
      loadTable: (call) => catalogOf(call).loadTable(table, this.#signalOf(call)),
      isKeyUsed: (call, key) => catalogOf(call).isKeyUsed(key),
      recallCommit: async (call, options) => commitOf(await catalogOf(call).recallCommit(this.#options(call, options))),
      stageTable: async (call, definition) => {
        const put = this.#putOf(call);
        put.staged = await put.open.catalog.stageTable(table, definition);
        return put.staged;
      },
      createStaged: (call, updates, options) => {
        const put = this.#putOf(call);
        const { staged, open } = put;
        if (staged === null) throw new ServiceError('INTERNAL', 'a table is staged before it is created');
        put.commit = open.catalog.createStaged(table, staged, updates, this.#options(call, options));
        return put.commit.then(commitOf) as Promise<IngestCommit>;
      },
      retryCommit: (call, options) => {
        const put = this.#putOf(call);
        const worker = this.#channel();
        const build = async (current: Parameters<WorkerMethods['build']>[1]): Promise<BuiltCommit> => ({
          ...(await worker.ask('build', call, current)),
          cleanup: () => worker.ask('cleanUp', call),
        });
        put.commit = put.open.catalog.retryCommit(table, build, this.#options(call, options));
        return put.commit.then(commitOf) as Promise<IngestCommit>;
      },
    } satisfies Partial<MainMethods>;
  }

  #enter(call: CallNumber): HostCall {
    const entered: HostCall = { controller: new AbortController(), stream: null };
    this.#calls.set(call, entered);
    return entered;
  }

  #deskCall(call: CallNumber, { controller }: HostCall, { token, resume, traceparent }: OpenRequest): DeskCall {
    const fail = (reason: ServiceError): void => {
      this.#channel().tell('fail', call, reason.code, reason.message);
      if (!controller.signal.aborted) controller.abort(reason);
    };
    return { token, resume, traceparent, signal: controller.signal, fail };
  }

  async #open<Open>(call: CallNumber, request: OpenRequest, open: (call: DeskCall) => Promise<Open>): Promise<Open> {
    const entered = this.#enter(call);
    try {
      return await open(this.#deskCall(call, entered, request));
    } catch (error) {
      this.#calls.delete(call);
      throw error;
    }
  }

  async #openRead(call: CallNumber, request: OpenRequest, open: (call: DeskCall) => Promise<OpenRead>) {
    const opened = await this.#open(call, request, open);
    this.#hold(call, { kind: 'read', open: opened });
    const { account, spec, validUntilMs } = opened;
    return { account, spec, validUntilMs };
  }

  /** The worker may have gone while the call was opened. */
  #hold(call: CallNumber, stream: HostStream): void {
    const entered = this.#calls.get(call);
    if (entered !== undefined) entered.stream = stream;
    else end(stream, 'UNAVAILABLE');
  }

  #streamOf(call: CallNumber): HostStream {
    const stream = this.#calls.get(call)?.stream ?? null;
    if (stream === null) throw new ServiceError('INTERNAL', 'a worker asks about a call that is not open');
    return stream;
  }

  #putOf(call: CallNumber): HostStream & { readonly kind: 'put' } {
    const stream = this.#streamOf(call);
    if (stream.kind === 'put') return stream;
    throw new ServiceError('INTERNAL', 'a worker asks about a write that is not one');
  }

  #signalOf(call: CallNumber): AbortSignal {
    return this.#calls.get(call)!.controller.signal;
  }

  #options(call: CallNumber, options: PlainCommitOptions): CommitOptions {
    return { ...options, principal: this.#putOf(call).open.spec.principal, signal: this.#signalOf(call) };
  }
}

/** The desk's catalog knows which table a write is for, and looks at no name. */
const placeholder = { table: { namespace: [], name: '' } };

const commitOf = (commit: IngestCommit | null): IngestCommit | null =>
  commit === null ? null : { replayed: commit.replayed, result: commit.result };

function end(
  stream: HostStream | null,
  outcome: StreamOutcome,
  written: WrittenTally | null = null,
  pace: StreamPace | null = null,
): void {
  if (stream?.kind === 'read') stream.open.end(outcome, pace ?? unknownPace);
  else stream?.open.end(outcome, written ?? nothingWritten);
}

/** A commit that was under way when its worker ended may have been made: what is on record is what became of it. */
async function endCommitted(open: OpenPut, commit: Promise<IngestCommit>): Promise<void> {
  try {
    const { rows, snapshotId } = JSON.parse((await commit).result!) as IngestResult;
    open.end('complete', { columns: [], rows, snapshotId });
  } catch {
    open.end('UNAVAILABLE', nothingWritten);
  }
}

const cancelled = (): ServiceError => new ServiceError('CANCELLED', 'the caller cancelled the call or went away');
