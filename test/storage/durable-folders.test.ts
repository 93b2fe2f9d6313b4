import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, rmdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { DurableFolders } from '../../src/storage/durable-folders.ts';

let root: string;
before(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'headrace-durable-')));
});
after(() => rm(root, { recursive: true }));

const chainOf = (folder: string): string[] =>
  folder === dirname(folder) ? [folder] : [folder, ...chainOf(dirname(folder))];
const failing = (code: string): Error => Object.assign(new Error(code), { code });

function recording(refuse: (folder: string) => Error | null = () => null) {
  const synced: string[] = [];
  const folders = new DurableFolders(async (folder) => {
    const error = refuse(folder);
    if (error !== null) throw error;
    synced.push(folder);
  });
  return { ensure: (folder: string) => folders.ensure(folder), taken: () => synced.splice(0) };
}

test('the chain above a folder is fsynced whoever made it, and only once', async () => {
  const { ensure, taken } = recording();
  const table = join(root, 'a', 'table');
  await mkdir(join(table, 'data'), { recursive: true });
  await ensure(join(table, 'data'));
  assert.deepEqual(taken(), chainOf(join(table, 'data')));
  await ensure(join(table, 'data'));
  assert.deepEqual(taken(), [join(table, 'data')]);
  await mkdir(join(table, 'metadata'));
  await ensure(join(table, 'metadata'));
  assert.deepEqual(taken(), [join(table, 'metadata'), table], 'up to the first that is known');
});

test('a folder that was removed and made again is fsynced again', async () => {
  const { ensure, taken } = recording();
  const folder = join(root, 'again');
  await mkdir(folder);
  await ensure(folder);
  taken();
  await rmdir(folder);
  await mkdir(folder);
  await ensure(folder);
  assert.deepEqual(taken(), [folder, root]);
});

test('it is the real folder’s chain that is fsynced, not that of a link to it', async () => {
  const { ensure, taken } = recording();
  await mkdir(join(root, 'target', 'in'), { recursive: true });
  await symlink(join(root, 'target'), join(root, 'link'));
  await ensure(join(root, 'link', 'in'));
  assert.deepEqual(taken(), chainOf(join(root, 'target', 'in')));
});

test('a folder that is not ours ends the chain; a disk that fails is told, and tried again', async () => {
  const folder = join(root, 'b', 'c');
  await mkdir(folder, { recursive: true });
  const foreign = recording((at) => (at === root ? failing('EACCES') : null));
  await foreign.ensure(folder);
  assert.deepEqual(foreign.taken(), [folder, join(root, 'b')]);
  let broken = true;
  const disk = recording((at) => (broken && at === root ? failing('EIO') : null));
  await assert.rejects(disk.ensure(folder), { code: 'EIO' });
  broken = false;
  disk.taken();
  await disk.ensure(folder);
  assert.deepEqual(disk.taken(), chainOf(folder));
});
