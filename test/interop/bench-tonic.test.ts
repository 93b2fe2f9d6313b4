import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCli } from '../support/server.ts';

/** Subjects that are compared with the Rust server, and the names that it has in each. */
const subjects: Readonly<Record<string, readonly string[]>> = {
  'hot-stream': ['tonic-memory'],
  'cold-stream': ['tonic'],
  passthrough: ['tonic', 'tonic-zstd'],
  projection: ['tonic'],
  selective: ['tonic'],
};

for (const [subject, rivals] of Object.entries(subjects)) {
  test(`bench ${subject} gives the rows of the Rust server, which it builds`, async () => {
    const home = await mkdtemp(join(tmpdir(), 'headrace-bench-'));
    const file = join(home, 'report.json');
    const { code, stderr } = await runCli(['bench', subject, '--json', file, '--rivals', rivals.join(',')]);
    assert.equal(code, 0, stderr);
    const report = JSON.parse(await readFile(file, 'utf8')) as { readonly rivals: Readonly<Record<string, unknown>> };
    await rm(home, { recursive: true });
    assert.deepEqual(Object.keys(report.rivals).sort(), [...rivals].sort());
  });
}
