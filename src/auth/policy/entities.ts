import type { EntityJson, EntityUidJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { ColumnFacts, NamespaceFacts, Principal, TableFacts } from '../../core/access.ts';
import { formatTable } from '../../core/identifier.ts';
import type { FieldId } from '../../core/ids.ts';
import { type EntityName, entityKey } from './policy.ts';
import { columnName } from './references.ts';

/** The principal's own entities, and the `Type::id` of all that it is or is in. */
export interface PrincipalEntities {
  readonly uid: EntityUidJson;
  readonly entities: readonly EntityJson[];
  readonly keys: ReadonlySet<string>;
}

export function principalEntities(principal: Principal): PrincipalEntities {
  const uid = { type: 'User', id: principal.name };
  const groups: EntityName[] = principal.teams.map((id) => ({ type: 'Team', id }));
  if (principal.workload !== null) groups.push({ type: 'Workload', id: principal.workload });
  if (principal.engine !== null) groups.push({ type: 'Engine', id: principal.engine });
  return {
    uid,
    entities: [{ uid, attrs: {}, parents: groups }, ...groups.map((group) => ({ uid: group, attrs: {}, parents: [] }))],
    keys: new Set([uid, ...groups].map(entityKey)),
  };
}

/** The namespaces from the outermost inwards, each inside the one before. */
export function namespaceEntities(path: readonly string[], facts: readonly NamespaceFacts[]): EntityJson[] {
  return path.map((_, at) => {
    const known = facts[at];
    return {
      uid: namespaceUid(path.slice(0, at + 1)),
      attrs: { tags: [...(known?.tags ?? [])], layer: known?.layer ?? '' },
      parents: at === 0 ? [] : [namespaceUid(path.slice(0, at))],
    };
  });
}

export const namespaceUid = (path: readonly string[]): EntityName => ({ type: 'Namespace', id: path.join('.') });

export const tableUid = (facts: TableFacts): EntityName => ({ type: 'Table', id: formatTable(facts.identifier) });

export function tableEntities(facts: TableFacts): EntityJson[] {
  const { namespace } = facts.identifier;
  const table: EntityJson = {
    uid: tableUid(facts),
    attrs: { tags: [...facts.tags], layer: facts.layer ?? '' },
    parents: namespace.length === 0 ? [] : [namespaceUid(namespace)],
  };
  return [...namespaceEntities(namespace, facts.namespaces), table];
}

/** A column as policy sees it: what it is called plays no part, only its tags and which of the fields that policies name it is in. */
export interface ColumnClass {
  readonly key: string;
  /** Its own and its containers', sorted. */
  readonly tags: readonly string[];
  /** Itself and its containers, as far as policies name them, sorted. */
  readonly within: readonly FieldId[];
}

/** The class of each column. Columns of one class get one decision. */
export function classifyColumns(facts: TableFacts, named: ReadonlySet<FieldId>): ReadonlyMap<FieldId, ColumnClass> {
  const classes = new Map<FieldId, ColumnClass>();
  const shared = new Map<string, ColumnClass>();
  for (const column of facts.columns) {
    const parent = parentClass(column, classes);
    const tags = [...new Set([...(parent?.tags ?? []), ...column.tags])].sort();
    const within = [...(parent?.within ?? []), ...(named.has(column.fieldId) ? [column.fieldId] : [])].sort(
      (a, b) => a - b,
    );
    const key = JSON.stringify([tags, within]);
    const found = shared.get(key) ?? { key, tags, within };
    shared.set(key, found);
    classes.set(column.fieldId, found);
  }
  return classes;
}

function parentClass(column: ColumnFacts, classes: ReadonlyMap<FieldId, ColumnClass>): ColumnClass | null {
  if (column.parent === null) return null;
  const parent = classes.get(column.parent);
  if (parent === undefined) throw new RangeError('a nested column stands before its container');
  return parent;
}

/** The one column that a class's decision is about; a field id is a number, so that no bound name equals its id. */
export const classUid: EntityName = { type: 'Column', id: 'any' };

export function columnEntities(facts: TableFacts, column: ColumnClass): EntityJson[] {
  const table = tableUid(facts);
  const attrs = { tags: [...column.tags], layer: facts.layer ?? '' };
  const named = column.within.map((field) => ({ uid: columnName(field), attrs, parents: [table] }));
  return [...named, { uid: classUid, attrs, parents: [table, ...named.map(({ uid }) => uid)] }];
}
