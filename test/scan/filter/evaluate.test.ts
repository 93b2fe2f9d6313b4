import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isServiceError } from '../../../src/core/errors.ts';
import { formatFilter } from '../../../src/core/expression/format.ts';
import { parseFilter } from '../../../src/core/expression/parse.ts';
import { fieldId } from '../../../src/core/ids.ts';
import { bindFilter } from '../../../src/scan/filter/bind.ts';
import { negateFilter } from '../../../src/scan/filter/bound.ts';
import { evaluateFilter, selectedRows } from '../../../src/scan/filter/evaluate.ts';
import { limits } from '../../core/expression/expressions.ts';
import { type FilterCase, filterCase, schemaOf } from './cases.ts';
import { columnOf, dictionaryOf } from './columns.ts';
import { typeCases } from './values.ts';

const evaluated = ({ expression, schema, columns, rows }: FilterCase): Uint8Array =>
  evaluateFilter(
    bindFilter(expression, schema, () => true),
    (id) => columns.get(id)!,
    rows.length,
  );

for (const pool of typeCases) {
  const name = 'precision' in pool.type ? `decimal(${pool.type.precision}, ${pool.type.scale})` : pool.type.kind;
  test(`a filter over ${name} columns gives what it means row by row`, () => {
    fc.assert(
      fc.property(filterCase([pool]), (given) => {
        assert.deepEqual([...evaluated(given)], given.rows.map(given.holds), formatFilter(given.expression));
      }),
      { numRuns: 300 },
    );
  });
}

test('a filter over columns of several types gives what it means row by row', () => {
  fc.assert(
    fc.property(filterCase(), (given) => {
      assert.deepEqual([...evaluated(given)], given.rows.map(given.holds), formatFilter(given.expression));
    }),
    { numRuns: 1_000 },
  );
});

test('a negated filter swaps true and false and keeps unknown', () => {
  fc.assert(
    fc.property(filterCase(), ({ expression, schema, columns, rows }) => {
      const filter = bindFilter(expression, schema, () => true);
      const result = evaluateFilter(filter, (id) => columns.get(id)!, rows.length);
      const negated = evaluateFilter(negateFilter(filter), (id) => columns.get(id)!, rows.length);
      assert.deepEqual(
        [...negated],
        [...result].map((truth) => (truth === 2 ? 2 : 1 - truth)),
      );
    }),
  );
});

test('the selected rows are the true ones, in order', () => {
  assert.deepEqual([...selectedRows(Uint8Array.of(0, 1, 2, 1, 1, 0))], [1, 3, 4]);
  assert.equal(selectedRows(new Uint8Array(0)).length, 0);
});

const stringCase = typeCases.filter(({ type }) => type.kind === 'string');
const stringFilter = (text: string) => bindFilter(parseFilter(text, limits), schemaOf(stringCase), () => true);

test('a condition on a dictionary is evaluated once for each of its values, nulls of its own included', () => {
  const dictionary = columnOf({ kind: 'string' }, ['x', null, 'y'], '');
  const coded = dictionaryOf({ kind: 'string' }, ['x', 'x', null, 'x'], '');
  assert.ok(coded.kind === 'dictionary');
  const column = { ...coded, indices: Int32Array.of(2, 1, 0, 0), dictionary };
  const evaluate = (text: string): number[] => [...evaluateFilter(stringFilter(text), () => column, 4)];
  assert.deepEqual(evaluate("c0 = 'x'"), [0, 2, 2, 1]);
  assert.deepEqual(evaluate('c0 IS NULL'), [0, 1, 1, 0]);
  assert.deepEqual(evaluate("c0 NOT IN ('x', 'z')"), [1, 2, 2, 0]);
});

test('conditions after the deciding one are not evaluated', () => {
  const values = columnOf({ kind: 'string' }, ['x', 'y'], '');
  const asked: number[] = [];
  const columns = (id: number) => {
    asked.push(id);
    return values;
  };
  const schema = schemaOf([stringCase[0]!, stringCase[0]!]);
  const filter = bindFilter(parseFilter("c0 = 'nothing' AND c1 = 'x'", limits), schema, () => true);
  assert.deepEqual([...evaluateFilter(filter, columns, 2)], [0, 0]);
  assert.deepEqual(asked, [1]);
});

test('lists and values of thousands of rows are found', () => {
  const values = Array.from({ length: 5_000 }, (_, row) => `v${(row * 7919) % 5_000}`);
  const column = columnOf({ kind: 'string' }, values, '');
  const wanted = values.filter((_, row) => row % 3 === 0);
  const filter = stringFilter(`c0 IN (${wanted.map((value) => `'${value}'`).join(', ')})`);
  const expected = new Set(wanted);
  assert.deepEqual(
    [...evaluateFilter(filter, () => column, 5_000)],
    values.map((value) => Number(expected.has(value))),
  );
});

test('a column that is stored otherwise, or of another length, is refused', () => {
  const longs = columnOf({ kind: 'long' }, [1n], 0n);
  const internal = (error: unknown) => isServiceError(error, 'INTERNAL');
  assert.throws(() => evaluateFilter(stringFilter("c0 = 'x'"), () => longs, 1), internal);
  assert.throws(() => evaluateFilter(stringFilter('c0 IS NULL'), () => longs, 2), internal);
  const nanos = bindFilter(
    parseFilter("c0 = '2001-01-01T00:00:00'", limits),
    schemaOf(typeCases.filter(({ type }) => type.kind === 'timestamp')),
    () => true,
  );
  assert.throws(() => evaluateFilter(nanos, () => columnOf({ kind: 'timestamp_ns' }, [1n], 0n), 1), internal);
});

test('a column of nulls alone, without buffers, is unknown but where nulls are asked for', () => {
  const nulls = columnOf({ kind: 'unknown' }, [null, null], 0);
  const schema = {
    ...schemaOf([]),
    fields: [{ id: fieldId(1), name: 'u', required: false, type: { kind: 'unknown' } as const }],
  };
  const evaluate = (text: string): number[] => [
    ...evaluateFilter(
      bindFilter(parseFilter(text, limits), schema, () => true),
      () => nulls,
      2,
    ),
  ];
  assert.deepEqual(evaluate('u = 5'), [2, 2]);
  assert.deepEqual(evaluate("u NOT IN ('x')"), [2, 2]);
  assert.deepEqual(evaluate('u IS NULL AND NOT u IS NOT NULL'), [1, 1]);
});

test('values that start in the middle of a buffer, off the alignment, are read right', () => {
  const aligned = columnOf({ kind: 'long' }, [1n, -5n, 2n ** 40n], 0n);
  assert.ok(aligned.kind === 'fixed');
  const shifted = new Uint8Array(aligned.values.length + 3);
  shifted.set(aligned.values, 3);
  const longCase = typeCases.filter(({ type }) => type.kind === 'long');
  const filter = bindFilter(parseFilter('c0 >= 1', limits), schemaOf(longCase), () => true);
  assert.deepEqual([...evaluateFilter(filter, () => ({ ...aligned, values: shifted.subarray(3) }), 3)], [1, 0, 1]);
});
