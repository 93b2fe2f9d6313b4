/** Tokens, tickets and cursors that this server did not give to this caller: none is accepted, each gets its own code. */
import assert from 'node:assert/strict';
import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type CryptoKey, importJWK, type JWK, type JWTPayload, SignJWT } from 'jose';
import { bytesField } from './protobuf-bytes.ts';
import { eachOf, openRawFlight } from './raw-flight.ts';
import { type Caller, openWorld, type World } from './world.ts';

const request = { table: 'lake.numbers', batch_rows: 100 };
let world: World;
let admin: Caller;
let rita: Caller;

before(async () => {
  world = await openWorld({
    namespaces: ['lake'],
    policies: {
      'lake.cedar':
        'permit (principal in Team::"readers", action in [Action::"readTable", Action::"readColumn"], resource);',
    },
  });
  admin = await world.as('root', ['admin']);
  await admin.put('lake.numbers', 'numbers', { mode: 'create', with: { rows: 1_000 } });
  rita = await world.as('rita', ['readers']);
});
after(() => world[Symbol.asyncDispose]());

describe('tokens', () => {
  let key: CryptoKey;
  let jwk: JWK;
  let kid: string;
  const now = Math.floor(Date.now() / 1000);
  const claims: JWTPayload = {
    iss: 'headrace',
    aud: 'headrace',
    sub: 'mallory',
    teams: ['admin'],
    iat: now,
    exp: now + 600,
    jti: 'j',
  };

  before(async () => {
    jwk = JSON.parse(await readFile(join(world.server.dataDir, 'issuer-key.json'), 'utf8')) as JWK;
    key = (await importJWK(jwk, 'EdDSA')) as CryptoKey;
    kid = String((JSON.parse(Buffer.from(rita.token.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid);
  });

  const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = (payload: JWTPayload, header: object = {}): Promise<string> =>
    new SignJWT(payload).setProtectedHeader({ alg: 'EdDSA', kid, ...header }).sign(key);
  const without = (name: string): JWTPayload =>
    Object.fromEntries(Object.entries(claims).filter(([known]) => known !== name));
  const hmac = (header: object, secret: string | Buffer): string => {
    const input = `${base64(header)}.${base64(claims)}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };
  const unsigned = (alg: string): string => `${base64({ alg, kid })}.${base64(claims)}.`;

  /** What the server says to the token: the code, or OK. */
  const answers = (tokens: readonly (readonly [string, string])[]) =>
    eachOf(tokens, 8, async ([name, token]) => {
      using raw = openRawFlight(world.server.flight, null, world.bulk);
      const answer = await raw.call('ListActions', [Buffer.alloc(0)], { authorization: token });
      return [name, answer.status === 'OK' ? 'OK' : answer.code] as const;
    });

  test('that are forged, altered, out of time or for somebody else are UNAUTHENTICATED', async () => {
    const other = generateKeyPairSync('ed25519');
    const otherJwk = other.privateKey.export({ format: 'jwk' }) as JWK;
    const otherKey = (await importJWK(otherJwk, 'EdDSA')) as CryptoKey;
    const { d: _secret, ...publicJwk } = jwk;
    const pem = createPublicKey({ key: publicJwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const urgent = new SignJWT(claims)
      .setProtectedHeader({ alg: 'EdDSA', kid, crit: ['urgent'], urgent: true })
      .sign(key, { crit: { urgent: true } });
    const good = await signed(claims);
    const [header, payload, signature] = good.split('.') as [string, string, string];
    const altered = base64({ ...claims, sub: 'root' });
    const foreign = (more: object) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', kid, ...more }).sign(otherKey);
    const cases: [string, string][] = [
      ...['none', 'None', 'NONE', 'nOnE', ''].map((alg): [string, string] => [`alg ${alg}`, unsigned(alg)]),
      ['alg none with the signature', `${base64({ alg: 'none', kid })}.${payload}.${signature}`],
      ['HS256 with the public key’s bytes', hmac({ alg: 'HS256', kid }, Buffer.from(jwk.x!, 'base64url'))],
      ['HS256 with the public key’s text', hmac({ alg: 'HS256', kid }, jwk.x!)],
      ['HS256 with the public key as JWK', hmac({ alg: 'HS256', kid }, JSON.stringify(publicJwk))],
      ['HS256 with the public key as PEM', hmac({ alg: 'HS256', kid }, pem)],
      ['HS256 with an empty secret', hmac({ alg: 'HS256', kid }, '')],
      ['HS256 under the name EdDSA', hmac({ alg: 'EdDSA', kid }, Buffer.from(jwk.x!, 'base64url'))],
      ['another key under our id', await foreign({})],
      ['another key under its own id', await foreign({ kid: 'other' })],
      ['another key that the token brings', await foreign({ jwk: { kty: 'OKP', crv: 'Ed25519', x: otherJwk.x! } })],
      [
        'a key at a URL',
        await foreign({ jku: `http://127.0.0.1:${world.server.http}/jwks`, x5u: 'http://127.0.0.1/' }),
      ],
      ['a key id that is a path', await foreign({ kid: '../../issuer-key.json' })],
      ['an extension that must be understood', await urgent],
      ['an altered payload', `${header}.${altered}.${signature}`],
      ['an altered header', `${base64({ alg: 'EdDSA', kid, typ: 'JWT' })}.${payload}.${signature}`],
      ['a signature cut off', `${header}.${payload}.${signature.slice(0, -4)}`],
      ['no signature', `${header}.${payload}.`],
      ['two parts', `${header}.${payload}`],
      ['five parts', `${header}.${payload}.${signature}.${signature}.${signature}`],
      ['expired', await signed({ ...claims, iat: now - 7_200, exp: now - 3_600 })],
      ['not yet valid', await signed({ ...claims, nbf: now + 3_600 })],
      ['another audience', await signed({ ...claims, aud: 'somebody' })],
      ['another issuer', await signed({ ...claims, iss: 'somebody' })],
      ...(await Promise.all(
        ['aud', 'iss', 'exp', 'sub'].map(
          async (name): Promise<[string, string]> => [`no ${name}`, await signed(without(name))],
        ),
      )),
      ['an empty subject', await signed({ ...claims, sub: '' })],
      ['a subject that is no text', await signed({ ...claims, sub: 7 as never })],
      ['an expiry that is no number', await signed({ ...claims, exp: 'never' as never })],
      ['teams that are no list', await signed({ ...claims, teams: { admin: true } })],
      ['teams that are no texts', await signed({ ...claims, teams: [['admin']] })],
      ['garbage', 'garbage'],
      ['nothing', ''],
      ['much', 'A'.repeat(6_000)],
      ['a ticket', Buffer.from((await rita.info(request)).tickets[0]!, 'base64').toString()],
    ];
    const bearers = cases.map(([name, token]): [string, string] => [name, `Bearer ${token}`]);
    bearers.push(
      ['basic', `Basic ${Buffer.from('root:root').toString('base64')}`],
      ['no scheme', good],
      ['twice', `Bearer Bearer ${good}`],
    );
    for (const [name, code] of await answers(bearers)) assert.equal(code, 'UNAUTHENTICATED', name);
    assert.deepEqual(await answers([['the same, properly made', `Bearer ${good}`]]), [
      ['the same, properly made', 'OK'],
    ]);
  });

  test('with any bit of any part flipped are UNAUTHENTICATED', async () => {
    using raw = openRawFlight(world.server.flight, null, world.bulk);
    const good = Buffer.from(await signed(claims));
    const flips = Array.from({ length: 300 }, (_, turn) => Math.floor((turn * good.length * 6) / 300));
    const codes = await eachOf(flips, 20, async (bit) => {
      const flipped = flipCharacter(good, Math.floor(bit / 6), bit % 6);
      return (
        await raw.call('ListActions', [Buffer.alloc(0)], { authorization: `Bearer ${flipped.toString('latin1')}` })
      ).code;
    });
    assert.deepEqual([...new Set(codes)], ['UNAUTHENTICATED']);
  });

  test('are asked for by every call', async () => {
    using raw = openRawFlight(world.server.flight, null, world.bulk);
    const descriptor = Buffer.concat([Buffer.from([8, 2]), bytesField(2, Buffer.from(JSON.stringify(request)))]);
    const calls: [string, Uint8Array][] = [
      ['Handshake', bytesField(2, Buffer.from('x'))],
      ['ListFlights', Buffer.alloc(0)],
      ['GetFlightInfo', descriptor],
      ['PollFlightInfo', descriptor],
      ['GetSchema', descriptor],
      ['DoGet', bytesField(1, Buffer.from('ticket'))],
      ['DoPut', bytesField(1, descriptor)],
      ['DoExchange', bytesField(1, descriptor)],
      ['DoAction', bytesField(1, Buffer.from('headrace.explain'))],
      ['ListActions', Buffer.alloc(0)],
    ];
    for (const [method, message] of calls) {
      const { status, code } = await raw.call(method, [message]);
      assert.deepEqual([method, status, code], [method, 'UNAUTHENTICATED', 'UNAUTHENTICATED']);
    }
  });
});

describe('tickets and cursors', () => {
  const doGet = async (caller: Caller, ticket: Uint8Array, headers: Readonly<Record<string, string>> = {}) => {
    using raw = openRawFlight(world.server.flight, caller.token, world.bulk);
    return await raw.call('DoGet', [bytesField(1, ticket)], headers);
  };
  const ticketOf = async (caller: Caller): Promise<Buffer> =>
    Buffer.from((await caller.info(request)).tickets[0]!, 'base64');
  const cursorOf = async (caller: Caller, ticket: Buffer): Promise<string> =>
    (await caller.batches({ ticket: ticket.toString('base64') }))[0]!.cursor;

  test('a ticket with any bit flipped is TICKET_INVALID: 1,200 of them, over the whole length', async () => {
    const ticket = await ticketOf(rita);
    using raw = openRawFlight(world.server.flight, rita.token, world.bulk);
    const turns = Array.from({ length: 1_200 }, (_, turn) => turn);
    const codes = await eachOf(turns, 32, async (turn) => {
      const flipped = Buffer.from(ticket);
      const bit = Math.floor((turn * ticket.length * 8) / turns.length);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      return (await raw.call('DoGet', [bytesField(1, flipped)])).code;
    });
    assert.deepEqual([...new Set(codes)], ['TICKET_INVALID']);
    const { status, messages } = await raw.call('DoGet', [bytesField(1, ticket)]);
    assert.deepEqual([status, messages.length], ['OK', 11], 'unaltered, it still is good');
  });

  test('a cursor with any character altered is TICKET_INVALID', async () => {
    const ticket = await ticketOf(rita);
    const cursor = Buffer.from(await cursorOf(rita, ticket));
    using raw = openRawFlight(world.server.flight, rita.token, world.bulk);
    const turns = Array.from({ length: 400 }, (_, turn) => turn);
    const codes = await eachOf(turns, 32, async (turn) => {
      const bit = Math.floor((turn * cursor.length * 6) / turns.length);
      const flipped = flipCharacter(cursor, Math.floor(bit / 6), bit % 6);
      return (await raw.call('DoGet', [bytesField(1, ticket)], { 'headrace-cursor': flipped.toString('latin1') })).code;
    });
    assert.deepEqual([...new Set(codes)], ['TICKET_INVALID']);
  });

  test('cut off, joined, swapped and made-up ones are TICKET_INVALID', async () => {
    const ticket = await ticketOf(rita);
    const cursor = await cursorOf(rita, ticket);
    const text = ticket.toString();
    const parts = text.split('.');
    const otherParts = (await ticketOf(rita)).toString().split('.');
    const header = (more: object) =>
      Buffer.from(
        JSON.stringify({ ...(JSON.parse(Buffer.from(parts[0]!, 'base64url').toString()) as object), ...more }),
      ).toString('base64url');
    const forged = [
      ...[0, 1, 10, text.length - 1].map((length) => text.slice(0, length)),
      `${text}A`,
      `${text}=`,
      ` ${text}`,
      `${text}\n`,
      text + text,
      cursor,
      ...[2, 3, 4].map((at) => parts.with(at, otherParts[at]!).join('.')),
      ...[
        { kid: 'other' },
        { alg: 'none' },
        { enc: 'A128GCM' },
        { zip: 'DEF' },
        { typ: 'headrace-cursor' },
        { alg: 'PBES2-HS256+A128KW', p2c: 1e9 },
      ].map((more) => parts.with(0, header(more)).join('.')),
      JSON.stringify({ principal: 'rita', table: 'lake.numbers' }),
      '\0'.repeat(100),
      'x'.repeat(200_000),
    ];
    for (const made of forged) {
      assert.equal((await doGet(rita, Buffer.from(made, 'latin1'))).code, 'TICKET_INVALID', made.slice(0, 60));
    }
    assert.equal(
      (await doGet(rita, ticket, { 'headrace-cursor': text })).code,
      'TICKET_INVALID',
      'a ticket is no cursor',
    );
  });

  test('stolen ones are TICKET_INVALID for every other principal, an admin too', async () => {
    const ticket = await ticketOf(rita);
    const cursor = await cursorOf(rita, ticket);
    for (const thief of [admin, await world.as('rudi', ['readers']), await world.as('Rita', ['readers'])]) {
      assert.equal((await doGet(thief, ticket)).code, 'TICKET_INVALID');
      assert.equal((await doGet(thief, ticket, { 'headrace-cursor': cursor })).code, 'TICKET_INVALID');
      assert.equal((await doGet(thief, await ticketOf(thief), { 'headrace-cursor': cursor })).code, 'TICKET_INVALID');
      const info = (await rita.info(request)).bytes;
      for (const type of ['CancelFlightInfo', 'RenewFlightEndpoint']) {
        const endpoint = bytesField(1, bytesField(1, bytesField(1, ticket)));
        const body = type === 'CancelFlightInfo' ? bytesField(1, Buffer.from(info, 'base64')) : endpoint;
        const refusal = await thief.refused('action', { type, body: body.toString('base64') });
        assert.equal(refusal.code, 'TICKET_INVALID', type);
      }
    }
    const sameName = await world.as('rita', []);
    assert.equal(
      (await doGet(sameName, ticket)).code,
      'REVOKED',
      'the principal’s other token has not the right to read',
    );
    assert.equal((await doGet(rita, ticket)).status, 'OK');
  });

  test('of another server are TICKET_INVALID', async () => {
    await using other = await openWorld({ namespaces: ['lake'] });
    const root = await other.as('root', ['admin']);
    await root.put('lake.numbers', 'numbers', { mode: 'create', with: { rows: 10 } });
    assert.equal((await doGet(admin, await ticketOf(root))).code, 'TICKET_INVALID');
    using raw = openRawFlight(world.server.flight, root.token, world.bulk);
    assert.equal((await raw.call('ListActions', [Buffer.alloc(0)])).code, 'UNAUTHENTICATED', 'its tokens too');
  });
});

test('after all of it the server serves', async () => {
  assert.equal((await rita.scan(request)).rows.length, 1_000);
});

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Another character of base64url, so that what is altered is the content and not its form; a dot becomes a letter. */
function flipCharacter(text: Buffer, at: number, bit: number): Buffer {
  const flipped = Buffer.from(text);
  const place = alphabet.indexOf(String.fromCharCode(text[at]!));
  flipped[at] = (place < 0 ? 'A' : alphabet[place ^ (1 << bit)]!).charCodeAt(0);
  return flipped;
}
