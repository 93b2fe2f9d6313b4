import type {
  ActionConstraint,
  EntityUidJson,
  PolicyJson,
  PrincipalConstraint,
  ResourceConstraint,
} from '@cedar-policy/cedar-wasm/nodejs';
import { type EntityName, entityKey, type Policy, type PrincipalScope, type ResourceScope } from './policy.ts';
import { allActions, type PolicyAction } from './schema.ts';

const nameOf = (uid: EntityUidJson): EntityName => ('__entity' in uid ? uid.__entity : uid);

/** The actions that a scope names; one that does not exist is left to Cedar's validation. */
export function actionsOf(constraint: ActionConstraint): ReadonlySet<PolicyAction> {
  if (constraint.op === 'All') return new Set(allActions);
  if (constraint.op === '==') return new Set('entity' in constraint ? knownActions([constraint.entity]) : []);
  return new Set(knownActions('entities' in constraint ? constraint.entities : [constraint.entity]));
}

const knownActions = (uids: readonly EntityUidJson[]): PolicyAction[] =>
  uids.map((uid) => nameOf(uid).id as PolicyAction).filter((action) => allActions.includes(action));

export const principalScope = (constraint: PrincipalConstraint): PrincipalScope => readScope(constraint);
export const resourceScope = (constraint: ResourceConstraint): ResourceScope => readScope(constraint);

function readScope(constraint: PrincipalConstraint): PrincipalScope {
  switch (constraint.op) {
    case 'All':
      return { type: null, within: null };
    case 'is': {
      const within = constraint.in !== undefined && 'entity' in constraint.in ? nameOf(constraint.in.entity) : null;
      return { type: constraint.entity_type, within };
    }
    case '==':
    case 'in':
      return { type: null, within: 'entity' in constraint ? nameOf(constraint.entity) : null };
  }
}

/**
 * `principal == Workload::"w"` as `principal in Workload::"w"`: by its token's claim a principal is its workload or engine, while
 * for Cedar every caller is a User.
 */
export function usePrincipalClaims(json: PolicyJson): PolicyJson {
  const { principal } = json;
  if (principal.op !== '==' || !('entity' in principal)) return json;
  return ['Workload', 'Engine'].includes(nameOf(principal.entity).type)
    ? { ...json, principal: { op: 'in', entity: principal.entity } }
    : json;
}

/** `Type::id` of the principals that a policy names anywhere. */
export function namedByScope(policy: Policy): string[] {
  const names: EntityName[] = policy.principal.within === null ? [] : [policy.principal.within];
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('__entity' in value) names.push(value.__entity as EntityName);
    else for (const child of Object.values(value)) collect(child);
  };
  collect(policy.json.conditions);
  return names.filter(({ type }) => ['User', 'Team', 'Workload', 'Engine'].includes(type)).map(entityKey);
}

/** Whether a scope can hold for something whose own and ancestors' `Type::id` these are. */
export const scopeAdmits = (scope: PrincipalScope, keys: ReadonlySet<string>): boolean =>
  scope.within === null || keys.has(entityKey(scope.within));
