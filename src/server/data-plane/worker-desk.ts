import { expired } from '../../auth/authenticate/validity.ts';
import type { BuiltCommit, CommitOptions, Table } from '../../catalog/catalog-types.ts';
import { ServiceError } from '../../core/errors.ts';
import type { DeskCall, OpenPut, OpenRead, StreamDesk } from '../streams/stream-desk.ts';
import type { FlightDescriptor } from '../streams/wire/messages.ts';
import type { Channel } from './worker-channel.ts';
import type {
  CallNumber,
  CallProgress,
  MainMethods,
  OpenedRead,
  OpenRequest,
  PlainCommitOptions,
  WorkerMethods,
} from './worker-protocol.ts';

/** Reaches the main thread. */
export type MainChannel = Channel<DeskMethods, MainMethods>;
/** What of a worker's methods is about its calls. */
export type DeskMethods = Pick<WorkerMethods, 'fail' | 'build' | 'cleanUp'>;

export interface WorkerDeskOptions {
  readonly channel: () => MainChannel;
  /** The count of changes that decisions may rest on. */
  readonly changes: () => number;
  readonly now: () => number;
  /** How many connections there are: told with the progress. */
  readonly connections: () => number;
}

/** How often the main thread hears of what calls did. */
const progressMs = 250;
/**
 * How often a stream asks whether its right holds where nothing is known to have changed: a main thread that can decide nothing any more lets
 * nothing through either.
 */
const checkMs = 1_000;

type Counts = { -readonly [Name in keyof CallProgress]: CallProgress[Name] };

interface WorkerCall {
  readonly fail: (reason: ServiceError) => void;
  readonly counts: Counts;
  build: ((table: Table) => Promise<BuiltCommit>) | null;
  cleanUp: (() => Promise<void>) | null;
}

/** The desk of a worker: asks the main thread's, and reports to it. */
export class WorkerDesk implements StreamDesk, AsyncDisposable {
  readonly methods: DeskMethods;
  readonly #options: WorkerDeskOptions;
  readonly #calls = new Map<CallNumber, WorkerCall>();
  readonly #progressed = new Set<Counts>();
  readonly #timer: NodeJS.Timeout;
  #next = 0;
  #connections = 0;

  constructor(options: WorkerDeskOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#report(), progressMs).unref();
    this.methods = {
      fail: (call, code, message) => this.#calls.get(call)?.fail(new ServiceError(code, message)),
      build: async (call, table) => {
        const known = this.#calls.get(call);
        if (known?.build == null) throw new ServiceError('CANCELLED', 'the write that was to be committed is over');
        const { cleanup, requirements, updates, result } = await known.build(table);
        known.cleanUp = cleanup ?? null;
        return { requirements, updates, result };
      },
      cleanUp: async (call) => this.#calls.get(call)?.cleanUp?.(),
    };
  }

  /** Calls that are open. */
  get openCalls(): number {
    return this.#calls.size;
  }

  async authenticate(call: DeskCall) {
    const number = this.#next++;
    const stop = this.#cancelWith(call, number);
    try {
      return await this.#main.ask('authenticate', number, requestOf(call));
    } finally {
      stop();
    }
  }

  openTicket(call: DeskCall, ticket: Uint8Array): Promise<OpenRead> {
    const bytes = Uint8Array.from(ticket);
    return this.#openRead(call, (number, request) => this.#main.ask('openTicket', number, request, bytes));
  }

  openExchange(call: DeskCall, descriptor: FlightDescriptor): Promise<OpenRead> {
    const own = ownDescriptor(descriptor);
    return this.#openRead(call, (number, request) => this.#main.ask('openExchange', number, request, own));
  }

  async openPut(call: DeskCall, descriptor: FlightDescriptor): Promise<OpenPut> {
    const own = ownDescriptor(descriptor);
    const { number, known, opened, leave, check } = await this.#open(call, (id, request) =>
      this.#main.ask('openPut', id, request, own),
    );
    return {
      account: opened.account,
      spec: opened.spec,
      validUntilMs: opened.validUntilMs,
      check,
      catalog: this.#catalogOf(number, known),
      received: (bytes) => {
        known.counts.receivedBytes += bytes;
        this.#progressed.add(known.counts);
      },
      end: (outcome, written) => leave(() => this.#main.tell('end', number, outcome, written, null)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#report();
  }

  get #main(): MainChannel {
    return this.#options.channel();
  }

  async #openRead(
    call: DeskCall,
    ask: (number: CallNumber, request: OpenRequest) => Promise<OpenedRead>,
  ): Promise<OpenRead> {
    const { number, known, opened, leave, check } = await this.#open(call, ask);
    const { counts } = known;
    return {
      account: opened.account,
      spec: opened.spec,
      validUntilMs: opened.validUntilMs,
      check,
      scanned: (bytes, rows) => {
        counts.scannedBytes += bytes;
        counts.scannedRows += rows;
        this.#progressed.add(counts);
      },
      sent: (bytes, rows) => {
        counts.sentBytes += bytes;
        counts.sentRows += rows;
        this.#progressed.add(counts);
      },
      end: (outcome, pace) => leave(() => this.#main.tell('end', number, outcome, null, pace)),
    };
  }

  async #open<Opened extends { readonly validUntilMs: number }>(
    call: DeskCall,
    ask: (number: CallNumber, request: OpenRequest) => Promise<Opened>,
  ) {
    const number = this.#next++;
    const known: WorkerCall = { fail: call.fail, counts: noProgress(number), build: null, cleanUp: null };
    this.#calls.set(number, known);
    const stop = this.#cancelWith(call, number);
    // Before the question: what changes while it is answered makes the first check ask again.
    const changesBefore = this.#options.changes();
    const leave = (tell: () => void): void => {
      stop();
      this.#report();
      this.#calls.delete(number);
      tell();
    };
    try {
      const opened = await ask(number, requestOf(call));
      return { number, known, opened, leave, check: this.#checkOf(number, opened.validUntilMs, changesBefore) };
    } catch (error) {
      leave(() => {});
      throw error;
    }
  }

  #checkOf(number: CallNumber, validUntilMs: number, changesBefore: number): () => Promise<void> {
    const { now, changes } = this.#options;
    let known = changesBefore;
    let askedAt = performance.now();
    return async () => {
      if (now() > validUntilMs) throw expired();
      const count = changes();
      const at = performance.now();
      if (count === known && at - askedAt < checkMs) return;
      known = count;
      askedAt = at;
      await this.#main.ask('check', number);
    };
  }

  /** Tells the main thread when the call is over before its questions are answered. */
  #cancelWith({ signal }: DeskCall, number: CallNumber): () => void {
    const cancel = (): void => this.#main.tell('cancel', number);
    signal.addEventListener('abort', cancel, { once: true });
    return () => signal.removeEventListener('abort', cancel);
  }

  #catalogOf(number: CallNumber, known: WorkerCall): OpenPut['catalog'] {
    const ask = this.#main.ask.bind(this.#main);
    return {
      tableExists: () => ask('tableExists', number),
      loadTable: () => ask('loadTable', number),
      isKeyUsed: (key) => ask('isKeyUsed', number, key),
      recallCommit: (options) => ask('recallCommit', number, plain(options)),
      stageTable: (_, definition) => ask('stageTable', number, definition),
      createStaged: (_, _staged, updates, options) => ask('createStaged', number, updates, plain(options)),
      retryCommit: (_, build, options) => {
        known.build = build;
        return ask('retryCommit', number, plain(options));
      },
    };
  }

  #report(): void {
    const connections = this.#options.connections();
    if (this.#progressed.size === 0 && connections === this.#connections) return;
    this.#connections = connections;
    const calls = [...this.#progressed].map((counts) => ({ ...counts }));
    for (const counts of this.#progressed) Object.assign(counts, noProgress(counts.call));
    this.#progressed.clear();
    this.#main.tell('progress', calls, connections);
  }
}

/** Cloning a view clones all that lies behind it: what is sent across is a copy of its own. */
const ownDescriptor = (descriptor: FlightDescriptor): FlightDescriptor =>
  descriptor.kind === 'cmd' ? { kind: 'cmd', cmd: Uint8Array.from(descriptor.cmd) } : descriptor;

const requestOf = ({ token, resume, traceparent }: DeskCall): OpenRequest => ({ token, resume, traceparent });

const plain = ({ idempotencyKey, digest, result }: CommitOptions): PlainCommitOptions => ({
  idempotencyKey,
  digest,
  result,
});

const noProgress = (call: CallNumber): Counts => ({
  call,
  scannedBytes: 0,
  scannedRows: 0,
  sentBytes: 0,
  sentRows: 0,
  receivedBytes: 0,
});
