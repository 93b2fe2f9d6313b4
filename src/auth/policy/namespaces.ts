import type { NamespaceFacts, Principal } from '../../core/access.ts';
import type { Namespace } from '../../core/identifier.ts';
import { namespaceEntities, namespaceUid, principalEntities } from './entities.ts';
import { entityKey, type Policy, type PolicySet } from './policy.ts';
import { askCedar } from './preparsed.ts';
import { bindColumns } from './references.ts';
import { type NamespaceAction, namespaceActions } from './schema.ts';
import { scopeAdmits } from './scope.ts';

/** What is permitted, and the ids of the policies that determined it. */
export interface NamespaceDecision {
  readonly actions: ReadonlySet<NamespaceAction>;
  readonly determinedBy: readonly string[];
}

/**
 * What a principal may do with a namespace itself (create one, set its properties, drop it). `facts` go from the outermost
 * namespace inwards; a namespace that is about to be created has none. Throws POLICY_UNAVAILABLE where that cannot be decided.
 */
export function decideNamespace(
  set: PolicySet,
  principal: Principal,
  namespace: Namespace,
  facts: readonly NamespaceFacts[],
): NamespaceDecision {
  const who = principalEntities(principal);
  const keys = new Set(namespace.map((_, at) => entityKey(namespaceUid(namespace.slice(0, at + 1)))));
  const entities = [...who.entities, ...namespaceEntities(namespace, facts)];
  const actions = new Set<NamespaceAction>();
  const determinedBy = new Set<string>();
  for (const action of namespaceActions) {
    const relevant = set.policies.filter(
      (policy) =>
        policy.actions.has(action) && scopeAdmits(policy.principal, who.keys) && scopeAdmits(policy.resource, keys),
    );
    if (relevant.length === 0) continue;
    const slice = {
      key: relevant.map((policy) => `${policy.id}\0${policy.digest}${namesColumns(policy) ? '[]' : ''}`).join(),
      policies: new Map(relevant.map((policy) => [policy.id, sourceFor(policy)])),
    };
    const answer = askCedar(slice, { principal: who.uid, action, resource: namespaceUid(namespace), entities });
    if (answer.allowed) actions.add(action);
    for (const id of answer.reasons) determinedBy.add(id);
  }
  return { actions, determinedBy: [...determinedBy].sort() };
}

const namesColumns = (policy: Policy): boolean => policy.columns.length > 0;

/** No column is a namespace, so that each name of one matches nothing here. */
const sourceFor = (policy: Policy): Policy['source'] =>
  namesColumns(policy) ? bindColumns(policy.json, policy.resource, () => []) : policy.source;
