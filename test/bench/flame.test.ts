import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addProfile, flameSvg, newFlame } from '../../bench/flame.ts';

const node = (id: number, functionName: string, children: readonly number[] = []) => ({
  id,
  callFrame: { functionName, url: functionName.startsWith('(') ? '' : 'file:///home/x/src/a.ts', lineNumber: 9 },
  children,
});
const profile = JSON.stringify({
  nodes: [node(1, '(root)', [2, 4]), node(2, 'outer', [3]), node(3, 'in<ner>'), node(4, '(idle)')],
  samples: [2, 3, 4],
  timeDeltas: [1e6, 3e6, 96e6],
});

test('stacks of all threads add up, idle time apart', () => {
  const root = newFlame('all threads');
  addProfile(root, profile);
  addProfile(root, profile);
  assert.equal(root.seconds, 8);
  const outer = root.calls.get('outer src/a.ts:10')!;
  assert.equal(outer.seconds, 8);
  assert.equal(outer.calls.get('in<ner> src/a.ts:10')!.seconds, 6);
});

test('the picture holds every function with its share, names escaped', () => {
  const root = newFlame('all threads');
  addProfile(root, profile);
  const svg = flameSvg(root, 'cold & hot');
  assert.match(svg, /<title>in&lt;ner&gt; src\/a\.ts:10 75\.0 %, 3\.00 s<\/title>/);
  assert.match(svg, /cold &amp; hot/);
  assert.ok(!svg.includes('idle'));
});
