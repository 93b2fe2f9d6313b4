import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { type ErrorCode, isServiceError } from '../../src/core/errors.ts';
import { openLocalStore } from '../../src/storage/local.ts';
import { fileLocation } from '../../src/storage/locations.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';

const { signal } = new AbortController();
const fails = (code: ErrorCode) => (error: unknown) => isServiceError(error, code);
let root: string;
let store: ObjectStore & AsyncDisposable;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'headrace-storage-'));
  store = openLocalStore({ root, handlesMax: 4 });
});
after(async () => {
  await store[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

const at = (...parts: string[]): string => fileLocation(join(root, ...parts));

async function put(location: string, bytes: Uint8Array): Promise<void> {
  await using writer = await store.create(location, signal);
  await writer.write(bytes);
  await writer.commit();
}

async function listed(prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { location } of store.list(prefix, signal)) found.push(location);
  return found.sort();
}

test('any range of a committed object reads back exactly', async () => {
  const bytes = Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 7) % 251));
  await put(at('ranges', 'x'), bytes);
  const { identity } = await store.stat(at('ranges', 'x'), signal);
  await fc.assert(
    fc.asyncProperty(fc.nat(5000), fc.nat(5000), async (a, b) => {
      const range = { start: Math.min(a, b), end: Math.max(a, b) };
      const read = await store.read(at('ranges', 'x'), range, signal, identity);
      assert.deepEqual(Buffer.from(read), bytes.subarray(range.start, range.end));
    }),
    { numRuns: 50 },
  );
});

test('a range beyond the end is CORRUPT_FILE, before anything of its size is allocated', async () => {
  await put(at('short'), Buffer.from('abc'));
  await assert.rejects(store.read(at('short'), { start: 0, end: 4 }, signal), fails('CORRUPT_FILE'));
  await assert.rejects(store.read(at('short'), { start: 0, end: 2 ** 50 }, signal), fails('CORRUPT_FILE'));
  await assert.rejects(store.read(at('short'), { start: 2, end: 1 }, signal), fails('CORRUPT_FILE'));
  await assert.rejects(store.readAll(at('short'), 2, signal), fails('LIMIT_EXCEEDED'));
});

test('an object that changed since its identity was taken is UNAVAILABLE, replaced or written over', async () => {
  const path = join(root, 'changing');
  await writeFile(path, 'one');
  const first = await store.stat(at('changing'), signal);
  await store.read(at('changing'), { start: 0, end: 3 }, signal, first.identity);
  await writeFile(join(root, 'other'), 'two');
  await rename(join(root, 'other'), path);
  const second = await store.stat(at('changing'), signal);
  assert.notEqual(second.identity, first.identity);
  assert.equal(
    Buffer.from(await store.read(at('changing'), { start: 0, end: 3 }, signal, second.identity)).toString(),
    'two',
  );
  await writeFile(path, 'six');
  await utimes(path, 1, 1);
  await assert.rejects(store.read(at('changing'), { start: 0, end: 3 }, signal, second.identity), fails('UNAVAILABLE'));
});

test('an object is invisible until its commit, and two writers never replace each other', async () => {
  const location = at('new', 'deep', 'x');
  await using first = await store.create(location, signal);
  await using second = await store.create(location, signal);
  await first.write(Buffer.from('first'));
  await second.write(Buffer.from('second'));
  await assert.rejects(store.stat(location, signal), fails('NOT_FOUND'));
  assert.deepEqual(await listed(at('new/')), []);
  const stat = await first.commit();
  await assert.rejects(second.commit(), fails('ALREADY_EXISTS'));
  assert.deepEqual(await store.stat(location, signal), stat);
  await assert.rejects(store.create(location, signal), fails('ALREADY_EXISTS'));
  assert.equal(Buffer.from(await store.readAll(location, 100, signal)).toString(), 'first');
});

test('a writer disposed without a commit leaves no file and no folder', async () => {
  {
    await using writer = await store.create(at('gone', 'a', 'b', 'x'), signal);
    await writer.write(Buffer.from('lost'));
  }
  assert.ok(!(await readdir(root)).includes('gone'));
});

test('writers that make and remove the same folders at once all get through', async () => {
  await Promise.all(
    Array.from({ length: 24 }, async (_, index) => {
      await using writer = await store.create(at('crowd', 'f', String(index)), signal);
      await writer.write(Buffer.from([index]));
      if (index % 2 === 0) await writer.commit();
    }),
  );
  assert.equal((await listed(at('crowd/'))).length, 12);
});

test('a listing holds every object below a prefix and nothing through links', async () => {
  for (const name of ['l/a', 'l/b/c', 'l/b/d/e', 'm/x']) await put(at(name), Buffer.from(name));
  await symlink(join(root, 'm'), join(root, 'l', 'link'));
  assert.deepEqual(
    await listed(at('l/')),
    ['l/a', 'l/b/c', 'l/b/d/e'].map((name) => at(name)),
  );
  assert.deepEqual(await listed(at('none/')), []);
});

test('what a crash left of a write is listed after a day, so that a clean-up finds it', async () => {
  await using writer = await store.create(at('crash', 'x'), signal);
  await writer.write(Buffer.from('half'));
  assert.deepEqual(await listed(at('crash/')), []);
  const [temporary] = await readdir(join(root, 'crash'));
  await utimes(join(root, 'crash', temporary!), 1, 1);
  assert.deepEqual(await listed(at('crash/')), [at('crash', temporary!)]);
});

test('deleting an absent object is no error', async () => {
  await put(at('d', 'x'), Buffer.from('x'));
  await store.delete([at('d', 'x'), at('d', 'never'), at('no', 'folder')], signal);
  await assert.rejects(store.stat(at('d', 'x'), signal), fails('NOT_FOUND'));
});

test('the literal path wins over the percent-decoded one, which is tried where nothing lies at the first', async () => {
  await put(at('p a', 'x'), Buffer.from('decoded'));
  const location = at('p%20a', 'x');
  assert.equal(Buffer.from(await store.readAll(location, 100, signal)).toString(), 'decoded');
  await put(location, Buffer.from('literal'));
  assert.equal(Buffer.from(await store.readAll(location, 100, signal)).toString(), 'literal');
  assert.equal(await readFile(join(root, 'p%20a', 'x'), 'utf8'), 'literal');
});

test('nothing outside the root is read, written, listed or deleted, by a path or through a link', async () => {
  const outside = await mkdtemp(join(tmpdir(), 'headrace-outside-'));
  await writeFile(join(outside, 'secret'), 'secret');
  await symlink(outside, join(root, 'escape'));
  await symlink(join(outside, 'secret'), join(root, 'escape-file'));
  const refused = fails('INVALID_REQUEST');
  for (const location of [at('escape', 'secret'), at('escape-file'), fileLocation(join(outside, 'secret'))]) {
    await assert.rejects(store.stat(location, signal), refused);
    await assert.rejects(store.read(location, { start: 0, end: 1 }, signal), refused);
  }
  for (const location of [at('escape', 'new'), at('escape', 'deep', 'new'), fileLocation(join(outside, 'new'))]) {
    await assert.rejects(store.create(location, signal), refused);
    await assert.rejects(store.delete([location], signal), refused);
    await assert.rejects(listed(`${location}/`), refused);
  }
  await assert.rejects(store.stat(`file://${root}/../${outside}/secret`, signal), refused);
  await using unconfined = openLocalStore();
  assert.equal((await unconfined.stat(fileLocation(join(outside, 'secret')), signal)).bytes, 6);
  await rm(outside, { recursive: true });
});

test('a folder is not an object, another scheme is named as unsupported, a message holds no path', async () => {
  await mkdir(join(root, 'folder'));
  await assert.rejects(store.stat(at('folder'), signal), fails('NOT_FOUND'));
  await assert.rejects(store.read(at('folder'), { start: 0, end: 0 }, signal), fails('NOT_FOUND'));
  await assert.rejects(store.stat('s3://b/x', signal), (error) => {
    return isServiceError(error, 'UNSUPPORTED_FEATURE') && error.message.includes('s3:');
  });
  await assert.rejects(store.stat(at('absent'), signal), (error) => {
    return isServiceError(error, 'NOT_FOUND') && !error.message.includes(dirname(root));
  });
});

test('a fired signal stops every call', async () => {
  const aborted = AbortSignal.abort();
  const cancelled = fails('CANCELLED');
  await put(at('c'), Buffer.from('x'));
  await assert.rejects(store.stat(at('c'), aborted), cancelled);
  await assert.rejects(store.read(at('c'), { start: 0, end: 1 }, aborted), cancelled);
  await assert.rejects(store.create(at('c2'), aborted), cancelled);
  await assert.rejects(store.delete([at('c')], aborted), cancelled);
  const controller = new AbortController();
  await using writer = await store.create(at('c3'), controller.signal);
  controller.abort();
  await assert.rejects(writer.write(Buffer.from('x')), cancelled);
  await assert.rejects(writer.commit(), cancelled);
});
