import { policySetTextToParts } from '@cedar-policy/cedar-wasm/nodejs';
import { cedarReason, type PolicyProblem } from './problems.ts';

export interface PolicyFile {
  /** The file's name without its folder. */
  readonly name: string;
  readonly text: string;
}

/** One policy's own text and where it begins. */
export interface PolicySource {
  readonly file: string;
  /** From 0, in the order of the file. */
  readonly index: number;
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

/** The policies of one file, in its order, or what keeps it from being read. */
export function splitPolicies(file: PolicyFile): {
  readonly policies: PolicySource[];
  readonly problems: PolicyProblem[];
} {
  const answer = policySetTextToParts(file.text);
  if (answer.type === 'failure') {
    const problems = answer.errors.map((error) => ({
      file: file.name,
      line: lineAtByte(file.text, error.sourceLocations?.[0]?.start ?? 0),
      policy: null,
      reason: cedarReason(error),
    }));
    return { policies: [], problems };
  }
  const problems = answer.policy_templates.map((text) => ({
    file: file.name,
    line: lineAt(file.text, findPolicy(file.text, text, 0)),
    policy: null,
    reason: 'templates (?principal, ?resource) are not supported: write the policy out',
  }));
  let from = 0;
  const policies = inFileOrder(answer.policies).map((text, index) => {
    const at = findPolicy(file.text, text, from);
    from = at + text.length;
    return { file: file.name, index, line: lineAt(file.text, at), text };
  });
  return { policies, problems };
}

/** Cedar names the policies of a file policy0, policy1, … and returns them sorted by that name: policy10 comes before policy2. */
function inFileOrder(texts: readonly string[]): string[] {
  const names = texts.map((_, index) => `policy${index}`).sort();
  const ordered: string[] = [];
  for (const [position, name] of names.entries()) ordered[Number(name.slice('policy'.length))] = texts[position]!;
  return ordered;
}

/** Where a policy's text begins, at or after `from`, not counting a copy of it in a comment. */
function findPolicy(text: string, policy: string, from: number): number {
  for (let at = text.indexOf(policy, from); at >= 0; at = text.indexOf(policy, at + 1)) {
    const line = text.slice(text.lastIndexOf('\n', at - 1) + 1, at);
    if (!line.includes('//')) return at;
  }
  return from;
}

export const lineAt = (text: string, at: number): number => text.slice(0, at).split('\n').length;

/** Cedar counts places in UTF-8 bytes. */
export const lineAtByte = (text: string, byte: number): number =>
  lineAt(Buffer.from(text).subarray(0, byte).toString(), Infinity);
