import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CompactEncrypt, compactDecrypt } from 'jose';
import { loadOrCreateKeys } from '../../src/auth/key-files.ts';
import { createSealer, ticketBytesMax } from '../../src/auth/sealing.ts';
import { openTicketSealer } from '../../src/auth/tickets.ts';
import { isServiceError } from '../../src/core/errors.ts';

const invalid = (error: unknown): boolean => isServiceError(error, 'TICKET_INVALID');
const key = (id: string) => ({ id, key: new Uint8Array(randomBytes(32)) });
const later = Math.floor(Date.now() / 1000) + 600;

describe('sealed tickets', () => {
  test('a ticket opens as what was sealed, for its own principal, as often as it likes', async () => {
    const sealer = await openTicketSealer({ keys: [key('a')] });
    const payload = { principal: 'ann', table: 'x', columns: [1, 2, 3], note: 'ü ' };
    const sealed = sealer.seal('ticket', payload, later);
    for (let times = 0; times < 3; times++) assert.deepEqual(await sealer.open('ticket', sealed, 'ann'), payload);
  });

  test('another principal, and another kind, cannot use it', async () => {
    const sealer = await openTicketSealer({ keys: [key('a')] });
    const sealed = sealer.seal('ticket', { principal: 'ann' }, later);
    await assert.rejects(sealer.open('ticket', sealed, 'bob'), invalid);
    await assert.rejects(sealer.open('cursor', sealed, 'ann'), invalid);
  });

  test('it expires', async () => {
    let nowMs = Date.now();
    const sealer = await openTicketSealer({ keys: [key('a')], clock: () => nowMs });
    const sealed = sealer.seal('cursor', { principal: 'ann' }, nowMs / 1000 + 10);
    nowMs += 9_999;
    await sealer.open('cursor', sealed, 'ann');
    nowMs += 1;
    await assert.rejects(sealer.open('cursor', sealed, 'ann'), (error) => isServiceError(error, 'TICKET_EXPIRED'));
    await assert.rejects(sealer.open('cursor', sealed, 'bob'), invalid);
  });

  test('no altered bit opens', async () => {
    const sealer = await openTicketSealer({ keys: [key('a')] });
    const sealed = sealer.seal('ticket', { principal: 'ann' }, later);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const altered = Uint8Array.from(sealed);
      altered[bit >> 3]! ^= 1 << (bit & 7);
      await assert.rejects(sealer.open('ticket', altered, 'ann'), invalid, `bit ${bit}`);
    }
  });

  test('no bytes of others open', async () => {
    const own = key('a');
    const sealer = await openTicketSealer({ keys: [own] });
    const sealed = Buffer.from(sealer.seal('ticket', { principal: 'ann' }, later)).toString();
    const foreign = await openTicketSealer({ keys: [{ ...key('a') }] });
    const direct = (header: object, secret = own.key) =>
      new CompactEncrypt(Buffer.from(JSON.stringify({ p: 'ann', x: later, d: { principal: 'ann' } })))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: 'a', typ: 'headrace-ticket', ...header })
        .encrypt(secret);
    const [header, , ...rest] = sealed.split('.');
    const samples = [
      '',
      '....',
      sealed.slice(0, -1),
      `${sealed}A`,
      `${sealed}=`,
      `${sealed} `,
      sealed.toUpperCase(),
      `${header}.AAAA.${rest.join('.')}`,
      'A'.repeat(ticketBytesMax + 1),
      await direct({ kid: 'b' }),
      await direct({ typ: 'headrace-cursor' }),
      await direct({ extra: 1 }),
      await direct({ enc: 'A128CBC-HS256' }),
      Buffer.from(foreign.seal('ticket', { principal: 'ann' }, later)).toString(),
    ];
    for (const sample of samples)
      await assert.rejects(sealer.open('ticket', Buffer.from(sample), 'ann'), invalid, sample.slice(0, 80));
    assert.equal((await sealer.open('ticket', Buffer.from(await direct({})), 'ann')).principal, 'ann', 'control');
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        await assert.rejects(sealer.open('ticket', bytes, 'ann'), invalid);
      }),
      { numRuns: 200 },
    );
  });

  test('are what a JOSE library makes and opens, for payloads of every length', async () => {
    const own = key('a');
    const sealer = await openTicketSealer({ keys: [own] });
    const alone = createSealer(own);
    for (const kind of ['ticket', 'cursor'] as const) {
      for (const length of [0, 1, 100, 255, 256, 257, 5_000]) {
        const payload = { principal: 'ann', text: 'é'.repeat(length) };
        const sealed = Buffer.from(alone.seal(kind, payload, later)).toString();
        const { plaintext, protectedHeader } = await compactDecrypt(sealed, own.key);
        assert.deepEqual(protectedHeader, { alg: 'dir', enc: 'A256GCM', kid: 'a', typ: `headrace-${kind}` });
        assert.deepEqual(JSON.parse(Buffer.from(plaintext).toString()).d, payload);
        const byLibrary = await new CompactEncrypt(plaintext).setProtectedHeader(protectedHeader).encrypt(own.key);
        assert.deepEqual(await sealer.open(kind, Buffer.from(byLibrary), 'ann'), payload);
        assert.deepEqual(await sealer.open(kind, Buffer.from(sealed), 'ann'), payload);
      }
    }
  });

  test('no nonce serves twice', () => {
    const { seal } = createSealer(key('a'));
    const nonces = Array.from(
      { length: 2_000 },
      () =>
        Buffer.from(seal('cursor', { principal: 'ann' }, later))
          .toString()
          .split('.')[2],
    );
    assert.equal(new Set(nonces).size, nonces.length);
  });

  test('keys rotate: the first seals, all open, a removed one no longer does', async () => {
    const [old, fresh] = [key('old'), key('fresh')];
    const sealed = (await openTicketSealer({ keys: [old] })).seal('ticket', { principal: 'ann' }, later);
    const both = await openTicketSealer({ keys: [fresh, old] });
    await both.open('ticket', sealed, 'ann');
    const onlyFresh = await openTicketSealer({ keys: [fresh] });
    await assert.rejects(onlyFresh.open('ticket', sealed, 'ann'), invalid);
    await onlyFresh.open('ticket', both.seal('ticket', { principal: 'ann' }, later), 'ann');
    await assert.rejects(openTicketSealer({ keys: [] }));
    await assert.rejects(openTicketSealer({ keys: [old, old] }));
    await assert.rejects(openTicketSealer({ keys: [{ id: 'short', key: new Uint8Array(16) }] }));
  });

  test('its length tells only a size class', async () => {
    const sealer = await openTicketSealer({ keys: [key('a')] });
    const lengths = Array.from(
      { length: 40 },
      (_, n) => sealer.seal('ticket', { principal: 'ann', n: 'x'.repeat(n * 20) }, later).length,
    );
    assert.equal(new Set(lengths).size, 1);
  });

  test('a payload beyond the limit is refused when sealed', async () => {
    const sealer = await openTicketSealer({ keys: [key('a')] });
    const huge = { principal: 'ann', n: 'x'.repeat(ticketBytesMax) };
    assert.throws(
      () => sealer.seal('ticket', huge, later),
      (error) => isServiceError(error, 'LIMIT_EXCEEDED'),
    );
  });
});

describe('key files', () => {
  test('are made once, kept private, and refused when others may read them or when damaged', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'headrace-keys-'));
    try {
      const made = await Promise.all(Array.from({ length: 5 }, () => loadOrCreateKeys(dir, 'ticket-keys')));
      for (const keys of made) assert.deepEqual(keys, made[0]);
      assert.equal(made[0]![0]!.key.length, 32);
      const path = join(dir, 'ticket-keys.json');
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      assert.notDeepEqual(await loadOrCreateKeys(dir, 'mask-keys'), made[0]);
      await chmod(path, 0o644);
      await assert.rejects(loadOrCreateKeys(dir, 'ticket-keys'), (error) => isServiceError(error, 'UNAVAILABLE'));
      await chmod(path, 0o600);
      for (const text of [
        '',
        '{}',
        '{"keys":[]}',
        '{"keys":[{"id":"a","key":"AAAA"}]}',
        '{"keys":[{"id":"../a","key":""}]}',
      ]) {
        await writeFile(path, text);
        await assert.rejects(
          loadOrCreateKeys(dir, 'ticket-keys'),
          (error) => isServiceError(error, 'UNAVAILABLE'),
          text,
        );
      }
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
