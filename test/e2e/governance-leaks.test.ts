/** What may leak without being shown: bytes on the wire, predicates on masked columns, pruning, the sizes of batches. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { peoplePolicies, peopleTags } from './people-policies.ts';
import { startRecordingProxy } from './recording-proxy.ts';
import { type Caller, changePolicies, openWorld, type World } from './world.ts';

const policies = {
  ...peoplePolicies,
  'leaks.cedar': `
permit (principal in Team::"snoops", action == Action::"readTable", resource in Namespace::"lab");
permit (principal in Team::"snoops", action == Action::"readColumn", resource in Namespace::"lab")
  unless { resource.tags.contains("secret") };
@mask("replace-with-null")
permit (principal in Team::"snoops", action == Action::"readColumn", resource in Namespace::"lab")
  when { resource.tags.contains("secret") };
@mask("apply-transform:truncate[1000000]")
permit (principal in Team::"rounders", action == Action::"readColumn", resource in Namespace::"lab")
  when { resource.tags.contains("secret") };
permit (principal in Team::"rounders", action == Action::"readColumn", resource in Namespace::"lab")
  unless { resource.tags.contains("secret") };
permit (principal in Team::"rounders", action == Action::"readTable", resource in Namespace::"lab");
@filter("owner = 'me'")
permit (principal in Team::"owners", action == Action::"readTable", resource in Namespace::"twins");
permit (principal in Team::"owners", action == Action::"readColumn", resource in Namespace::"twins");
`,
};

const people = { table: 'hr.people' };
let world: World;
let admin: Caller;

before(async () => {
  world = await openWorld({ namespaces: ['hr', 'lab', 'twins'] });
  admin = await world.as('root', ['admin']);
  await admin.put('hr.people', 'people', { mode: 'create', partition_by: ['region'] });
  await admin.put('lab.secrets', 'secrets', { mode: 'create', with: { value: 700_001 } });
  await admin.put('lab.places', 'secrets', { mode: 'create', partition_by: ['place'] });
  await admin.put('twins.few', 'twins', { mode: 'create', with: { hidden: 1, text: 10 } });
  await admin.put('twins.many', 'twins', { mode: 'create', with: { hidden: 9, text: 900 } });
  for (const [column, tag] of peopleTags) await world.run('tag', column, tag);
  await world.run('tag', 'lab.secrets.amount', 'secret');
  await world.run('tag', 'lab.places.place', 'secret');
  await changePolicies(world, policies, admin.token);
});
after(() => world[Symbol.asyncDispose]());

describe('bytes', () => {
  const canaries = [
    'HIDDENROW',
    'SSNCANARY',
    'DIAGNOSISCANARY',
    'STREETCANARY',
    'ZIPCANARY',
    'PHONECANARY',
    'NOTECANARY',
  ];
  // A salary is 8 bytes of its own, and too large to come by chance.
  const salary = (id: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(1_000_003 + 17 * ((id * 7919) % 65_536)));
    return bytes;
  };
  const found = (bytes: Buffer): string[] => [
    ...canaries.filter((canary) => bytes.includes(canary)),
    ...Array.from({ length: 400 }, (_, id) => id).flatMap((id) => (bytes.includes(salary(id)) ? [`salary ${id}`] : [])),
  ];

  /** Everything a caller can ask about the table, and every byte it gets. */
  const everythingReceived = async (token: string): Promise<Buffer> => {
    await using proxy = await startRecordingProxy(world.server.flight);
    const caller = world.withToken(token, proxy.port);
    for (const dictionaries of [false, true]) {
      for (const shards of [1, 7]) await caller.scan({ ...people, dictionaries, shards });
      await caller.call('exchange', { request: { ...people, dictionaries, batch_rows: 7 } });
    }
    await caller.scan({ ...people, filter: "name LIKE 'HIDDEN%'" });
    await caller.scan({ ...people, filter: "name IS NULL OR ssn LIKE 'SSN%' OR home.zip LIKE '0%'", limit: 50 });
    await caller.call('tables', {});
    await caller.call('schema', { request: people });
    await caller.action('headrace.snapshots', people);
    await caller.action('headrace.explain', { ...people, filter: "region <> 'EU'" });
    const received = proxy.received();
    await caller.call('close', {});
    return received;
  };

  test('no byte of a hidden row, a masked value or an excluded column reaches the client', async () => {
    const analyst = await world.as('ana', ['analysts']);
    const received = await everythingReceived(analyst.token);
    assert.ok(received.includes('shown person'), 'the recording holds what is visible');
    assert.deepEqual(found(received), []);
    const buffers = await analyst.call<string[]>('raw', { request: { ...people, dictionaries: true } });
    assert.deepEqual(found(Buffer.concat(buffers.map((text) => Buffer.from(text, 'base64')))), []);
  });

  test('negative control: the same search finds all of it in what an admin receives', async () => {
    const received = found(await everythingReceived(admin.token));
    assert.deepEqual(received.slice(0, canaries.length), canaries);
    assert.equal(received.length, canaries.length + 400);
  });

  test('negative control: a filter alone hides no masked value', async () => {
    const everybody = await world.as('eve', ['everybody']);
    const buffers = await everybody.call<string[]>('raw', { request: { ...people, filter: "region = 'EU'" } });
    assert.ok(found(Buffer.concat(buffers.map((text) => Buffer.from(text, 'base64')))).includes('SSNCANARY'));
  });

  test('the server logs no value, no token and no hidden name of it', () => {
    const log = Buffer.from(world.server.log());
    assert.ok(log.length > 0);
    assert.deepEqual(
      canaries.filter((canary) => log.includes(canary)),
      [],
    );
    assert.ok(!log.includes(admin.token));
  });
});

describe('an attacker who bisects a masked column with predicates', () => {
  const secret = 700_001;

  /** Asks 20 questions about row 7 and gives the number that the answers spell; what answers a question is the attacker's choice. */
  const bisect = async (ask: (filter: string) => Promise<boolean>): Promise<number> => {
    let [low, high] = [0, 1 << 20];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (await ask(`id = 7 AND amount > ${middle}`)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const byRows = (caller: Caller) => async (filter: string) =>
    (await caller.scan({ table: 'lab.secrets', columns: ['id'], filter })).rows.length > 0;
  const byScannedRows = (caller: Caller) => async (filter: string) => {
    const before = await world.metric('headrace_scanned_rows_total');
    await caller.scan({ table: 'lab.secrets', columns: ['id'], filter: filter.replace('id = 7 AND ', '') });
    return (await world.metric('headrace_scanned_rows_total')) > before;
  };
  const byErrors = (caller: Caller) => async (filter: string) => {
    try {
      await caller.scan({
        table: 'lab.secrets',
        columns: ['id'],
        filter: `${filter} AND amount < 9223372036854775807`,
      });
      return false;
    } catch {
      return true;
    }
  };

  test('learns nothing: every answer is the same whatever the secret is', async () => {
    for (const team of ['snoops', 'rounders']) {
      const snoop = await world.as('sam', [team]);
      for (const oracle of [byRows, byErrors]) {
        const ask = oracle(snoop);
        const questions = Array.from({ length: 20 }, (_, bit) => `id = 7 AND amount > ${1 << bit}`);
        const answers = await Promise.all(questions.map(ask));
        // Null and 0 are greater than no power of two, so that no question is answered with yes.
        assert.deepEqual(
          answers,
          questions.map(() => false),
          team,
        );
      }
      assert.notEqual(await bisect(byRows(snoop)), secret);
      const scanned = await scannedFor(snoop, [
        'amount > 1000000',
        'amount > 3',
        'amount = 700001',
        'amount IN (1, 2)',
      ]);
      assert.deepEqual(scanned, [0, 0, 0, 0], 'the metrics count nothing of what a restricted principal reads');
    }
  });

  test('negative control: without the mask the same questions give the secret, by rows and by what is skipped', async () => {
    assert.equal(await bisect(byRows(admin)), secret);
    const everybodyPolicy = `permit (principal in Team::"everybody", action in [Action::"readTable", Action::"readColumn"],
      resource in Namespace::"lab");`;
    await changePolicies(world, { 'open.cedar': everybodyPolicy }, admin.token);
    const everybody = await world.as('eve', ['everybody']);
    assert.equal(await bisect(byRows(everybody)), secret);
    const scanned = await scannedFor(everybody, ['amount > 1000000', 'amount > 3']);
    assert.equal(new Set(scanned).size, 2, `an open column prunes: ${scanned}`);
    assert.equal(await bisect(byScannedRows(everybody)), secret, 'what pruning skips is an oracle too');
  });

  /** Rows that the server read for each filter. */
  const scannedFor = async (caller: Caller, filters: readonly string[]): Promise<number[]> => {
    const figures: number[] = [];
    for (const filter of filters) {
      const before = await world.metric('headrace_scanned_rows_total');
      await caller.scan({ table: 'lab.secrets', columns: ['id'], filter });
      figures.push((await world.metric('headrace_scanned_rows_total')) - before);
    }
    return figures;
  };
});

describe('pruning', () => {
  const scanned = async (caller: Caller, filter: string): Promise<number> => {
    const before = await world.metric('headrace_scanned_rows_total');
    await caller.scan({ table: 'lab.places', columns: ['id'], filter });
    return (await world.metric('headrace_scanned_rows_total')) - before;
  };

  test('the metrics do not tell what a masked partition column prunes; they tell where it is raw', async () => {
    const snoop = await world.as('sam', ['snoops']);
    const figures = [
      await scanned(snoop, "place = 'place 3'"),
      await scanned(snoop, "place = 'nowhere'"),
      await scanned(snoop, 'place IS NOT NULL'),
      await scanned(snoop, 'place IS NULL'),
    ];
    assert.deepEqual(figures, [0, 0, 0, 0], 'the metrics count nothing of what a restricted principal reads');
    const one = await scanned(admin, "place = 'place 3'");
    assert.ok(one > 0 && one < (await scanned(admin, 'place IS NOT NULL')) / 2);
    assert.equal(await scanned(admin, "place = 'nowhere'"), 0);
  });
});

describe('batches', () => {
  const shapes = async (caller: Caller, table: string, more: object) =>
    (await caller.batches({ request: { table, ...more }, digests: true })).map(
      ({ rows, bytes, next, digest, cursor }) => ({
        rows,
        bytes,
        next,
        digest,
        cursorBytes: cursor.length,
      }),
    );

  test('are cut by visible rows alone: tables that differ in hidden rows give the same batches', async () => {
    const owner = await world.as('olga', ['owners']);
    for (const more of [
      {},
      { batch_rows: 100 },
      { batch_rows: 64, columns: ['word'] },
      { batch_rows: 100, dictionaries: true },
      { batch_rows: 7, filter: "word LIKE 'word 1%'" },
      { batch_rows: 100, limit: 834 },
    ]) {
      const few = await shapes(owner, 'twins.few', more);
      assert.ok(few.length > 0 && few.every(({ rows }) => rows > 0));
      assert.deepEqual(await shapes(owner, 'twins.many', more), few, JSON.stringify(more));
    }
    const even = await owner.batches({ request: { table: 'twins.many', batch_rows: 100 } });
    assert.deepEqual(
      even.map(({ rows }) => rows),
      Array.from({ length: 10 }, () => 100),
    );
  });

  test('negative control: whoever sees all rows tells the tables apart', async () => {
    assert.notDeepEqual(
      await shapes(admin, 'twins.few', { batch_rows: 100 }),
      await shapes(admin, 'twins.many', { batch_rows: 100 }),
    );
  });

  test('a plan tells nothing of hidden rows but its own time and ids: sizes of schema, tickets and metadata are equal', async () => {
    const owner = await world.as('olga', ['owners']);
    const sizes = async (table: string, shards: number) => {
      const info = await owner.info({ table, shards });
      return {
        schema: info.schema,
        tickets: info.tickets.map((ticket) => ticket.length),
        metadata: Object.keys(info.metadata),
        records: info.total_records,
        bytes: info.total_bytes,
      };
    };
    for (const shards of [1, 9]) assert.deepEqual(await sizes('twins.few', shards), await sizes('twins.many', shards));
  });
});
