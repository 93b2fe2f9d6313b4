import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bindFilter, referencedFields } from '../../../src/scan/filter/bind.ts';
import { evaluateFilter } from '../../../src/scan/filter/evaluate.ts';
import { prunablePart } from '../../../src/scan/prune/prunable.ts';
import { filterCase } from '../filter/cases.ts';

const fieldSet = fc.subarray([1, 2, 3]).map((ids) => new Set<number>(ids));

test('what may prune is implied by the filter and names no forbidden field, below any NOT', () => {
  let weakened = 0;
  fc.assert(
    fc.property(filterCase(undefined, 8), fieldSet, ({ expression, schema, columns, rows }, allowed) => {
      const filter = bindFilter(expression, schema, () => true);
      const part = prunablePart(filter, (id) => allowed.has(id));
      for (const id of referencedFields(part)) assert.ok(allowed.has(id));
      const [whole, weaker] = [filter, part].map((each) => evaluateFilter(each, (id) => columns.get(id)!, rows.length));
      for (const row of rows.keys()) assert.ok(whole![row] !== 1 || weaker![row] === 1);
      if (part.kind !== 'true' && [...referencedFields(filter)].some((id) => !allowed.has(id))) weakened++;
    }),
    { numRuns: 2_000 },
  );
  assert.ok(weakened > 50, 'the property must not hold because everything became true');
});

test('with nothing forbidden the filter remains as it was in meaning', () => {
  fc.assert(
    fc.property(filterCase(undefined, 8), ({ expression, schema, columns, rows }) => {
      const filter = bindFilter(expression, schema, () => true);
      const [whole, part] = [filter, prunablePart(filter, () => true)].map((each) =>
        evaluateFilter(each, (id) => columns.get(id)!, rows.length),
      );
      assert.deepEqual(part, whole);
    }),
  );
});
