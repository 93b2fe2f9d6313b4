import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { isServiceError } from '../../core/errors.ts';
import {
  readMethods,
  type StoreArguments,
  type StoreCall,
  type StoreFailure,
  type StoreMethodName,
  type StoreReply,
  type StoreResult,
  type StoreWorkerData,
  type WorkerReady,
} from './protocol.ts';
import * as bookkeeping from './sqlite-bookkeeping.ts';
import * as namespaces from './sqlite-namespaces.ts';
import { prepareDatabase } from './sqlite-schema.ts';
import * as tables from './sqlite-tables.ts';
import { Statements } from './statements.ts';

/** How long SQLite itself waits for a lock, in ms: short, so that reads are served while a write waits. */
const lockWaitMs = 100;
/** Before a write tries again to begin, up to this many ms, at random so that processes take turns. */
const retryWaitMs = 20;
const busy = 5;
const diskFull = 13;
const notADatabase = 26;

type Handlers = {
  readonly [Name in StoreMethodName]: (db: Statements, ...args: StoreArguments<Name>) => StoreResult<Name>;
};

const port = parentPort!;
const { path, busyMs, batchMax, listMax, idempotencyKeepMs } = workerData as StoreWorkerData;

const handlers: Handlers = {
  createNamespace: namespaces.createNamespace,
  dropNamespace: namespaces.dropNamespace,
  listNamespaces: (db, parent) => namespaces.listNamespaces(db, parent, listMax),
  namespaceProperties: namespaces.namespaceProperties,
  updateNamespaceProperties: namespaces.updateNamespaceProperties,
  listTables: (db, namespace) => tables.listTables(db, namespace, listMax),
  table: tables.findTable,
  tableByUuid: tables.findTableByUuid,
  commit: (db, transaction) => tables.commit(db, transaction, Date.now(), idempotencyKeepMs),
  reserve: (db, uuids, holder, ttlMs) => tables.reserve(db, uuids, holder, ttlMs, Date.now()),
  release: tables.release,
  dropTable: tables.dropTable,
  renameTable: tables.renameTable,
  replay: tables.replay,
  listTags: (db, target) => bookkeeping.listTags(db, target, listMax),
  addTag: bookkeeping.addTag,
  removeTag: bookkeeping.removeTag,
  entry: bookkeeping.entry,
  listEntries: (db, prefix) => bookkeeping.listEntries(db, prefix, listMax),
  putEntries: bookkeeping.putEntries,
  deleteEntries: bookkeeping.deleteEntries,
  changes: bookkeeping.changes,
};

const database = openDatabase();
if (database !== null) serve(new Statements(database));

function openDatabase(): DatabaseSync | null {
  try {
    const opened = new DatabaseSync(path, { timeout: busyMs, readBigInts: true });
    prepareDatabase(opened);
    opened.exec(`PRAGMA busy_timeout = ${lockWaitMs}`);
    port.postMessage({ kind: 'ready' } satisfies WorkerReady);
    return opened;
  } catch (error) {
    port.postMessage({ kind: 'failed', error: failureOf(error) } satisfies WorkerReady);
    port.close();
    return null;
  }
}

/** Reads are answered at once; writes gather while a transaction waits for its turn or its fsync, and share the next one. */
function serve(db: Statements): void {
  const writes: StoreCall[] = [];
  let writing = false;
  port.on('message', (call: StoreCall | null) => {
    if (call === null) return close(db);
    if (readMethods.has(call.method)) {
      port.postMessage(attempt(db, call));
      return;
    }
    writes.push(call);
    if (writing) return;
    writing = true;
    // After the messages that are already here, so that they share one transaction.
    setImmediate(() => {
      drain(db, writes).finally(() => {
        writing = false;
      });
    });
  });
}

function close(db: Statements): void {
  db.database.close();
  port.close();
}

async function drain(db: Statements, writes: StoreCall[]): Promise<void> {
  while (writes.length > 0) {
    const failure = await begin(db);
    const batch = writes.splice(0, batchMax);
    const replies = failure === null ? writeAll(db, batch) : batch.map(({ id }) => failed(id, failure));
    for (const reply of replies) port.postMessage(reply);
    // Lets reads and further writes in between two transactions.
    await new Promise<void>((resume) => setImmediate(resume));
  }
}

async function begin(db: Statements): Promise<StoreFailure | null> {
  const deadline = Date.now() + busyMs;
  while (true) {
    try {
      db.database.exec('BEGIN IMMEDIATE');
      return null;
    } catch (error) {
      if (sqliteCode(error) !== busy || Date.now() > deadline) return failureOf(error);
    }
    await delay(Math.random() * retryWaitMs);
  }
}

/** One transaction; each call has a savepoint, so that a refused one leaves no trace and the others stand. */
function writeAll(db: Statements, batch: readonly StoreCall[]): StoreReply[] {
  const replies = batch.map((call) => attemptInSavepoint(db, call));
  try {
    if (!db.database.isTransaction) throw new Error('SQLite rolled the transaction back');
    db.database.exec('COMMIT');
    return replies;
  } catch (error) {
    const undone = rollBack(db);
    const failure = failureOf(error);
    const known =
      undone && (sqliteCode(error) === busy || sqliteCode(error) === diskFull || sqliteCode(error) === null);
    const told: StoreFailure = known
      ? { ...failure, code: 'UNAVAILABLE', message: 'the catalog store could not write; nothing was changed' }
      : { ...failure, code: 'COMMIT_UNKNOWN', message: 'the catalog store failed while it committed' };
    return replies.map((reply) => (reply.kind === 'error' ? reply : failed(reply.id, told)));
  }
}

/** Whether the transaction is certainly undone. */
function rollBack(db: Statements): boolean {
  try {
    if (db.database.isTransaction) db.database.exec('ROLLBACK');
    return true;
  } catch {
    return false;
  }
}

function attemptInSavepoint(db: Statements, call: StoreCall): StoreReply {
  if (!db.database.isTransaction) return failed(call.id, failureOf(new Error('SQLite rolled the transaction back')));
  db.database.exec('SAVEPOINT call');
  const reply = attempt(db, call);
  if (db.database.isTransaction) {
    if (reply.kind === 'error') db.database.exec('ROLLBACK TO call');
    db.database.exec('RELEASE call');
  }
  return reply;
}

function attempt(db: Statements, { id, method, args }: StoreCall): StoreReply {
  try {
    const handler = handlers[method] as (db: Statements, ...args: readonly unknown[]) => unknown;
    return { id, kind: 'result', value: handler(db, ...args) };
  } catch (error) {
    return failed(id, failureOf(error));
  }
}

const failed = (id: number, error: StoreFailure): StoreReply => ({ id, kind: 'error', error });

function failureOf(error: unknown): StoreFailure {
  if (isServiceError(error)) return { code: error.code, message: error.message, cause: String(error.cause ?? '') };
  const cause = String(error);
  switch (sqliteCode(error)) {
    case busy:
      return { code: 'UNAVAILABLE', message: 'the catalog store is busy with another process', cause };
    case diskFull:
      return { code: 'UNAVAILABLE', message: 'the disk of the catalog store is full', cause };
    case notADatabase:
      return { code: 'CORRUPT_FILE', message: 'the catalog store is not a SQLite database', cause };
    default:
      return { code: 'INTERNAL', message: 'the catalog store failed', cause };
  }
}

/** SQLite's primary result code; null for errors that are not SQLite's. */
function sqliteCode(error: unknown): number | null {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : null;
}
