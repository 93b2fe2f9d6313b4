import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openPolicyStore, type PolicyStoreOptions } from '../../src/auth/policy/reload.ts';
import type { TableFacts } from '../../src/core/access.ts';
import { isServiceError } from '../../src/core/errors.ts';
import { openMemoryKeyValueStore } from '../../src/core/key-value.ts';
import { everything, facts, shown, user } from './policy-samples.ts';

const ann = user('ann');
const table = facts('silver.t', { '1:id': {}, '2:phone': {} });
const forbidPhone = `${everything}forbid (principal, action == Action::"readColumn", resource == Column::"silver.t.phone");\n`;
const invalid = (error: unknown): boolean => isServiceError(error, 'INVALID_POLICY');

describe('the policy store', () => {
  let root: string;
  let directory: string;
  const roots: string[] = [];
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'headrace-policies-'));
    roots.push(root);
    directory = join(root, 'policies');
    await mkdir(directory);
  });
  after(() => Promise.all(roots.map((one) => rm(one, { recursive: true, force: true }))));

  const write = (text: string, name = 'a.cedar') => writeFile(join(directory, name), text);
  const open = (more: Partial<PolicyStoreOptions> = {}) =>
    openPolicyStore({ directory, tables: async () => [table], kv: openMemoryKeyValueStore(), pollMs: 50, ...more });
  const visible = async (store: Awaited<ReturnType<typeof open>>, of: TableFacts = table) =>
    shown(await store.decide(ann, of), of);

  test('without a folder only the built-in policy is in force', async () => {
    for (const absent of [null, join(root, 'nowhere')]) {
      await using store = await open({ directory: absent });
      assert.equal(store.current.policies, 1);
      assert.deepEqual(await visible(store), {});
    }
  });

  test('a broken first set refuses to start, and so does a forbid on a column that is not there', async () => {
    await write('permit (');
    await assert.rejects(open(), invalid);
    await write(forbidPhone.replace('t.phone', 't.phon'));
    await assert.rejects(open(), invalid);
    await writeFile(join(directory, 'a.cedar'), Buffer.from([0xff, 0xfe]));
    await assert.rejects(open(), invalid);
  });

  test('a change of the folder is in force soon, all files together', async () => {
    await write(everything);
    await write('not a policy', 'notes.txt');
    await using store = await open();
    assert.deepEqual(await visible(store), { id: 'raw', phone: 'raw' });
    const changed = new Promise((resolve) => store.onChange(resolve));
    await write(forbidPhone.slice(everything.length), 'b.cedar');
    await changed;
    assert.equal(store.current.policies, 3);
    assert.deepEqual(await visible(store), { id: 'raw' });
  });

  test('a broken set leaves the old one in force, says why, once, and a repaired one takes over', async () => {
    await write(forbidPhone);
    const errors: unknown[] = [];
    await using store = await open({ onError: (error) => errors.push(error) });
    const { version } = store.current;
    await write(`${everything}@msk("x") permit (principal, action, resource);`);
    await sleep(400);
    assert.equal(errors.length, 1);
    assert.ok(invalid(errors[0]));
    assert.match((errors[0] as Error).message, /a\.cedar:2: @msk/);
    await assert.rejects(store.reload(), invalid);
    assert.equal(store.current.version, version);
    assert.deepEqual(await visible(store), { id: 'raw' });
    await write(everything);
    assert.notEqual((await store.reload()).version, version);
    assert.deepEqual(await visible(store), { id: 'raw', phone: 'raw' });
  });

  test('a folder that vanishes takes no forbid with it', async () => {
    await write(forbidPhone);
    const errors: unknown[] = [];
    await using store = await open({ onError: (error) => errors.push(error) });
    await rename(directory, join(root, 'elsewhere'));
    await assert.rejects(store.reload(), invalid);
    assert.deepEqual(await visible(store), { id: 'raw' });
  });

  test('names stay with their fields across restarts, and tables that come later are looked up before they change', async () => {
    await write(forbidPhone);
    const kv = openMemoryKeyValueStore();
    const renamed = facts('silver.t', { '1:id': {}, '2:mobile': {}, '3:phone': {} });
    {
      await using store = await open({ kv, tables: async () => [] });
      await store.observe(table);
      assert.deepEqual(await visible(store, renamed), { id: 'raw', phone: 'raw' });
    }
    await using store = await open({ kv, tables: async () => [renamed] });
    assert.deepEqual(await visible(store, renamed), { id: 'raw', phone: 'raw' });
  });

  test('a decision is made anew when the table’s tags change', async () => {
    await write(
      `${everything}forbid (principal, action == Action::"readColumn", resource) when { resource.tags.contains("pii") };`,
    );
    await using store = await open();
    assert.deepEqual(await visible(store), { id: 'raw', phone: 'raw' });
    assert.deepEqual(await visible(store, facts('silver.t', { '1:id': {}, '2:phone': { tags: ['pii'] } })), {
      id: 'raw',
    });
  });

  test('decisions from memory tell apart whom policies tell apart', async () => {
    await write(`
      permit (principal, action == Action::"readTable", resource);
      permit (principal == User::"ann", action == Action::"write", resource);
      @filter("id = principal.claims.id") permit (principal in Team::"x", action == Action::"readTable", resource);
      permit (principal == Workload::"w", action == Action::"maintain", resource);`);
    await using store = await open();
    const actions = async (principal: Parameters<typeof store.decide>[0]) =>
      [...(await store.decide(principal, table)).actions].sort();
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(await actions(ann), ['readTable', 'write']);
      assert.deepEqual(await actions(user('bob')), ['readTable']);
      assert.deepEqual(await actions(user('eve', ['ann'])), ['readTable']);
      assert.deepEqual(await actions(user('bob', [], { workload: 'w' })), ['maintain', 'readTable']);
      assert.equal((await store.decide(user('bob'), table)).principal, 'bob');
      assert.equal((await store.decide(user('eve'), table)).principal, 'eve');
    }
  });

  test('reads a folder that is being written only once it rests', async () => {
    await write(everything);
    await using store = await open();
    const text = `${everything}${'// padding\n'.repeat(2_000)}${forbidPhone.slice(everything.length)}`;
    for (let part = 1; part <= 10; part++) {
      await write(text.slice(0, (text.length * part) / 10));
      await sleep(15);
    }
    await store.reload();
    assert.deepEqual(await visible(store), { id: 'raw' });
  });
});
