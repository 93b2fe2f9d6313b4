import { ServiceError } from '../../../core/errors.ts';

/** Counts the bytes that work on foreign data allocates, so that a small input cannot unfold into a large one. */
export interface ByteBudget {
  /** Throws LIMIT_EXCEEDED once more bytes were charged than allowed. Called before the allocation. */
  charge(bytes: number): void;
}

/** For columns that are already in memory and that an operation cannot multiply beyond what its caller asked for. */
export const unbounded: ByteBudget = { charge: () => {} };

export function createByteBudget(bytesMax: number): ByteBudget {
  let left = bytesMax;
  return {
    charge(bytes) {
      left -= bytes;
      if (left < 0) {
        throw new ServiceError(
          'LIMIT_EXCEEDED',
          `the data unfolds to more than ${bytesMax} bytes: send it in smaller batches`,
        );
      }
    },
  };
}

/** Offsets have 32 bits, so a column of texts or lists holds at most so many bytes or elements. */
export function checkOffset(total: number): void {
  if (total > 0x7fffffff) {
    throw new ServiceError(
      'LIMIT_EXCEEDED',
      `a column of ${total} bytes or elements is too large for one batch: use smaller batches`,
    );
  }
}
