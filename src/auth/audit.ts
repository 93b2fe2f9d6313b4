import type { TableAction, TableDecision } from '../core/access.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Clock } from './clock.ts';

/** What is kept of who did what under which policy. Names and counts only: never a value of a row, never a token. */
export type AuditRecord = AuditCommon &
  (
    | {
        readonly kind: 'decision';
        readonly action: TableAction | 'readColumn' | 'list';
        readonly outcome: 'allowed' | 'denied' | ErrorCode;
      }
    | {
        readonly kind: 'stream';
        readonly direction: 'read' | 'write';
        /** A decimal string; null where the call never got as far as a snapshot. */
        readonly snapshotId: string | null;
        /** Field ids that left or came in. */
        readonly columns: readonly number[];
        /** Field ids that were masked. */
        readonly masked?: readonly number[];
        /** The plan's random id, and the run that the caller named (unverified). */
        readonly plan?: string | null;
        readonly run?: string | null;
        readonly rows: number;
        readonly bytes: number;
        readonly outcome: 'complete' | ErrorCode;
      }
  );

export interface AuditCommon {
  readonly principal: string;
  readonly tokenId: string | null;
  readonly workload: string | null;
  /** The table's dotted name, or null where the call names none. */
  readonly table: string | null;
  readonly policyVersion: string | null;
  readonly policyDigest: string | null;
  /** Ids of the policies that determined the decision. */
  readonly determinedBy: readonly string[];
}

export interface Auditor {
  record(record: AuditRecord): void;
}

/** Receives each record as one flat object with its time; pino's `info` serves. */
export type AuditSink = (line: AuditRecord & { readonly audit: true; readonly time: string }, message: string) => void;

/** Writes each record as one structured log line. */
export function createAuditor(sink: AuditSink, clock: Clock = Date.now): Auditor {
  return {
    record(record) {
      sink({ audit: true, time: new Date(clock()).toISOString(), ...record }, `audit ${record.kind}`);
    },
  };
}

/** The part of a record that a decision settles. */
export function auditOfDecision(
  decision: Pick<TableDecision, 'policyVersion' | 'digest' | 'determinedBy'>,
): Pick<AuditCommon, 'policyVersion' | 'policyDigest' | 'determinedBy'> {
  return { policyVersion: decision.policyVersion, policyDigest: decision.digest, determinedBy: decision.determinedBy };
}
