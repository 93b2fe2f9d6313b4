import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCli } from '../support/server.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

const policies = `
@id("eu-rows")
@filter("region = 'EU'")
permit (principal in Team::"analysts", action == Action::"readTable", resource == Table::"bronze.people");
@id("plain")
permit (principal in Team::"analysts", action == Action::"readColumn", resource in Table::"bronze.people")
unless { resource.tags.contains("pii") };
@id("masked")
@mask("show-last-4")
permit (principal in Team::"analysts", action == Action::"readColumn", resource in Table::"bronze.people")
when { resource.tags.contains("pii") };
`;

let workspace: Workspace;
let folder: string;
before(async () => {
  workspace = await openWorkspace();
  folder = join(workspace.folder, 'policies');
  await mkdir(folder);
  await writeFile(join(folder, 'people.cedar'), policies);
  const csv = await workspace.file('people.csv', 'id,region,email\n1,EU,a@x.org\n');
  await workspace.json('import', csv, 'bronze.people');
  await workspace.json('tag', 'bronze.people.email', 'pii');
});
after(() => workspace[Symbol.asyncDispose]());

test('a good folder is in order, and names that mean nothing yet are warned of', async () => {
  const checked = await workspace.json('policy', 'check', '--policies', folder);
  assert.deepEqual([checked.ok, checked.policies, checked.errors, checked.warnings], [true, 4, [], []]);
  const nowhere = join(workspace.folder, 'none');
  const { code, stdout } = await runCli(['policy', 'check', '--policies', folder, '--data-dir', nowhere]);
  assert.equal(code, 0);
  assert.match(stdout, /^people\.cedar:2: warning: Table::"bronze\.people" names nothing that exists now$/m);
});

test('a broken folder exits with 3 and gives file, line and reason', async () => {
  const broken = join(workspace.folder, 'broken');
  await mkdir(broken);
  await writeFile(
    join(broken, 'a.cedar'),
    '\n@msk("show-last-4")\npermit (principal, action == Action::"readColumn", resource);\n',
  );
  const plain = await workspace.cli('policy', 'check', '--policies', broken);
  assert.equal(plain.code, 3);
  assert.match(plain.stdout, /^a\.cedar:2: .*msk/m);
  assert.match(plain.stderr, /INVALID_POLICY/);
  const { code, stdout } = await workspace.cli('policy', 'check', '--policies', broken, '--json');
  const [error] = JSON.parse(stdout).errors as [{ file: string; line: number }];
  assert.deepEqual([code, error.file, error.line], [3, 'a.cedar', 2]);
  assert.equal((await workspace.refused(3, 'policy', 'check', '--policies', `${broken}/none`)).code, 'NOT_FOUND');
  assert.equal((await workspace.refused(3, 'policy', 'check')).code, 'INVALID_REQUEST');
});

test('explain says what somebody sees of a table, and which policies say so', async () => {
  const explained = await workspace.json(
    'policy',
    'explain',
    'ana',
    'bronze.people',
    '--teams',
    'analysts',
    '--policies',
    folder,
  );
  assert.deepEqual([explained.visible, explained.restricted, explained.row_filter], [true, true, "region = 'EU'"]);
  const columns = explained.columns as { column: string; access: string; permitted_by: string[] }[];
  assert.deepEqual(
    columns.map(({ column, access, permitted_by }) => [column, access, permitted_by]),
    [
      ['id', 'raw', ['plain']],
      ['region', 'raw', ['plain']],
      ['email', 'show-last-4', ['masked']],
    ],
  );
  const stranger = await workspace.cli('policy', 'explain', 'bo', 'bronze.people', '--policies', folder);
  assert.match(stranger.stdout, /bronze\.people does not exist for bo/);
  const admin = await workspace.json(
    'policy',
    'explain',
    'eve',
    'bronze.people',
    '--teams',
    'admin',
    '--policies',
    folder,
  );
  assert.deepEqual([admin.restricted, admin.row_filter], [false, null]);
  assert.match(
    (await workspace.refused(3, 'policy', 'explain', 'ana', 'bronze.peple', '--policies', folder)).message,
    /Did you mean bronze\.people\?/,
  );
});

test('a rename does not loosen a policy that names the column', async () => {
  await writeFile(
    join(folder, 'forbid.cedar'),
    '@id("no-region")\nforbid (principal in Team::"interns", action == Action::"readColumn", resource == Column::"bronze.people.region");\npermit (principal in Team::"interns", action in [Action::"readTable", Action::"readColumn"], resource in Table::"bronze.people");\n',
  );
  const renamed = await runCli(
    ['alter', 'bronze.people', 'rename', 'region', 'area', '--data-dir', workspace.dataDir],
    {
      HEADRACE_POLICIES: folder,
    },
  );
  assert.equal(renamed.code, 0, renamed.stderr);
  const explained = await workspace.json(
    'policy',
    'explain',
    'ina',
    'bronze.people',
    '--teams',
    'interns',
    '--policies',
    folder,
  );
  const area = (explained.columns as { column: string; access: string; forbidden_by: string[] }[]).find(
    ({ column }) => column === 'area',
  );
  assert.deepEqual([area?.access, area?.forbidden_by], ['excluded', ['no-region']]);
});
