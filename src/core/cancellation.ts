import { isServiceError, ServiceError } from './errors.ts';

/** Throws CANCELLED (or the signal's own ServiceError) once the signal has fired: a cut stream must never look complete. */
export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw cancellationError(signal);
}

/** Why the signal fired: its reason when that is a ServiceError (REVOKED, DEADLINE_EXCEEDED, …), else CANCELLED. */
export function cancellationError(signal: AbortSignal): ServiceError {
  return isServiceError(signal.reason)
    ? signal.reason
    : new ServiceError('CANCELLED', 'the call was cancelled', { cause: signal.reason });
}
