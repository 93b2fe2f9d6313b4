import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import type { CatalogStore, PointerSwap } from '../../../src/catalog/store/catalog-store.ts';
import { openSqliteStore } from '../../../src/catalog/store/sqlite-store.ts';
import { parseTableIdentifier } from '../../../src/core/identifier.ts';
import { tableUuid } from '../../../src/core/ids.ts';

const folder = await mkdtemp(join(tmpdir(), 'headrace-store-'));
after(() => rm(folder, { recursive: true }));
let files = 0;
const newPath = (): string => join(folder, `${files++}.db`);

const uuidOf = (name: string) =>
  tableUuid(`00000000-0000-4000-8000-${Buffer.from(name).toString('hex').padEnd(12, '0').slice(0, 12)}`);
const swap = (name: string, expected: string | null, next: string): PointerSwap => ({
  identifier: parseTableIdentifier(name),
  expectedMetadataLocation: expected,
  newMetadataLocation: next,
  uuid: uuidOf(name),
});

async function openWith(...namespaces: string[]): Promise<CatalogStore> {
  const store = await openSqliteStore({ path: newPath() });
  for (const namespace of namespaces) await store.createNamespace(namespace.split('.'), new Map());
  return store;
}

test('namespaces nest, keep properties, and are dropped only when empty', async () => {
  await using store = await openWith('a', 'b');
  await store.createNamespace(['a', 'x'], new Map([['layer', 'silver']]));
  assert.deepEqual(await store.listNamespaces(null), [['a'], ['b']]);
  assert.deepEqual(await store.listNamespaces(['a']), [['a', 'x']]);
  assert.deepEqual(await store.namespaceProperties(['a', 'x']), new Map([['layer', 'silver']]));
  assert.equal(await store.namespaceProperties(['c']), null);
  const change = { set: new Map([['k', 'v']]), remove: ['layer', 'none'] };
  const result = await store.updateNamespaceProperties(['a', 'x'], change);
  assert.deepEqual(result, { updated: ['k'], removed: ['layer'], missing: ['none'] });
  assert.deepEqual(await store.namespaceProperties(['a', 'x']), new Map([['k', 'v']]));
  await assert.rejects(store.createNamespace(['a'], new Map()), { code: 'ALREADY_EXISTS' });
  await assert.rejects(store.createNamespace(['z', 'y'], new Map()), { code: 'NOT_FOUND' });
  await assert.rejects(store.dropNamespace(['a']), { code: 'INVALID_REQUEST', message: /holds namespaces/ });
  await store.commit({ swaps: [swap('b.t', null, 'l0')] });
  await assert.rejects(store.dropNamespace(['b']), { code: 'INVALID_REQUEST', message: /holds tables/ });
  await assert.rejects(store.dropNamespace(['c']), { code: 'NOT_FOUND' });
  await store.dropNamespace(['a', 'x']);
  await store.dropNamespace(['a']);
  assert.deepEqual(await store.listNamespaces(null), [['b']]);
});

test('a pointer moves only from where the commit expects it', async () => {
  await using store = await openWith('a');
  await store.commit({ swaps: [swap('a.t', null, 'l0')] });
  await store.commit({ swaps: [swap('a.t', 'l0', 'l1')] });
  assert.deepEqual(await store.table(parseTableIdentifier('a.t')), {
    identifier: { namespace: ['a'], name: 't' },
    uuid: uuidOf('a.t'),
    metadataLocation: 'l1',
    previousMetadataLocation: 'l0',
  });
  await assert.rejects(store.commit({ swaps: [swap('a.t', 'l0', 'l2')] }), { code: 'COMMIT_CONFLICT' });
  await assert.rejects(store.commit({ swaps: [swap('a.t', null, 'l2')] }), { code: 'ALREADY_EXISTS' });
  await assert.rejects(store.commit({ swaps: [swap('a.u', 'l0', 'l2')] }), { code: 'NOT_FOUND' });
  await assert.rejects(store.commit({ swaps: [swap('b.t', null, 'l2')] }), { code: 'NOT_FOUND' });
  const sameUuid = { ...swap('a.other', null, 'l3'), uuid: uuidOf('a.t') };
  await assert.rejects(store.commit({ swaps: [sameUuid] }), { code: 'ALREADY_EXISTS', message: /uuid/ });
  const otherUuid = { ...swap('a.t', 'l1', 'l3'), uuid: uuidOf('zz') };
  await assert.rejects(store.commit({ swaps: [otherUuid] }), { code: 'COMMIT_CONFLICT' });
  assert.equal((await store.tableByUuid(uuidOf('a.t')))?.metadataLocation, 'l1');
});

test('a transaction over several tables moves all pointers or none, and records its key or not', async () => {
  await using store = await openWith('a');
  await store.commit({ swaps: [swap('a.t', null, 't0'), swap('a.u', null, 'u0')] });
  const record = { key: 'k', principal: 'p', digest: 'd', response: 'r' };
  const half = { swaps: [swap('a.t', 't0', 't1'), swap('a.u', 'stale', 'u1')], idempotency: record };
  await assert.rejects(store.commit(half), { code: 'COMMIT_CONFLICT' });
  assert.equal((await store.table(parseTableIdentifier('a.t')))?.metadataLocation, 't0');
  assert.equal(await store.replay(record), null);
});

test('an idempotency key answers the same request again and refuses every other', async () => {
  await using store = await openWith('a');
  const record = { key: 'k', principal: 'p', digest: 'd', response: '{"of":"first"}' };
  assert.deepEqual(await store.commit({ swaps: [swap('a.t', null, 'l0')], idempotency: record }), {
    kind: 'committed',
  });
  const again = await store.commit({
    swaps: [swap('a.t', null, 'l9')],
    idempotency: { ...record, response: 'second' },
  });
  assert.deepEqual(again, { kind: 'replayed', response: '{"of":"first"}' });
  assert.equal(await store.replay(record), '{"of":"first"}');
  await assert.rejects(store.replay({ ...record, principal: 'thief' }), { code: 'ALREADY_EXISTS' });
  await assert.rejects(store.replay({ ...record, digest: 'other' }), { code: 'ALREADY_EXISTS' });
  const stolen = { swaps: [swap('a.u', null, 'l0')], idempotency: { ...record, principal: 'thief' } };
  await assert.rejects(store.commit(stolen), { code: 'ALREADY_EXISTS' });
  assert.equal(await store.table(parseTableIdentifier('a.u')), null);
});

test('idempotency keys are forgotten after their time, not before', async () => {
  await using store = await openSqliteStore({ path: newPath(), idempotencyKeepMs: 1_000 });
  const record = (key: string) => ({ key, principal: 'p', digest: 'd', response: key });
  await store.commit({ swaps: [], idempotency: record('first') });
  await store.commit({ swaps: [], idempotency: record('second') });
  assert.equal(await store.replay(record('first')), 'first');
  await new Promise((resume) => setTimeout(resume, 1_100));
  await store.commit({ swaps: [], idempotency: record('third') });
  assert.equal(await store.replay(record('first')), null);
});

test('tables are renamed, dropped with their tags, and listed in order', async () => {
  await using store = await openWith('a', 'b');
  const [t, u] = [parseTableIdentifier('a.t'), parseTableIdentifier('b.u')];
  await store.commit({ swaps: [swap('a.t', null, 'l0'), swap('a.s', null, 'l0')] });
  await store.addTag({ kind: 'field', uuid: uuidOf('a.t'), fieldId: 7 }, 'pii');
  await store.renameTable(t, u);
  assert.deepEqual(
    (await store.listTables(null)).map(({ identifier }) => identifier.name),
    ['s', 'u'],
  );
  assert.deepEqual(
    (await store.listTables(['b'])).map(({ uuid }) => uuid),
    [uuidOf('a.t')],
  );
  await assert.rejects(store.renameTable(t, u), { code: 'NOT_FOUND' });
  await assert.rejects(store.renameTable(parseTableIdentifier('a.s'), u), { code: 'ALREADY_EXISTS' });
  await assert.rejects(store.renameTable(u, parseTableIdentifier('none.u')), { code: 'NOT_FOUND' });
  await assert.rejects(store.dropTable(u, uuidOf('other')), { code: 'COMMIT_CONFLICT' });
  await store.dropTable(u, uuidOf('a.t'));
  await assert.rejects(store.dropTable(u, uuidOf('a.t')), { code: 'NOT_FOUND' });
  assert.deepEqual(await store.listTags(null), []);
});

test('tags are kept per namespace, table and field', async () => {
  await using store = await openWith('a');
  await store.commit({ swaps: [swap('a.t', null, 'l0')] });
  const table = { kind: 'table', uuid: uuidOf('a.t') } as const;
  const field = { kind: 'field', uuid: uuidOf('a.t'), fieldId: 3 } as const;
  const namespace = { kind: 'namespace', namespace: ['a'] } as const;
  for (const target of [table, field, namespace]) assert.equal(await store.addTag(target, 'pii'), true);
  assert.equal(await store.addTag(field, 'pii'), false);
  assert.deepEqual(await store.listTags(field), [{ target: field, tag: 'pii' }]);
  assert.equal((await store.listTags(null)).length, 3);
  assert.equal(await store.removeTag(field, 'pii'), true);
  assert.equal(await store.removeTag(field, 'pii'), false);
  await assert.rejects(store.addTag({ ...table, uuid: uuidOf('zz') }, 'pii'), { code: 'NOT_FOUND' });
  await assert.rejects(store.addTag({ kind: 'namespace', namespace: ['zz'] }, 'pii'), { code: 'NOT_FOUND' });
  await store.dropTable(parseTableIdentifier('a.t'), uuidOf('a.t'));
  await store.dropNamespace(['a']);
  assert.deepEqual(await store.listTags(null), []);
});

test('entries are listed by exact prefix, whatever characters it has', async () => {
  await using store = await openWith();
  const keys = ['a/1', 'a/2', 'a%/1', 'a_/1', 'A/1', 'b/1', 'a/😀', 'a'];
  await store.putEntries(keys.map((key) => ({ key, value: `of ${key}` })));
  assert.deepEqual(
    (await store.listEntries('a/')).map(({ key }) => key),
    ['a/1', 'a/2', 'a/😀'],
  );
  assert.deepEqual(
    (await store.listEntries('a%')).map(({ key }) => key),
    ['a%/1'],
  );
  assert.equal((await store.listEntries('')).length, keys.length);
  await store.putEntries([{ key: 'a/1', value: 'new' }]);
  assert.equal(await store.entry('a/1'), 'new');
  await store.deleteEntries(['a/1', 'absent']);
  assert.equal(await store.entry('a/1'), null);
});

test('another connection to the file sees changes and their counters', async () => {
  const path = newPath();
  await using one = await openSqliteStore({ path });
  await using two = await openSqliteStore({ path });
  const before = await two.changes();
  await one.createNamespace(['a'], new Map());
  await one.putEntries([{ key: 'k', value: 'v' }]);
  const changed = await two.changes();
  assert.deepEqual(changed, { ...before, namespaces: before.namespaces + 1, entries: before.entries + 1 });
  assert.equal(await two.entry('k'), 'v');
});

test('refused calls in a batch leave no trace and do not hinder the others', async () => {
  await using store = await openWith('a');
  const outcomes = await Promise.allSettled(
    Array.from({ length: 60 }, (_, index) =>
      store.commit({ swaps: [swap(index % 3 === 0 ? 'a.same' : `a.t${index}`, null, `l${index}`)] }),
    ),
  );
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 41);
  assert.equal((await store.listTables(null)).length, 41);
});

test('a write waits for another process’s transaction a bounded time while reads go on', async () => {
  const path = newPath();
  await using store = await openSqliteStore({ path, busyMs: 400 });
  using other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  const write = assert.rejects(store.createNamespace(['late'], new Map()), { code: 'UNAVAILABLE' });
  assert.deepEqual(await store.listNamespaces(null), []);
  await write;
  const patient = store.createNamespace(['patient'], new Map());
  setTimeout(() => other.exec('COMMIT'), 100);
  await patient;
  assert.deepEqual(await store.listNamespaces(null), [['patient']]);
});

test('listings and waiting calls are bounded', async () => {
  await using store = await openSqliteStore({ path: newPath(), limits: { storeQueueMax: 4, catalogListMax: 2 } });
  for (const name of ['a', 'b', 'c']) await store.createNamespace([name], new Map());
  await assert.rejects(store.listNamespaces(null), { code: 'LIMIT_EXCEEDED' });
  const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => store.changes()));
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'ok')),
    ['ok', 'ok', 'ok', 'ok', 'LIMIT_EXCEEDED', 'LIMIT_EXCEEDED'],
  );
});

test('closing waits for calls in flight and refuses later ones', async () => {
  const path = newPath();
  const store = await openSqliteStore({ path });
  const write = store.createNamespace(['a'], new Map());
  await store[Symbol.asyncDispose]();
  await write;
  await assert.rejects(store.listNamespaces(null), { code: 'UNAVAILABLE' });
  await store[Symbol.asyncDispose]();
  await using again = await openSqliteStore({ path });
  assert.deepEqual(await again.listNamespaces(null), [['a']]);
});

test('the file is durable, private and refused when it is something else or newer', async () => {
  const path = newPath();
  await (await openSqliteStore({ path }))[Symbol.asyncDispose]();
  assert.equal((await stat(path)).mode & 0o077, 0);
  using database = new DatabaseSync(path);
  assert.equal(database.prepare('PRAGMA journal_mode').get()!.journal_mode, 'wal');
  database.exec('PRAGMA user_version = 99');
  await assert.rejects(openSqliteStore({ path }), { code: 'UNSUPPORTED_FEATURE', message: /version 99/ });
  const text = newPath();
  await writeFile(text, 'this is not a database, but long enough to be read as the header of one: '.repeat(20));
  await assert.rejects(openSqliteStore({ path: text }), { code: 'CORRUPT_FILE' });
  await assert.rejects(openSqliteStore({ path: join(text, 'below-a-file.db') }), { code: 'UNAVAILABLE' });
});

test('of two tables that take one folder at once, or one within the other, the second is refused', async () => {
  await using store = await openWith('a');
  const folder = 'file:///w/a%_/t/';
  await store.commit({ swaps: [{ ...swap('a.t', null, 't0'), folder }] });
  for (const taken of [folder, 'file:///w/a%_/t/in/', 'file:///w/']) {
    const overlapping = store.commit({ swaps: [{ ...swap('a.u', null, 'u0'), folder: taken }] });
    await assert.rejects(overlapping, { code: 'INVALID_REQUEST', message: /overlaps/ }, taken);
  }
  await store.commit({ swaps: [{ ...swap('a.u', null, 'u0'), folder: 'file:///w/a%_/t2/' }] });
  const moving = store.commit({ swaps: [{ ...swap('a.u', 'u0', 'u1'), folder }] });
  await assert.rejects(moving, { code: 'INVALID_REQUEST' });
  await store.commit({ swaps: [{ ...swap('a.t', 't0', 't1'), folder: 'file:///w/b/' }] });
  await store.commit({ swaps: [{ ...swap('a.u', 'u0', 'u1'), folder }] });
});

test('a file of the version before folders were kept is brought up to date with its tables', async () => {
  const path = newPath();
  {
    await using store = await openSqliteStore({ path });
    await store.createNamespace(['a'], new Map());
    await store.commit({ swaps: [swap('a.t', null, 't0')] });
  }
  {
    using database = new DatabaseSync(path);
    database.exec('ALTER TABLE tables DROP COLUMN folder; PRAGMA user_version = 1');
  }
  await using store = await openSqliteStore({ path });
  await store.commit({ swaps: [swap('a.t', 't0', 't1'), { ...swap('a.u', null, 'u0'), folder: 'file:///w/u/' }] });
  assert.deepEqual(
    (await store.listTables(null)).map(({ metadataLocation }) => metadataLocation),
    ['t1', 'u0'],
  );
});

test('a reservation keeps other holders out until its holder commits, releases it or its time is over', async () => {
  await using store = await openWith('a');
  await store.commit({ swaps: [swap('a.t', null, 'l0'), swap('a.u', null, 'u0')] });
  const [t, u] = [uuidOf('a.t'), uuidOf('a.u')];
  assert.equal(await store.reserve([t], 'one', 60_000), true);
  assert.equal(await store.reserve([u, t], 'two', 60_000), false, 'all or none');
  await assert.rejects(store.commit({ swaps: [swap('a.t', 'l0', 'l1')], holder: 'two' }), { code: 'COMMIT_CONFLICT' });
  await assert.rejects(store.commit({ swaps: [swap('a.t', 'l0', 'l1')] }), {
    code: 'COMMIT_CONFLICT',
    message: /reserved/,
  });
  await store.commit({ swaps: [swap('a.u', 'u0', 'u1')] });
  await store.commit({ swaps: [swap('a.t', 'l0', 'l1')], holder: 'one' });
  await store.commit({ swaps: [swap('a.t', 'l1', 'l2')] });
  assert.equal(await store.reserve([t], 'one', 60_000), true);
  await store.release('one');
  await store.commit({ swaps: [swap('a.t', 'l2', 'l3')] });
  assert.equal(await store.reserve([t], 'one', 20), true);
  await new Promise((resume) => setTimeout(resume, 30));
  assert.equal(await store.reserve([t], 'two', 20), true);
  await new Promise((resume) => setTimeout(resume, 30));
  await store.commit({ swaps: [swap('a.t', 'l3', 'l4')] });
});
