import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditOfDecision, createAuditor } from '../../src/auth/audit.ts';
import { decide, everything, facts, user } from './policy-samples.ts';

test('a decision is one structured line with the policies that determined it', () => {
  const lines: unknown[] = [];
  const auditor = createAuditor(
    (line, message) => lines.push([message, line]),
    () => 0,
  );
  const decision = decide(`@id("all") ${everything}`, user('ann'), facts('silver.t', { a: {} }));
  const common = { principal: 'ann', tokenId: 'j', workload: null, table: 'silver.t', ...auditOfDecision(decision) };
  auditor.record({ kind: 'decision', action: 'readTable', outcome: 'allowed', ...common });
  assert.deepEqual(lines, [
    [
      'audit decision',
      {
        audit: true,
        time: '1970-01-01T00:00:00.000Z',
        kind: 'decision',
        action: 'readTable',
        outcome: 'allowed',
        principal: 'ann',
        tokenId: 'j',
        workload: null,
        table: 'silver.t',
        policyVersion: decision.policyVersion,
        policyDigest: decision.digest,
        determinedBy: ['all'],
      },
    ],
  ]);
});
