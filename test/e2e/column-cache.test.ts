/** What one caller's read leaves in memory serves the next one, who still sees no more of it than policy lets through. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Caller, eventually, openWorld, type World } from './world.ts';

const policies = {
  'lake.cedar': `
@filter("grp <> 3")
permit (principal in Team::"readers", action == Action::"readTable", resource in Namespace::"lake");
permit (principal in Team::"readers", action == Action::"readColumn", resource in Namespace::"lake")
unless { resource in [Column::"lake.numbers.text"] };
@mask("show-last-4")
permit (principal in Team::"readers", action == Action::"readColumn", resource in Namespace::"lake")
when { resource in [Column::"lake.numbers.text"] };
`,
};
const request = { table: 'lake.numbers' };
const fileRows = 3_000;

let home: string;
let world: World;
let admin: Caller;
let reader: Caller;

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'headrace-cached-'));
  world = await openWorld({ dataDir: home, policies, namespaces: ['lake'] });
  admin = await world.as('root', ['admin']);
  reader = await world.as('rita', ['readers']);
  for (const mode of ['create', 'append']) {
    await admin.put('lake.numbers', 'numbers', {
      mode,
      with: { rows: fileRows, first: mode === 'create' ? 0 : fileRows },
    });
  }
});
after(async () => {
  await world[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

test('a table that was read is sent again without reading its files, and changes are seen at once', async () => {
  const first = await admin.scan(request);
  assert.equal(first.rows.length, 2 * fileRows);
  const columns = Object.keys(first.rows[0]!).length;
  await eventually('every column of both files is kept', async () =>
    (await world.metric('headrace_cache_entries')) === 2 * columns ? true : null,
  );
  const scanned = await world.metric('headrace_scanned_bytes_total');
  assert.ok(scanned > 0);
  for (let turn = 0; turn < 3; turn++) assert.deepEqual((await admin.scan(request)).rows, first.rows);
  assert.equal(await world.metric('headrace_scanned_bytes_total'), scanned);
  assert.ok((await world.metric('headrace_cache_hits_total')) >= 3 * 2 * columns);
  await admin.put('lake.numbers', 'numbers', { mode: 'append', with: { rows: 10, first: 2 * fileRows } });
  assert.equal((await admin.scan(request)).rows.length, 2 * fileRows + 10);
});

test('what an administrator read raw is filtered and masked for a reader who gets it from memory', async () => {
  const raw = (await admin.scan(request)).rows;
  const entries = await world.metric('headrace_cache_entries');
  const seen = (await reader.scan(request)).rows;
  const masked = raw.flatMap(({ id, grp, text }) =>
    grp === 3 ? [] : [{ id, grp, text: `${'n'.repeat(36)}${String(text).slice(-4)}` }],
  );
  assert.deepEqual(
    seen.map(({ id, grp, text }) => ({ id, grp, text })),
    masked,
  );
  assert.equal(await world.metric('headrace_cache_entries'), entries);
  // And the other way round: nothing masked was left behind.
  assert.deepEqual((await admin.scan(request)).rows, raw);
});
