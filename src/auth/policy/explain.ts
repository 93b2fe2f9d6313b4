import type { ColumnAccess, Principal, TableAction, TableDecision, TableFacts } from '../../core/access.ts';
import type { Expression } from '../../core/expression.ts';
import type { FieldId } from '../../core/ids.ts';
import type { BoundPolicies } from './bindings.ts';
import { boundFilter, decisionFrom } from './decide.ts';
import { evaluateTable } from './evaluate.ts';

/** Why a decision is as it is: what `policy explain PRINCIPAL TABLE` prints. */
export interface Explanation {
  readonly decision: TableDecision;
  readonly actions: readonly ExplainedAction[];
  readonly columns: readonly ExplainedColumn[];
  /** One for each `readTable` permit that holds; null admits every row. */
  readonly rowFilters: readonly { readonly policy: string; readonly filter: Expression | null }[];
}

export interface ExplainedAction {
  readonly action: TableAction;
  readonly permitted: boolean;
  /** Ids of the policies that decided it; empty where nothing permits it. */
  readonly by: readonly string[];
}

export interface ExplainedColumn {
  readonly fieldId: FieldId;
  readonly path: string;
  readonly current: boolean;
  readonly access: ColumnAccess | { readonly kind: 'excluded' };
  readonly permittedBy: readonly string[];
  readonly forbiddenBy: readonly string[];
}

export function explainTable(bound: BoundPolicies, principal: Principal, facts: TableFacts): Explanation {
  const verdicts = evaluateTable(bound, principal, facts);
  const decision = decisionFrom(bound, principal, facts, verdicts);
  const forbiddenAbove = new Map<FieldId, readonly string[]>();
  const columns = facts.columns.map(({ fieldId, path, current, parent }): ExplainedColumn => {
    const verdict = verdicts.columns.get(fieldId)!;
    const above = parent === null ? [] : (forbiddenAbove.get(parent) ?? []);
    const forbiddenBy = [...new Set([...above, ...verdict.forbids.map(({ id }) => id)])];
    forbiddenAbove.set(fieldId, forbiddenBy);
    const access = decision.columns.get(fieldId) ?? { kind: 'excluded' as const };
    return { fieldId, path, current, access, permittedBy: verdict.permits.map(({ id }) => id), forbiddenBy };
  });
  const actions = [...verdicts.actions].map(([action, { allowed, permits, forbids }]) => ({
    action,
    permitted: allowed,
    by: [...permits, ...forbids].map(({ id }) => id),
  }));
  const table = bound.bindings.get(facts.uuid);
  const rowFilters = (verdicts.actions.get('readTable')?.permits ?? []).map((policy) => ({
    policy: policy.id,
    filter: boundFilter(policy, principal, table),
  }));
  return { decision, actions, columns, rowFilters };
}
