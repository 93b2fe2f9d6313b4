import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { openClient } from '../../bench/client.ts';
import { prepareInput } from '../../bench/inputs.ts';
import { measureVariant } from '../../bench/measure.ts';
import { startRival } from '../../bench/rivals.ts';
import { subjectNames } from '../../bench/run.ts';
import { sizes } from '../../bench/size.ts';
import { runCli } from '../support/server.ts';

const positive = z.number().positive();
const figures = z.strictObject({
  mb_per_s: positive,
  cpu_s_per_gb: positive,
  client_cpu_s_per_gb: positive,
  rss_mb: positive,
  streams: z.int().positive(),
  wall_s: positive,
});
const comparison = {
  ours: figures,
  rivals: z.strictObject({ 'pyarrow-dataset': figures }),
  ratios: z.strictObject({
    'mb_per_s_vs_pyarrow-dataset': positive,
    'cpu_s_per_gb_vs_pyarrow-dataset': positive,
    'client_cpu_s_per_gb_vs_pyarrow-dataset': positive,
    'rss_mb_vs_pyarrow-dataset': positive,
    'wall_s_vs_pyarrow-dataset': positive,
  }),
};
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const report = z.object({
  subject: z.string(),
  ...comparison,
  variants: z.array(z.object({ name: z.string(), rows: z.int().positive(), result_hash: sha256, ...comparison })),
  run: z.object({
    machine: z.string().min(1),
    versions: z.record(z.string(), z.string()),
    size: z.literal('smoke'),
    inputs: z.record(z.string(), sha256),
  }),
});

let home: string;
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'headrace-bench-'));
});
after(() => rm(home, { recursive: true, force: true }));

const variantCounts: Readonly<Record<string, number>> = { 'cold-stream': 4, projection: 4, selective: 8 };

for (const subject of subjectNames) {
  test(`bench ${subject} gives the rival's rows and writes its figures as JSON`, async () => {
    const file = join(home, `${subject}.json`);
    const { code, stdout, stderr } = await runCli(['bench', subject, '--json', file]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /machine .*\n.*commit /);
    assert.match(stdout, /ours \/ pyarrow-dataset: mb_per_s \d/);
    const parsed = report.parse(JSON.parse(await readFile(file, 'utf8')));
    assert.equal(parsed.subject, subject);
    assert.equal(parsed.variants.length, variantCounts[subject]);
    assert.deepEqual(parsed.ours, parsed.variants[0]!.ours);
    const { ours, rivals, ratios } = parsed;
    const quotient = ours.mb_per_s / rivals['pyarrow-dataset'].mb_per_s;
    assert.equal(ratios['mb_per_s_vs_pyarrow-dataset'], quotient);
    const hashes = new Set(parsed.variants.map(({ name, result_hash }) => `${name.includes('random')} ${result_hash}`));
    assert.equal(hashes.size, subject === 'selective' ? 2 : 1, 'codec and number of streams do not change the rows');
  });
}

test('an unknown subject and one of a later version are refused', async () => {
  const unknown = await runCli(['bench', 'cold-steam']);
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr, /INVALID_REQUEST: .*cold-stream, projection, selective/);
  const later = await runCli(['bench', 'hot-stream']);
  assert.equal(later.code, 3);
  assert.match(later.stderr, /UNSUPPORTED_FEATURE/);
});

test('a server that gives other rows fails the measurement', async () => {
  const { rows, warmRows } = sizes.smoke;
  const [whole, part] = [await prepareInput(rows, 'zstd'), await prepareInput(warmRows, 'zstd')];
  await using honest = await startRival('pyarrow-dataset', new Map([['zstd', whole]]));
  await using other = await startRival('pyarrow-dataset', new Map([['zstd', part]]));
  await using honestClient = openClient(honest);
  await using otherClient = openClient(other);
  const request = { table: 'bench.zstd', columns: ['id', 'email'] };
  const variant = {
    name: 'other rows',
    request,
    warm: request,
    streams: 1,
    sampledBy: 'received',
    scannedBytes: 1,
  } as const;
  await assert.rejects(measureVariant(variant, honestClient, [otherClient], sizes.smoke), /do not give the same rows/);
});
