import type { ColumnAccess, Principal, TableAction, TableDecision, TableFacts } from '../../core/access.ts';
import { formatColumnPath } from '../../core/column-path.ts';
import { bindClaims } from '../../core/expression/parse.ts';
import { mapTerms } from '../../core/expression/rewrite.ts';
import { type Expression, never } from '../../core/expression.ts';
import type { FieldId } from '../../core/ids.ts';
import { type BoundPolicies, boundFields, filterName, type TableBindings } from './bindings.ts';
import { canonicalJson, digestOf } from './digest.ts';
import { type Ask, evaluateTable, type TableVerdicts, type Verdict } from './evaluate.ts';
import { leastRestrictive } from './mask.ts';
import type { Policy } from './policy.ts';
import { undecidable } from './preparsed.ts';

/**
 * What a principal may do with a table. Throws POLICY_UNAVAILABLE where a policy cannot be decided: the caller denies and audits.
 * The names that policies use must have been looked up in the table before (bindings.ts).
 */
export function decideTable(bound: BoundPolicies, principal: Principal, facts: TableFacts, ask?: Ask): TableDecision {
  return decisionFrom(bound, principal, facts, evaluateTable(bound, principal, facts, ask));
}

/** The decision that Cedar's answers add up to. */
export function decisionFrom(
  bound: BoundPolicies,
  principal: Principal,
  facts: TableFacts,
  verdicts: TableVerdicts,
): TableDecision {
  const actions = new Set<TableAction>();
  for (const [action, verdict] of verdicts.actions) if (verdict.allowed) actions.add(action);
  const rowFilter = rowFilterOf(verdicts.actions.get('readTable'), principal, bound.bindings.get(facts.uuid));
  const { columns, allRaw } = columnAccess(facts, verdicts.columns);
  const content = {
    table: facts.uuid,
    visible: actions.size > 0,
    actions,
    rowFilter,
    columns,
    restricted: rowFilter !== null || !allRaw,
  };
  return {
    principal: principal.name,
    ...content,
    policyVersion: bound.set.version,
    digest: digestOf(content),
    determinedBy: determiningIds(verdicts),
  };
}

/** Rows add up over the permits; a permit without a filter admits all of them. Null = all rows. */
function rowFilterOf(
  verdict: Verdict | undefined,
  principal: Principal,
  bindings: TableBindings | undefined,
): Expression | null {
  if (verdict === undefined || !verdict.allowed) return never;
  const filters = new Map<string, Expression>();
  for (const policy of verdict.permits) {
    const filter = boundFilter(policy, principal, bindings);
    if (filter === null || filter.kind === 'true') return null;
    if (filter.kind !== 'false') filters.set(canonicalJson(filter), filter);
  }
  const of = [...filters].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, filter]) => filter);
  return of.length === 0 ? never : of.length === 1 ? of[0]! : { kind: 'or', of };
}

/** A permit's filter over field ids, with the principal's claims in it; a column that is not there admits no row. */
export function boundFilter(
  policy: Policy,
  principal: Principal,
  bindings: TableBindings | undefined,
): Expression | null {
  if (policy.filter === null) return null;
  const fields = new Map<string, FieldId>();
  for (const path of policy.filterColumns) {
    const found = boundFields(bindings, policy, filterName(path));
    if (found === null) throw undecidable(`the filter of ${policy.id} was not looked up in the table`);
    if (found.length !== 1) return never;
    fields.set(path, found[0]!);
  }
  const bound = bindClaims(policy.filter, principal.claims);
  return mapTerms(bound, (term) =>
    term.kind === 'field' ? term : { kind: 'field', fieldId: fields.get(formatColumnPath(term.path))! },
  );
}

/**
 * Leaves by their own verdicts, containers by what is left of them. A forbid on a container holds for all below it; a container
 * itself has nothing to mask.
 */
function columnAccess(
  facts: TableFacts,
  verdicts: ReadonlyMap<FieldId, Verdict>,
): { readonly columns: ReadonlyMap<FieldId, ColumnAccess>; readonly allRaw: boolean } {
  const columns = new Map<FieldId, ColumnAccess>();
  const parents = new Map(facts.columns.map(({ fieldId, parent }) => [fieldId, parent]));
  const forbidden = new Set<FieldId>();
  let allRaw = true;
  for (const { fieldId, parent, leaf } of facts.columns) {
    const verdict = verdicts.get(fieldId)!;
    if (verdict.forbids.length > 0 || (parent !== null && forbidden.has(parent))) forbidden.add(fieldId);
    const access = forbidden.has(fieldId) ? null : accessOf(verdict);
    if (access?.kind !== 'raw') allRaw = false;
    if (!leaf || access === null) continue;
    columns.set(fieldId, access);
    for (let above = parent; above != null && !columns.has(above); above = parents.get(above) ?? null) {
      columns.set(above, { kind: 'raw' });
    }
  }
  return { columns, allRaw };
}

/** The least restrictive of the permits; null where there is none. */
export function accessOf(verdict: Verdict): ColumnAccess | null {
  if (!verdict.allowed) return null;
  const masks = verdict.permits.map((policy) => policy.mask);
  const real = masks.filter((mask) => mask !== null);
  return real.length < masks.length || real.length === 0
    ? { kind: 'raw' }
    : { kind: 'masked', mask: leastRestrictive(real) };
}

function determiningIds(verdicts: TableVerdicts): readonly string[] {
  const ids = new Set<string>();
  for (const verdict of [...verdicts.actions.values(), ...new Set(verdicts.columns.values())]) {
    for (const policy of [...verdict.permits, ...verdict.forbids]) ids.add(policy.id);
  }
  return [...ids].sort();
}
