import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { openWorkspace } from './workspace.ts';

const launcher = join(import.meta.dirname, '../../bin/headrace');
const ports = ['--flight-port', '0', '--data-port', '0', '--http-port', '0'];

test('serve prints one ready line, shares its data directory with other commands, and ends on SIGTERM', async () => {
  await using workspace = await openWorkspace();
  const server = spawn(launcher, ['serve', '--data-dir', workspace.dataDir, ...ports], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const closed = once(server, 'close');
  const ready = Promise.race([once(server.stdout, 'data'), closed]);
  server.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  server.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  try {
    await ready;
    const line = JSON.parse(stdout) as Record<string, number | boolean>;
    assert.deepEqual(Object.keys(line), ['ready', 'flight', 'data', 'http']);
    assert.equal(line.ready, true);
    assert.equal((await fetch(`http://127.0.0.1:${line.http}/readyz`)).status, 200);
    const csv = await workspace.file('t.csv', 'a\n1\n');
    assert.equal((await workspace.json('import', csv, 'n.t')).rows, 1);
    assert.match((await workspace.cli('tables')).stdout, /n\.t/);
  } finally {
    server.kill('SIGTERM');
    await closed;
  }
  assert.equal(server.exitCode, 0, stderr);
  assert.equal(stdout.trim().split('\n').length, 1);
});

test('serve refuses what its configuration cannot mean before it listens', async () => {
  await using workspace = await openWorkspace();
  const [open, reserved, port] = await Promise.all([
    workspace.refused(3, 'serve', '--host', '0.0.0.0', ...ports),
    workspace.refused(3, 'serve', '--config', await workspace.file('s3.yaml', 'warehouse: s3://bucket/lake\n')),
    workspace.refused(2, 'serve', '--flight-port', '70000'),
  ]);
  assert.equal(open.code, 'INVALID_REQUEST');
  assert.equal(reserved.code, 'UNSUPPORTED_FEATURE');
  assert.match(reserved.message, /warehouse/);
  assert.match(port.message, /a port from 0/);
});
