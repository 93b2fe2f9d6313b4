import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  type JWTVerifyGetKey,
  SignJWT,
} from 'jose';
import { z } from 'zod';
import { ServiceError } from '../../core/errors.ts';
import { type Clock, secondsOf } from '../clock.ts';
import { readOrCreatePrivateFile } from '../private-file.ts';
import { type ClaimNames, registeredClaims } from './claims.ts';

/** The issuer, audience and claims of tokens that Headrace issues itself. */
export const localIssuerName = 'headrace';
export const localAudience = 'headrace';
export const localClaimNames: ClaimNames = { teams: 'teams', workload: 'workload', engine: 'engine' };

const algorithm = 'EdDSA';
const ttlSecondsMax = 366 * 24 * 3600;

export interface TokenRequest {
  readonly principal: string;
  readonly teams: readonly string[];
  readonly workload?: string | null;
  readonly engine?: string | null;
  /** Further claims, for filters that name `principal.claims.X`. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly ttlSeconds: number;
}

export interface IssuedToken {
  readonly token: string;
  readonly jti: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

export interface LocalIssuer {
  /** Throws INVALID_REQUEST for an empty name, a reserved claim or a lifetime outside 1 second to 366 days. */
  issue(request: TokenRequest): Promise<IssuedToken>;
  readonly jwks: JSONWebKeySet;
  readonly keys: JWTVerifyGetKey;
}

/** The embedded default's own issuer. Its Ed25519 key lives in `<dataDir>/issuer-key.json`, mode 0600, made where absent. */
export async function openLocalIssuer(options: {
  readonly dataDir: string;
  readonly clock?: Clock;
}): Promise<LocalIssuer> {
  const clock = options.clock ?? Date.now;
  const secret = await loadKey(join(options.dataDir, 'issuer-key.json'));
  const signingKey = await importJWK(secret, algorithm);
  const { d: _secret, ...publicParts } = secret;
  const kid = await calculateJwkThumbprint(publicParts);
  const jwks: JSONWebKeySet = { keys: [{ ...publicParts, kid, alg: algorithm, use: 'sig' }] };
  return {
    jwks,
    keys: createLocalJWKSet(jwks),
    async issue(request) {
      const claims = tokenClaims(request);
      // The fraction of a second is kept, so that a token issued just after a revocation is not taken for an older one.
      const issuedAt = secondsOf(clock);
      const expiresAt = Math.floor(issuedAt + request.ttlSeconds);
      const jti = randomUUID();
      const token = await new SignJWT({ ...claims, iat: issuedAt, exp: expiresAt, jti })
        .setProtectedHeader({ alg: algorithm, kid, typ: 'JWT' })
        .setIssuer(localIssuerName)
        .setAudience(localAudience)
        .setSubject(request.principal)
        .sign(signingKey);
      return { token, jti, expiresAt };
    },
  };
}

const privateKey = z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string(), d: z.string() });

async function loadKey(path: string): Promise<z.infer<typeof privateKey> & JWK> {
  const text = await readOrCreatePrivateFile(path, async () => {
    const pair = await generateKeyPair(algorithm, { crv: 'Ed25519', extractable: true });
    return `${JSON.stringify(await exportJWK(pair.privateKey))}\n`;
  });
  try {
    return privateKey.parse(JSON.parse(text));
  } catch (error) {
    throw new ServiceError('UNAVAILABLE', 'issuer-key.json is damaged: restore it, or remove it to void every token', {
      cause: error,
    });
  }
}

function tokenClaims(request: TokenRequest): Record<string, unknown> {
  const names = [request.principal, ...request.teams, request.workload ?? 'none', request.engine ?? 'none'];
  if (names.some((name) => name === '' || /\p{Cc}/u.test(name))) {
    throw new ServiceError(
      'INVALID_REQUEST',
      'a principal, team, workload or engine needs a name of printable characters',
    );
  }
  if (!(request.ttlSeconds >= 1 && request.ttlSeconds <= ttlSecondsMax)) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `a token lives from 1 second to 366 days, not ${request.ttlSeconds} seconds`,
    );
  }
  const reserved = new Set([...registeredClaims, ...Object.values(localClaimNames)]);
  const clash = Object.keys(request.claims ?? {}).find((name) => reserved.has(name));
  if (clash !== undefined) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `the claim ${clash} is set by an option of its own, not as a further claim`,
    );
  }
  return {
    ...request.claims,
    teams: request.teams,
    ...(request.workload == null ? {} : { workload: request.workload }),
    ...(request.engine == null ? {} : { engine: request.engine }),
  };
}
