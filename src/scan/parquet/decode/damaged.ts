import { ServiceError } from '../../../core/errors.ts';

/** What is wrong with a column chunk's bytes, as the error that callers see. */
export const damaged = (problem: string): ServiceError =>
  new ServiceError('CORRUPT_FILE', `a Parquet column chunk is damaged: ${problem}`);

/** Refuses what a chunk claims to unfold to before any memory is taken for it. */
export function checkUnfolded(bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return;
  throw new ServiceError(
    'LIMIT_EXCEEDED',
    `rows of a Parquet column chunk claim ${bytes} bytes decoded, more than the ${bytesMax} that are decoded at a time`,
  );
}
