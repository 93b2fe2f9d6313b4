import type { NamespaceFacts, Principal } from '../../core/access.ts';
import type { Namespace } from '../../core/identifier.ts';
import { namespaceEntities, namespaceUid, principalEntities } from './entities.ts';
import { entityKey, type Policy, type PolicySet } from './policy.ts';
import { askCedar } from './preparsed.ts';
import { bindColumns } from './references.ts';
import { type NamespaceAction, namespaceActions } from './schema.ts';
import { scopeAdmits } from './scope.ts';

/**
 * What a principal may do with a namespace itself (create one, set its properties, drop it). `facts` go from the outermost
 * namespace inwards; a namespace that is about to be created has none. Throws POLICY_UNAVAILABLE where that cannot be decided.
 */
export function decideNamespace(
  set: PolicySet,
  principal: Principal,
  namespace: Namespace,
  facts: readonly NamespaceFacts[],
): ReadonlySet<NamespaceAction> {
  const who = principalEntities(principal);
  const keys = new Set(namespace.map((_, at) => entityKey(namespaceUid(namespace.slice(0, at + 1)))));
  const entities = [...who.entities, ...namespaceEntities(namespace, facts)];
  const permitted = namespaceActions.filter((action) => {
    const relevant = set.policies.filter(
      (policy) =>
        policy.actions.has(action) && scopeAdmits(policy.principal, who.keys) && scopeAdmits(policy.resource, keys),
    );
    if (relevant.length === 0) return false;
    const slice = {
      key: relevant.map((policy) => `${policy.id}\0${policy.digest}${namesColumns(policy) ? '[]' : ''}`).join(),
      policies: new Map(relevant.map((policy) => [policy.id, sourceFor(policy)])),
    };
    return askCedar(slice, { principal: who.uid, action, resource: namespaceUid(namespace), entities }).allowed;
  });
  return new Set(permitted);
}

const namesColumns = (policy: Policy): boolean => policy.columns.length > 0;

/** No column is a namespace, so that each name of one matches nothing here. */
const sourceFor = (policy: Policy): Policy['source'] =>
  namesColumns(policy) ? bindColumns(policy.json, policy.resource, () => []) : policy.source;
