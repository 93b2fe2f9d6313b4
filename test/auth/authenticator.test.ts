import assert from 'node:assert/strict';
import { createHmac, createPublicKey } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { type Authenticator, openAuthenticator } from '../../src/auth/authenticate/authenticator.ts';
import { bearerToken } from '../../src/auth/authenticate/bearer.ts';
import { type LocalIssuer, localClaimNames, openLocalIssuer } from '../../src/auth/authenticate/local-issuer.ts';
import { openRevocations } from '../../src/auth/authenticate/revocations.ts';
import { isServiceError } from '../../src/core/errors.ts';
import { openMemoryKeyValueStore } from '../../src/core/key-value.ts';

const signal = new AbortController().signal;
const refused = (error: unknown): boolean => isServiceError(error, 'UNAUTHENTICATED');

describe('the local issuer and the authenticator', () => {
  let dataDir: string;
  let issuer: LocalIssuer;
  let nowMs = Date.UTC(2026, 10, 1);
  const clock = () => nowMs;
  const kv = openMemoryKeyValueStore();

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'headrace-auth-'));
    issuer = await openLocalIssuer({ dataDir, clock });
  });
  after(() => rm(dataDir, { recursive: true, force: true }));

  async function authenticator(anonymous = false) {
    const revocations = await openRevocations({ kv, clock });
    const opened = openAuthenticator({
      issuer: 'headrace',
      audience: 'headrace',
      localIssuer: issuer,
      workloadClaim: 'workload',
      engineClaim: 'engine',
      anonymous,
      revocations,
      clock,
    });
    return { opened, revocations };
  }

  const claims = (changes: JWTPayload = {}): JWTPayload => {
    const now = Math.floor(nowMs / 1000);
    return { iss: 'headrace', aud: 'headrace', sub: 'ann', iat: now, exp: now + 600, teams: ['a'], ...changes };
  };
  const without = (name: string): JWTPayload =>
    Object.fromEntries(Object.entries(claims()).filter(([key]) => key !== name));

  test('a token that the local issuer made names its principal, teams, workload, engine and claims', async () => {
    const { opened } = await authenticator();
    const { token, jti, expiresAt } = await issuer.issue({
      principal: 'ann',
      teams: ['b', 'a'],
      workload: 'fraud-train',
      engine: 'trino',
      claims: { region: 'EU' },
      ttlSeconds: 60,
    });
    const principal = await opened.authenticate(token, signal);
    assert.deepEqual(principal, {
      name: 'ann',
      teams: ['a', 'b'],
      workload: 'fraud-train',
      engine: 'trino',
      claims: new Map([['region', 'EU']]),
      tokenId: jti,
      issuedAt: nowMs / 1000,
      expiresAt,
    });
  });

  test('the key file is made once, for its owner alone, and read again', async () => {
    assert.equal((await stat(join(dataDir, 'issuer-key.json'))).mode & 0o777, 0o600);
    const again = await openLocalIssuer({ dataDir, clock });
    assert.deepEqual(again.jwks, issuer.jwks);
    assert.equal('d' in again.jwks.keys[0]!, false);
  });

  test('processes that start at once agree on one key', async () => {
    const dir = join(dataDir, 'race');
    const all = await Promise.all(Array.from({ length: 8 }, () => openLocalIssuer({ dataDir: dir })));
    assert.equal(new Set(all.map((one) => one.jwks.keys[0]!.kid)).size, 1);
  });

  test('a token passes the caches only until it expires', async () => {
    const { opened } = await authenticator();
    const { token } = await issuer.issue({ principal: 'ann', teams: [], ttlSeconds: 60 });
    const principal = await opened.authenticate(token, signal);
    nowMs += 120_000;
    await assert.rejects(opened.authenticate(token, signal), /expired/);
    assert.throws(() => opened.recheck(principal), refused);
  });

  test('a revoked token is refused at once, in another process too, and its running streams end', async () => {
    const { opened, revocations } = await authenticator();
    const other = await openRevocations({ kv, clock, refreshMs: 20 });
    const { token, jti } = await issuer.issue({ principal: 'ann', teams: [], ttlSeconds: 60 });
    const principal = await opened.authenticate(token, signal);
    await revocations.revokeToken(jti);
    await assert.rejects(opened.authenticate(token, signal), /revoked/);
    assert.throws(
      () => opened.recheck(principal),
      (error) => isServiceError(error, 'REVOKED'),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(other.isRevoked(principal), true);
    await Promise.all([revocations[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
  });

  test('revoking a principal ends the tokens issued until then and no later one', async () => {
    const { opened, revocations } = await authenticator();
    const early = await issuer.issue({ principal: 'bob', teams: [], ttlSeconds: 60 });
    await revocations.revokePrincipal('bob');
    nowMs += 1;
    const late = await issuer.issue({ principal: 'bob', teams: [], ttlSeconds: 60 });
    await assert.rejects(opened.authenticate(early.token, signal), /revoked/);
    assert.equal((await opened.authenticate(late.token, signal)).name, 'bob');
    await revocations[Symbol.asyncDispose]();
  });

  test('no token is accepted while revocations cannot be read', async () => {
    const failing = { ...kv, version: async () => Promise.reject(new Error('gone')) };
    let down = false;
    const revocations = await openRevocations({
      kv: { ...kv, version: () => (down ? failing.version() : kv.version()) },
      clock,
      refreshMs: 5,
    });
    down = true;
    nowMs += 6_000;
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.throws(
      () => revocations.isRevoked({ name: 'ann', tokenId: null, issuedAt: 0 }),
      (error) => isServiceError(error, 'UNAVAILABLE'),
    );
    await revocations[Symbol.asyncDispose]();
  });

  test('a call without a token is anonymous only where that is configured', async () => {
    await assert.rejects((await authenticator()).opened.authenticate(null, signal), refused);
    const principal = await (await authenticator(true)).opened.authenticate(null, signal);
    assert.equal(principal.name, 'anonymous');
    assert.deepEqual(principal.teams, []);
  });

  test('only the Bearer scheme is read', () => {
    assert.equal(bearerToken('Bearer a.b.c'), 'a.b.c');
    assert.equal(bearerToken('bearer a.b.c'), 'a.b.c');
    assert.equal(bearerToken(undefined), null);
    for (const header of ['Basic YTpi', 'Bearer', 'Bearer a b', 'a.b.c'])
      assert.throws(() => bearerToken(header), refused);
  });

  test('the issuer refuses reserved claims, empty names and endless tokens', async () => {
    const good = { principal: 'ann', teams: [], ttlSeconds: 60 };
    for (const bad of [
      { claims: { sub: 'root' } },
      { claims: { teams: ['admin'] } },
      { principal: '' },
      { ttlSeconds: 1e12 },
    ]) {
      await assert.rejects(issuer.issue({ ...good, ...bad }), (error) => isServiceError(error, 'INVALID_REQUEST'));
    }
  });

  describe('forged tokens', () => {
    let opened: Authenticator;
    before(async () => {
      opened = (await authenticator()).opened;
    });
    const kid = () => issuer.jwks.keys[0]!.kid!;
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const hmac = (header: object, secret: string | Buffer, payload = claims()) => {
      const text = `${encode(header)}.${encode(payload)}`;
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    };
    /** Signed with the issuer's real key, so that only the claim or header under test can refuse it. */
    const signed = async (payload: JWTPayload, header: Record<string, unknown> = {}) => {
      const { readFile } = await import('node:fs/promises');
      const { importJWK } = await import('jose');
      const key = await importJWK(JSON.parse(await readFile(join(dataDir, 'issuer-key.json'), 'utf8')), 'EdDSA');
      return new SignJWT(payload).setProtectedHeader({ alg: 'EdDSA', kid: kid(), ...header }).sign(key);
    };

    test('control: the same claims under the real key pass', async () => {
      assert.equal((await opened.authenticate(await signed(claims()), signal)).name, 'ann');
      assert.equal((await opened.authenticate(await signed(claims(), { typ: 'at+jwt' }), signal)).name, 'ann');
    });

    test('no unsigned token passes, however its algorithm is spelt', async () => {
      for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null, undefined, 0, []]) {
        for (const signature of ['', 'AAAA', Buffer.alloc(64).toString('base64url')]) {
          const token = `${encode({ alg, kid: kid(), typ: 'JWT' })}.${encode(claims())}.${signature}`;
          await assert.rejects(opened.authenticate(token, signal), refused);
        }
      }
    });

    test('no public key serves as an HMAC secret', async () => {
      const jwk = issuer.jwks.keys[0]!;
      const pem = createPublicKey({ key: jwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
      for (const alg of ['HS256', 'HS384', 'HS512', 'RS256', 'EdDSA']) {
        for (const secret of [pem, JSON.stringify(jwk), Buffer.from(jwk.x!, 'base64url'), '', 'secret']) {
          await assert.rejects(opened.authenticate(hmac({ alg, kid: kid() }, secret), signal), refused);
        }
      }
    });

    test('no key but the issuer’s signs a token, whatever the header says of keys', async () => {
      for (const alg of ['EdDSA', 'ES256', 'ES384', 'RS256', 'PS256']) {
        const pair = await generateKeyPair(alg, { extractable: true });
        const jwk = await exportJWK(pair.publicKey);
        for (const header of [
          {},
          { kid: kid() },
          { kid: '../../etc/passwd' },
          { kid: "' OR 1=1" },
          { kid: kid(), jwk },
        ]) {
          const token = await new SignJWT(claims()).setProtectedHeader({ alg, ...header }).sign(pair.privateKey);
          await assert.rejects(opened.authenticate(token, signal), refused);
        }
        const url = { jku: 'http://127.0.0.1:1/keys', x5u: 'http://127.0.0.1:1/cert' };
        const token = await new SignJWT(claims()).setProtectedHeader({ alg, ...url, kid: kid() }).sign(pair.privateKey);
        await assert.rejects(opened.authenticate(token, signal), refused);
      }
    });

    test('a wrong or missing claim refuses a token that is well signed', async () => {
      const now = Math.floor(nowMs / 1000);
      const wrong: JWTPayload[] = [
        claims({ iss: 'other' }),
        claims({ aud: 'other' }),
        claims({ aud: [] }),
        claims({ exp: now - 31 }),
        claims({ nbf: now + 60 }),
        claims({ exp: `${now + 60}` as never }),
        claims({ sub: '' }),
        claims({ sub: 7 as never }),
        claims({ sub: 'a\u0000b' }),
        claims({ sub: 'x'.repeat(300) }),
        claims({ teams: [1] }),
        claims({ teams: { a: 1 } }),
        claims({ [localClaimNames.workload!]: ['w'] }),
        claims({ jti: 5 as never }),
        ...['iss', 'aud', 'exp', 'sub'].map(without),
      ];
      for (const payload of wrong) {
        await assert.rejects(opened.authenticate(await signed(payload), signal), refused, JSON.stringify(payload));
      }
    });

    test('tokens of another type, with unknown critical headers or in another serialization are refused', async () => {
      await assert.rejects(opened.authenticate(await signed(claims(), { typ: 'dpop+jwt' }), signal), refused);
      const good = await signed(claims());
      const [header, payload, signature] = good.split('.') as [string, string, string];
      const critical = encode({ alg: 'EdDSA', kid: kid(), crit: ['exp'], exp: 1 });
      for (const token of [
        `${critical}.${payload}.${signature}`,
        `${header}.${payload}`,
        `${header}.${payload}.${signature}.x.y`,
        `${header}.${encode(claims({ teams: ['admin'] }))}.${signature}`,
        JSON.stringify({ payload, signatures: [{ protected: header, signature }] }),
        'x'.repeat(100_000),
        '',
        '..',
        '\u0000',
      ]) {
        await assert.rejects(opened.authenticate(token, signal), refused);
      }
    });

    test('no altered bit of a token passes', async () => {
      const token = await signed(claims());
      for (let at = 0; at < token.length - 1; at++) {
        const altered = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
        await assert.rejects(opened.authenticate(altered, signal), refused);
      }
    });

    test('no refusal repeats the token or names a key', async () => {
      const token = hmac({ alg: 'HS256', kid: 'canary-kid' }, 'x', claims({ sub: 'canary-sub', iss: 'canary-iss' }));
      await assert.rejects(
        opened.authenticate(token, signal),
        (error: Error) => !/canary|HS256|jose/i.test(error.message),
      );
    });
  });
});
