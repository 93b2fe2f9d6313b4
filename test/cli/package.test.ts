import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
const installTimeoutMs = 300_000;

test('the packed package installs, imports, reads and serves without the checkout', {
  timeout: installTimeoutMs,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-package-'));
  try {
    const packed = await run('npm', ['pack', '--json', '--pack-destination', folder, ...quiet]);
    const [{ filename, files }] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }];
    const paths = files.map(({ path }) => path);
    assert.ok(paths.includes('dist/cli/main.js') && paths.includes('proto/Flight.proto') && paths.includes('LICENSE'));
    assert.deepEqual(
      paths.filter((path) => /^(src|test|bench)\/|\.ts$/.test(path)),
      [],
    );

    await writeFile(join(folder, 'package.json'), '{"private": true}');
    await run('npm', ['install', '--prefer-offline', ...quiet, join(folder, filename)], { cwd: folder });
    const npx = (...args: readonly string[]) => run('npx', ['--no-install', 'headrace', ...args], { cwd: folder });
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    assert.equal((await npx('--version')).stdout, `${version}\n`);

    await writeFile(join(folder, 'people.csv'), 'id,name\n1,Ana\n2,Bo\n');
    const imported = JSON.parse((await npx('import', 'people.csv', 'bronze.people', '--json')).stdout);
    assert.equal(imported.rows, 2);
    await serveOnce(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** Starts the installed server and waits until it says that it accepts calls. */
async function serveOnce(folder: string): Promise<void> {
  const launcher = join(folder, 'node_modules/.bin/headrace');
  const ports = ['--flight-port', '0', '--data-port', '0', '--http-port', '0'];
  const server = spawn(launcher, ['serve', ...ports], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(server, 'close');
  const first = await Promise.race([once(server.stdout, 'data'), closed]);
  server.kill('SIGTERM');
  await closed;
  assert.equal(JSON.parse(String(first[0])).ready, true);
  assert.equal(server.exitCode, 0);
}
