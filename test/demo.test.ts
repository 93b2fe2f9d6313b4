import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { pythonPath } from './support/python.ts';

test('the demo runs to its end on a few rows, and every one of its checks holds', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-demo-'));
  try {
    const env = { ...process.env, DEMO_ROWS: '30000', DEMO_DIR: join(folder, 'demo') };
    const { stdout } = await promisify(execFile)(pythonPath(), ['examples/demo/demo.py'], { env, timeout: 120_000 });
    assert.ok(!stdout.includes('✗'), stdout);
    assert.equal(stdout.match(/✓/g)?.length, 11, stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
