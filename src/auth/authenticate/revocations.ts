import { z } from 'zod';
import type { Principal } from '../../core/access.ts';
import { ServiceError } from '../../core/errors.ts';
import type { KeyValueStore } from '../../core/key-value.ts';
import { type Clock, secondsOf } from '../clock.ts';

export interface RevocationStore {
  /**
   * Whether the token of this principal was withdrawn, by its id or with all tokens issued to the principal until then. Throws
   * UNAVAILABLE when the copy in memory is too old to tell.
   */
  isRevoked(principal: Pick<Principal, 'name' | 'tokenId' | 'issuedAt'>): boolean;
  revokeToken(tokenId: string): Promise<void>;
  /** Every token issued to the principal until now. */
  revokePrincipal(name: string): Promise<void>;
  /** Reads the store now; a timer does so every `refreshMs`. */
  refresh(): Promise<void>;
}

export interface RevocationsOptions {
  readonly kv: KeyValueStore;
  readonly clock?: Clock;
  /** How soon another process's revocation is seen. */
  readonly refreshMs?: number;
  /** The age at which a copy that could not be refreshed is no longer believed. */
  readonly staleMs?: number;
  readonly entriesMax?: number;
  /** Told of a refresh that failed. */
  readonly onError?: (error: unknown) => void;
}

const tokenPrefix = 'revocation/token/';
const principalPrefix = 'revocation/principal/';
const revokedBefore = z.object({ before: z.number() });

/** Revocations kept in the catalog's store and copied into memory, so that a check costs no I/O. */
export async function openRevocations(options: RevocationsOptions): Promise<RevocationStore & AsyncDisposable> {
  const { kv, clock = Date.now, refreshMs = 1_000, staleMs = 5_000, entriesMax = 100_000 } = options;
  let tokens: ReadonlySet<string> = new Set();
  let principals: ReadonlyMap<string, number> = new Map();
  let version: number | null = null;
  let checkedAtMs = Number.NEGATIVE_INFINITY;

  const read = async (): Promise<void> => {
    const startedAtMs = clock();
    const current = await kv.version();
    if (current !== version) {
      const [tokenEntries, principalEntries] = [await kv.list(tokenPrefix), await kv.list(principalPrefix)];
      if (tokenEntries.length + principalEntries.length > entriesMax) {
        throw new ServiceError(
          'UNAVAILABLE',
          `more than ${entriesMax} revocations are kept: change the issuer's key instead`,
        );
      }
      tokens = new Set(tokenEntries.map(({ key }) => decodeURIComponent(key.slice(tokenPrefix.length))));
      principals = new Map(
        principalEntries.map(({ key, value }) => [
          decodeURIComponent(key.slice(principalPrefix.length)),
          revokedBefore.parse(JSON.parse(value)).before,
        ]),
      );
      version = current;
    }
    checkedAtMs = startedAtMs;
  };

  let reading: Promise<void> | null = null;
  const refresh = (): Promise<void> => {
    reading ??= read().finally(() => {
      reading = null;
    });
    return reading;
  };
  const write = async (key: string, value: string): Promise<void> => {
    await kv.set(key, value);
    // A read that began before the write may miss it.
    await reading?.catch(() => {});
    await refresh();
  };

  await refresh();
  const timer = setInterval(() => refresh().catch((error: unknown) => options.onError?.(error)), refreshMs);
  timer.unref();
  return {
    isRevoked({ name, tokenId, issuedAt }) {
      if (clock() - checkedAtMs > staleMs) {
        throw new ServiceError('UNAVAILABLE', 'revocations cannot be read, so no token is accepted: try again later');
      }
      const before = principals.get(name);
      return (tokenId !== null && tokens.has(tokenId)) || (before !== undefined && issuedAt <= before);
    },
    revokeToken: (tokenId) => write(`${tokenPrefix}${encodeURIComponent(tokenId)}`, '{}'),
    revokePrincipal: (name) =>
      write(`${principalPrefix}${encodeURIComponent(name)}`, JSON.stringify({ before: secondsOf(clock) })),
    refresh,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await reading?.catch(() => {});
    },
  };
}
