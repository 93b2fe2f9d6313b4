import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openWorkspace, type Workspace } from './workspace.ts';

let workspace: Workspace;
before(async () => {
  workspace = await openWorkspace();
  const csv = await workspace.file('people.csv', 'id,name,email\n1,Ana,a@x.org\n2,Bo,b@x.org\n');
  await workspace.json('create-namespace', 'silver', '--property', 'headrace.layer=silver');
  await workspace.json('import', csv, 'silver.people');
});
after(() => workspace[Symbol.asyncDispose]());

interface Listed {
  readonly table: string;
  readonly uuid: string;
  readonly metadata_location: string;
  readonly snapshot_id: string;
  readonly rows: number;
}
const listTables = async (): Promise<Listed[]> => (await workspace.json('tables')) as unknown as Listed[];

test('tables lists where each table is, its snapshot as a decimal string and its rows', async () => {
  const [people] = await listTables();
  assert.equal(people?.table, 'silver.people');
  assert.match(people.metadata_location, /^file:\/\/\/.*\/00000-.*\.metadata\.json$/);
  assert.match(people.snapshot_id, /^\d+$/);
  assert.equal(people.rows, 2);
  const plain = await workspace.cli('tables', 'silver');
  assert.match(plain.stdout, /^TABLE +FORMAT +SNAPSHOT +ROWS +METADATA\nsilver\.people +v2 +\d+ +2 +file:/);
});

test('refs are created as tags or branches, at a snapshot, and main cannot be dropped', async () => {
  const [people] = await listTables();
  const tag = await workspace.json('ref', 'silver.people', 'create', 'trained');
  assert.deepEqual(tag, { table: 'silver.people', name: 'trained', type: 'tag', snapshot_id: people!.snapshot_id });
  const branch = await workspace.json(
    'ref',
    'silver.people',
    'create',
    'trial',
    '--branch',
    '--snapshot',
    people!.snapshot_id,
  );
  assert.equal(branch.type, 'branch');
  const [snapshot] = (await workspace.json('snapshots', 'silver.people')) as unknown as [
    { refs: string[]; current: boolean; rows: number },
  ];
  assert.deepEqual([snapshot.refs.sort(), snapshot.current, snapshot.rows], [['main', 'trained', 'trial'], true, 2]);
  assert.equal((await workspace.refused(3, 'ref', 'silver.people', 'create', 'trained')).code, 'ALREADY_EXISTS');
  assert.match((await workspace.refused(3, 'ref', 'silver.people', 'drop', 'main')).message, /main cannot be dropped/);
  assert.match((await workspace.refused(3, 'ref', 'silver.people', 'drop', 'trail')).message, /Did you mean trial\?/);
  assert.equal(
    (await workspace.refused(3, 'ref', 'silver.people', 'create', 'x', '--snapshot', '1')).code,
    'NOT_FOUND',
  );
  assert.equal((await workspace.refused(2, 'ref', 'silver.people', 'creat', 'x')).code, 'USAGE');
  assert.deepEqual(await workspace.json('ref', 'silver.people', 'drop', 'trial'), {
    table: 'silver.people',
    dropped: 'trial',
  });
});

test('tags are on namespaces, tables and columns, and a column keeps its tags when it is renamed', async () => {
  assert.deepEqual(await workspace.json('tag', 'silver', 'layer'), {
    namespace: 'silver',
    tag: 'layer',
    changed: true,
  });
  assert.deepEqual(await workspace.json('tag', 'silver.people', 'hr'), {
    table: 'silver.people',
    tag: 'hr',
    changed: true,
  });
  const column = { column: 'silver.people.email', tag: 'pii' };
  assert.deepEqual(await workspace.json('tag', 'silver.people.email', 'pii'), { ...column, changed: true });
  assert.deepEqual(await workspace.json('tag', 'silver.people.email', 'pii'), { ...column, changed: false });
  await workspace.json('alter', 'silver.people', 'rename', 'email', 'mail');
  assert.deepEqual(await workspace.json('tag', 'silver.people.mail'), { column: 'silver.people.mail', tags: ['pii'] });
  assert.match((await workspace.refused(3, 'tag', 'silver.people.nam', 'pii')).message, /Did you mean name\?/);
  assert.match((await workspace.refused(3, 'tag', 'silver.peolpe', 'pii')).message, /Did you mean silver\.people\?/);
  assert.match((await workspace.refused(3, 'untag', 'silver.people.mail', 'pi')).message, /Did you mean pii\?/);
  assert.equal((await workspace.json('untag', 'silver.people.mail', 'pii')).changed, true);
});

test('a table that another catalog wrote is registered from its metadata file, where it lies', async () => {
  const [people] = await listTables();
  await using other = await openWorkspace();
  await other.json('create-namespace', 'copy');
  const path = people!.metadata_location.slice('file://'.length);
  const registered = await other.json('register', 'copy.people', path);
  assert.deepEqual([registered.uuid, registered.metadata_location], [people!.uuid, people!.metadata_location]);
  assert.equal((await other.refused(3, 'register', 'copy.people', path)).code, 'INVALID_REQUEST');
  assert.equal((await other.refused(3, 'register', 'copy.none', `${path}.none`)).code, 'NOT_FOUND');
});

test('dropping purges files only when asked, and a namespace only when it is empty', async () => {
  const csv = await workspace.file('t.csv', 'a\n1\n');
  await Promise.all([workspace.json('import', csv, 'gone.kept'), workspace.json('import', csv, 'away.purged')]);
  assert.equal((await workspace.refused(3, 'drop', 'gone')).code, 'INVALID_REQUEST');
  assert.deepEqual(await workspace.json('drop', 'gone.kept'), { dropped: 'table', table: 'gone.kept', purged: false });
  await workspace.json('drop', 'away.purged', '--purge');
  const files = await workspace.warehouse();
  assert.ok(files.some((file) => file.includes('/gone/kept')));
  assert.ok(!files.some((file) => file.includes('/away/purged')));
  assert.deepEqual(await workspace.json('drop', 'gone'), { dropped: 'namespace', namespace: 'gone' });
  assert.match(
    (await workspace.refused(3, 'drop', 'silver.peple')).message,
    /no table or namespace .* Did you mean silver\.people\?/,
  );
});

test('a data directory that is not there is named, not made', async () => {
  await using empty = await openWorkspace();
  const error = await empty.refused(3, 'tables');
  assert.equal(error.code, 'NOT_FOUND');
  assert.ok(error.message.includes(empty.dataDir));
});
