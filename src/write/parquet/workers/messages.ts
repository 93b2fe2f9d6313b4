import { type ErrorCode, isServiceError, ServiceError } from '../../../core/errors.ts';
import type { EncodedRowGroup } from '../encoded-row-group.ts';
import type { RowGroupJob } from '../row-group-job.ts';

export interface EncodeCall {
  readonly id: number;
  /** Its columns lie in shared memory. */
  readonly job: RowGroupJob;
  /** Where the pages go if there is room. */
  readonly output: SharedArrayBuffer;
}

export type EncodeReply = { readonly id: number } & (
  | { readonly kind: 'done'; readonly group: EncodedRowGroup }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly cause: string }
);

export function failureOf(error: unknown): { code: ErrorCode; message: string; cause: string } {
  const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return isServiceError(error)
    ? { code: error.code, message: error.message, cause }
    : { code: 'INTERNAL', message: 'rows cannot be encoded as Parquet', cause };
}

export const errorOf = ({ code, message, cause }: { code: ErrorCode; message: string; cause: string }): ServiceError =>
  new ServiceError(code, message, { cause });
