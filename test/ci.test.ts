/** What CI says and how it exits, on results and on repositories made for the purpose. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

const root = join(import.meta.dirname, '..');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-ci-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly status: number | null;
  readonly lines: readonly string[];
}

function run(command: string, ...args: readonly string[]): Ended {
  const env = { ...process.env, CI: 'true', NODE_TEST_CONTEXT: undefined };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8', env });
  assert.ok(status !== null, stderr);
  return { status, lines: stdout.trimEnd().split('\n') };
}

const summary = (...failedSteps: readonly string[]): Ended =>
  run(process.execPath, join(root, 'test/support/summary.ts'), join(folder, 'results'), ...failedSteps);

function writeResults(files: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, 'results'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'results', name), text);
}

test('node’s results are counted whatever its tests are called and say', () => {
  const source = `
    import { test } from 'node:test';
    test('a > b', () => {});
    test('a -> b/> "q" <x>', () => {});
    test('breaks <testcase name="x"/>', () => { throw new Error('</testcase><failure/>'); });
    test('group', async (t) => { await t.test('inner', () => {}); });
  `;
  writeFileSync(join(folder, 'some.test.mjs'), source);
  const xml = run(process.execPath, '--test', '--test-reporter=junit', 'some.test.mjs').lines.join('\n');
  writeResults({ 'unit.xml': xml });
  assert.deepEqual(summary(), {
    status: 1,
    lines: ['failed in unit.xml: breaks <testcase name="x"/>', '3 passed, 1 failed'],
  });
});

test('results of several files add up', () => {
  writeResults({
    'python.xml': `<testsuites><testsuite><testcase classname="t" name="a" time="0" /><testcase name="b"></testcase></testsuite></testsuites>`,
    'unit.xml': `<testsuites><testcase name="c" time="0"/></testsuites>`,
    'notes.txt': `<testcase name="d"><failure/></testcase>`,
  });
  assert.deepEqual(summary(), { status: 0, lines: ['3 passed, 0 failed'] });
});

test('an error and a skipped test count as failed', () => {
  writeResults({
    'python.xml':
      `<testcase name="a &gt; b"><error message="x">text</error></testcase>` +
      `<testcase name="c"><skipped/></testcase><testcase name="d" />`,
  });
  assert.deepEqual(summary(), {
    status: 1,
    lines: ['failed in python.xml: a > b', 'skipped in python.xml: c', '1 passed, 2 failed'],
  });
});

test('a step that failed without a failed test counts as one, and nothing run is a failure', () => {
  assert.deepEqual(summary('make test'), { status: 1, lines: ['failed: make test', '0 passed, 1 failed'] });
  assert.deepEqual(summary(), { status: 1, lines: ['0 passed, 0 failed'] });
  writeResults({ 'unit.xml': `<testcase name="a"/><testcase name="b"><failure/></testcase>` });
  assert.deepEqual(summary('make test').lines.at(-1), '1 passed, 1 failed');
});

/** A repository with this one's `.ci/run`, and a Makefile whose targets run these commands. */
function repository(targets: { readonly test: string; readonly interop: string }, installed: boolean): Ended {
  for (const path of ['.ci', 'test/support']) {
    mkdirSync(join(folder, path), { recursive: true });
    cpSync(join(root, path), join(folder, path), { recursive: true });
  }
  if (installed) {
    mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
    symlinkSync(process.execPath, join(folder, 'node_modules/.bin/node'));
  }
  const pass = join(folder, 'pass.sh');
  writeFileSync(pass, `#!/bin/sh\nmkdir -p build/results\necho '<testcase name="a"/>' > build/results/$1.xml\n`);
  chmodSync(pass, 0o755);
  writeFileSync(
    join(folder, 'Makefile'),
    `.PHONY: test test-interop\ntest:\n\t@${targets.test}\ntest-interop:\n\t@${targets.interop}\n`,
  );
  return run('bash', '.ci/run');
}

test('.ci/run passes where both commands pass', () => {
  const { status, lines } = repository({ test: './pass.sh unit', interop: './pass.sh interop' }, true);
  assert.equal(lines.at(-1), '2 passed, 0 failed');
  assert.equal(status, 0);
});

test('.ci/run fails where either command fails, and still ends with the counts', () => {
  const failing = { test: './pass.sh unit && false', interop: './pass.sh interop' };
  const { status, lines } = repository(failing, true);
  assert.deepEqual(lines.slice(-2), ['failed: make test', '2 passed, 1 failed']);
  assert.equal(status, 1);
});

test('.ci/run fails with counts even where set-up did not get as far as its own Node', () => {
  const { status, lines } = repository({ test: 'false', interop: 'false' }, false);
  assert.match(lines.at(-1)!, /^0 passed, [1-9] failed$/);
  assert.notEqual(status, 0);
});

test('results of an earlier run do not count', () => {
  mkdirSync(join(folder, 'build/results'), { recursive: true });
  writeFileSync(join(folder, 'build/results/old.xml'), '<testcase name="old"/>');
  assert.equal(repository({ test: './pass.sh unit', interop: 'false' }, true).lines.at(-1), '1 passed, 1 failed');
});
