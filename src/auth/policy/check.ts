import type { Principal, TableFacts } from '../../core/access.ts';
import { isServiceError } from '../../core/errors.ts';
import { formatTable } from '../../core/identifier.ts';
import { type Bindings, type BoundPolicies, bindPolicies, pathWithin, tableKeys } from './bindings.ts';
import { evaluateTable } from './evaluate.ts';
import { loadPolicies, type PolicyLimits } from './load.ts';
import { formatMask } from './mask.ts';
import { entityKey, type Policy, type PolicySet } from './policy.ts';
import { InvalidPolicyError, type PolicyProblem } from './problems.ts';
import type { PolicyFile } from './source.ts';

/** What `policy check` prints. A set with errors would be refused; warnings are what its authors probably did not mean. */
export interface PolicyCheck {
  readonly version: string | null;
  readonly policies: number;
  readonly errors: readonly PolicyProblem[];
  readonly warnings: readonly PolicyProblem[];
}

/** Tables times masked permits that are tried for masks without effect. */
const trialsMax = 20_000;

/** Checks a folder's files against today's tables and the names bound so far, and changes nothing. */
export function checkPolicies(
  files: readonly PolicyFile[],
  tables: readonly TableFacts[],
  stored: Bindings,
  limits?: PolicyLimits,
): PolicyCheck {
  let set: PolicySet;
  try {
    set = loadPolicies(files, limits);
  } catch (error) {
    if (error instanceof InvalidPolicyError)
      return { version: null, policies: 0, errors: error.problems, warnings: [] };
    throw error;
  }
  const { bindings, errors, warnings } = bindPolicies(set, tables, stored);
  const bound = { set, bindings };
  return {
    version: set.version,
    policies: set.policies.length,
    errors,
    warnings: [...warnings, ...unknownTables(bound, tables), ...overriddenMasks(bound, tables)],
  };
}

/** Names of tables that are not there: right for a table that comes later, else a slip of the pen. */
function unknownTables({ set, bindings }: BoundPolicies, tables: readonly TableFacts[]): PolicyProblem[] {
  const known = new Set(tables.flatMap((facts) => [...tableKeys(facts)]));
  return set.policies.flatMap((policy) => {
    const { within } = policy.resource;
    const missing: string[] = [];
    if (within !== null && within.type !== 'Column' && !known.has(entityKey(within))) {
      missing.push(`${within.type}::${JSON.stringify(within.id)}`);
    }
    for (const column of policy.columns) {
      const bound = [...bindings.values()].some(
        (table) => (table.get(policy.digest)?.get(column.path)?.length ?? 0) > 0,
      );
      if (!bound && tables.every((facts) => pathWithin(column, facts) === null)) {
        missing.push(`Column::${JSON.stringify(column.path)}`);
      }
    }
    return missing.map((name) => problem(policy, `${name} names nothing that exists now`));
  });
}

/** Masked permits that show nothing masked, because a raw permit admits the same column to the same principal. */
function overriddenMasks(bound: BoundPolicies, tables: readonly TableFacts[]): PolicyProblem[] {
  const found = new Map<string, PolicyProblem>();
  let trials = 0;
  for (const policy of bound.set.policies) {
    if (policy.mask === null) continue;
    for (const facts of tables) {
      if (++trials > trialsMax) return [...found.values()];
      for (const [path, raw] of overriddenIn(bound, policy, facts)) {
        const reason = `@mask(${JSON.stringify(formatMask(policy.mask))}) has no effect on ${formatTable(facts.identifier)}.${path}: ${raw.id} (${raw.file}:${raw.line}) permits it raw; write that permit "unless" this one applies`;
        found.set(`${policy.id} ${facts.uuid} ${path}`, problem(policy, reason));
      }
    }
  }
  return [...found.values()];
}

function overriddenIn(bound: BoundPolicies, policy: Policy, facts: TableFacts): [string, Policy][] {
  try {
    const verdicts = evaluateTable(bound, likelyPrincipal(policy), facts);
    return facts.columns.flatMap(({ fieldId, path, leaf }): [string, Policy][] => {
      const permits = verdicts.columns.get(fieldId)?.permits ?? [];
      const raw = permits.find((permit) => permit.mask === null);
      return leaf && raw !== undefined && permits.includes(policy) ? [[path, raw]] : [];
    });
  } catch (error) {
    // A set that cannot be decided denies; that is found where a decision is asked for.
    if (isServiceError(error, 'POLICY_UNAVAILABLE')) return [];
    throw error;
  }
}

/** Someone to whom the policy's scope applies, and as few others as possible. */
function likelyPrincipal(policy: Policy): Principal {
  const { within } = policy.principal;
  return {
    name: within?.type === 'User' ? within.id : 'anyone',
    teams: within?.type === 'Team' ? [within.id] : [],
    workload: within?.type === 'Workload' ? within.id : null,
    engine: within?.type === 'Engine' ? within.id : null,
    claims: new Map(),
    tokenId: null,
    issuedAt: 0,
    expiresAt: 0,
  };
}

const problem = (policy: Policy, reason: string): PolicyProblem => ({
  file: policy.file,
  line: policy.line,
  policy: policy.id,
  reason,
});
