import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mergeOptions, planMerge } from '../../../src/catalog/snapshot/merge.ts';

const options = { enabled: true, minCount: 3, bytesTarget: 10 };
const sizes = (...bytes: number[]) => bytes.map((size, at) => ({ bytes: size, specId: 0, at }));
const plan = (...bytes: number[]) =>
  planMerge(sizes(...bytes), options).map((group) => group.map((item) => item.bytes));

test('the group of the newest manifest waits for enough of them; older groups merge at once', () => {
  assert.deepEqual(plan(4, 4), [[4], [4]]);
  assert.deepEqual(plan(3, 3, 3), [[3, 3, 3]]);
  assert.deepEqual(plan(4, 6, 4, 20), [[4], [6, 4], [20]]);
  assert.deepEqual(plan(), []);
});

test('manifests of different specs never merge, and the property switches merging off', () => {
  const mixed = Array.from({ length: 8 }, (_, at) => ({ bytes: 1, specId: at % 2 }));
  for (const group of planMerge(mixed, options)) assert.equal(new Set(group.map(({ specId }) => specId)).size, 1);
  const off = mergeOptions(new Map([['commit.manifest-merge.enabled', 'false']]));
  assert.equal(planMerge(mixed, { ...off, minCount: 2 }).length, 8);
});

test('every manifest is in exactly one group, and no group of several exceeds the target', () => {
  const item = fc.record({ bytes: fc.nat(15), specId: fc.nat(2) });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 40 }), (items) => {
      const groups = planMerge(items, options);
      assert.deepEqual(new Set(groups.flat()), new Set(items));
      assert.equal(groups.flat().length, items.length);
      for (const group of groups) {
        assert.ok(group.length === 1 || group.reduce((sum, { bytes }) => sum + bytes, 0) <= options.bytesTarget);
      }
    }),
  );
});

test('nonsensical properties fall back to the defaults', () => {
  const nonsense = new Map([
    ['commit.manifest.min-count-to-merge', '-1'],
    ['commit.manifest.target-size-bytes', 'x'],
  ]);
  assert.deepEqual(mergeOptions(nonsense), { enabled: true, minCount: 100, bytesTarget: 8 << 20 });
});
