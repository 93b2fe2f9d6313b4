import { type ErrorCode, ServiceError } from '../core/errors.ts';

/** What every command's exit status means. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, badInput: 3, denied: 4 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Bad input is what another file, name or value would mend; what may work later, or was interrupted, failed. */
const exitCodeOfError = {
  INVALID_REQUEST: exitCodes.badInput,
  INVALID_FILTER: exitCodes.badInput,
  UNKNOWN_COLUMN: exitCodes.badInput,
  SCHEMA_MISMATCH: exitCodes.badInput,
  INVALID_POLICY: exitCodes.badInput,
  NOT_FOUND: exitCodes.badInput,
  UNAUTHENTICATED: exitCodes.denied,
  PERMISSION_DENIED: exitCodes.denied,
  REVOKED: exitCodes.denied,
  TICKET_INVALID: exitCodes.denied,
  TICKET_EXPIRED: exitCodes.failed,
  GATE_FAILED: exitCodes.badInput,
  UNSUPPORTED_FEATURE: exitCodes.badInput,
  COMMIT_CONFLICT: exitCodes.failed,
  ALREADY_EXISTS: exitCodes.badInput,
  COMMIT_UNKNOWN: exitCodes.failed,
  LIMIT_EXCEEDED: exitCodes.badInput,
  UNAVAILABLE: exitCodes.failed,
  POLICY_UNAVAILABLE: exitCodes.failed,
  CORRUPT_FILE: exitCodes.badInput,
  CANCELLED: exitCodes.failed,
  DEADLINE_EXCEEDED: exitCodes.failed,
  INTERNAL: exitCodes.failed,
} as const satisfies Record<ErrorCode, ExitCode>;

/** A command line that cannot be understood. */
export class UsageError extends Error {}

/** Whoever read standard output has closed it: nobody is left to be told. */
export class OutputClosed extends Error {}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return exitCodes.usage;
  return error instanceof ServiceError ? exitCodeOfError[error.code] : exitCodes.failed;
}
