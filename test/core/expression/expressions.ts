import fc from 'fast-check';
import type { Expression, Literal, Term } from '../../../src/core/expression.ts';

export const limits = { filterCharsMax: 64 * 1024, filterDepthMax: 256, filterNodesMax: 10_000 };

/** Like the parser's nodes, with the prototype of ordinary objects, which deepEqual compares. */
const record = <Model>(model: { [Key in keyof Model]: fc.Arbitrary<Model[Key]> }): fc.Arbitrary<Model> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<Model>;

const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'delay', 'date', 'nan', 'x1', 'größe') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('in', 'NULL', 'principal', 'odd.name', 'with "quotes"', '', ' ', "it's", '1st', '🚰'),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 5 }) },
);
export const anyTerm: fc.Arbitrary<Term> = fc
  .array(name, { minLength: 1, maxLength: 3 })
  .map((path) => ({ kind: 'column', path }) as const);

const numberText = fc.oneof(
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? '0' : String(value))),
  fc.constantFrom('1.50', '-.5', '3.', '1e10', '-2.5E-3', '00012', '1e+5'),
);
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom("it''s", "'", '%', '\\', '_', '\n'),
);
export const anyLiteral: fc.Arbitrary<Literal> = fc.oneof(
  fc.boolean().map((value) => ({ kind: 'boolean', value }) as const),
  numberText.map((written) => ({ kind: 'number', text: written }) as const),
  text.map((value) => ({ kind: 'string', value }) as const),
  record({
    kind: fc.constant('typed' as const),
    type: fc.constantFrom('date', 'time', 'timestamp', 'uuid'),
    value: text,
  }),
  fc.uint8Array({ maxLength: 6 }).map((bytes) => ({ kind: 'binary', value: new Uint8Array(bytes) }) as const),
);

/** Expressions as the parser makes them: chains have two or more operands, lists one or more. */
export const anyExpression: fc.Arbitrary<Expression> = fc.letrec<{ node: Expression }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Expression>({ kind: 'true' }, { kind: 'false' }),
    record({
      kind: fc.constant('compare' as const),
      op: fc.constantFrom('=', '!=', '<', '<=', '>', '>='),
      term: anyTerm,
      literal: anyLiteral,
    }),
    record({
      kind: fc.constant('in' as const),
      term: anyTerm,
      literals: fc.array(anyLiteral, { minLength: 1, maxLength: 4 }),
    }),
    record({ kind: fc.constantFrom('is-null' as const, 'is-nan' as const), term: anyTerm }),
    record({ kind: fc.constant('starts-with' as const), term: anyTerm, prefix: text }),
    tie('node').map((of) => ({ kind: 'not', of }) as const),
    record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      of: fc.array(tie('node'), { minLength: 2, maxLength: 4 }),
    }),
  ),
})).node;
