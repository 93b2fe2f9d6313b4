import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selfTimes } from '../../bench/profile.ts';

const node = (id: number, functionName: string, children: readonly number[] = []) => ({
  id,
  callFrame: { functionName, url: functionName.startsWith('(') ? '' : 'file:///home/x/src/a.ts', lineNumber: 9 },
  children,
});

test('shares are of busy time, and a function that calls itself is counted once', () => {
  const profile = {
    nodes: [
      node(1, '(root)', [2, 5]),
      node(2, 'outer', [3]),
      node(3, 'inner', [4]),
      node(4, 'outer'),
      node(5, '(idle)'),
    ],
    samples: [2, 3, 4, 5],
    timeDeltas: [1e6, 2e6, 1e6, 96e6],
  };
  assert.deepEqual(selfTimes(JSON.stringify(profile)), [
    { name: 'outer src/a.ts:10', seconds: 2, share: 0.5, totalShare: 1 },
    { name: 'inner src/a.ts:10', seconds: 2, share: 0.5, totalShare: 0.75 },
  ]);
});
