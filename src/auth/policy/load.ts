import { createHash } from 'node:crypto';
import { policyToJson, validate } from '@cedar-policy/cedar-wasm/nodejs';
import { formatColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import { collectClaims, collectColumns } from '../../core/expression/rewrite.ts';
import { defaultLimits, type Limits } from '../../core/limits.ts';
import { readAnnotations } from './annotations.ts';
import { jsonDepth, measureNesting } from './nesting.ts';
import type { Policy, PolicySet } from './policy.ts';
import { cedarReason, InvalidPolicyError, type PolicyProblem } from './problems.ts';
import { findReferences, hasInexactNumber } from './references.ts';
import { cedarSchema } from './schema.ts';
import { actionsOf, namedByScope, principalScope, resourceScope, usePrincipalClaims } from './scope.ts';
import { lineAtByte, type PolicyFile, type PolicySource, splitPolicies } from './source.ts';

/** Cedar 4.13 in WebAssembly overflows its stack between 100 and 300 brackets. */
const nestingMax = 90;
/** Cedar reads JSON of up to 128 levels; binding columns adds a few. */
const jsonDepthMax = 100;

export type PolicyLimits = Pick<
  Limits,
  'policyFilesMax' | 'policyBytesMax' | 'policiesMax' | 'filterCharsMax' | 'filterDepthMax' | 'filterNodesMax'
>;

/** In force whatever the folder holds; a forbid there still wins over it. */
const builtinPolicies: PolicyFile = {
  name: 'builtin',
  text: `@id("builtin:admin")
@description("Members of the team admin may do everything.")
permit (principal in Team::"admin", action, resource);
`,
};

/**
 * Reads and checks a set of policies, the built-in one added: Cedar's syntax and strict validation with its warnings, and our
 * annotations. Throws {@link InvalidPolicyError} with every problem of every file; nothing of such a set is used.
 */
export function loadPolicies(files: readonly PolicyFile[], limits: PolicyLimits = defaultLimits): PolicySet {
  const problems = sizeProblems(files, limits);
  if (problems.length > 0) throw new InvalidPolicyError(problems);
  const all = [builtinPolicies, ...[...files].sort((a, b) => (a.name < b.name ? -1 : 1))];
  problems.push(...nestingProblems(files));
  if (problems.length > 0) throw new InvalidPolicyError(problems);
  const split = all.map(splitPolicies);
  problems.push(...split.flatMap((one) => one.problems));
  const sources = split.flatMap((one) => one.policies);
  if (sources.length > limits.policiesMax) {
    throw new InvalidPolicyError([
      {
        file: sources[limits.policiesMax]!.file,
        line: 1,
        policy: null,
        reason: `there are more than ${limits.policiesMax} policies`,
      },
    ]);
  }
  const policies = sources.flatMap((source) => {
    const read = readPolicy(source, limits);
    problems.push(...read.reasons.map((reason) => ({ file: source.file, line: source.line, policy: read.id, reason })));
    return read.policy === null ? [] : [read.policy];
  });
  problems.push(...duplicates(policies), ...validateStrictly(policies));
  if (problems.length > 0) throw new InvalidPolicyError(problems);
  return assemble(policies);
}

function sizeProblems(files: readonly PolicyFile[], limits: PolicyLimits): PolicyProblem[] {
  if (files.length > limits.policyFilesMax) {
    const reason = `there are more than ${limits.policyFilesMax} policy files`;
    return [{ file: files[limits.policyFilesMax]!.name, line: 1, policy: null, reason }];
  }
  return files
    .filter((file) => Buffer.byteLength(file.text) > limits.policyBytesMax)
    .map((file) => ({
      file: file.name,
      line: 1,
      policy: null,
      reason: `the file has more than ${limits.policyBytesMax} bytes`,
    }));
}

function nestingProblems(files: readonly PolicyFile[]): PolicyProblem[] {
  return files.flatMap((file) => {
    const { depth, line } = measureNesting(file.text);
    const reason = `a policy has more than ${nestingMax} operators and brackets inside each other: split it into several`;
    return depth > nestingMax ? [{ file: file.name, line, policy: null, reason }] : [];
  });
}

interface ReadPolicy {
  readonly id: string;
  readonly policy: Policy | null;
  readonly reasons: readonly string[];
}

function readPolicy(source: PolicySource, limits: PolicyLimits): ReadPolicy {
  const answer = policyToJson(source.text);
  const place = `${source.file}#${source.index + 1}`;
  if (answer.type === 'failure') return { id: place, policy: null, reasons: answer.errors.map(cedarReason) };
  const json = usePrincipalClaims(answer.json);
  const actions = actionsOf(json.action);
  const annotations = readAnnotations(json, actions, limits);
  const id = annotations.id ?? place;
  const resource = resourceScope(json.resource);
  const references = findReferences(json, resource);
  const reasons = [...annotations.problems, ...references.problems];
  if (references.columns.length > 0 && hasInexactNumber(json.conditions)) {
    reasons.push('a number in the policy is larger than 2^53: no attribute holds one');
  }
  if ((references.columns.length > 0 || json !== answer.json) && jsonDepth(json) > jsonDepthMax) {
    reasons.push(
      'a policy that names columns or a workload has too many operators inside each other: split it into several',
    );
  }
  const policy: Policy = {
    id,
    file: source.file,
    line: source.line,
    text: source.text,
    digest: createHash('sha256').update(source.text).digest('hex'),
    effect: json.effect,
    actions,
    principal: principalScope(json.principal),
    resource,
    json,
    source: json === answer.json ? source.text : json,
    columns: references.columns,
    mask: annotations.mask,
    filter: annotations.filter,
    filterColumns: annotations.filter === null ? [] : collectColumns(annotations.filter).map(formatColumnPath),
  };
  return { id, policy, reasons };
}

function duplicates(policies: readonly Policy[]): PolicyProblem[] {
  const seen = new Map<string, Policy>();
  return policies.flatMap((policy) => {
    const other = seen.get(policy.id);
    seen.set(policy.id, policy);
    if (other === undefined) return [];
    const reason = `the id ${policy.id} is already that of ${other.file}:${other.line}`;
    return [{ file: policy.file, line: policy.line, policy: policy.id, reason }];
  });
}

/** Cedar validates texts where it can, because only they have lines. */
function validateStrictly(policies: readonly Policy[]): PolicyProblem[] {
  const byKey = new Map(policies.map((policy, index) => [`policy ${index}`, policy]));
  const staticPolicies = Object.fromEntries([...byKey].map(([key, policy]) => [key, policy.source]));
  const answer = validate({
    schema: cedarSchema,
    policies: { staticPolicies },
    validationSettings: { mode: 'strict' },
  });
  if (answer.type === 'failure') {
    throw new ServiceError('INVALID_POLICY', 'the policies cannot be validated', { cause: answer.errors });
  }
  const found = new Map<string, PolicyProblem>();
  for (const { policyId, error } of [...answer.validationErrors, ...answer.validationWarnings]) {
    const policy = byKey.get(policyId)!;
    const within = error.sourceLocations?.[0]?.start;
    const line = within === undefined ? policy.line : policy.line + lineAtByte(policy.text, within) - 1;
    const reason = cedarReason(error).replaceAll(policyId, policy.id);
    found.set(`${policyId} ${line} ${reason}`, { file: policy.file, line, policy: policy.id, reason });
  }
  for (const warning of answer.otherWarnings) {
    const reason = cedarReason(warning);
    found.set(reason, { file: policies[0]!.file, line: 1, policy: null, reason });
  }
  return [...found.values()];
}

function assemble(policies: readonly Policy[]): PolicySet {
  const version = createHash('sha256');
  const principals = new Set<string>();
  const claims = new Set<string>();
  for (const policy of policies) {
    version.update(`${policy.id}\0${policy.digest}\0`);
    for (const name of namedByScope(policy)) principals.add(name);
    if (policy.filter !== null) for (const claim of collectClaims(policy.filter)) claims.add(claim);
  }
  return { version: version.digest('hex').slice(0, 16), policies, principals, claims: [...claims].sort() };
}
