/** A stream that broke continues where it stopped: no row lost, none twice, on any server that has the keys. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { BatchAnswer } from './agent.ts';
import { type Caller, changePolicies, openWorld, type World } from './world.ts';

const policies = {
  'lake.cedar': `
@filter("grp <> 3")
permit (principal in Team::"readers", action == Action::"readTable", resource in Namespace::"lake");
permit (principal in Team::"readers", action == Action::"readColumn", resource in Namespace::"lake");
`,
};
/** Filtered by policy and by the caller, over six files. */
const request = { table: 'lake.numbers', columns: ['id', 'text'], filter: 'grp <> 7 AND id <> 4711', batch_rows: 400 };
const files = 6;
const fileRows = 2_000;
const expectedIds = Array.from({ length: files * fileRows }, (_, id) => id).filter(
  (id) => id % 10 !== 3 && id % 10 !== 7 && id !== 4711,
);

let home: string;
let world: World;
let admin: Caller;
let reader: Caller;

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'headrace-resume-'));
  world = await openWorld({ dataDir: home, policies, namespaces: ['lake'] });
  admin = await world.as('root', ['admin']);
  for (let file = 0; file < files; file++) {
    const mode = file === 0 ? 'create' : 'append';
    await admin.put('lake.numbers', 'numbers', { mode, with: { rows: fileRows, first: file * fileRows } });
  }
  reader = await world.as('rita', ['readers']);
});
after(async () => {
  await world[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

const ticketOf = async (caller: Caller, asked: object = request): Promise<string> =>
  (await caller.info(asked)).tickets[0]!;
const read = (caller: Caller, ticket: string, headers: object = {}) =>
  caller.batches({ ticket, headers, ids: 'id', digests: true });
const idsOf = (batches: readonly BatchAnswer[]): number[] => batches.flatMap(({ ids }) => ids!);
/** Batches without what differs between two runs of the same stream. */
const contentOf = (batches: readonly BatchAnswer[]) => batches.map(({ cursor: _cursor, ...content }) => content);

/** Reads the ticket once, then once more from each of its cursors. */
async function resumesEverywhere(caller: Caller, ticket: string, batches: readonly BatchAnswer[]): Promise<void> {
  for (const [at, { cursor }] of batches.entries()) {
    const rest = contentOf(await read(caller, ticket, { 'headrace-cursor': cursor }));
    if (at < batches.length - 1) assert.deepEqual(rest, contentOf(batches.slice(at + 1)), `after batch ${at}`);
    else
      assert.deepEqual(
        rest.map(({ rows }) => rows),
        [0],
      );
  }
}

describe('a cursor', () => {
  test('continues after every batch of a filtered, restricted stream of many files with exactly the remaining batches', async () => {
    const ticket = await ticketOf(reader);
    const batches = await read(reader, ticket);
    assert.ok(batches.length > 20);
    assert.deepEqual(idsOf(batches).sort(ascending), expectedIds);
    assert.deepEqual(
      batches.map(({ next }) => next),
      batches.map((_, at) => sum(batches.slice(0, at + 1))),
    );
    await resumesEverywhere(reader, ticket, batches);
  });

  test('continues in each shard, with a limit, without filters, compressed, and with dictionaries', async () => {
    for (const more of [
      { shards: 3, batch_rows: 700 },
      { limit: 2_345 },
      { table: 'lake.numbers', filter: null, batch_rows: 1_500, dictionaries: true },
      { compression: 'zstd', batch_rows: 1_500 },
    ]) {
      const asked = Object.fromEntries(Object.entries({ ...request, ...more }).filter(([, value]) => value !== null));
      const all: number[] = [];
      for (const ticket of (await reader.info(asked)).tickets) {
        const batches = await read(reader, ticket);
        all.push(...idsOf(batches));
        await resumesEverywhere(reader, ticket, batches);
      }
      if ('limit' in more) assert.equal(all.length, more.limit);
      else if ('filter' in asked) assert.deepEqual(all.sort(ascending), expectedIds);
      else assert.equal(all.length, (files * fileRows * 9) / 10);
    }
  });

  test('continues on either plane and in any worker what another one began', async () => {
    const ticket = await ticketOf(reader);
    const batches = await read(reader, ticket);
    const { cursor } = batches[2]!;
    const rest = contentOf(batches.slice(3));
    const control = world.withToken(reader.token, world.server.flight);
    assert.deepEqual(contentOf(await read(control, ticket)), contentOf(batches));
    assert.deepEqual(contentOf(await read(control, ticket, { 'headrace-cursor': cursor })), rest);
    // Each connection may meet another worker.
    for (let connection = 20; connection < 28; connection++) {
      const headers = { 'headrace-cursor': cursor };
      const found = await reader.batches({ ticket, headers, connection, ids: 'id', digests: true });
      assert.deepEqual(contentOf(found), rest);
    }
  });

  test('of an exchange continues the same exchange', async () => {
    const batches = await reader.batches({ request, exchange: true, ids: 'id' });
    const rest = await reader.batches({
      request,
      exchange: true,
      ids: 'id',
      headers: { 'headrace-cursor': batches[3]!.cursor },
    });
    assert.deepEqual(contentOf(rest), contentOf(batches.slice(4)));
  });

  test('continues the pinned snapshot, whatever was written since', async () => {
    const ticket = await ticketOf(reader);
    const batches = await read(reader, ticket);
    await admin.put('lake.numbers', 'numbers', { with: { rows: 100, first: 50_000 } });
    await admin.put('lake.numbers', 'numbers', {
      mode: 'overwrite',
      overwrite_filter: 'id < 100',
      with: { rows: 3, first: 60_000 },
    });
    assert.deepEqual(
      contentOf(await read(reader, ticket, { 'headrace-cursor': batches[0]!.cursor })),
      contentOf(batches.slice(1)),
    );
  });

  test('and its ticket hold on a server that was restarted on the same data', async () => {
    const first = (
      await admin.action<{ snapshots: { snapshot_id: string }[] }>('headrace.snapshots', { table: 'lake.numbers' })
    ).snapshots[files - 1]!.snapshot_id;
    const ticket = await ticketOf(reader, { ...request, at: { snapshot_id: first } });
    const batches = await read(reader, ticket);
    assert.deepEqual(idsOf(batches).sort(ascending), expectedIds);
    await world[Symbol.asyncDispose]();
    world = await openWorld({ dataDir: home });
    [admin, reader] = [world.withToken(admin.token), world.withToken(reader.token)];
    for (const at of [0, 5, batches.length - 2]) {
      const rest = await read(reader, ticket, { 'headrace-cursor': batches[at]!.cursor });
      assert.deepEqual(contentOf(rest), contentOf(batches.slice(at + 1)));
    }
    assert.deepEqual(contentOf(await read(reader, ticket)), contentOf(batches));
  });
});

describe('an offset', () => {
  test('continues at any row', async () => {
    const ticket = await ticketOf(reader);
    const all = idsOf(await read(reader, ticket));
    for (const rows of [0, 1, 399, 400, 401, 1_599, 1_600, 4_800, all.length - 1]) {
      const rest = await read(reader, ticket, { 'headrace-offset': String(rows) });
      assert.deepEqual(idsOf(rest), all.slice(rows), `at ${rows}`);
      assert.equal(rest.at(-1)!.next, all.length);
    }
    for (const rows of [all.length, all.length + 1, 1e9]) {
      const rest = await read(reader, ticket, { 'headrace-offset': String(rows) });
      assert.deepEqual(
        rest.map((batch) => batch.rows),
        [0],
      );
    }
  });

  test('respects the limit of the request', async () => {
    const ticket = await ticketOf(reader, { ...request, limit: 1_000 });
    const all = idsOf(await read(reader, ticket));
    assert.equal(all.length, 1_000);
    for (const rows of [1, 500, 999]) {
      assert.deepEqual(idsOf(await read(reader, ticket, { 'headrace-offset': String(rows) })), all.slice(rows));
    }
  });
});

describe('what does not continue', () => {
  const refusedWith = async (caller: Caller, ticket: string, headers: object): Promise<string> =>
    (await caller.refused('batches', { ticket, headers })).code;

  test('both headers, and malformed ones', async () => {
    const ticket = await ticketOf(reader);
    const [{ cursor }] = (await read(reader, ticket)) as [BatchAnswer];
    assert.equal(
      await refusedWith(reader, ticket, { 'headrace-cursor': cursor, 'headrace-offset': '0' }),
      'INVALID_REQUEST',
    );
    for (const offset of ['-1', '1.5', 'x', '', '1e3', '99999999999999999999']) {
      assert.equal(await refusedWith(reader, ticket, { 'headrace-offset': offset }), 'INVALID_REQUEST', offset);
    }
  });

  test('a cursor that is altered, garbage, of another ticket, of another principal, or a ticket itself', async () => {
    const ticket = await ticketOf(reader);
    const other = await ticketOf(reader);
    const [{ cursor }] = (await read(reader, ticket)) as [BatchAnswer];
    const middle = Math.floor(cursor.length / 2);
    const altered = cursor.slice(0, middle) + (cursor[middle] === 'A' ? 'B' : 'A') + cursor.slice(middle + 1);
    for (const forged of [altered, cursor.slice(0, -1), `${cursor}A`, 'garbage', 'a.b.c.d.e', '....', atob(ticket)]) {
      assert.equal(
        await refusedWith(reader, ticket, { 'headrace-cursor': forged }),
        'TICKET_INVALID',
        forged.slice(0, 20),
      );
    }
    assert.equal(await refusedWith(reader, other, { 'headrace-cursor': cursor }), 'TICKET_INVALID');
    const neighbour = await world.as('rudi', ['readers']);
    assert.equal(await refusedWith(neighbour, ticket, { 'headrace-cursor': cursor }), 'TICKET_INVALID');
    assert.equal(
      await refusedWith(neighbour, await ticketOf(neighbour), { 'headrace-cursor': cursor }),
      'TICKET_INVALID',
    );
  });

  test('a stream under a policy that changed: REVOKED when resumed, TICKET_EXPIRED when new, both gone with a new plan', async () => {
    const ticket = await ticketOf(reader);
    const [{ cursor }] = (await read(reader, ticket)) as [BatchAnswer];
    const exchange = { request, exchange: true };
    const [begun] = (await reader.batches(exchange)) as [BatchAnswer];
    const goesOn = { ...exchange, headers: { 'headrace-cursor': begun.cursor } };
    const changed = policies['lake.cedar'].replace('grp <> 3', 'grp <> 4');
    await changePolicies(world, { 'lake.cedar': changed }, admin.token);
    assert.equal(await refusedWith(reader, ticket, { 'headrace-cursor': cursor }), 'REVOKED');
    assert.equal(await refusedWith(reader, ticket, { 'headrace-offset': '400' }), 'REVOKED');
    assert.equal(await refusedWith(reader, ticket, {}), 'TICKET_EXPIRED');
    assert.equal((await reader.refused('batches', goesOn)).code, 'REVOKED', 'an exchange is a stream as well');
    assert.ok(idsOf(await read(reader, await ticketOf(reader))).some((id) => id % 10 === 3));
    await changePolicies(world, { 'lake.cedar': '' }, admin.token);
    assert.equal(await refusedWith(reader, ticket, {}), 'REVOKED');
    assert.equal(await refusedWith(reader, ticket, { 'headrace-cursor': cursor }), 'REVOKED');
    await changePolicies(world, policies, admin.token);
    assert.ok((await read(reader, ticket, { 'headrace-cursor': cursor })).length > 0, 'the decision is what it was');
  });

  test('a ticket or cursor beyond its time', async () => {
    await using brief = await openWorld({
      dataDir: join(home, 'brief'),
      policies,
      namespaces: ['lake'],
      env: { HEADRACE_TICKETS_TTL: '2s' },
    });
    const owner = await brief.as('root', ['admin']);
    await owner.put('lake.numbers', 'numbers', { mode: 'create', with: { rows: 100 } });
    const asked = { table: 'lake.numbers', batch_rows: 10 };
    const ticket = await ticketOf(owner, asked);
    const [{ cursor }] = (await read(owner, ticket)) as [BatchAnswer];
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    assert.equal(await refusedWith(owner, ticket, {}), 'TICKET_EXPIRED');
    assert.equal(
      await refusedWith(owner, await ticketOf(owner, asked), { 'headrace-cursor': cursor }),
      'TICKET_EXPIRED',
    );
  });
});

const ascending = (a: number, b: number): number => a - b;
const sum = (batches: readonly BatchAnswer[]): number => batches.reduce((total, { rows }) => total + rows, 0);
