import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogLevel } from '../../../src/core/config.ts';
import { isServiceError, ServiceError } from '../../../src/core/errors.ts';
import { createLog, type LogFields, publicError } from '../../../src/server/telemetry/log.ts';

function capture(level: LogLevel = 'debug') {
  const lines: string[] = [];
  const log = createLog(level, { write: (line: string) => void lines.push(line) });
  return { log, text: () => lines.join(''), parsed: () => lines.map((line) => JSON.parse(line)) };
}

test('a line is JSON with the event, a level, a time and the allowed fields alone', () => {
  const { log, parsed } = capture();
  log.info('planned', {
    table: 'a.b',
    rows: 5,
    token: 'canary',
    filter: 'x = 1',
    plan: { nested: 1 },
  } as unknown as LogFields);
  const [line] = parsed();
  assert.deepEqual([line.event, line.table, line.rows], ['planned', 'a.b', 5]);
  assert.deepEqual(Object.keys(line).sort(), ['event', 'level', 'rows', 'table', 'time']);
});

test('audit records are written whatever the level', () => {
  for (const level of ['info', 'warn', 'fatal', 'silent'] as const) {
    const { log, parsed } = capture(level);
    log.audit({ audit: true, principal: 'ann' }, 'audit decision');
    log.debug('not at this level');
    assert.deepEqual(
      parsed().map(({ event, audit, principal }) => [event, audit, principal]),
      [['audit decision', true, 'ann']],
      level,
    );
  }
});

test('a long field is cut', () => {
  const { log, parsed } = capture();
  log.info('x', { table: 'y'.repeat(100_000) });
  assert.equal(parsed()[0].table.length, 512);
});

test('causes are told by class, code and frames, never by message', () => {
  const { log, text, parsed } = capture();
  const inner = Object.assign(new Error('canary-1\n    at canary (file:1:1)'), { code: 'ENOENT', syscall: 'open' });
  log.error(
    'failed',
    {},
    new ServiceError('CORRUPT_FILE', 'canary-2', { cause: new TypeError('canary-3', { cause: inner }) }),
  );
  log.error('failed', {}, 'canary-4');
  const [first, second] = parsed();
  assert.deepEqual(
    first.causes.map((cause: { type: string }) => cause.type),
    ['ServiceError', 'TypeError', 'Error'],
  );
  assert.deepEqual(
    [first.causes[0].code, first.causes[2].code, first.causes[2].syscall],
    ['CORRUPT_FILE', 'ENOENT', 'open'],
  );
  assert.match(first.causes[0].frames[0], /^at .*log\.test\.ts/);
  assert.deepEqual(second.causes, [{ type: 'string' }]);
  assert.doesNotMatch(text(), /canary/);
});

test('an endless chain of causes ends', () => {
  const { log, parsed } = capture();
  const error = new Error('x');
  error.cause = error;
  log.error('failed', {}, error);
  assert.equal(parsed()[0].causes.length, 5);
});

test('levels below the set one are silent', () => {
  const { log, text } = capture('info');
  log.debug('quiet');
  assert.equal(text(), '');
});

test('callers see typed errors as they are and everything else as INTERNAL with the id that the log has', () => {
  const { log, text, parsed } = capture();
  const typed = new ServiceError('NOT_FOUND', 'no such table');
  assert.equal(publicError(log, typed), typed);
  assert.equal(text(), '');
  for (const thrown of [new Error('canary'), 'canary', null, new ServiceError('INTERNAL', 'canary')]) {
    const seen = publicError(log, thrown, { method: 'DoGet' });
    assert.ok(isServiceError(seen, 'INTERNAL'));
    const id = /internal error ([0-9a-f-]{36})/.exec(seen.message)?.[1];
    const line = parsed().at(-1);
    assert.deepEqual([line.errorId, line.method], [id, 'DoGet']);
  }
  assert.doesNotMatch(text(), /canary/);
});
