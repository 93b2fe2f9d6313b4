import { ServiceError } from '../core/errors.ts';

/** The error of a file call in Headrace's words; the system's own message, which holds the path, stays in `cause`. */
export function fileError(error: unknown, doing: string): ServiceError {
  if (error instanceof ServiceError) return error;
  const code = systemCode(error);
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EISDIR':
      return new ServiceError('NOT_FOUND', 'there is no such object', { cause: error });
    case 'EEXIST':
      return new ServiceError('ALREADY_EXISTS', 'an object is already there', { cause: error });
    case 'ENAMETOOLONG':
    case 'ELOOP':
      return new ServiceError('INVALID_REQUEST', 'the location is not one that the file system can hold', {
        cause: error,
      });
    default:
      return new ServiceError('UNAVAILABLE', `the file system failed while ${doing} (${code ?? 'unknown error'})`, {
        cause: error,
      });
  }
}

/** `ENOENT` and its like; null for anything that is not a system error. */
export function systemCode(error: unknown): string | null {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : null;
}
