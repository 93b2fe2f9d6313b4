import type { DatabaseSync } from 'node:sqlite';
import { ServiceError } from '../../core/errors.ts';

/**
 * Each entry brings the file from the version of its index to the next. Namespaces are dotted paths: no part of a name holds a dot.
 * Idempotency rows carry their time so that old ones can go.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE namespaces (
    path TEXT PRIMARY KEY,
    parent TEXT REFERENCES namespaces (path),
    properties TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX namespaces_by_parent ON namespaces (parent);

  CREATE TABLE tables (
    namespace TEXT NOT NULL REFERENCES namespaces (path),
    name TEXT NOT NULL,
    uuid TEXT NOT NULL UNIQUE,
    metadata_location TEXT NOT NULL,
    previous_metadata_location TEXT,
    PRIMARY KEY (namespace, name)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE reservations (
    uuid TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    principal TEXT NOT NULL,
    digest TEXT NOT NULL,
    response TEXT NOT NULL,
    created_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX idempotency_by_age ON idempotency (created_ms);

  CREATE TABLE tags (
    kind TEXT NOT NULL CHECK (kind IN ('namespace', 'table', 'field')),
    target TEXT NOT NULL,
    field_id INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (kind, target, field_id, tag)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE entries (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE changes (
    area TEXT PRIMARY KEY,
    count INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO changes VALUES ('namespaces', 0), ('tables', 0), ('tags', 0), ('entries', 0);
  `,
  // Null for the tables of an older file, whose places are told by their metadata's.
  'ALTER TABLE tables ADD COLUMN folder TEXT',
];

/**
 * Sets the connection up and brings the file to the newest version. Several processes may do so at once: the version is read again
 * inside the transaction. Throws UNSUPPORTED_FEATURE for a file of a newer Headrace.
 */
export function prepareDatabase(database: DatabaseSync): void {
  database.exec('PRAGMA journal_mode = WAL');
  // NORMAL may lose acknowledged commits with the power.
  database.exec('PRAGMA synchronous = FULL');
  database.exec('PRAGMA foreign_keys = ON');
  database.exec('PRAGMA trusted_schema = OFF');
  if (userVersion(database) === migrations.length) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    const version = userVersion(database);
    if (version > migrations.length) {
      throw new ServiceError(
        'UNSUPPORTED_FEATURE',
        `the catalog store has version ${version}, and this Headrace knows versions up to ${migrations.length}`,
      );
    }
    for (const migration of migrations.slice(version)) database.exec(migration);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

const userVersion = (database: DatabaseSync): number =>
  Number(database.prepare('PRAGMA user_version').get()!.user_version);
