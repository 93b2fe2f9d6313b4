import { ServiceError } from '../../core/errors.ts';
import { formatNamespace, formatTable, type Namespace, type TableIdentifier } from '../../core/identifier.ts';
import { type TableUuid, tableUuid } from '../../core/ids.ts';
import type {
  IdempotencyKey,
  IdempotencyRecord,
  PointerSwap,
  StoreCommit,
  StoredTable,
  StoreTransaction,
} from './catalog-store.ts';
import { bounded, namespaceExists, noNamespace } from './sqlite-namespaces.ts';
import { type Row, type Statements, textOf } from './statements.ts';

const columns = 'namespace, name, uuid, metadata_location, previous_metadata_location';
/** Idempotency keys that each commit may clear away once they are too old. */
const expiredKeysMax = 32;

export function listTables(db: Statements, namespace: Namespace | null, listMax: number): StoredTable[] {
  const rows =
    namespace === null
      ? db.all(`SELECT ${columns} FROM tables ORDER BY namespace, name LIMIT ?`, listMax + 1)
      : db.all(
          `SELECT ${columns} FROM tables WHERE namespace = ? ORDER BY name LIMIT ?`,
          formatNamespace(namespace),
          listMax + 1,
        );
  return bounded(rows, listMax, 'tables').map(storedTable);
}

export function findTable(db: Statements, { namespace, name }: TableIdentifier): StoredTable | null {
  const row = db.get(
    `SELECT ${columns} FROM tables WHERE namespace = ? AND name = ?`,
    formatNamespace(namespace),
    name,
  );
  return row === null ? null : storedTable(row);
}

export function findTableByUuid(db: Statements, uuid: TableUuid): StoredTable | null {
  const row = db.get(`SELECT ${columns} FROM tables WHERE uuid = ?`, uuid);
  return row === null ? null : storedTable(row);
}

/** See `CatalogStore.commit`; runs inside the caller's transaction. */
export function commit(
  db: Statements,
  { swaps, idempotency, holder = '' }: StoreTransaction,
  nowMs: number,
  idempotencyKeepMs: number,
): StoreCommit {
  if (idempotency) {
    const response = replay(db, idempotency);
    if (response !== null) return { kind: 'replayed', response };
  }
  for (const swap of swaps) {
    if (swap.expectedMetadataLocation === null) insertTable(db, swap);
    else {
      checkReservation(db, swap, holder, nowMs);
      movePointer(db, swap, swap.expectedMetadataLocation);
    }
  }
  if (holder !== '') release(db, holder);
  if (idempotency) record(db, idempotency, nowMs, idempotencyKeepMs);
  if (swaps.length > 0) db.countChange('tables');
  return { kind: 'committed' };
}

/** In the transaction that takes the folder: of two commits that want one folder at the same time, the second must see the first. */
function checkFolder(db: Statements, { folder, uuid }: PointerSwap): void {
  if (folder === undefined) return;
  const taken = db.get(
    `SELECT 1 FROM tables WHERE uuid <> ?1 AND folder IS NOT NULL
     AND (substr(folder, 1, length(?2)) = ?2 OR substr(?2, 1, length(folder)) = folder) LIMIT 1`,
    uuid,
    folder,
  );
  if (taken === null) return;
  throw new ServiceError('INVALID_REQUEST', 'the location of the table overlaps that of another table');
}

function insertTable(db: Statements, swap: PointerSwap): void {
  const { identifier, newMetadataLocation, uuid } = swap;
  const namespace = formatNamespace(identifier.namespace);
  if (!namespaceExists(db, namespace)) throw noNamespace(namespace);
  if (findTable(db, identifier) !== null) {
    throw new ServiceError('ALREADY_EXISTS', `the table ${formatTable(identifier)} already exists`);
  }
  if (findTableByUuid(db, uuid) !== null) {
    throw new ServiceError('ALREADY_EXISTS', `a table with the uuid ${uuid} is already in the catalog`);
  }
  checkFolder(db, swap);
  db.run(
    'INSERT INTO tables (namespace, name, uuid, metadata_location, folder) VALUES (?, ?, ?, ?, ?)',
    namespace,
    identifier.name,
    uuid,
    newMetadataLocation,
    swap.folder ?? null,
  );
}

function movePointer(db: Statements, swap: PointerSwap, expected: string): void {
  const { identifier, newMetadataLocation, uuid } = swap;
  checkFolder(db, swap);
  const moved = db.run(
    `UPDATE tables SET metadata_location = ?, previous_metadata_location = metadata_location, folder = COALESCE(?, folder)
     WHERE namespace = ? AND name = ? AND uuid = ? AND metadata_location = ?`,
    newMetadataLocation,
    swap.folder ?? null,
    formatNamespace(identifier.namespace),
    identifier.name,
    uuid,
    expected,
  );
  if (moved === 1) return;
  if (findTable(db, identifier) === null) throw noTable(identifier);
  throw new ServiceError('COMMIT_CONFLICT', `another commit changed ${formatTable(identifier)} in the meantime`);
}

function checkReservation(db: Statements, { uuid, identifier }: PointerSwap, holder: string, nowMs: number): void {
  const row = db.get(
    'SELECT 1 FROM reservations WHERE uuid = ? AND holder <> ? AND expires_ms > ?',
    uuid,
    holder,
    nowMs,
  );
  if (row === null) return;
  throw new ServiceError('COMMIT_CONFLICT', `another commit has ${formatTable(identifier)} reserved`);
}

/** See `CatalogStore.reserve`. */
export function reserve(
  db: Statements,
  tables: readonly TableUuid[],
  holder: string,
  ttlMs: number,
  nowMs: number,
): boolean {
  db.run('DELETE FROM reservations WHERE expires_ms <= ?', nowMs);
  const free = tables.every(
    (uuid) => db.get('SELECT 1 FROM reservations WHERE uuid = ? AND holder <> ?', uuid, holder) === null,
  );
  if (!free) return false;
  for (const uuid of tables) {
    db.run(
      'INSERT OR REPLACE INTO reservations (uuid, holder, expires_ms) VALUES (?, ?, ?)',
      uuid,
      holder,
      nowMs + ttlMs,
    );
  }
  return true;
}

export function release(db: Statements, holder: string): void {
  db.run('DELETE FROM reservations WHERE holder = ?', holder);
}

export function replay(db: Statements, { key, principal, digest }: IdempotencyKey): string | null {
  const row = db.get('SELECT principal, digest, response FROM idempotency WHERE key = ?', key);
  if (row === null) return null;
  if (textOf(row, 'principal') !== principal || textOf(row, 'digest') !== digest) {
    throw new ServiceError('ALREADY_EXISTS', 'the idempotency key was already used for another request');
  }
  return textOf(row, 'response');
}

function record(
  db: Statements,
  { key, principal, digest, response }: IdempotencyRecord,
  nowMs: number,
  keepMs: number,
): void {
  db.run(
    'DELETE FROM idempotency WHERE key IN (SELECT key FROM idempotency WHERE created_ms < ? ORDER BY created_ms LIMIT ?)',
    nowMs - keepMs,
    expiredKeysMax,
  );
  db.run(
    'INSERT INTO idempotency (key, principal, digest, response, created_ms) VALUES (?, ?, ?, ?, ?)',
    key,
    principal,
    digest,
    response,
    nowMs,
  );
}

export function dropTable(db: Statements, identifier: TableIdentifier, uuid: TableUuid): void {
  const table = findTable(db, identifier);
  if (table === null) throw noTable(identifier);
  if (table.uuid !== uuid) {
    throw new ServiceError(
      'COMMIT_CONFLICT',
      `${formatTable(identifier)} was replaced by another table in the meantime`,
    );
  }
  db.run('DELETE FROM tables WHERE uuid = ?', uuid);
  if (db.run(`DELETE FROM tags WHERE kind IN ('table', 'field') AND target = ?`, uuid) > 0) db.countChange('tags');
  db.countChange('tables');
}

export function renameTable(db: Statements, from: TableIdentifier, to: TableIdentifier): void {
  const table = findTable(db, from);
  if (table === null) throw noTable(from);
  const namespace = formatNamespace(to.namespace);
  if (!namespaceExists(db, namespace)) throw noNamespace(namespace);
  if (findTable(db, to) !== null) {
    throw new ServiceError('ALREADY_EXISTS', `the table ${formatTable(to)} already exists`);
  }
  db.run('UPDATE tables SET namespace = ?, name = ? WHERE uuid = ?', namespace, to.name, table.uuid);
  db.countChange('tables');
}

const noTable = (identifier: TableIdentifier): ServiceError =>
  new ServiceError('NOT_FOUND', `the table ${formatTable(identifier)} does not exist`);

const storedTable = (row: Row): StoredTable => ({
  identifier: { namespace: textOf(row, 'namespace').split('.'), name: textOf(row, 'name') },
  uuid: tableUuid(textOf(row, 'uuid')),
  metadataLocation: textOf(row, 'metadata_location'),
  previousMetadataLocation: row.previous_metadata_location as string | null,
});
