import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openClient } from '../../bench/client.ts';
import { prepareInput } from '../../bench/inputs.ts';
import { measureStreams } from '../../bench/measure.ts';
import { startRival } from '../../bench/rivals.ts';
import { subjectNames } from '../../bench/run.ts';
import { sizes } from '../../bench/size.ts';
import { runCli } from '../support/server.ts';
import { checkReport, reportShape } from './report-shape.ts';

let home: string;
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'headrace-bench-'));
});
after(() => rm(home, { recursive: true, force: true }));

for (const subject of subjectNames) {
  test(`bench ${subject} gives its rivals' rows and writes its figures as JSON`, async () => {
    const file = join(home, `${subject}.json`);
    // The Rust rival takes part in `make test-interop`, which has the toolchain.
    const { code, stdout, stderr } = await runCli(['bench', subject, '--json', file, '--without', 'tonic']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /machine .*\n.*commit /);
    const report = reportShape.parse(JSON.parse(await readFile(file, 'utf8')));
    assert.equal(report.subject, subject);
    checkReport(report);
  });
}

test('an unknown subject and one of a later version are refused', async () => {
  const unknown = await runCli(['bench', 'cold-steam']);
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr, /INVALID_REQUEST: .*cold-stream, /);
  const later = await runCli(['bench', 'commit']);
  assert.equal(later.code, 3);
  assert.match(later.stderr, /UNSUPPORTED_FEATURE/);
});

test('a server that gives other rows fails the measurement', async () => {
  const { rows, warmRows } = sizes.smoke;
  const [whole, part] = [await prepareInput(rows, 'zstd'), await prepareInput(warmRows, 'zstd')];
  await using honest = await startRival('pyarrow-dataset', new Map([['zstd', whole]]), null);
  await using other = await startRival('pyarrow-dataset', new Map([['zstd', part]]), null);
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
  await assert.rejects(measureStreams(variant, honestClient, [otherClient], sizes.smoke), /do not give the same rows/);
});
