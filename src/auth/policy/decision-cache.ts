import { LRUCache } from 'lru-cache';
import type { Principal, TableDecision, TableFacts } from '../../core/access.ts';
import { defaultLimits } from '../../core/limits.ts';
import type { BoundPolicies } from './bindings.ts';
import { decideTable } from './decide.ts';
import { canonicalJson, digestOf } from './digest.ts';
import { principalEntities } from './entities.ts';

export interface Decider {
  /** As {@link decideTable}, from memory where the same question was asked before. */
  decide(principal: Principal, facts: TableFacts): TableDecision;
}

/** One set's decisions. A new set, or new bindings, is a new decider, so that nothing crosses from one policy to another. */
export function createDecider(bound: BoundPolicies, decisionsMax: number = defaultLimits.decisionCacheMax): Decider {
  const decisions = new LRUCache<string, TableDecision>({ max: decisionsMax });
  return {
    decide(principal, facts) {
      const key = `${principalKey(bound, principal)} ${factsDigest(facts)}`;
      const known = decisions.get(key);
      if (known !== undefined)
        return known.principal === principal.name ? known : { ...known, principal: principal.name };
      const decision = decideTable(bound, principal, facts);
      decisions.set(key, decision);
      return decision;
    },
  };
}

/** What of the principal any policy can tell apart: the groups that policies name, and the claims that filters use. */
function principalKey({ set }: BoundPolicies, principal: Principal): string {
  const names = [...principalEntities(principal).keys].filter((name) => set.principals.has(name)).sort();
  const claims = set.claims.map((claim) => [claim, principal.claims.get(claim)]);
  return digestOf([names, claims.map(canonicalJson)]);
}

const digests = new WeakMap<TableFacts, string>();

/** Facts are plain data that nobody changes, so that one object is read once. */
export function factsDigest(facts: TableFacts): string {
  const known = digests.get(facts);
  if (known !== undefined) return known;
  const digest = digestOf(facts);
  digests.set(facts, digest);
  return digest;
}
