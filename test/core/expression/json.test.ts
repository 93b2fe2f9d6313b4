import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ErrorCode, isServiceError } from '../../../src/core/errors.ts';
import { expressionToJson, parseFilterJson } from '../../../src/core/expression/json.ts';
import { collectColumns, mapTerms } from '../../../src/core/expression/rewrite.ts';
import type { Expression, Literal } from '../../../src/core/expression.ts';
import { fieldId } from '../../../src/core/ids.ts';
import { anyExpression, limits } from './expressions.ts';

function refused(json: unknown, code: ErrorCode, message: RegExp): void {
  assert.throws(
    () => parseFilterJson(json, limits),
    (error) => isServiceError(error, code) && message.test(error.message),
    JSON.stringify(json),
  );
}

test('reads the expressions of the REST specification', () => {
  const x = { kind: 'column', path: ['x'] } as const;
  assert.deepEqual(
    parseFilterJson(
      {
        type: 'and',
        left: {
          type: 'or',
          left: { type: 'gt-eq', term: 'x', value: 1.5 },
          right: { type: 'not-null', term: 'a."b.c"' },
        },
        right: { type: 'not', child: { type: 'not-in', term: 'x', values: ['u', true, 12345678901234567890n] } },
      },
      limits,
    ),
    {
      kind: 'and',
      of: [
        {
          kind: 'or',
          of: [
            { kind: 'compare', op: '>=', term: x, literal: { kind: 'number', text: '1.5' } },
            { kind: 'not', of: { kind: 'is-null', term: { kind: 'column', path: ['a', 'b.c'] } } },
          ],
        },
        {
          kind: 'not',
          of: {
            kind: 'not',
            of: {
              kind: 'in',
              term: x,
              literals: [
                { kind: 'typed', type: 'json', value: 'u' },
                { kind: 'boolean', value: true },
                { kind: 'number', text: '12345678901234567890' },
              ],
            },
          },
        },
      ],
    },
  );
  assert.deepEqual(parseFilterJson(true, limits), { kind: 'true' });
  assert.deepEqual(parseFilterJson({ type: 'false' }, limits), { kind: 'false' });
  assert.deepEqual(parseFilterJson({ type: 'not-starts-with', term: 'x', value: 'ab' }, limits), {
    kind: 'not',
    of: { kind: 'starts-with', term: x, prefix: 'ab' },
  });
});

test('refuses other JSON and names the place', () => {
  refused(null, 'INVALID_FILTER', /\$: an expression is an object/);
  refused({ type: 'like', term: 'x', value: 'a' }, 'INVALID_FILTER', /\$\.type: expected one of/);
  refused({ type: 'eq', term: 'x' }, 'INVALID_FILTER', /value is missing/);
  refused({ type: 'eq', term: 'x', value: null }, 'INVALID_FILTER', /\$\.value: expected a string/);
  refused({ type: 'eq', term: 'x', value: 2 ** 60 }, 'INVALID_FILTER', /lost digits in JSON: write it as a string/);
  refused({ type: 'eq', term: 'x', value: 1, extra: 1 }, 'INVALID_FILTER', /"extra" has no meaning/);
  refused({ type: 'and', left: true }, 'INVALID_FILTER', /right is missing/);
  refused(
    { type: 'and', left: true, right: { type: 'in', term: 'x', values: 5 } },
    'INVALID_FILTER',
    /\$\.right\.values/,
  );
  refused({ type: 'eq', term: 'a..b', value: 1 }, 'INVALID_FILTER', /\$\.term: .*not a column path/);
  refused(
    { type: 'eq', term: { type: 'transform', transform: 'day', term: 'x' }, value: 1 },
    'UNSUPPORTED_FEATURE',
    /transform/,
  );
});

test('long chains are flat, deep nesting and many nodes are refused without an overflow', () => {
  let chain: unknown = { type: 'true' };
  for (let level = 0; level < 4_000; level++) chain = { type: 'and', left: chain, right: { type: 'true' } };
  const flat = parseFilterJson(chain, limits);
  assert.ok(flat.kind === 'and' && flat.of.length === 4_001);
  let nested: unknown = true;
  for (let level = 0; level < 1_000_000; level++) nested = { type: 'not', child: nested };
  refused(nested, 'INVALID_FILTER', /nested deeper than 256/);
  refused(
    { type: 'in', term: 'x', values: Array.from({ length: 10_001 }, () => 1) },
    'INVALID_FILTER',
    /more than 10000/,
  );
});

/** What a round trip through JSON keeps: nested chains are flat, typed literals are strings. */
function normalized(expression: Expression): Expression {
  switch (expression.kind) {
    case 'not':
      return { kind: 'not', of: normalized(expression.of) };
    case 'and':
    case 'or': {
      const of = expression.of
        .map(normalized)
        .flatMap((child) => (child.kind === expression.kind ? child.of : [child]));
      return { kind: expression.kind, of };
    }
    case 'compare':
      return { ...expression, literal: jsonLiteral(expression.literal) };
    case 'in':
      return { ...expression, literals: expression.literals.map(jsonLiteral) };
    default:
      return expression;
  }
}

function jsonLiteral(literal: Literal): Literal {
  switch (literal.kind) {
    case 'boolean':
      return literal;
    case 'binary':
      return { kind: 'typed', type: 'json', value: Buffer.from(literal.value).toString('hex').toUpperCase() };
    case 'number': {
      if (/^-?\d+$/.test(literal.text)) return { kind: 'number', text: String(BigInt(literal.text)) };
      return String(Number(literal.text)) === literal.text
        ? literal
        : { kind: 'typed', type: 'json', value: literal.text };
    }
    default:
      return { kind: 'typed', type: 'json', value: literal.value };
  }
}

test('an expression survives the way through JSON', () => {
  fc.assert(
    fc.property(anyExpression, (expression) => {
      assert.deepEqual(parseFilterJson(expressionToJson(expression), limits), normalized(expression));
    }),
    { numRuns: 500 },
  );
});

test('columns are collected once, and replaced by field ids', () => {
  const filter = parseFilterJson(
    {
      type: 'and',
      left: { type: 'eq', term: 'a.b', value: 1 },
      right: { type: 'or', left: { type: 'is-null', term: 'c' }, right: { type: 'lt', term: 'a.b', value: 2 } },
    },
    limits,
  );
  assert.deepEqual(collectColumns(filter), [['a', 'b'], ['c']]);
  const bound = mapTerms(filter, (term) =>
    term.kind === 'column' ? { kind: 'field', fieldId: fieldId(term.path.length) } : term,
  );
  assert.deepEqual(collectColumns(bound), []);
  assert.deepEqual(parseFilterJson(expressionToJson(bound), limits), bound);
});
