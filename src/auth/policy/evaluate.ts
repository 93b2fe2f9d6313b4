import type { Principal, TableAction, TableFacts } from '../../core/access.ts';
import type { FieldId } from '../../core/ids.ts';
import { type BoundPolicies, boundFields, mayReach, pathWithin, type TableBindings } from './bindings.ts';
import {
  type ColumnClass,
  classifyColumns,
  classUid,
  columnEntities,
  type PrincipalEntities,
  principalEntities,
  tableEntities,
  tableUid,
} from './entities.ts';
import type { Policy } from './policy.ts';
import { askCedar, type CedarAnswer, type CedarRequest, type Slice, undecidable } from './preparsed.ts';
import { bindColumns } from './references.ts';
import { columnAction, tableActions } from './schema.ts';
import { scopeAdmits } from './scope.ts';

/** Cedar's answer with the policies themselves. */
export interface Verdict {
  readonly allowed: boolean;
  readonly permits: readonly Policy[];
  /** Not empty only where a forbid holds. */
  readonly forbids: readonly Policy[];
}

/** All of Cedar's answers about one principal and one table. */
export interface TableVerdicts {
  readonly actions: ReadonlyMap<TableAction, Verdict>;
  readonly columns: ReadonlyMap<FieldId, Verdict>;
}

/** How Cedar is asked; the tests put one in its place that forgets Cedar's errors, to show what they are there for. */
export type Ask = (slice: Slice, request: CedarRequest) => CedarAnswer;

const denied: Verdict = { allowed: false, permits: [], forbids: [] };

/** A policy that can matter to this principal and table, with the fields that its names mean there. */
interface Candidate {
  readonly policy: Policy;
  readonly key: string;
  /** Null for a policy that does not name columns in its scope. */
  readonly scopeFields: readonly FieldId[] | null;
  readonly named: readonly FieldId[];
  readonly source: Policy['source'];
}

/**
 * Asks about every action and every class of columns. Throws POLICY_UNAVAILABLE where any answer is in doubt.
 */
export function evaluateTable(
  bound: BoundPolicies,
  principal: Principal,
  facts: TableFacts,
  ask: Ask = askCedar,
): TableVerdicts {
  const who = principalEntities(principal);
  const candidates = candidatesFor(bound, who.keys, facts);
  const entities = [...who.entities, ...tableEntities(facts)];
  const actions = new Map<TableAction, Verdict>();
  for (const action of tableActions) {
    const request = { principal: who.uid, action, resource: tableUid(facts), entities };
    actions.set(
      action,
      verdict(
        candidates.filter(({ policy }) => policy.actions.has(action)),
        request,
        ask,
      ),
    );
  }
  return { actions, columns: evaluateColumns(candidates, who, facts, entities, ask) };
}

function evaluateColumns(
  candidates: readonly Candidate[],
  who: PrincipalEntities,
  facts: TableFacts,
  entities: CedarRequest['entities'],
  ask: Ask,
): ReadonlyMap<FieldId, Verdict> {
  const relevant = candidates.filter(({ policy }) => policy.actions.has(columnAction));
  const classes = classifyColumns(facts, new Set(relevant.flatMap(({ named }) => named)));
  const decided = new Map<ColumnClass, Verdict>();
  const columns = new Map<FieldId, Verdict>();
  for (const { fieldId } of facts.columns) {
    const column = classes.get(fieldId)!;
    const known = decided.get(column);
    const found = known ?? evaluateClass(relevant, column, who, facts, entities, ask);
    if (known === undefined) decided.set(column, found);
    columns.set(fieldId, found);
  }
  return columns;
}

function evaluateClass(
  candidates: readonly Candidate[],
  column: ColumnClass,
  who: PrincipalEntities,
  facts: TableFacts,
  entities: CedarRequest['entities'],
  ask: Ask,
): Verdict {
  const applicable = candidates.filter(
    ({ scopeFields }) => scopeFields === null || scopeFields.some((field) => column.within.includes(field)),
  );
  return verdict(
    applicable,
    {
      principal: who.uid,
      action: columnAction,
      resource: classUid,
      entities: [...entities, ...columnEntities(facts, column)],
    },
    ask,
  );
}

function verdict(candidates: readonly Candidate[], request: CedarRequest, ask: Ask): Verdict {
  if (candidates.length === 0) return denied;
  const slice: Slice = {
    key: candidates.map(({ key }) => key).join(),
    policies: new Map(candidates.map(({ policy, source }) => [policy.id, source])),
  };
  const answer = ask(slice, request);
  const reasons = new Set(answer.reasons);
  const determining = candidates.filter(({ policy }) => reasons.has(policy.id)).map(({ policy }) => policy);
  if (determining.length !== reasons.size) throw undecidable('a decision was made by a policy that was not asked');
  return answer.allowed
    ? { allowed: true, permits: determining, forbids: [] }
    : { allowed: false, permits: [], forbids: determining };
}

/** Slices the set by the scopes that cannot hold; what is left out could not have made a difference. */
function candidatesFor(bound: BoundPolicies, principalKeys: ReadonlySet<string>, facts: TableFacts): Candidate[] {
  const bindings = bound.bindings.get(facts.uuid);
  return bound.set.policies.flatMap((policy) => {
    if (!scopeAdmits(policy.principal, principalKeys) || !mayReach(policy, facts)) return [];
    const candidate = bindCandidate(policy, facts, bindings);
    return candidate === null ? [] : [candidate];
  });
}

function bindCandidate(policy: Policy, facts: TableFacts, bindings: TableBindings | undefined): Candidate | null {
  const fields = new Map<string, readonly FieldId[]>();
  for (const reference of policy.columns) {
    const found = boundFields(bindings, policy, reference.path);
    const here = pathWithin(reference, facts) !== null;
    if (found === null && here) throw undecidable(`the names of ${policy.id} were not looked up in the table`);
    // A permit "unless it is column x" must not permit everything because x is not there.
    if (here && found?.length === 0 && reference.narrows && policy.effect === 'permit') return null;
    fields.set(reference.path, found ?? []);
  }
  const { within } = policy.resource;
  const scopeFields = within?.type === 'Column' ? (fields.get(within.id) ?? []) : null;
  if (scopeFields?.length === 0) return null;
  const named = [...new Set([...fields.values()].flat())];
  return {
    policy,
    key: `${policy.id}\0${policy.digest}${policy.columns.length === 0 ? '' : JSON.stringify([...fields])}`,
    scopeFields,
    named,
    source:
      policy.columns.length === 0
        ? policy.source
        : bindColumns(policy.json, policy.resource, (path) => fields.get(path) ?? []),
  };
}
