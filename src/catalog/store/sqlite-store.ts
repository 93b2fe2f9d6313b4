import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ServiceError } from '../../core/errors.ts';
import { defaultLimits, type Limits } from '../../core/limits.ts';
import type { CatalogStore } from './catalog-store.ts';
import {
  readMethods,
  type StoreArguments,
  type StoreCall,
  type StoreFailure,
  type StoreMethodName,
  type StoreMethods,
  type StoreReply,
  type StoreResult,
  type StoreWorkerData,
  type WorkerReady,
} from './protocol.ts';

export interface SqliteStoreOptions {
  /** The database file; made with its folder, readable by its owner alone, where absent. */
  readonly path: string;
  readonly limits?: Pick<Limits, 'storeQueueMax' | 'catalogListMax'>;
  /** How long a write waits for another process, in ms, before it is UNAVAILABLE. */
  readonly busyMs?: number;
  /** How long idempotency keys are remembered at least, in ms. */
  readonly idempotencyKeepMs?: number;
}

const busyMsDefault = 10_000;
/** Iceberg REST clients are told this lifetime. */
export const idempotencyKeepMsDefault = 24 * 3_600_000;
/** Writes that share one transaction and its fsync. */
const batchMax = 256;

interface Waiting {
  readonly method: StoreMethodName;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * Opens the embedded catalog store. SQLite is synchronous and every commit waits for the disk, so it lives in a worker thread;
 * several processes may have the same file open. Throws CORRUPT_FILE or UNSUPPORTED_FEATURE for a file it cannot use.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<CatalogStore> {
  const limits = options.limits ?? defaultLimits;
  prepareFile(options.path);
  const data: StoreWorkerData = {
    path: options.path,
    busyMs: options.busyMs ?? busyMsDefault,
    batchMax,
    listMax: limits.catalogListMax,
    idempotencyKeepMs: options.idempotencyKeepMs ?? idempotencyKeepMsDefault,
  };
  // A packed Headrace has the same file without its types.
  const worker = new Worker(new URL(`./sqlite-worker${extname(import.meta.url)}`, import.meta.url), {
    workerData: data,
  });
  const [ready] = (await once(worker, 'message')) as [WorkerReady];
  if (ready.kind === 'failed') throw errorOf(ready.error);
  const connection = new WorkerConnection(worker, limits.storeQueueMax);
  return { ...methodsOf(connection), [Symbol.asyncDispose]: () => connection.close() };
}

function prepareFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    closeSync(openSync(path, 'a', 0o600));
  } catch (cause) {
    throw new ServiceError('UNAVAILABLE', 'the catalog store cannot be opened: its file is not writable', { cause });
  }
}

/** Numbers the calls, matches the answers, and fails what is open when the worker ends. */
class WorkerConnection {
  readonly #worker: Worker;
  readonly #queueMax: number;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #idle: (() => void) | null = null;

  constructor(worker: Worker, queueMax: number) {
    this.#worker = worker;
    this.#queueMax = queueMax;
    worker.on('message', (reply: StoreReply) => this.#settle(reply));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(null));
    // An open store alone keeps no process alive; a call in flight does.
    worker.unref();
  }

  call<Name extends StoreMethodName>(method: Name, args: StoreArguments<Name>): Promise<StoreResult<Name>> {
    if (this.#state !== 'open') return Promise.reject(new ServiceError('UNAVAILABLE', 'the catalog store is closed'));
    if (this.#waiting.size >= this.#queueMax) {
      return Promise.reject(
        new ServiceError('LIMIT_EXCEEDED', `${this.#queueMax} calls wait for the catalog store already`),
      );
    }
    const id = this.#nextId++;
    if (this.#waiting.size === 0) this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { method, resolve: resolve as (value: unknown) => void, reject });
      this.#worker.postMessage({ id, method, args } satisfies StoreCall);
    });
  }

  /** After the calls in flight. */
  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    if (this.#waiting.size > 0) {
      await new Promise<void>((idle) => {
        this.#idle = idle;
      });
    }
    this.#worker.ref();
    const exit = once(this.#worker, 'exit');
    this.#worker.postMessage(null);
    await exit;
    this.#state = 'closed';
  }

  #settle(reply: StoreReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#rest();
    if (reply.kind === 'result') waiting.resolve(reply.value);
    else waiting.reject(errorOf(reply.error));
  }

  #rest(): void {
    this.#worker.unref();
    this.#idle?.();
  }

  /** The worker ended by itself: what a write did is not known. */
  #fail(cause: unknown): void {
    if (this.#state === 'open') this.#state = 'closed';
    for (const { method, reject } of this.#waiting.values()) {
      reject(
        readMethods.has(method)
          ? new ServiceError('UNAVAILABLE', 'the catalog store stopped', { cause })
          : new ServiceError('COMMIT_UNKNOWN', 'the catalog store stopped before it answered', { cause }),
      );
    }
    this.#waiting.clear();
    this.#rest();
  }
}

const errorOf = ({ code, message, cause }: StoreFailure): ServiceError =>
  new ServiceError(code, message, cause === '' ? undefined : { cause });

function methodsOf(connection: WorkerConnection): StoreMethods {
  const method =
    <Name extends StoreMethodName>(name: Name) =>
    (...args: StoreArguments<Name>): Promise<StoreResult<Name>> =>
      connection.call(name, args);
  return {
    createNamespace: method('createNamespace'),
    dropNamespace: method('dropNamespace'),
    listNamespaces: method('listNamespaces'),
    namespaceProperties: method('namespaceProperties'),
    updateNamespaceProperties: method('updateNamespaceProperties'),
    listTables: method('listTables'),
    table: method('table'),
    tableByUuid: method('tableByUuid'),
    commit: method('commit'),
    reserve: method('reserve'),
    release: method('release'),
    dropTable: method('dropTable'),
    renameTable: method('renameTable'),
    replay: method('replay'),
    listTags: method('listTags'),
    addTag: method('addTag'),
    removeTag: method('removeTag'),
    entry: method('entry'),
    listEntries: method('listEntries'),
    putEntries: method('putEntries'),
    deleteEntries: method('deleteEntries'),
    changes: method('changes'),
  };
}
