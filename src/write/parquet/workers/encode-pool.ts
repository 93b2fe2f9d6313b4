import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ServiceError } from '../../../core/errors.ts';
import type { EncodedRowGroup } from '../encoded-row-group.ts';
import { encodeRowGroup } from '../row-group.ts';
import type { RowGroupJob } from '../row-group-job.ts';
import { type EncodeCall, type EncodeReply, errorOf } from './messages.ts';

/** Room in which a row group is gathered and encoded. Whoever takes one gives it back, whatever happened, and then its pages are gone. */
export interface EncodeTurn extends Disposable {
  /** At least so many bytes, undefined ones. */
  memory(bytes: number): ArrayBufferLike;
  /** `columns` of the job lie in the memory taken; small jobs are encoded on this thread. */
  encode(job: RowGroupJob, bytes: number): Promise<EncodedRowGroup>;
}

/** Threads that encode row groups for all writes of this thread. */
export interface EncodePool {
  /** Waits until fewer row groups are under way than the pool has room for, in the order of the calls. */
  turn(): Promise<EncodeTurn>;
}

/** Threads of one pool. A row group's way through one is longer than its way to it and from it. */
const workersMax = 4;
/** Threads without work for so long end, with their memory. */
const workerIdleMs = 60_000;
/** Below this a thread's start and the way to it cost more than they save. */
const inlineBytesMax = 1 << 20;
/** Memory is handed out in multiples of this, so that what one row group used suits the next. */
const memoryStepBytes = 4 << 20;
/** Pieces of memory of each kind that are kept for the next row groups. */
const freeMax = 3;

interface Waiting {
  resolve(group: EncodedRowGroup): void;
  reject(error: unknown): void;
}

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiting>;
  idle: NodeJS.Timeout | null;
}

class WorkerPool implements EncodePool {
  readonly #size: number;
  readonly #turnsMax: number;
  readonly #threads = new Set<Thread>();
  readonly #queue: (() => void)[] = [];
  /** Shared memory is no garbage of any thread: moving ArrayBuffers took 10 % more CPU, from an upload's first byte to its commit. */
  #free: SharedArrayBuffer[] = [];
  /** Apart, because of memory for pages only the part that compressed pages fill is ever touched. */
  #freeOutputs: SharedArrayBuffer[] = [];
  #turns = 0;
  #nextId = 0;

  constructor(size: number) {
    this.#size = size;
    // One more than threads is gathered while they encode.
    this.#turnsMax = size + 1;
  }

  async turn(): Promise<EncodeTurn> {
    if (this.#turns >= this.#turnsMax) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#turns++;
    let isOver = false;
    let memory: SharedArrayBuffer | null = null;
    let output: SharedArrayBuffer | null = null;
    return {
      memory: (bytes) => {
        if (bytes <= inlineBytesMax) return new ArrayBuffer(bytes);
        memory = takeFrom(this.#free, bytes);
        return memory;
      },
      encode: async (job, bytes) => {
        if (bytes > inlineBytesMax) {
          output = takeFrom(this.#freeOutputs, bytes);
          return this.#send(job, output);
        }
        try {
          return encodeRowGroup(job, new ArrayBuffer(bytes));
        } finally {
          // Encoding does not await: everybody else has a turn.
          await setImmediate();
        }
      },
      [Symbol.dispose]: () => {
        if (isOver) return;
        isOver = true;
        if (memory !== null && this.#free.length < freeMax) this.#free.push(memory);
        if (output !== null && this.#freeOutputs.length < freeMax) this.#freeOutputs.push(output);
        const next = this.#queue.shift();
        if (next === undefined) this.#turns--;
        else next();
      },
    };
  }

  #send(job: RowGroupJob, output: SharedArrayBuffer): Promise<EncodedRowGroup> {
    const thread = this.#thread();
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      thread.waiting.set(id, { resolve, reject });
      try {
        thread.worker.postMessage({ id, job, output } satisfies EncodeCall);
      } catch (error) {
        thread.waiting.delete(id);
        this.#rest(thread);
        reject(error);
      }
    });
  }

  /** The thread with the least to do; a new one where all have something and there may be more. */
  #thread(): Thread {
    let best: Thread | null = null;
    for (const thread of this.#threads) {
      if (best === null || thread.waiting.size < best.waiting.size) best = thread;
    }
    if (best === null || (best.waiting.size > 0 && this.#threads.size < this.#size)) best = this.#start();
    if (best.idle !== null) clearTimeout(best.idle);
    best.idle = null;
    // A process whose only open work is here must not end.
    best.worker.ref();
    return best;
  }

  #start(): Thread {
    // A packed Headrace has the same file without its types.
    const worker = new Worker(new URL(`./encode-worker${extname(import.meta.url)}`, import.meta.url));
    const thread: Thread = { worker, waiting: new Map(), idle: null };
    this.#threads.add(thread);
    worker.on('message', (reply: EncodeReply) => this.#settle(thread, reply));
    worker.on('error', (error) => this.#fail(thread, error));
    worker.on('exit', () => this.#fail(thread, null));
    return thread;
  }

  #settle(thread: Thread, reply: EncodeReply): void {
    const waiting = thread.waiting.get(reply.id);
    thread.waiting.delete(reply.id);
    this.#rest(thread);
    if (reply.kind === 'done') waiting?.resolve(reply.group);
    else waiting?.reject(errorOf(reply));
  }

  #rest(thread: Thread): void {
    if (thread.waiting.size > 0) return;
    thread.worker.unref();
    thread.idle ??= setTimeout(() => this.#end(thread), workerIdleMs).unref();
  }

  #end(thread: Thread): void {
    this.#threads.delete(thread);
    if (this.#threads.size === 0) {
      this.#free = [];
      this.#freeOutputs = [];
    }
    void thread.worker.terminate();
  }

  #fail(thread: Thread, cause: unknown): void {
    this.#threads.delete(thread);
    if (thread.idle !== null) clearTimeout(thread.idle);
    for (const { reject } of thread.waiting.values()) {
      reject(new ServiceError('INTERNAL', 'the thread that encodes Parquet ended', { cause }));
    }
    thread.waiting.clear();
  }
}

function takeFrom(free: SharedArrayBuffer[], bytes: number): SharedArrayBuffer {
  const found = free.findIndex((memory) => memory.byteLength >= bytes);
  if (found >= 0) return free.splice(found, 1)[0]!;
  return new SharedArrayBuffer(Math.ceil(bytes / memoryStepBytes) * memoryStepBytes);
}

let shared: EncodePool | null = null;

/** The pool of this thread: as many threads as there are cores, a few at most, started when they are first needed. */
export function sharedEncodePool(): EncodePool {
  shared ??= new WorkerPool(Math.min(workersMax, availableParallelism()));
  return shared;
}
