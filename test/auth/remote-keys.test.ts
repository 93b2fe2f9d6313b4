import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { openAuthenticator } from '../../src/auth/authenticate/authenticator.ts';
import { openRemoteKeys } from '../../src/auth/authenticate/remote-keys.ts';
import { openRevocations } from '../../src/auth/authenticate/revocations.ts';
import { isServiceError } from '../../src/core/errors.ts';
import { openMemoryKeyValueStore } from '../../src/core/key-value.ts';

const signal = new AbortController().signal;
const unavailable = (error: unknown): boolean => isServiceError(error, 'UNAVAILABLE');
const refused = (error: unknown): boolean => isServiceError(error, 'UNAUTHENTICATED');

async function listen(answer: RequestListener): Promise<Server & AsyncDisposable & { url: string; requests: number }> {
  const server = createServer((request, response) => {
    found.requests++;
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const found = Object.assign(server, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    requests: 0,
  });
  return found;
}

async function signer(kid: string) {
  const pair = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(pair.publicKey)), kid, alg: 'ES256', use: 'sig' };
  const now = Math.floor(Date.now() / 1000);
  const token = (name = 'ann', useKid = kid) =>
    new SignJWT({ iss: 'idp', aud: 'headrace', sub: name, exp: now + 600 })
      .setProtectedHeader({ alg: 'ES256', kid: useKid })
      .sign(pair.privateKey);
  return { jwk, token };
}

async function authenticatorFor(jwksUrl: string, limits = {}) {
  const revocations = await openRevocations({ kv: openMemoryKeyValueStore() });
  return openAuthenticator({ issuer: 'idp', audience: 'headrace', jwksUrl, revocations, limits });
}

describe('keys from an issuer’s address', () => {
  test('a token signed by a published key passes, and repeated calls ask the issuer once', async () => {
    const { jwk, token } = await signer('one');
    await using server = await listen((_, response) => response.end(JSON.stringify({ keys: [jwk] })));
    const authenticator = await authenticatorFor(server.url);
    for (let call = 0; call < 20; call++) await authenticator.authenticate(await token(`user-${call}`), signal);
    assert.equal(server.requests, 1);
  });

  test('tokens with unknown key ids do not reach the issuer again and again', async () => {
    const { jwk, token } = await signer('one');
    await using server = await listen((_, response) => response.end(JSON.stringify({ keys: [jwk] })));
    const authenticator = await authenticatorFor(server.url);
    for (let call = 0; call < 50; call++) {
      await assert.rejects(authenticator.authenticate(await token('ann', `unknown-${call}`), signal), refused);
    }
    assert.ok(server.requests <= 2, `${server.requests} requests`);
  });

  test('an issuer that is down is asked once per pause, and calls say unavailable', async () => {
    const { token } = await signer('one');
    await using server = await listen((_, response) => {
      response.statusCode = 503;
      response.end();
    });
    const authenticator = await authenticatorFor(server.url);
    for (let call = 0; call < 50; call++)
      await assert.rejects(authenticator.authenticate(await token(`u${call}`), signal), unavailable);
    assert.equal(server.requests, 1);
  });

  test('control: without the remembered failure every call would reach the issuer', async () => {
    const { token } = await signer('one');
    await using server = await listen((_, response) => {
      response.statusCode = 503;
      response.end();
    });
    const authenticator = await authenticatorFor(server.url, { cooldownMs: 0 });
    for (let call = 0; call < 10; call++)
      await assert.rejects(authenticator.authenticate(await token(`u${call}`), signal), unavailable);
    assert.equal(server.requests, 10);
  });

  test('a rotated key is found after the pause', async () => {
    const [first, second] = [await signer('one'), await signer('two')];
    let keys = [first.jwk];
    await using server = await listen((_, response) => response.end(JSON.stringify({ keys })));
    const authenticator = await authenticatorFor(server.url, { cooldownMs: 1 });
    await authenticator.authenticate(await first.token(), signal);
    keys = [first.jwk, second.jwk];
    await new Promise((resolve) => setTimeout(resolve, 10));
    await authenticator.authenticate(await second.token(), signal);
    await authenticator.authenticate(await first.token('bob'), signal);
  });

  test('a redirect is not followed', async () => {
    const { jwk, token } = await signer('one');
    await using target = await listen((_, response) => response.end(JSON.stringify({ keys: [jwk] })));
    await using server = await listen((_, response) => {
      response.writeHead(302, { location: target.url });
      response.end();
    });
    await assert.rejects((await authenticatorFor(server.url)).authenticate(await token(), signal), unavailable);
    assert.equal(target.requests, 0);
  });

  test('a giant body is cut off', async () => {
    const { token } = await signer('one');
    let sent = 0;
    await using server = await listen((_, response) => {
      const chunk = Buffer.alloc(256 * 1024, 0x20);
      const send = (): void => {
        while (!response.destroyed && sent < 1 << 30) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', send);
        }
      };
      response.on('error', () => {});
      send();
    });
    await assert.rejects((await authenticatorFor(server.url)).authenticate(await token(), signal), unavailable);
    assert.ok(sent < 64 << 20, `${sent} bytes sent`);
    server.closeAllConnections();
  });

  test('a body that never ends is given up', async () => {
    const { token } = await signer('one');
    await using server = await listen((_, response) => response.write('{"keys":'));
    await assert.rejects(
      (await authenticatorFor(server.url, { timeoutMs: 100 })).authenticate(await token(), signal),
      unavailable,
    );
    server.closeAllConnections();
  });

  test('a body that is no key set is not one', async () => {
    const { token } = await signer('one');
    for (const body of ['', 'null', '[]', '{}', '{"keys":7}', '<html>']) {
      await using server = await listen((_, response) => response.end(body));
      await assert.rejects((await authenticatorFor(server.url)).authenticate(await token(), signal), unavailable);
    }
  });

  test('keys are fetched over https, or from this machine', () => {
    for (const url of ['http://idp.example/keys', 'file:///etc/passwd', 'ftp://idp.example']) {
      assert.throws(() => openRemoteKeys({ url: new URL(url), clock: Date.now }));
    }
    openRemoteKeys({ url: new URL('https://idp.example/keys'), clock: Date.now });
  });
});
