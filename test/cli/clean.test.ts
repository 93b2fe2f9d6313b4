import assert from 'node:assert/strict';
import { stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { localPath } from '../../src/storage/locations.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

let workspace: Workspace;
let folder: string;
before(async () => {
  workspace = await openWorkspace();
  const csv = await workspace.file('people.csv', 'id,name\n1,Ana\n2,Bo\n');
  await workspace.json('import', csv, 'silver.people');
  const [people] = (await workspace.json('tables')) as unknown as [{ metadata_location: string }];
  folder = dirname(dirname(localPath(people.metadata_location)));
});
after(() => workspace[Symbol.asyncDispose]());

async function writeAged(name: string, hours: number): Promise<string> {
  const path = join(folder, 'data', name);
  await writeFile(path, 'orphan');
  const time = new Date(Date.now() - hours * 3_600_000);
  await utimes(path, time, time);
  return path;
}

test('clean lists and then removes what no snapshot names and is old enough, and nothing else', async () => {
  const before = await workspace.warehouse();
  const old = await writeAged('old.parquet', 30);
  const young = await writeAged('young.parquet', 2);
  const listed = await workspace.json('clean', 'silver.people', '--dry-run');
  assert.deepEqual([listed.table, listed.removed, listed.files, listed.bytes], ['silver.people', false, 1, 6]);
  assert.equal(localPath((listed.orphans as [{ location: string }])[0].location), old);
  await stat(old);
  const plain = await workspace.cli('clean', 'silver.people');
  assert.match(plain.stdout, /^MODIFIED +BYTES +FILE\n\S+ +6 +file:\S+old\.parquet\nremoved 1 files, 6 bytes\n$/);
  await assert.rejects(stat(old), { code: 'ENOENT' });
  assert.equal((await workspace.json('clean', 'silver.people', '--older-than', '1h')).files, 1);
  await assert.rejects(stat(young), { code: 'ENOENT' });
  assert.equal((await workspace.cli('clean', 'silver.people')).stdout, 'nothing to clean up\n');
  assert.deepEqual((await workspace.warehouse()).sort(), before.sort());
});

test('clean refuses ages under an hour, and tables that are not there', async () => {
  assert.equal((await workspace.refused(2, 'clean', 'silver.people', '--older-than', '5m')).code, 'USAGE');
  const { message } = await workspace.refused(3, 'clean', 'silver.peple');
  assert.match(message, /silver\.people/);
});
