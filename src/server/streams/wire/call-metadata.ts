import { bearerToken } from '../../../auth/authenticate/bearer.ts';
import { ServiceError } from '../../../core/errors.ts';
import type { ResumePoint } from './bulk-handlers.ts';
import type { CallHeaders } from './call-headers.ts';

const tokenCharsMax = 16_384;
const cursorCharsMax = 16_384;

/**
 * The token of `authorization: Bearer …`, or of `auth-token-bin`, where clients put what a Handshake gave them. Null where neither is
 * sent. Throws UNAUTHENTICATED for several, another scheme or an endless one.
 */
export function readToken(metadata: CallHeaders): string | null {
  const [authorization, ...others] = metadata.get('authorization');
  if (others.length > 0) throw unauthenticated('the call has several authorization headers');
  const token = bearerToken(authorization?.toString());
  if (token !== null) return bounded(token);
  const [handshake, ...more] = metadata.get('auth-token-bin');
  if (more.length > 0) throw unauthenticated('the call has several tokens');
  return handshake === undefined || handshake.length === 0 ? null : bounded(handshake.toString());
}

function bounded(token: string): string {
  if (token.length > tokenCharsMax) throw unauthenticated(`a token has at most ${tokenCharsMax} characters`);
  return token;
}

const unauthenticated = (why: string): ServiceError => new ServiceError('UNAUTHENTICATED', why);

/** Where a DoGet is to continue. Throws INVALID_REQUEST for both headers, one given twice, or an offset that is not a whole number. */
export function readResumePoint(metadata: CallHeaders): ResumePoint | null {
  const cursor = single(metadata, 'headrace-cursor');
  const offset = single(metadata, 'headrace-offset');
  if (cursor !== null && offset !== null) {
    throw new ServiceError('INVALID_REQUEST', 'send either headrace-cursor or headrace-offset, not both');
  }
  if (cursor !== null) {
    if (cursor === '' || cursor.length > cursorCharsMax) {
      throw new ServiceError('INVALID_REQUEST', 'headrace-cursor is not a cursor that a batch carried');
    }
    return { kind: 'cursor', cursor };
  }
  if (offset === null) return null;
  const rows = /^\d{1,16}$/.test(offset) ? Number(offset) : Number.NaN;
  if (!Number.isSafeInteger(rows)) {
    throw new ServiceError('INVALID_REQUEST', 'headrace-offset must be a whole number of rows');
  }
  return { kind: 'offset', rows };
}

/** What a tracing caller names as its span. A malformed one is nobody's error: the call is then a trace of its own. */
export const readTraceparent = (metadata: CallHeaders): string | null =>
  metadata.get('traceparent')[0]?.toString() ?? null;

function single(metadata: CallHeaders, name: string): string | null {
  const values = metadata.get(name);
  if (values.length > 1) throw new ServiceError('INVALID_REQUEST', `the call has several ${name} headers`);
  return values[0]?.toString() ?? null;
}
