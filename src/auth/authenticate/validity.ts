import type { Principal } from '../../core/access.ts';
import type { ServiceError } from '../../core/errors.ts';
import { refuseToken } from './refusal.ts';

/** How far the clocks of who issues tokens and who reads them may differ. */
export const clockToleranceSeconds = 30;

/** When a token ends. */
export const validUntilMs = ({ expiresAt }: Pick<Principal, 'expiresAt'>): number =>
  (expiresAt + clockToleranceSeconds) * 1_000;

/** What a call is told whose token has ended. */
export const expired = (cause?: unknown): ServiceError => refuseToken('the token has expired: get a new one', cause);
