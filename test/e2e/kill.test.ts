/** kill -9 of the server at random moments of commits: nothing acknowledged is lost, nothing else is half there. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { findOrphans, removeOrphans } from '../../src/catalog/cleanup.ts';
import { reachableFiles } from '../../src/catalog/reachable.ts';
import { parseTableIdentifier } from '../../src/core/identifier.ts';
import { defaultLimits } from '../../src/core/limits.ts';
import { loadConfig } from '../../src/server/config.ts';
import { openEmbedded } from '../../src/server/embedded.ts';
import { localPath } from '../../src/storage/locations.ts';
import { testSeed } from '../support/seed.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { openPythonSession, type PythonSession } from './python-session.ts';

const rounds = Number(process.env.E2E_ROUNDS ?? 15);
const seed = testSeed;
const writers = 4;
const table = 'bronze.killed';

interface Write {
  readonly writer: number;
  readonly write: number;
  readonly key: string;
  readonly snapshot_id?: string;
  readonly error?: string;
}

let home: string;
let server: TestServer;
let token: string;
let python: PythonSession;
let base: string[];
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'headrace-killed-'));
  server = await startServer({ dataDir: home });
  await server.cli('create-namespace', 'bronze');
  token = await server.token('writer', ['admin']);
  python = openPythonSession();
  await python.run('import headrace, writers, pyarrow as pa');
  base = await run(`client.put(table, writers.rows_of(0, 0).slice(0, 0), mode="create", partition_by=["writer"])
output = [one["snapshot_id"] for one in client.snapshots(table)]`);
});
after(async () => {
  await python[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

/** Runs Python against the server of this moment. */
function run<Output>(source: string, input: unknown = null): Promise<Output> {
  const globals =
    'uri, token, table, input = input["uri"], input["token"], input["table"], input["input"]\nclient = writers.connected(uri, token)\n';
  return python.run<Output>(globals + source, { uri: `grpc://127.0.0.1:${server.flight}`, token, table, input });
}

/** Numbers that a failed run can be repeated with; the server's own timing cannot. */
function* randoms(): Generator<number> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

test(`${rounds} kills at random moments lose no acknowledged commit and leave none half there`, async () => {
  const random = randoms();
  const settled: Write[] = [];
  let unknown = 0;
  for (let round = 0; round < rounds; round++) {
    const started = run<Write[]>('output = writers.write_until_killed(uri, token, table, *input)', [
      writers,
      round * 1000,
      seed + round,
    ]);
    // Long enough for some commits, in even rounds; in odd ones, within the first.
    await delay((round % 2 === 0 ? 150 : 20) + Math.floor(random.next().value * 200));
    await server.kill('SIGKILL');
    const writes = await started;
    server = await startServer({ dataDir: home });
    const context = `seed ${seed}, round ${round}`;
    unknown += writes.filter((one) => one.error !== undefined).length;
    const halves = await run<string[]>(
      `
from collections import Counter
count = Counter((row["writer"], row["write"]) for row in client.scan(table).table().to_pylist())
output = [f"{at}: {rows} rows" for at, rows in count.items() if rows != writers.ROWS]
`,
    );
    assert.deepEqual(halves, [], context);
    const lost = await run<string[]>(
      `history = {one["snapshot_id"] for one in client.snapshots(table)}\noutput = [one for one in input if one not in history]`,
      writes.flatMap((one) => one.snapshot_id ?? []),
    );
    assert.deepEqual(lost, [], context);
    // The key tells a write that was committed from one that was not: asking again makes both the same.
    settled.push(...(await run<Write[]>('output = writers.retry(uri, token, table, input)', writes)));
    const problems = await run<string[]>('output = writers.check(client, table, *input)', [settled, base]);
    assert.deepEqual(problems, [], context);
  }
  assert.ok(settled.length > rounds, `seed ${seed}: ${settled.length} writes`);
  assert.ok(unknown > 0, `seed ${seed}: no kill met a write`);
  const broken = await run<string[]>(`
output = []
for one in client.snapshots(table):
    rows = client.scan(table, snapshot_id=one["snapshot_id"]).table().num_rows
    if rows != int(one["summary"]["total-records"]):
        output.append(f"snapshot {one['snapshot_id']} has {rows} rows")
`);
  assert.deepEqual(broken, [], `seed ${seed}`);
  // The checker itself: a commit taken out of what was recorded, and one recorded twice, do not pass.
  assert.notDeepEqual(await run('output = writers.check(client, table, *input)', [settled.slice(1), base]), []);
  assert.notDeepEqual(await run('output = writers.check(client, table, *input)', [[...settled, settled[0]], base]), []);
});

test('a server that is killed while a table is created has the whole table or none, and the key settles which', async () => {
  const random = randoms();
  for (let round = 0; round < 4; round++) {
    const create = `
big = pa.table({"id": pa.array(range(200_000), pa.int64()), "part": pa.array([i % 8 for i in range(200_000)], pa.int32())})
options = {"mode": "create", "partition_by": ["part"], "idempotency_key": f"00000000-0000-4000-8000-{input:012}"}
name = f"bronze.created{input}"
`;
    const started = run<string | null>(
      `${create}
try:
    output = client.put(name, iter(big.to_batches()), schema=big.schema, **options).snapshot_id
except headrace.HeadraceError:
    output = None
`,
      round,
    );
    await delay(30 + Math.floor(random.next().value * 250));
    await server.kill('SIGKILL');
    const acknowledged = await started;
    server = await startServer({ dataDir: home });
    const output = await run<[number, string, number]>(
      `${create}
try:
    before = client.scan(name).table().num_rows
except headrace.NotFoundError:
    before = 0
result = client.put(name, big, **options)
output = [before, result.snapshot_id, client.scan(name).table().num_rows]
`,
      round,
    );
    const [found, snapshot, rows] = output;
    const context = `seed ${seed}, round ${round}`;
    assert.ok(found === 0 || found === 200_000, `${context}: ${found} rows`);
    if (acknowledged !== null) assert.deepEqual([found, snapshot], [200_000, acknowledged], context);
    assert.equal(rows, 200_000, context);
  }
});

test('the clean-up finds what the kills left and nothing that the table needs', async () => {
  const { signal } = new AbortController();
  const identifier = parseTableIdentifier(table);
  const before = await run<number>('output = client.scan(table).table().num_rows');
  {
    await using embedded = await openEmbedded(loadConfig({ env: {}, flags: { dataDir: join(home, 'data') } }));
    const { catalog } = embedded;
    const { metadata } = await catalog.loadTable(identifier, signal);
    const planted = `${metadata.location}/data/left-behind.parquet`;
    await writeFile(localPath(planted), 'PAR1');
    const nowMs = Date.now() + 60_000;
    const orphans = await findOrphans(catalog, identifier, { olderThanMs: 0, nowMs, signal });
    assert.ok(orphans.some(({ location }) => location === planted));
    const { locations } = await reachableFiles(
      catalog.objects,
      await catalog.loadTable(identifier, signal),
      defaultLimits,
      signal,
    );
    const needed = new Set(locations);
    assert.deepEqual(
      orphans.filter(({ location }) => needed.has(location)),
      [],
    );
    assert.deepEqual(
      await findOrphans(catalog, identifier, { olderThanMs: 3_600_000, signal }),
      [],
      'young files may be in use',
    );
    await removeOrphans(catalog, identifier, orphans, signal);
    assert.deepEqual(await findOrphans(catalog, identifier, { olderThanMs: 0, nowMs, signal }), []);
  }
  const rows = await run<
    number[]
  >(`output = [client.scan(table).table().num_rows, client.scan(table, shards=3).table().num_rows]
for one in client.snapshots(table):
    client.scan(table, snapshot_id=one["snapshot_id"]).table()`);
  assert.deepEqual(rows, [before, before]);
});
