import { ServiceError } from '../../core/errors.ts';
import { formatNamespace, type Namespace } from '../../core/identifier.ts';
import type { PropertyChange, PropertyChangeResult } from './catalog-store.ts';
import { type Statements, textOf } from './statements.ts';

export function createNamespace(db: Statements, namespace: Namespace, properties: ReadonlyMap<string, string>): void {
  const path = formatNamespace(namespace);
  const parent = namespace.length > 1 ? formatNamespace(namespace.slice(0, -1)) : null;
  if (namespaceExists(db, path)) throw new ServiceError('ALREADY_EXISTS', `the namespace ${path} already exists`);
  if (parent !== null && !namespaceExists(db, parent)) {
    throw new ServiceError('NOT_FOUND', `the namespace ${parent} does not exist: create it before ${path}`);
  }
  db.run('INSERT INTO namespaces (path, parent, properties) VALUES (?, ?, ?)', path, parent, encode(properties));
  db.countChange('namespaces');
}

export function dropNamespace(db: Statements, namespace: Namespace): void {
  const path = formatNamespace(namespace);
  if (db.get('SELECT 1 FROM tables WHERE namespace = ? LIMIT 1', path) !== null) {
    throw new ServiceError('INVALID_REQUEST', `the namespace ${path} is not empty: it holds tables`);
  }
  if (db.get('SELECT 1 FROM namespaces WHERE parent = ? LIMIT 1', path) !== null) {
    throw new ServiceError('INVALID_REQUEST', `the namespace ${path} is not empty: it holds namespaces`);
  }
  if (db.run('DELETE FROM namespaces WHERE path = ?', path) === 0) throw noNamespace(path);
  if (db.run(`DELETE FROM tags WHERE kind = 'namespace' AND target = ?`, path) > 0) db.countChange('tags');
  db.countChange('namespaces');
}

export function listNamespaces(db: Statements, parent: Namespace | null, listMax: number): Namespace[] {
  const rows =
    parent === null
      ? db.all('SELECT path FROM namespaces WHERE parent IS NULL ORDER BY path LIMIT ?', listMax + 1)
      : db.all(
          'SELECT path FROM namespaces WHERE parent = ? ORDER BY path LIMIT ?',
          formatNamespace(parent),
          listMax + 1,
        );
  return bounded(rows, listMax, 'namespaces').map((row) => textOf(row, 'path').split('.'));
}

export function namespaceProperties(db: Statements, namespace: Namespace): ReadonlyMap<string, string> | null {
  const row = db.get('SELECT properties FROM namespaces WHERE path = ?', formatNamespace(namespace));
  return row === null ? null : new Map(Object.entries(JSON.parse(textOf(row, 'properties')) as Record<string, string>));
}

export function updateNamespaceProperties(
  db: Statements,
  namespace: Namespace,
  { set, remove }: PropertyChange,
): PropertyChangeResult {
  const current = namespaceProperties(db, namespace);
  const path = formatNamespace(namespace);
  if (current === null) throw noNamespace(path);
  const next = new Map(current);
  const [removed, missing]: [string[], string[]] = [[], []];
  for (const name of new Set(remove)) (next.delete(name) ? removed : missing).push(name);
  for (const [name, value] of set) next.set(name, value);
  db.run('UPDATE namespaces SET properties = ? WHERE path = ?', encode(next), path);
  db.countChange('namespaces');
  return { updated: [...set.keys()], removed, missing };
}

export const namespaceExists = (db: Statements, path: string): boolean =>
  db.get('SELECT 1 FROM namespaces WHERE path = ?', path) !== null;

export const noNamespace = (path: string): ServiceError =>
  new ServiceError('NOT_FOUND', `the namespace ${path} does not exist`);

/** Listings ask for one row more than they may have. */
export function bounded<Entry>(rows: Entry[], listMax: number, what: string): Entry[] {
  if (rows.length > listMax) throw new ServiceError('LIMIT_EXCEEDED', `there are more than ${listMax} ${what} to list`);
  return rows;
}

const encode = (properties: ReadonlyMap<string, string>): string => JSON.stringify(Object.fromEntries(properties));
