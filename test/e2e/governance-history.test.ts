/** Today's policy holds for every snapshot, and follows a column through its names. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Row } from './agent.ts';
import { type Caller, changePolicies, openWorld, type World } from './world.ts';

const policies = {
  'staff.cedar': `
@filter("grade < 5")
permit (principal in Team::"readers", action == Action::"readTable", resource == Table::"hr.staff");
permit (principal in Team::"readers", action == Action::"readColumn", resource in Table::"hr.staff");
forbid (principal in Team::"readers", action == Action::"readColumn", resource == Column::"hr.staff.pin");
`,
};

let world: World;
let admin: Caller;
let reader: Caller;
const snapshots: string[] = [];

const staff = (first: number, more: (id: number) => object): Row[] =>
  Array.from({ length: 10 }, (_, at) => ({ id: first + at, grade: at, ...more(first + at) }));

const append = async (rows: readonly Row[], mode = 'append'): Promise<void> => {
  const put = await admin.call<{ snapshot_id: string }>('put_json', { table: 'hr.staff', rows, mode });
  snapshots.push(put.snapshot_id);
};
const alter = (...words: readonly string[]) => world.run('alter', 'hr.staff', ...words);

before(async () => {
  world = await openWorld({ namespaces: ['hr'] });
  admin = await world.as('root', ['admin']);
  reader = await world.as('rita', ['readers']);
  await append(
    staff(0, (id) => ({ pin: `PINCANARY ${id}`, town: `town ${id}` })),
    'create',
  );
  await changePolicies(world, policies, admin.token);
  await alter('rename', 'pin', 'code');
  await append(staff(10, (id) => ({ code: `PINCANARY ${id}`, town: `town ${id}` })));
  await alter('drop', 'code');
  await append(staff(20, (id) => ({ town: `town ${id}` })));
  // A new column under the old name: another field, of which no policy says anything but the permit for all.
  await alter('add', 'pin', 'string');
  await append(staff(30, (id) => ({ town: `town ${id}`, pin: `public ${id}` })));
  await alter('rename', 'grade', 'level');
  await append(
    staff(40, (id) => ({ town: `town ${id}`, pin: `public ${id}` })).map(({ grade, ...row }) => ({
      ...row,
      level: grade!,
    })),
  );
});
after(() => world[Symbol.asyncDispose]());

const visibleIds = (last: number): number[] => Array.from({ length: last }, (_, id) => id).filter((id) => id % 10 < 5);
const ids = (rows: readonly Row[]): number[] => rows.map(({ id }) => Number(id)).sort((a, b) => a - b);

test('each snapshot shows the rows and columns that policy leaves today', async () => {
  const schemas: string[][] = [];
  for (const [at, snapshot] of snapshots.entries()) {
    const request = { table: 'hr.staff', at: { snapshot_id: snapshot } };
    const seen = await reader.scan(request);
    assert.deepEqual(ids(seen.rows), visibleIds((at + 1) * 10), `snapshot ${at}`);
    assert.ok(!JSON.stringify(seen.rows).includes('PINCANARY'));
    assert.equal(seen.total_records, -1);
    schemas.push(seen.schema.map((field) => field.split(':')[0]!));
  }
  assert.deepEqual(schemas, [
    ['id', 'grade', 'town'],
    ['id', 'grade', 'town'],
    ['id', 'grade', 'town'],
    ['id', 'grade', 'town', 'pin'],
    ['id', 'level', 'town', 'pin'],
  ]);
});

test('negative control: an admin reads the hidden column under each of its names, and the rows that the filter hides', async () => {
  const first = await admin.scan({ table: 'hr.staff', at: { snapshot_id: snapshots[0] } });
  assert.ok(first.rows.every(({ pin }) => String(pin).startsWith('PINCANARY')));
  assert.equal(first.rows.length, 10);
  const second = await admin.scan({ table: 'hr.staff', at: { snapshot_id: snapshots[1] } });
  assert.ok(second.rows.every(({ code }) => String(code).startsWith('PINCANARY')));
});

test('the hidden column is unknown under each of its names in each snapshot, in projections and in filters', async () => {
  for (const [at, name] of [
    [0, 'pin'],
    [1, 'code'],
    [0, 'code'],
    [1, 'pin'],
    [2, 'code'],
    [2, 'pin'],
  ] as const) {
    const version = { snapshot_id: snapshots[at] };
    for (const ask of [{ columns: [name] }, { filter: `${name} IS NOT NULL` }]) {
      const refusal = await reader.refused('info', { request: { table: 'hr.staff', at: version, ...ask } });
      assert.equal(refusal.code, 'UNKNOWN_COLUMN', `${name} in snapshot ${at}`);
      const misspelt = name.replace(/.$/, 'q');
      const other = Object.hasOwn(ask, 'columns') ? { columns: [misspelt] } : { filter: `${misspelt} IS NOT NULL` };
      const absent = await reader.refused('info', { request: { table: 'hr.staff', at: version, ...other } });
      assert.equal(refusal.message.replaceAll(name, 'NAME'), absent.message.replaceAll(misspelt, 'NAME'));
    }
  }
});

test('the new column of the old name shows its own values alone, null in older rows', async () => {
  const { rows } = await reader.scan({ table: 'hr.staff', columns: ['id', 'pin'] });
  for (const { id, pin } of rows) assert.equal(pin, Number(id) >= 30 ? `public ${id}` : null);
  const filtered = await reader.scan({
    table: 'hr.staff',
    columns: ['id'],
    filter: "pin LIKE 'PIN%' OR pin < 'public'",
  });
  assert.deepEqual(filtered.rows, []);
});

test('a tag, a timestamp and a branch of old read under the same policy', async () => {
  await world.run('ref', 'hr.staff', 'create', 'first', '--snapshot', snapshots[0]!);
  for (const at of [{ ref: 'first' }, { timestamp: new Date(Date.now() + 1_000).toISOString() }]) {
    const seen = await reader.scan({ table: 'hr.staff', at });
    assert.ok(seen.rows.length > 0 && !JSON.stringify(seen.rows).includes('PINCANARY'));
  }
});

test('a column that is masked from now on is masked in every snapshot at once', async () => {
  const masked = policies['staff.cedar'].replace(
    'resource in Table::"hr.staff");',
    `resource in Table::"hr.staff")
    unless { resource.tags.contains("where") };
    @mask("replace-with-null")
    permit (principal in Team::"readers", action == Action::"readColumn", resource in Table::"hr.staff")
      when { resource.tags.contains("where") };`,
  );
  await changePolicies(world, { 'staff.cedar': masked }, admin.token);
  assert.ok(
    (await reader.scan({ table: 'hr.staff' })).rows.every(({ town }) => town !== null),
    'not tagged yet',
  );
  await world.run('tag', 'hr.staff.town', 'where');
  for (const snapshot of snapshots) {
    const { rows } = await reader.scan({ table: 'hr.staff', at: { snapshot_id: snapshot } });
    assert.ok(rows.length > 0 && rows.every(({ town }) => town === null));
  }
});
