import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { InfoAnswer, Row } from './agent.ts';
import { peoplePolicies, peopleTags } from './people-policies.ts';
import { type Caller, changePolicies, openWorld, type World } from './world.ts';

const people = { table: 'hr.people' };
let world: World;
let admin: Caller;
let analyst: Caller;
let clerk: Caller;

before(async () => {
  world = await openWorld({ namespaces: ['hr', 'ops'] });
  admin = await world.as('root', ['admin']);
  // One file a region, and two snapshots.
  await admin.put('hr.people', 'people', { mode: 'create', partition_by: ['region'] });
  await admin.put('hr.people', 'people', { with: { first: 400, rows: 200 } });
  await admin.put('ops.peoples', 'secrets', { mode: 'create' });
  for (const [column, tag] of peopleTags) await world.run('tag', column, tag);
  await changePolicies(world, peoplePolicies, admin.token);
  analyst = await world.as('ana', ['analysts']);
  clerk = await world.as('cleo', ['clerks']);
});
after(() => world[Symbol.asyncDispose]());

describe('what a restricted principal sees', () => {
  const analystSchema = [
    'id: int64',
    'name: string',
    'ssn: string',
    'salary: int64',
    'region: string',
    'home: struct<zip: string, city: string>',
    'contacts: list<element: struct<kind: string>>',
  ];

  test('rows, masks and fields are what policy leaves, at every depth', async () => {
    const all = await admin.scan(people);
    const seen = await analyst.scan(people);
    assert.deepEqual(seen.schema, analystSchema);
    const expected = all.rows
      .filter((row) => row.region === 'EU')
      .map((row) => {
        const home = row.home as Row;
        return {
          id: row.id,
          name: row.name,
          ssn: keepLast4(String(row.ssn)),
          salary: 0,
          region: 'EU',
          home: { zip: keepFirst4(String(home.zip)), city: home.city },
          contacts: (row.contacts as Row[]).map(({ kind }) => ({ kind })),
        };
      });
    assert.equal(expected.length, 300);
    assert.deepEqual(byId(seen.rows), byId(expected));

    const clerks = await clerk.scan(people);
    assert.deepEqual(clerks.schema, ['id: int64', 'ssn: string', 'salary: int64']);
    assert.equal(clerks.rows.length, 600, 'a mask hides no row');
    const raw = new Map(all.rows.map((row) => [row.id, row]));
    for (const row of clerks.rows) {
      assert.match(String(row.ssn), /^[0-9a-f]{64}$/);
      const salary = Number(raw.get(row.id)!.salary);
      assert.equal(row.salary, salary - (salary % 1000));
    }
  });

  test('GetSchema, GetFlightInfo, ListFlights, explain and DoExchange agree on what there is', async () => {
    assert.deepEqual(await analyst.call('schema', { request: people }), analystSchema);
    assert.deepEqual(await analyst.call('schema', { path: ['hr', 'people'] }), analystSchema);
    assert.deepEqual((await analyst.info(people)).schema, analystSchema);
    const listed = await analyst.call<InfoAnswer[]>('tables', {});
    assert.deepEqual(
      listed.map(({ path, schema }) => [path.join('.'), schema]),
      [['hr.people', analystSchema]],
    );
    const explained = await analyst.action<{ columns: { name: string; access: string }[] }>('headrace.explain', people);
    assert.deepEqual(
      explained.columns.map(({ name }) => name),
      ['id', 'name', 'ssn', 'salary', 'region', 'home', 'contacts'],
    );
    const exchanged = await analyst.call<{ schema: string[]; rows: Row[] }>('exchange', { request: people });
    const scanned = await analyst.scan(people);
    assert.deepEqual(exchanged.schema, analystSchema);
    assert.deepEqual(exchanged.rows, scanned.rows);
  });

  test('a plan has no counts and exactly `shards` endpoints; an unrestricted one has counts', async () => {
    for (const shards of [1, 5, 64]) {
      const info = await analyst.info({ ...people, shards });
      assert.equal(info.tickets.length, shards);
      assert.equal(info.total_records, -1);
      assert.equal(info.total_bytes, -1);
      assert.deepEqual(Object.keys(info.metadata).sort(), [
        'plan',
        'policy_digest',
        'schema_id',
        'snapshot_id',
        'verdict',
      ]);
    }
    const info = await admin.info(people);
    assert.equal(info.total_records, 600);
    assert.ok(info.total_bytes > 0);
    assert.ok(Number(info.metadata.files) > 1);
  });

  test('explain and snapshots give no figures that hidden rows take part in', async () => {
    const explained = await analyst.action<Row>('headrace.explain', { ...people, filter: "region = 'EU'" });
    for (const name of ['files', 'files_pruned', 'row_groups', 'row_groups_pruned'])
      assert.ok(!(name in explained), name);
    const full = await admin.action<Row>('headrace.explain', { ...people, filter: "region = 'EU'" });
    assert.ok(Number(full.files_pruned) > 0);
    const snapshots = await analyst.action<{ snapshots: Row[] }>('headrace.snapshots', people);
    assert.equal(snapshots.snapshots.length, 2);
    for (const snapshot of snapshots.snapshots) assert.ok(!('summary' in snapshot));
    const theirs = await admin.action<{ snapshots: Row[] }>('headrace.snapshots', people);
    for (const snapshot of theirs.snapshots) assert.ok('summary' in snapshot);
  });

  test('filters see masked values and visible rows only', async () => {
    const ids = async (filter: string): Promise<unknown[]> =>
      byId((await analyst.scan({ ...people, columns: ['id'], filter })).rows).map(({ id }) => id);
    assert.deepEqual(await ids("region = 'US'"), []);
    assert.deepEqual(await ids('salary > 0'), []);
    assert.equal((await ids('salary = 0')).length, 300);
    assert.deepEqual(await ids("ssn LIKE 'SSN%'"), []);
    assert.deepEqual(await ids("home.zip LIKE '0004%'"), [4]);
    assert.deepEqual(await ids("home.city = 'city 3' AND id < 20"), [3, 8]);
  });
});

describe('what is hidden does not exist', () => {
  const refusalOf = (columns: readonly string[]) => analyst.refused('info', { request: { ...people, columns } });
  const pairs: readonly (readonly [hidden: string, misspelt: string])[] = [
    ['diagnosis', 'diagnosys'],
    ['home.street', 'home.strxet'],
    ['contacts.element.phone', 'contacts.element.phony'],
    ['notes', 'nqtes'],
    ['notes.value', 'nqtes.value'],
  ];

  test('an excluded column answers byte for byte what a misspelt one answers', async () => {
    for (const [hidden, misspelt] of pairs) {
      assert.deepEqual(renamed(await refusalOf([hidden]), hidden), renamed(await refusalOf([misspelt]), misspelt));
      const filtered = (name: string) => analyst.refused('info', { request: { ...people, filter: `${name} = 'x'` } });
      assert.deepEqual(renamed(await filtered(hidden), hidden), renamed(await filtered(misspelt), misspelt));
      const isNull = (name: string) => analyst.refused('info', { request: { ...people, filter: `${name} IS NULL` } });
      assert.deepEqual(renamed(await isNull(hidden), hidden), renamed(await isNull(misspelt), misspelt));
    }
    const [hidden, misspelt] = pairs[0]!;
    for (const op of ['schema', 'exchange'] as const) {
      const ask = (name: string) => analyst.refused(op, { request: { ...people, columns: [name] } });
      assert.deepEqual(renamed(await ask(hidden), hidden), renamed(await ask(misspelt), misspelt));
    }
    const explain = (name: string) =>
      analyst.refused('action', { type: 'headrace.explain', json: { ...people, columns: [name] } });
    assert.deepEqual(renamed(await explain(hidden), hidden), renamed(await explain(misspelt), misspelt));
  });

  test('no suggestion names an excluded column, though it names visible ones', async () => {
    for (const near of ['diagnosi', 'diagnosis2', 'home.stree', 'home.streets', 'note', 'contacts.element.phones']) {
      const { code, message } = await refusalOf([near]);
      assert.equal(code, 'UNKNOWN_COLUMN');
      assert.doesNotMatch(message.replaceAll(near, ''), /diagnosis|street|phone|notes/);
    }
    assert.match((await refusalOf(['salry'])).message, /salary/);
    assert.match((await admin.refused('info', { request: { ...people, columns: ['diagnosi'] } })).message, /diagnosis/);
  });

  test('a table that is not visible answers what an absent one answers, and is never suggested', async () => {
    for (const op of ['info', 'schema', 'exchange'] as const) {
      const hidden = await analyst.refused(op, { request: { table: 'ops.peoples' } });
      const absent = await analyst.refused(op, { request: { table: 'opt.peoplez' } });
      assert.deepEqual(renamed(hidden, 'ops.peoples'), renamed(absent, 'opt.peoplez'));
      assert.equal(hidden.code, 'NOT_FOUND');
    }
    for (const type of ['headrace.snapshots', 'headrace.explain']) {
      const hidden = await analyst.refused('action', { type, json: { table: 'ops.peoples' } });
      const absent = await analyst.refused('action', { type, json: { table: 'opt.peoplez' } });
      assert.deepEqual(renamed(hidden, 'ops.peoples'), renamed(absent, 'opt.peoplez'));
    }
    for (const mode of ['append', 'overwrite']) {
      const put = (table: string) => analyst.refused('put', { table, sample: 'secrets', mode });
      assert.deepEqual(
        renamed(await put('ops.peoples'), 'ops.peoples'),
        renamed(await put('opt.peoplez'), 'opt.peoplez'),
      );
    }
    const commit = (namespace: string, name: string) =>
      analyst.refused('action', {
        type: 'headrace.commit',
        json: { identifier: { namespace: [namespace], name }, requirements: [], updates: [] },
      });
    assert.deepEqual(
      renamed(await commit('ops', 'peoples'), 'ops.peoples'),
      renamed(await commit('opt', 'peoplez'), 'opt.peoplez'),
    );
    const near = await analyst.refused('info', { request: { table: 'ops.people' } });
    assert.doesNotMatch(near.message, /ops\.peoples/);
    assert.match((await admin.refused('info', { request: { table: 'ops.peoplez' } })).message, /ops\.peoples/);
    assert.deepEqual(await analyst.call('tables', { criteria: 'ops' }), []);
  });
});

describe('row filters with claims, forbids and errors', () => {
  const idsOf = async (caller: Caller): Promise<unknown[]> =>
    byId((await caller.scan(people)).rows).map(({ id }) => id);

  test('a claim of the token chooses the rows; without the claim, or with one of another type, there are none', async () => {
    const asia = await world.as('audrey', ['auditors'], { region: 'ASIA' });
    assert.deepEqual(
      (await asia.scan(people)).rows.map(({ region }) => region),
      Array.from({ length: 150 }, () => 'ASIA'),
    );
    assert.deepEqual(await idsOf(await world.as('audrey', ['auditors'])), []);
    assert.deepEqual(await idsOf(await world.as('audrey', ['auditors'], { region: 7 })), []);
    assert.deepEqual(await idsOf(await world.as('audrey', ['auditors'], { region: ['ASIA'] })), []);
    assert.deepEqual(await idsOf(await world.as('audrey', ['auditors'], { region: "x' OR id >= 0" })), []);
  });

  test('permits add up and a forbid wins over all of them', async () => {
    const everybody = await world.as('eve', ['everybody']);
    assert.equal((await everybody.scan(people)).total_records, 600);
    const banned = await world.as('eve', ['everybody', 'banned']);
    assert.equal((await banned.refused('info', { request: people })).code, 'NOT_FOUND');
    const both = await world.as('ana', ['analysts', 'everybody']);
    assert.ok(!(await both.scan(people)).schema.some((field) => field.includes('diagnosis')));
  });

  test('a policy that errors while it is evaluated denies with POLICY_UNAVAILABLE, and hides the table from the list', async () => {
    const broken = {
      'broken.cedar':
        'forbid (principal == User::"ever", action, resource) when { 9223372036854775807 + context.never > 0 };',
    };
    // The strict check refuses a policy that can err in a way it can see; arithmetic is what it cannot see.
    await assert.rejects(changePolicies(world, broken, admin.token), /422|not reloaded/);
    const overflow = {
      'broken.cedar': `forbid (principal in Team::"erring", action, resource)
        when { resource.layer == "" && 9223372036854775807 + 1 > 0 };`,
    };
    await changePolicies(world, overflow, admin.token);
    const erring = await world.as('erin', ['erring', 'everybody']);
    assert.equal((await erring.refused('info', { request: people })).code, 'POLICY_UNAVAILABLE');
    assert.deepEqual(await erring.call('tables', {}), []);
    assert.equal((await (await world.as('eve', ['everybody'])).scan(people)).rows.length, 600);
    await changePolicies(world, { 'broken.cedar': '' }, admin.token);
    assert.equal((await erring.scan(people)).rows.length, 600, 'without the policy it is as for everybody');
  });
});

describe('writes of restricted principals', () => {
  test('a masked or filtered view is not written back over the table, and commits are refused', async () => {
    const writer = await world.as('writer', ['analysts']);
    const { code } = await writer.refused('put_rows', { table: 'hr.people', source: people, mode: 'overwrite' });
    assert.equal(code, 'PERMISSION_DENIED');
    const filtered = { table: 'hr.people', sample: 'people', mode: 'overwrite', overwrite_filter: 'id = 1' };
    assert.equal((await writer.refused('put', filtered)).code, 'PERMISSION_DENIED');
    const commit = { identifier: { namespace: ['hr'], name: 'people' }, requirements: [], updates: [] };
    assert.equal((await writer.refused('action', { type: 'headrace.commit', json: commit })).code, 'PERMISSION_DENIED');
    assert.equal((await admin.scan(people)).rows.length, 600);
  });

  test('an append outside the row filter is refused with the row and leaves nothing behind', async () => {
    const writer = await world.as('writer', ['analysts']);
    const rows = Array.from({ length: 10 }, (_, at) => ({
      id: 9_000 + at,
      name: 'new',
      region: at === 6 ? 'US' : 'EU',
    }));
    const refusal = await writer.refused('put_json', { table: 'hr.people', rows });
    assert.equal(refusal.code, 'PERMISSION_DENIED');
    assert.match(refusal.message, /row 6 /);
    const missing = rows.map(({ region, ...row }) => (row.id === 9_003 ? row : { ...row, region }));
    assert.match((await writer.refused('put_json', { table: 'hr.people', rows: missing.slice(2) })).message, /row 1 /);
    assert.equal((await admin.scan({ ...people, filter: 'id >= 9000' })).rows.length, 0);
    const eu = rows.map((row) => ({ ...row, region: 'EU' }));
    await writer.call('put_json', { table: 'hr.people', rows: eu });
    assert.equal((await writer.scan({ ...people, filter: 'id >= 9000' })).rows.length, 10);
  });

  test('without the right to write, a visible table answers PERMISSION_DENIED', async () => {
    const refusal = await analyst.refused('put_json', { table: 'hr.people', rows: [{ id: 1, region: 'EU' }] });
    assert.equal(refusal.code, 'PERMISSION_DENIED');
  });

  test('a writer learns nothing of excluded columns from what is refused', async () => {
    const writer = await world.as('writer', ['analysts']);
    const put = (name: string) =>
      writer.refused('put_json', { table: 'hr.people', rows: [{ id: 1, region: 'EU', [name]: 'x' }] });
    const [hidden, misspelt] = [await put('diagnosis'), await put('diagnosys')];
    assert.equal(hidden.code, 'SCHEMA_MISMATCH');
    assert.deepEqual(renamed(hidden, 'diagnosis'), renamed(misspelt, 'diagnosys'));
    assert.doesNotMatch((await put('diagnosi')).message, /diagnosis/);
    assert.match((await put('salry')).message, /salary/);
  });

  test('whoever may only write fills every column and is told the name of none', async () => {
    const feeder = await world.as('feeder');
    const put = (name: string) => feeder.call('put_json', { table: 'hr.people', rows: [{ id: 8_000, [name]: 'x' }] });
    await put('diagnosis');
    await assert.rejects(put('diagnosi'), (error: Error) => !/diagnosis/.test(error.message));
    assert.equal((await feeder.refused('info', { request: people })).code, 'PERMISSION_DENIED');
    assert.equal((await admin.scan({ ...people, filter: 'id = 8000' })).rows[0]!.diagnosis, 'x');
  });
});

const byId = (rows: readonly Row[]): readonly Row[] => [...rows].sort((a, b) => Number(a.id) - Number(b.id));

/** Iceberg's show-last-4: letters and digits before the last four characters are replaced. */
const keepLast4 = (text: string): string => obscure(text.slice(0, -4)) + text.slice(-4);
const keepFirst4 = (text: string): string => text.slice(0, 4) + obscure(text.slice(4));
const obscure = (text: string): string =>
  text.replaceAll(/./gs, (c) => (/[0-9]/.test(c) ? 'n' : /[a-zA-Z]/.test(c) ? 'x' : c));

/** A refusal with the name that it is about taken out. */
function renamed(refusal: { readonly code: string; readonly message: string; readonly kind: string }, name: string) {
  return { ...refusal, message: refusal.message.replaceAll(name, 'NAME') };
}
