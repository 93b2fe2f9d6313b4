import { ServiceError } from '../../core/errors.ts';

/** UNAUTHENTICATED, always with a way on; the library's own words stay in `cause`. */
export function refuseToken(why: string, cause?: unknown): ServiceError {
  return new ServiceError('UNAUTHENTICATED', why, cause === undefined ? {} : { cause });
}
