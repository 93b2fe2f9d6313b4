import { ServiceError } from '../../core/errors.ts';
import { formatNamespace } from '../../core/identifier.ts';
import { tableUuid } from '../../core/ids.ts';
import type { StoreChanges, StoreEntry, TagEntry, TagTarget } from './catalog-store.ts';
import { bounded, namespaceExists, noNamespace } from './sqlite-namespaces.ts';
import { type Row, type Statements, textOf } from './statements.ts';

export function listTags(db: Statements, target: TagTarget | null, listMax: number): TagEntry[] {
  const order = 'ORDER BY kind, target, field_id, tag LIMIT ?';
  const rows =
    target === null
      ? db.all(`SELECT kind, target, field_id, tag FROM tags ${order}`, listMax + 1)
      : db.all(
          `SELECT kind, target, field_id, tag FROM tags WHERE kind = ? AND target = ? AND field_id = ? ${order}`,
          ...tagKey(target),
          listMax + 1,
        );
  return bounded(rows, listMax, 'tags').map((row) => ({ target: tagTarget(row), tag: textOf(row, 'tag') }));
}

/** NOT_FOUND where the table or namespace is absent: a tag never waits for a target. */
export function addTag(db: Statements, target: TagTarget, tag: string): boolean {
  if (target.kind === 'namespace') {
    const path = formatNamespace(target.namespace);
    if (!namespaceExists(db, path)) throw noNamespace(path);
  } else if (db.get('SELECT 1 FROM tables WHERE uuid = ?', target.uuid) === null) {
    throw new ServiceError('NOT_FOUND', `there is no table with the uuid ${target.uuid}`);
  }
  const [kind, of, fieldId] = tagKey(target);
  const added =
    db.run('INSERT OR IGNORE INTO tags (kind, target, field_id, tag) VALUES (?, ?, ?, ?)', kind, of, fieldId, tag) > 0;
  if (added) db.countChange('tags');
  return added;
}

export function removeTag(db: Statements, target: TagTarget, tag: string): boolean {
  const removed =
    db.run('DELETE FROM tags WHERE kind = ? AND target = ? AND field_id = ? AND tag = ?', ...tagKey(target), tag) > 0;
  if (removed) db.countChange('tags');
  return removed;
}

/** Field ids start at 1, so 0 stands for the table or namespace itself. */
function tagKey(target: TagTarget): [kind: string, target: string, fieldId: number] {
  switch (target.kind) {
    case 'namespace':
      return [target.kind, formatNamespace(target.namespace), 0];
    case 'table':
      return [target.kind, target.uuid, 0];
    case 'field':
      return [target.kind, target.uuid, target.fieldId];
    default:
      return target satisfies never;
  }
}

function tagTarget(row: Row): TagTarget {
  const target = textOf(row, 'target');
  if (row.kind === 'namespace') return { kind: 'namespace', namespace: target.split('.') };
  if (row.kind === 'table') return { kind: 'table', uuid: tableUuid(target) };
  return { kind: 'field', uuid: tableUuid(target), fieldId: Number(row.field_id) };
}

export function entry(db: Statements, key: string): string | null {
  const row = db.get('SELECT value FROM entries WHERE key = ?', key);
  return row === null ? null : textOf(row, 'value');
}

/** Keys that begin with the prefix, in byte order. */
export function listEntries(db: Statements, prefix: string, listMax: number): StoreEntry[] {
  const rows = db.all(
    // char(1114111) is the last code point: no key beyond it begins with the prefix.
    'SELECT key, value FROM entries WHERE key >= ?1 AND key < ?1 || char(1114111) ORDER BY key LIMIT ?2',
    prefix,
    listMax + 1,
  );
  return bounded(rows, listMax, 'entries').map((row) => ({ key: textOf(row, 'key'), value: textOf(row, 'value') }));
}

export function putEntries(db: Statements, entries: readonly StoreEntry[]): void {
  for (const { key, value } of entries) db.run('INSERT OR REPLACE INTO entries (key, value) VALUES (?, ?)', key, value);
  if (entries.length > 0) db.countChange('entries');
}

export function deleteEntries(db: Statements, keys: readonly string[]): void {
  let removed = 0;
  for (const key of keys) removed += db.run('DELETE FROM entries WHERE key = ?', key);
  if (removed > 0) db.countChange('entries');
}

export function changes(db: Statements): StoreChanges {
  const counts = new Map(
    db.all('SELECT area, count FROM changes').map((row) => [textOf(row, 'area'), Number(row.count)]),
  );
  const count = (area: keyof StoreChanges): number => counts.get(area) ?? 0;
  return { namespaces: count('namespaces'), tables: count('tables'), tags: count('tags'), entries: count('entries') };
}
