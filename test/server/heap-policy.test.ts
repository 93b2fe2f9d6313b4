import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { bufferAccountingFlag } from '../../src/server/heap-policy.ts';

test('the pinned Node’s V8 knows the flag that is set, and has it off by default', () => {
  const options = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  const [, described] = options.split(`${bufferAccountingFlag} (`);
  assert.match(described ?? '', /^[^\n]*\n\s+type: bool\s+default: --no-external-memory/);
});
