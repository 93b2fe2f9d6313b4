import { createHash } from 'node:crypto';
import { errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Principal } from '../../core/access.ts';
import { throwIfCancelled } from '../../core/cancellation.ts';
import { isServiceError, ServiceError } from '../../core/errors.ts';
import type { Clock } from '../clock.ts';
import { principalFromClaims } from './claims.ts';
import type { LocalIssuer } from './local-issuer.ts';
import { refuseToken } from './refusal.ts';
import { openRemoteKeys, type RemoteKeysLimits } from './remote-keys.ts';
import type { RevocationStore } from './revocations.ts';
import { clockToleranceSeconds, expired, validUntilMs } from './validity.ts';

export type AuthenticatorOptions = {
  readonly issuer: string;
  readonly audience: string;
  readonly teamsClaim?: string;
  readonly workloadClaim?: string | null;
  readonly engineClaim?: string | null;
  /** Whether a call without a token is the principal `anonymous`, who is in no team. */
  readonly anonymous?: boolean;
  readonly revocations: RevocationStore;
  readonly clock?: Clock;
  readonly limits?: Partial<RemoteKeysLimits>;
} & KeySource;

/** The issuer's keys: at an address, or those of the embedded default's own issuer. */
type KeySource =
  | { readonly jwksUrl: string; readonly localIssuer?: undefined }
  | { readonly localIssuer: LocalIssuer; readonly jwksUrl?: undefined };

export interface Authenticator {
  /**
   * Who bears this token (null: the call has none). Throws UNAUTHENTICATED with the reason, or UNAVAILABLE where the issuer's keys
   * or the revocations cannot be read.
   */
  authenticate(token: string | null, signal: AbortSignal): Promise<Principal>;
  /** For a running stream: throws UNAUTHENTICATED once the token has expired, REVOKED once it is withdrawn. */
  recheck(principal: Principal): void;
}

/** RFC 8725 §3.1: named, and asymmetric only, so that no public key ever serves as an HMAC secret. */
const algorithms = [
  'EdDSA',
  'Ed25519',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
];
const tokenCharsMax = 16 * 1024;
const cachedTokensMax = 10_000;
/** With the age of fetched keys, this bounds how long a key that the issuer withdrew is honoured: 10 minutes. */
const cachedTokenAgeMaxMs = 300_000;
const tokenTypes = new Set(['jwt', 'at+jwt', 'application/jwt', 'application/at+jwt']);

export function openAuthenticator(options: AuthenticatorOptions): Authenticator {
  const clock = options.clock ?? Date.now;
  const verify = openVerifier(options, clock);
  const verified = new LRUCache<string, { readonly principal: Principal; readonly verifiedAtMs: number }>({
    max: cachedTokensMax,
  });

  const requireValid = (principal: Principal, withdrawn: 'UNAUTHENTICATED' | 'REVOKED'): Principal => {
    if (clock() > validUntilMs(principal)) throw expired();
    if (options.revocations.isRevoked(principal))
      throw new ServiceError(withdrawn, 'the token was revoked: get a new one');
    return principal;
  };

  return {
    async authenticate(token, signal) {
      throwIfCancelled(signal);
      if (token === null) {
        if (options.anonymous === true) return requireValid(anonymousPrincipal, 'UNAUTHENTICATED');
        throw refuseToken('no token was sent: pass one as "authorization: Bearer <token>"');
      }
      if (token.length > tokenCharsMax) throw refuseToken(`the token is longer than ${tokenCharsMax} characters`);
      const key = createHash('sha256').update(token).digest('base64');
      const known = verified.get(key);
      if (known !== undefined && clock() - known.verifiedAtMs < cachedTokenAgeMaxMs) {
        return requireValid(known.principal, 'UNAUTHENTICATED');
      }
      const principal = await verify(token);
      throwIfCancelled(signal);
      verified.set(key, { principal, verifiedAtMs: clock() });
      return requireValid(principal, 'UNAUTHENTICATED');
    },
    recheck(principal) {
      requireValid(principal, 'REVOKED');
    },
  };
}

const anonymousPrincipal: Principal = {
  name: 'anonymous',
  teams: [],
  workload: null,
  engine: null,
  claims: new Map(),
  tokenId: null,
  issuedAt: 0,
  expiresAt: Number.MAX_SAFE_INTEGER,
};

function openVerifier(options: AuthenticatorOptions, clock: Clock): (token: string) => Promise<Principal> {
  const { localIssuer, jwksUrl, limits } = options;
  const keys: JWTVerifyGetKey =
    localIssuer?.keys ?? openRemoteKeys({ url: new URL(jwksUrl!), clock, ...(limits && { limits }) });
  const names = {
    teams: options.teamsClaim ?? 'teams',
    workload: options.workloadClaim ?? null,
    engine: options.engineClaim ?? null,
  };
  return async (token) => {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keys, {
        algorithms,
        issuer: options.issuer,
        audience: options.audience,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(clock()),
      });
      const { typ } = protectedHeader;
      if (typ !== undefined && !tokenTypes.has(typ.toLowerCase())) {
        throw refuseToken('the token is of another type than an access token (typ must be JWT or at+jwt)');
      }
      return principalFromClaims(payload, names);
    } catch (error) {
      throw isServiceError(error) ? error : explainRefusal(error, options);
    }
  };
}

/** Says which check failed, naming only what the configuration or the token's bearer already knows. */
function explainRefusal(error: unknown, options: AuthenticatorOptions): ServiceError {
  if (error instanceof errors.JWTExpired) return expired(error);
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'iss') return refuseToken(`the token's issuer is not ${options.issuer}`, error);
    if (error.claim === 'aud') return refuseToken(`the token's audience is not ${options.audience}`, error);
    if (error.claim === 'nbf') return refuseToken('the token is not valid yet', error);
    return refuseToken('the token lacks a claim that it must have, or has a wrong one: it needs exp and sub', error);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return refuseToken("the token's algorithm is not accepted", error);
  if (error instanceof errors.JWKSNoMatchingKey)
    return refuseToken('the token was signed with a key that is not known', error);
  if (error instanceof errors.JWKSTimeout) {
    return new ServiceError('UNAVAILABLE', "the token issuer's keys cannot be fetched: try again later", {
      cause: error,
    });
  }
  return refuseToken('the token is not a validly signed JWT of the configured issuer', error);
}
