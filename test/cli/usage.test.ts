import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { exitCodeOf, exitCodes, UsageError } from '../../src/cli/exit-codes.ts';
import { alignTable, printable } from '../../src/cli/output.ts';
import { type ErrorCode, ServiceError } from '../../src/core/errors.ts';
import { type CliResult, runCli } from '../support/server.ts';

const run = (line: string): Promise<CliResult> => runCli(line.split(' ').filter((word) => word !== ''));

test('the version is the package’s', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  assert.deepEqual(await run('--version'), { code: 0, stdout: `${version}\n`, stderr: '' });
});

test('help lists every command, and each command explains itself with an example', async () => {
  const { code, stdout } = await run('--help');
  assert.equal(code, 0);
  for (const name of [
    'serve',
    'token',
    'import',
    'register',
    'create-namespace',
    'drop',
    'alter',
    'ref',
    'tables',
    'snapshots',
  ]) {
    assert.match(stdout, new RegExp(`^  ${name} `, 'm'));
  }
  for (const name of ['clean', 'tag', 'untag', 'policy', 'audit', 'doctor', 'bench', 'cat'])
    assert.match(stdout, new RegExp(`^  ${name} `, 'm'));
  const [ofImport, ofAlter] = await Promise.all([run('import --help'), run('help alter')]);
  assert.match(ofImport.stdout, /headrace import flights-2026-\*\.parquet bronze\.flights/);
  assert.match(ofAlter.stdout, /alter TABLE widen COLUMN TYPE/);
});

test('a command line that cannot be understood exits with 2 and names the nearest', async () => {
  const [command, option, missing, none] = await Promise.all([
    run('tabels'),
    run('tables --jsn'),
    run('snapshots --json'),
    run(''),
  ]);
  assert.deepEqual([command.code, option.code, missing.code, none.code], [2, 2, 2, 2]);
  assert.match(command.stderr, /unknown command 'tabels' \(Did you mean tables\?\)/);
  assert.match(option.stderr, /unknown option '--jsn' \(Did you mean --json\?\)/);
  assert.equal(JSON.parse(missing.stderr).error.code, 'USAGE');
  assert.equal(command.stdout + option.stdout + missing.stdout, '');
});

test('reserved commands say that they are not supported', async () => {
  const lines = ['policy diff --json', 'audit verify --json', 'doctor --json', 'bench commit --json'];
  for (const { code, stderr } of await Promise.all(lines.map(run))) {
    assert.equal(code, 3);
    assert.equal(JSON.parse(stderr).error.code, 'UNSUPPORTED_FEATURE');
  }
});

test('exit codes tell bad input from denial and from failure', () => {
  const codeOf = (code: ErrorCode): number => exitCodeOf(new ServiceError(code, 'm'));
  assert.equal(exitCodeOf(new UsageError('m')), exitCodes.usage);
  assert.equal(exitCodeOf(new Error('m')), exitCodes.failed);
  assert.deepEqual(
    (['INVALID_REQUEST', 'NOT_FOUND', 'CORRUPT_FILE', 'LIMIT_EXCEEDED'] as const).map(codeOf),
    [3, 3, 3, 3],
  );
  assert.deepEqual((['UNAUTHENTICATED', 'PERMISSION_DENIED', 'REVOKED'] as const).map(codeOf), [4, 4, 4]);
  assert.deepEqual(
    (['COMMIT_CONFLICT', 'COMMIT_UNKNOWN', 'UNAVAILABLE', 'INTERNAL', 'CANCELLED'] as const).map(codeOf),
    [1, 1, 1, 1, 1],
  );
});

test('a table for people is aligned, with numbers to the right and dashes for nothing', () => {
  assert.deepEqual(
    alignTable(
      ['NAME', 'ROWS'],
      [
        ['a', 5],
        ['long', 12345],
        [null, null],
      ],
    ),
    ['NAME   ROWS', 'a         5', 'long  12345', '-         -'],
  );
});

test('names that would steer a terminal are shown as escapes', () => {
  assert.equal(printable('a\u001b[31mb\u202e'), 'a\\u001b[31mb\\u202e');
});
