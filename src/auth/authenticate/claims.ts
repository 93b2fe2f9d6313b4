import type { JWTPayload } from 'jose';
import type { Principal } from '../../core/access.ts';
import { refuseToken } from './refusal.ts';

/** Which claims say what, as `auth.teamsClaim`, `auth.workloadClaim` and `auth.engineClaim` name them. */
export interface ClaimNames {
  readonly teams: string;
  /** Null where no claim makes a workload a principal. */
  readonly workload: string | null;
  readonly engine: string | null;
}

export const registeredClaims: readonly string[] = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'];

const nameCharsMax = 256;
const teamsMax = 1_000;

/**
 * What a verified token says of its bearer. Throws UNAUTHENTICATED for a claim of the wrong shape: a token whose teams cannot be
 * read must not pass as one without teams.
 */
export function principalFromClaims(payload: JWTPayload, names: ClaimNames): Principal {
  const taken = new Set([...registeredClaims, names.teams, names.workload, names.engine]);
  return {
    name: nameClaim(payload, 'sub') ?? missing('sub'),
    teams: teamsClaim(payload, names.teams),
    workload: names.workload === null ? null : nameClaim(payload, names.workload),
    engine: names.engine === null ? null : nameClaim(payload, names.engine),
    claims: new Map(Object.entries(payload).filter(([name]) => !taken.has(name))),
    tokenId: nameClaim(payload, 'jti'),
    issuedAt: payload.iat ?? 0,
    expiresAt: payload.exp ?? missing('exp'),
  };
}

function nameClaim(payload: JWTPayload, claim: string): string | null {
  const value = Object.hasOwn(payload, claim) ? payload[claim] : undefined;
  if (value === undefined || value === null) return null;
  return checkName(value, claim);
}

function teamsClaim(payload: JWTPayload, claim: string): readonly string[] {
  const value = Object.hasOwn(payload, claim) ? payload[claim] : undefined;
  if (value === undefined || value === null) return [];
  const teams = Array.isArray(value) ? value : [value];
  if (teams.length > teamsMax) throw refuseToken(`the token's claim ${claim} names more than ${teamsMax} teams`);
  return [...new Set(teams.map((team) => checkName(team, claim)))].sort();
}

function checkName(value: unknown, claim: string): string {
  if (typeof value !== 'string' || value === '' || value.length > nameCharsMax || /\p{Cc}/u.test(value)) {
    throw refuseToken(`the token's claim ${claim} must hold names of 1 to ${nameCharsMax} characters`);
  }
  return value;
}

function missing(claim: string): never {
  throw refuseToken(`the token lacks the claim ${claim}: ask your issuer for one that has it`);
}
