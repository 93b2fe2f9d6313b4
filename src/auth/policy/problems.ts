import { ServiceError } from '../../core/errors.ts';

/** One thing that is wrong with a policy, or that its author probably did not mean. */
export interface PolicyProblem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Null where the file cannot be split into policies. */
  readonly policy: string | null;
  readonly reason: string;
}

const shownMax = 20;
const reasonCharsMax = 600;

/** INVALID_POLICY with every problem found: the set is refused as a whole. */
export class InvalidPolicyError extends ServiceError {
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[], options?: { readonly cause?: unknown }) {
    const shown = problems.slice(0, shownMax).map(formatProblem);
    const more = problems.length > shownMax ? [`and ${problems.length - shownMax} more`] : [];
    super('INVALID_POLICY', `the policies are refused: ${[...shown, ...more].join('; ')}`, options);
    this.name = 'InvalidPolicyError';
    this.problems = problems;
  }
}

export const formatProblem = ({ file, line, reason }: PolicyProblem): string => `${file}:${line}: ${reason}`;

/**
 * What Cedar says of a policy, as one line of printable text: it repeats the policy's own words to the policy's author, which is
 * why this foreign text may pass.
 */
export function cedarReason(error: { readonly message: string; readonly help: string | null }): string {
  const text = error.help === null ? error.message : `${error.message} (${error.help})`;
  return text.replace(/\p{Cc}+/gu, ' ').slice(0, reasonCharsMax);
}
