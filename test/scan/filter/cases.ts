import fc from 'fast-check';
import type { NestedField, Schema, Value } from '../../../src/catalog/schema/types.ts';
import type { CompareOp, Expression, Term } from '../../../src/core/expression.ts';
import { type FieldId, fieldId } from '../../../src/core/ids.ts';
import type { Column } from '../../../src/scan/arrow/column.ts';
import { columnOf, dictionaryOf } from './columns.ts';
import { type TypeCase, typeCases } from './values.ts';

export type Row = readonly (Value | null)[];
/** 0 false, 1 true, 2 unknown. */
export type Truth = 0 | 1 | 2;

/** A filter, and what it gives for a row, worked out value by value without the code under test. */
export interface MeantFilter {
  readonly expression: Expression;
  readonly holds: (row: Row) => Truth;
}

export interface FilterCase extends MeantFilter {
  readonly schema: Schema;
  readonly rows: readonly Row[];
  readonly columns: ReadonlyMap<FieldId, Column>;
}

const not = (truth: Truth): Truth => (truth === 2 ? 2 : truth === 1 ? 0 : 1);
const and = (truths: readonly Truth[]): Truth => (truths.includes(0) ? 0 : truths.includes(2) ? 2 : 1);
const truthOf = (holds: boolean): Truth => (holds ? 1 : 0);

const opHolds: Readonly<Record<CompareOp, (order: number) => boolean>> = {
  '=': (order) => order === 0,
  '!=': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};
const anyOp = fc.constantFrom<CompareOp>('=', '!=', '<', '<=', '>', '>=');

/** One condition on the column at `at`. */
function condition(at: number, { type, literal }: TypeCase): fc.Arbitrary<MeantFilter> {
  const term: Term = { kind: 'column', path: [`c${at}`] };
  const onValue = (expression: Expression, holds: (value: Value) => boolean): MeantFilter => ({
    expression,
    holds: (row) => (row[at] === null ? 2 : truthOf(holds(row[at]!))),
  });
  const compare = fc
    .tuple(anyOp, literal)
    .map(([op, { literal: right, order }]) =>
      onValue({ kind: 'compare', op, term, literal: right }, (value) => opHolds[op](order(value))),
    );
  const isIn = fc
    .array(literal, { minLength: 1, maxLength: 5 })
    .map((literals) =>
      onValue({ kind: 'in', term, literals: literals.map((one) => one.literal) }, (value) =>
        literals.some(({ order }) => order(value) === 0),
      ),
    );
  const isNull = fc.constant<MeantFilter>({
    expression: { kind: 'is-null', term },
    holds: (row) => truthOf(row[at] === null),
  });
  const kinds = [compare, compare, isIn, isNull];
  if (type.kind === 'float' || type.kind === 'double')
    kinds.push(fc.constant(onValue({ kind: 'is-nan', term }, Number.isNaN)));
  if (type.kind === 'string') {
    const prefix = fc.constantFrom('', 'a', 'ab', 'é', '🚰', 'a🚰');
    kinds.push(
      prefix.map((start) =>
        onValue({ kind: 'starts-with', term, prefix: start }, (value) => String(value).startsWith(start)),
      ),
    );
  }
  return fc.oneof(...kinds);
}

const constants: readonly MeantFilter[] = [
  { expression: { kind: 'true' }, holds: () => 1 },
  { expression: { kind: 'false' }, holds: () => 0 },
];

function filterOver(types: readonly TypeCase[]): fc.Arbitrary<MeantFilter> {
  return fc.letrec<{ node: MeantFilter }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.oneof(
        { weight: 9, arbitrary: fc.oneof(...types.map((type, at) => condition(at, type))) },
        { weight: 1, arbitrary: fc.constantFrom(...constants) },
      ),
      tie('node').map(
        (of): MeantFilter => ({ expression: { kind: 'not', of: of.expression }, holds: (row) => not(of.holds(row)) }),
      ),
      fc
        .tuple(fc.constantFrom('and' as const, 'or' as const), fc.array(tie('node'), { minLength: 1, maxLength: 3 }))
        .map(
          ([kind, parts]): MeantFilter => ({
            expression: { kind, of: parts.map((part) => part.expression) },
            holds: (row) => {
              const truths = parts.map((part) => part.holds(row));
              return kind === 'and' ? and(truths) : not(and(truths.map(not)));
            },
          }),
        ),
    ),
  })).node;
}

export function schemaOf(types: readonly TypeCase[]): Schema {
  const fields = types.map(
    ({ type }, at): NestedField => ({ id: fieldId(at + 1), name: `c${at}`, required: false, type }),
  );
  return { schemaId: 0, fields, identifierFieldIds: [] };
}

/** Up to three columns of any types, rows with nulls, and a filter over them. */
export function filterCase(pool: readonly TypeCase[] = typeCases, rowsMax = 20): fc.Arbitrary<FilterCase> {
  return fc.array(fc.constantFrom(...pool), { minLength: 1, maxLength: 3 }).chain((types) => {
    const row = fc.tuple(...types.map(({ value }) => fc.option(value, { freq: 4 })));
    const garbage = fc.tuple(...types.map(({ value }) => value));
    const dictionaries = fc.array(fc.boolean(), { minLength: types.length, maxLength: types.length });
    return fc
      .tuple(fc.array(row, { maxLength: rowsMax }), filterOver(types), garbage, dictionaries)
      .map(([rows, filter, junk, coded]) => ({
        ...filter,
        schema: schemaOf(types),
        rows,
        columns: new Map(
          types.map(({ type }, at) => {
            const values = rows.map((one) => one[at]!);
            return [fieldId(at + 1), (coded[at] ? dictionaryOf : columnOf)(type, values, junk[at]!)];
          }),
        ),
      }));
  });
}
