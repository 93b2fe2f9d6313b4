import type { TableFacts } from '../../core/access.ts';
import { formatColumnPath } from '../../core/column-path.ts';
import { formatTable } from '../../core/identifier.ts';
import type { FieldId, TableUuid } from '../../core/ids.ts';
import { nearestName } from '../../core/nearest.ts';
import { type ColumnReference, entityKey, type Policy, type PolicySet } from './policy.ts';
import type { PolicyProblem } from './problems.ts';

/**
 * Which fields a policy's names mean, by table, by the policy's digest and by name. An empty list is a name that means nothing
 * yet: it is looked up again each time; any other is kept for ever.
 */
export type Bindings = ReadonlyMap<TableUuid, TableBindings>;
export type TableBindings = ReadonlyMap<string, ReadonlyMap<string, readonly FieldId[]>>;

/** A name that found its field just now, to be kept in the store. */
export interface NewBinding {
  readonly table: TableUuid;
  readonly policyDigest: string;
  readonly name: string;
  readonly fields: readonly FieldId[];
}

export interface BoundTable {
  readonly bindings: TableBindings;
  readonly added: readonly NewBinding[];
  readonly errors: readonly PolicyProblem[];
  readonly warnings: readonly PolicyProblem[];
}

export interface BoundPolicies {
  readonly set: PolicySet;
  readonly bindings: Bindings;
}

/** The name of a filter's column, apart from those of Cedar's entities. */
export const filterName = (path: string): string => `filter ${path}`;

/**
 * Looks up every name of a set in these tables. `errors` are names that narrow what a policy permits and mean nothing in a table
 * that exists: such a set must not be put in force. Names that found a field before keep it, under whatever name it goes now.
 */
export function bindPolicies(
  set: PolicySet,
  tables: readonly TableFacts[],
  stored: Bindings,
): BoundPolicies & Omit<BoundTable, 'bindings'> {
  const bindings = new Map(stored);
  const bound = tables.map((facts) => {
    const table = bindTable(set, facts, stored.get(facts.uuid));
    bindings.set(facts.uuid, table.bindings);
    return table;
  });
  return {
    set,
    bindings,
    added: bound.flatMap((table) => table.added),
    errors: bound.flatMap((table) => table.errors),
    warnings: bound.flatMap((table) => table.warnings),
  };
}

/** The same for one table, as when it was just created. */
export function bindTable(set: PolicySet, facts: TableFacts, stored: TableBindings | undefined): BoundTable {
  const bindings = new Map<string, Map<string, readonly FieldId[]>>();
  const added: NewBinding[] = [];
  const errors: PolicyProblem[] = [];
  const warnings: PolicyProblem[] = [];
  const find = fieldFinder(facts);
  for (const policy of set.policies) {
    const known = stored?.get(policy.digest);
    const names = new Map(known);
    const bind = (name: string, path: string): boolean => {
      const before = known?.get(name);
      if (before !== undefined && before.length > 0) return true;
      const fields = find(path);
      names.set(name, fields);
      if (fields.length > 0) added.push({ table: facts.uuid, policyDigest: policy.digest, name, fields });
      return fields.length > 0;
    };
    for (const reference of policy.columns) {
      const path = pathWithin(reference, facts);
      if (path === null || bind(reference.path, path)) continue;
      const reason = `Column::${JSON.stringify(reference.path)} is no column of ${formatTable(facts.identifier)}${suggestion(path, facts)}`;
      (reference.narrows ? errors : warnings).push(problem(policy, reason));
    }
    if (mayReach(policy, facts)) {
      for (const path of policy.filterColumns) {
        if (bind(filterName(path), path) || !namesTable(policy, facts)) continue;
        const reason = `the filter's column ${path} is no column of ${formatTable(facts.identifier)}: no row is admitted there`;
        warnings.push(problem(policy, `${reason}${suggestion(path, facts)}`));
      }
    }
    if (names.size > 0) bindings.set(policy.digest, names);
  }
  return { bindings, added, errors, warnings };
}

/** The fields that a name means to a policy in a table: empty where it means none, null where it was never looked up there. */
export function boundFields(
  bindings: TableBindings | undefined,
  policy: Policy,
  name: string,
): readonly FieldId[] | null {
  return bindings?.get(policy.digest)?.get(name) ?? null;
}

/** The part of a column's name behind the table's, or null where it names another table's column. */
export function pathWithin(reference: ColumnReference, facts: TableFacts): string | null {
  const table = [...facts.identifier.namespace, facts.identifier.name];
  const { parts } = reference;
  if (parts.length <= table.length || table.some((part, at) => part !== parts[at])) return null;
  return formatColumnPath(parts.slice(table.length));
}

/** Current fields by path; where none has it, those dropped fields that had it last. */
function fieldFinder(facts: TableFacts): (path: string) => readonly FieldId[] {
  const found = new Map<string, { readonly current: FieldId[]; readonly dropped: FieldId[] }>();
  for (const column of facts.columns) {
    const entry = found.get(column.path) ?? { current: [], dropped: [] };
    entry[column.current ? 'current' : 'dropped'].push(column.fieldId);
    found.set(column.path, entry);
  }
  return (path) => {
    const entry = found.get(path);
    return entry === undefined ? [] : entry.current.length > 0 ? entry.current : entry.dropped;
  };
}

/** Whether a policy's scope leaves room for the table; its conditions may still say no. */
export function mayReach(policy: Policy, facts: TableFacts): boolean {
  const { within } = policy.resource;
  if (within === null || within.type === 'Column') return true;
  return tableKeys(facts).has(entityKey(within));
}

/** `Type::id` of the table and of every namespace around it. */
export function tableKeys(facts: TableFacts): ReadonlySet<string> {
  const { namespace } = facts.identifier;
  const namespaces = namespace.map((_, at) => `Namespace::${namespace.slice(0, at + 1).join('.')}`);
  return new Set([`Table::${formatTable(facts.identifier)}`, ...namespaces]);
}

const namesTable = (policy: Policy, facts: TableFacts): boolean =>
  policy.resource.within?.type === 'Table' && policy.resource.within.id === formatTable(facts.identifier);

/** Policies are checked by those who write them, and they see every column. */
function suggestion(path: string, facts: TableFacts): string {
  const paths = facts.columns.filter((column) => column.current).map((column) => column.path);
  const nearest = nearestName(path, paths);
  return nearest === null ? '' : ` (did you mean ${nearest}?)`;
}

const problem = (policy: Policy, reason: string): PolicyProblem => ({
  file: policy.file,
  line: policy.line,
  policy: policy.id,
  reason,
});
