/** Rights that are withdrawn end what runs on them within five seconds, whoever reads and however slowly. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Caller, changePolicies, eventually, openWorld, type World } from './world.ts';

const rows = 600_000;
const request = { table: 'lake.numbers', batch_rows: 2_048 };
const permits = (team: string, more = ''): string => `
permit (principal in Team::"${team}", action in [Action::"readTable", Action::"readColumn"], resource in Namespace::"lake") ${more};
`;
const policies = {
  'readers.cedar': permits('readers'),
  'tagged.cedar': permits('tagged', 'unless { resource has tags && resource.tags.contains("late") }'),
  'bystanders.cedar': permits('bystanders'),
};
// The promise is five seconds; a busy test machine gets one more.
const deadlineMs = 6_000;
/** For a machine that runs other tests beside this one, and for the batches that a slow reader still holds. */
const slackMs = 10_000;

interface Drained {
  readonly code: string;
  readonly rows: number;
  readonly seconds: number;
}

let world: World;
let admin: Caller;

before(async () => {
  // Little is in flight, so that a stream is far from its end when the right to it is withdrawn.
  world = await openWorld({
    policies,
    namespaces: ['lake'],
    env: { HEADRACE_LIMITS_STREAM_BYTES_MAX: '16MiB' },
  });
  admin = await world.as('root', ['admin']);
  await admin.put('lake.numbers', 'numbers', { mode: 'create', with: { rows, text: 200 } });
});
after(() => world[Symbol.asyncDispose]());

const activeStreams = () => world.metric('headrace_active_streams');

/**
 * Reads steadily but slowly, withdraws the right after a moment, and gives how the stream ended and how long after that. A bystander
 * reads all the while.
 */
async function withdrawn(caller: Caller, withdraw: () => Promise<unknown>, pause = 0.03) {
  const bystander = await world.as('berta', ['bystanders']);
  await bystander.call('open', { request, stream: 'bystander', connection: 9 });
  const other = bystander.call<Drained>('drain', { stream: 'bystander', seconds: 60, pause: 0.01 });
  await caller.call('open', { request, stream: 'running' });
  const drained = caller.call<Drained>('drain', { stream: 'running', seconds: 60, pause });
  await new Promise((resolve) => setTimeout(resolve, 300));
  await withdraw();
  const since = performance.now();
  const ended = await drained;
  const afterMs = performance.now() - since;
  const kept = await other;
  assert.equal(kept.code, 'COMPLETE');
  assert.equal(kept.rows + request.batch_rows, rows, 'the bystander misses nothing');
  return { ...ended, afterMs };
}

test('revoking a token ends its streams with REVOKED, and its next calls are UNAUTHENTICATED', async () => {
  const issued = JSON.parse(await world.run('token', '--principal', 'rita', '--teams', 'readers', '--json')) as {
    token: string;
    jti: string;
  };
  const rita = world.withToken(issued.token);
  const sameButNewer = await world.as('rita', ['readers']);
  const ended = await withdrawn(rita, () => world.run('token', 'revoke', issued.jti));
  assert.equal(ended.code, 'REVOKED');
  assert.ok(ended.afterMs <= deadlineMs + slackMs, `${ended.afterMs} ms`);
  assert.ok(ended.rows < rows);
  for (const op of ['info', 'schema', 'exchange']) {
    assert.equal((await rita.refused(op, { request })).code, 'UNAUTHENTICATED', op);
  }
  assert.equal((await rita.refused('tables', {})).code, 'UNAUTHENTICATED');
  assert.equal(
    (await sameButNewer.info(request)).total_records,
    rows,
    'another token of the same principal still holds',
  );
});

test('revoking a principal ends the streams of all its tokens issued until then', async () => {
  const roy = await world.as('roy', ['readers']);
  const ended = await withdrawn(roy, () => world.run('token', 'revoke', '--principal', 'roy'));
  assert.equal(ended.code, 'REVOKED');
  assert.ok(ended.afterMs <= deadlineMs + slackMs, `${ended.afterMs} ms`);
  assert.equal((await roy.refused('info', { request })).code, 'UNAUTHENTICATED');
  assert.equal((await (await world.as('roy', ['readers'])).info(request)).total_records, rows);
});

test('a changed policy file ends the streams that it concerns, without a reload being asked for', async () => {
  const rob = await world.as('rob', ['readers']);
  const ended = await withdrawn(rob, () =>
    world.server.writePolicies({ 'readers.cedar': permits('readers') + forbid }),
  );
  assert.equal(ended.code, 'REVOKED');
  assert.ok(ended.afterMs <= deadlineMs + slackMs, `${ended.afterMs} ms`);
  await changePolicies(world, policies, admin.token);
});

test('a tag that takes a column away ends the streams that read it', async () => {
  const tessa = await world.as('tessa', ['tagged']);
  const ended = await withdrawn(tessa, () => world.run('tag', 'lake.numbers.text', 'late'));
  assert.equal(ended.code, 'REVOKED');
  assert.ok(ended.afterMs <= deadlineMs + slackMs, `${ended.afterMs} ms`);
  assert.deepEqual((await tessa.info(request)).schema, ['id: int64', 'grp: int32']);
  await world.run('untag', 'lake.numbers.text', 'late');
});

test('a stream whose reader takes nothing ends as well', async () => {
  const sid = await world.as('sid', ['readers']);
  await sid.call('open', { request, stream: 'stalled' });
  assert.equal(await activeStreams(), 1);
  await world.run('token', 'revoke', '--principal', 'sid');
  await eventually(
    'the stream is gone',
    async () => ((await activeStreams()) === 0 ? true : null),
    deadlineMs + slackMs,
  );
  const { code, rows: read } = await sid.call<Drained>('drain', { stream: 'stalled', seconds: 10 });
  assert.notEqual(code, 'COMPLETE');
  assert.ok(read < rows);
});

test('negative control: a stream under rights that hold goes on, however often policies are reloaded', async () => {
  const rudi = await world.as('rudi', ['readers']);
  const ended = await withdrawn(
    rudi,
    async () => {
      for (let turn = 0; turn < 3; turn++) await changePolicies(world, { 'other.cedar': `// ${turn}\n` }, admin.token);
    },
    0.02,
  );
  assert.equal(ended.code, 'COMPLETE');
});

const forbid =
  'forbid (principal in Team::"readers", action == Action::"readColumn", resource == Column::"lake.numbers.grp");';
