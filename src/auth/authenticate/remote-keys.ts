import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';
import { isServiceError, ServiceError } from '../../core/errors.ts';
import type { Clock } from '../clock.ts';

export interface RemoteKeysOptions {
  /** From the configuration only, never from a token. */
  readonly url: URL;
  readonly clock: Clock;
  readonly limits?: Partial<RemoteKeysLimits>;
}

export interface RemoteKeysLimits {
  readonly bodyBytesMax: number;
  readonly timeoutMs: number;
  /** How long after a fetch, good or bad, the next one for an unknown key waits. */
  readonly cooldownMs: number;
  /** How long fetched keys are used, and so how long a withdrawn key is still honoured. */
  readonly keysAgeMaxMs: number;
}

export const remoteKeysLimits: RemoteKeysLimits = {
  bodyBytesMax: 1 << 20,
  timeoutMs: 5_000,
  cooldownMs: 30_000,
  keysAgeMaxMs: 300_000,
};

/**
 * The issuer's keys from its JWKS address. jose's own pause begins only after a fetch that succeeded, so that an issuer that is
 * down would be asked once per request: a failure is remembered here for as long as a success. Throws UNAVAILABLE while the keys
 * cannot be had.
 */
export function openRemoteKeys(options: RemoteKeysOptions): JWTVerifyGetKey {
  const limits = { ...remoteKeysLimits, ...options.limits };
  requireSafeUrl(options.url);
  let failedAtMs = Number.NEGATIVE_INFINITY;
  const fetchKeys = async (url: string, init: RequestInit): Promise<Response> => {
    if (options.clock() < failedAtMs + limits.cooldownMs) throw unavailable('the last attempt failed');
    try {
      return await fetchBounded(url, init, limits.bodyBytesMax);
    } catch (error) {
      failedAtMs = options.clock();
      throw unavailable(error);
    }
  };
  return createRemoteJWKSet(options.url, {
    [customFetch]: fetchKeys,
    timeoutDuration: limits.timeoutMs,
    cooldownDuration: limits.cooldownMs,
    cacheMaxAge: limits.keysAgeMaxMs,
  });
}

/** Plain HTTP lets anyone on the way hand out keys, so only this machine may be asked that way. */
function requireSafeUrl(url: URL): void {
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && local)) return;
  throw new ServiceError(
    'INVALID_REQUEST',
    'auth.jwksUrl must be an https address (http only for this machine itself)',
  );
}

/** Follows no redirect, so that the address of the configuration is the only one that is ever asked. */
async function fetchBounded(url: string, init: RequestInit, bytesMax: number): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: 'error' });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error(`more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  requireKeySet(JSON.parse(text));
  return new Response(text, { status: 200 });
}

function requireKeySet(value: unknown): void {
  const keys = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : null;
  if (!Array.isArray(keys)) throw new Error('not a JSON Web Key Set');
}

const unavailable = (cause: unknown): ServiceError =>
  isServiceError(cause)
    ? cause
    : new ServiceError('UNAVAILABLE', "the token issuer's keys cannot be fetched: try again later", { cause });
