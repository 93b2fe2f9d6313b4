import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isServiceError } from '../../../src/core/errors.ts';
import { formatFilter } from '../../../src/core/expression/format.ts';
import { parseFilter } from '../../../src/core/expression/parse.ts';
import type { Expression, Literal, Term } from '../../../src/core/expression.ts';
import { anyExpression, limits } from './expressions.ts';

const column = (...path: string[]): Term => ({ kind: 'column', path });
const number = (text: string): Literal => ({ kind: 'number', text });
const string = (value: string): Literal => ({ kind: 'string', value });
const equals = (term: Term, literal: Literal): Expression => ({ kind: 'compare', op: '=', term, literal });

const readings: readonly (readonly [string, Expression])[] = [
  ['delay > 10', { kind: 'compare', op: '>', term: column('delay'), literal: number('10') }],
  ['10 < delay', { kind: 'compare', op: '>', term: column('delay'), literal: number('10') }],
  ['10 >= delay', { kind: 'compare', op: '<=', term: column('delay'), literal: number('10') }],
  ['a <> -1.5e-3', { kind: 'compare', op: '!=', term: column('a'), literal: number('-1.5e-3') }],
  ['a = + 7', equals(column('a'), number('7'))],
  ["a = 'it''s'", equals(column('a'), string("it's"))],
  ["a = ''", equals(column('a'), string(''))],
  ['a.b."odd.name" = TRUE', equals(column('a', 'b', 'odd.name'), { kind: 'boolean', value: true })],
  ['"a ""b""" = 1', equals(column('a "b"'), number('1'))],
  ["x = X'0aFF'", equals(column('x'), { kind: 'binary', value: Uint8Array.of(10, 255) })],
  ["date = DATE '2001-01-01'", equals(column('date'), { kind: 'typed', type: 'date', value: '2001-01-01' })],
  ['date = 1', equals(column('date'), number('1'))],
  [
    "t <= TIMESTAMP '2001-01-01T00:00:00+01:00'",
    {
      kind: 'compare',
      op: '<=',
      term: column('t'),
      literal: { kind: 'typed', type: 'timestamp', value: '2001-01-01T00:00:00+01:00' },
    },
  ],
  [
    "u = uuid 'f79c3e09-677c-4bbd-a479-3f349cb785e7'",
    equals(column('u'), { kind: 'typed', type: 'uuid', value: 'f79c3e09-677c-4bbd-a479-3f349cb785e7' }),
  ],
  ['active', equals(column('active'), { kind: 'boolean', value: true })],
  ['a IN (1, 2)', { kind: 'in', term: column('a'), literals: [number('1'), number('2')] }],
  ['a NOT IN (1)', { kind: 'not', of: { kind: 'in', term: column('a'), literals: [number('1')] } }],
  ['a IS NOT NULL', { kind: 'not', of: { kind: 'is-null', term: column('a') } }],
  ['a is nan', { kind: 'is-nan', term: column('a') }],
  ["a LIKE 'abc%'", { kind: 'starts-with', term: column('a'), prefix: 'abc' }],
  ["a LIKE '%%'", { kind: 'starts-with', term: column('a'), prefix: '' }],
  ["a LIKE 'abc'", equals(column('a'), string('abc'))],
  ["a LIKE '50\\%\\_\\\\%'", { kind: 'starts-with', term: column('a'), prefix: '50%_\\' }],
  ["a NOT LIKE 'b%'", { kind: 'not', of: { kind: 'starts-with', term: column('a'), prefix: 'b' } }],
  ['TRUE', { kind: 'true' }],
];

test('reads every form of condition', () => {
  for (const [text, expected] of readings) assert.deepEqual(parseFilter(text, limits), expected, text);
});

test('NOT binds tighter than AND, AND tighter than OR, BETWEEN takes its own AND', () => {
  assert.deepEqual(
    parseFilter('NOT a AND b BETWEEN 1 AND 2 OR c', limits),
    parseFilter('((NOT (a)) AND (b >= 1 AND b <= 2)) OR c', limits),
  );
});

const refusals: readonly (readonly [string, RegExp])[] = [
  ['', /line 1, column 1: expected a column or a literal, found the end/],
  ['delay >> 10', /column 8, after "delay >": expected a literal .*, found >/],
  ['a\n AND b = ', /line 2, column 10/],
  ['(a = 1', /expected AND, OR or \), found the end/],
  ['a = 1)', /expected AND, OR or the end of the filter, found \)/],
  ['a = b', /a column can be compared with a literal only/],
  ['a = "b"', /text stands in single quotes/],
  ["'a' = 'b'", /one side of a comparison must be a column/],
  ["'a'", /a literal alone is no condition/],
  ['a = NULL', /write IS NULL/],
  ['a IN ()', /expected a literal/],
  ['a IN (1', /expected , or \)/],
  ['a BETWEEN 1', /expected AND and the upper end/],
  ['a NOT 5', /expected IN, BETWEEN or LIKE after NOT/],
  ["a = 'x", /the quote ' is never closed/],
  ['"a = 1', /the quote " is never closed/],
  ["a = X'0'", /pairs of hex digits/],
  ['a LIKE 5', /expected a pattern/],
  ["a LIKE '%b'", /prefixes only/],
  ["a LIKE 'a_'", /no _ wildcard/],
  ["a LIKE 'a\\b'", /backslash/],
  ['5a = 1', /write a space/],
  ['a; b', /";" has no meaning/],
  ['in = 1', /double quotes/],
  ["a = '\ud800'", /well-formed/],
];

test('refuses what is no filter with the place and what would be right', () => {
  for (const [text, message] of refusals) {
    assert.throws(
      () => parseFilter(text, limits),
      (error) => isServiceError(error, 'INVALID_FILTER') && message.test(error.message),
      text,
    );
  }
});

test('a formatted filter parses back to the same expression', () => {
  fc.assert(
    fc.property(anyExpression, (expression) => {
      assert.deepEqual(parseFilter(formatFilter(expression), limits), expression);
    }),
    { numRuns: 500 },
  );
});

test('any text gives an expression or INVALID_FILTER', () => {
  const piece = fc.constantFrom(
    'a',
    'NOT',
    '(',
    ')',
    ' ',
    '=',
    '<',
    "'x'",
    '"',
    "'",
    'IN',
    ',',
    'AND',
    'OR',
    '1',
    '.',
    '-',
    'LIKE',
    'IS',
    'NULL',
    'TRUE',
    "X'",
    'DATE',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 30 }),
        fc.array(piece, { maxLength: 15 }).map((all) => all.join(' ')),
      ),
      (text) => {
        try {
          parseFilter(text, limits);
        } catch (error) {
          assert.ok(isServiceError(error, 'INVALID_FILTER'), String(error));
        }
      },
    ),
    { numRuns: 1_000 },
  );
});

test('nesting, length and size beyond the limits are INVALID_FILTER, not an overflow', () => {
  const wide = { filterCharsMax: 2 ** 30, filterDepthMax: 2 ** 30, filterNodesMax: 2 ** 30 };
  const million = 1_000_000;
  const refused = (text: string, bounds: typeof limits, message: RegExp): void =>
    assert.throws(
      () => parseFilter(text, bounds),
      (error) => isServiceError(error, 'INVALID_FILTER') && message.test(error.message),
    );
  refused('('.repeat(million), wide, /nested deeper/);
  refused(`${'NOT '.repeat(million)}a`, wide, /nested deeper/);
  refused('(NOT '.repeat(million), wide, /nested deeper/);
  refused(`${'('.repeat(257)}a${')'.repeat(257)}`, limits, /nested deeper than 256/);
  refused('a'.repeat(limits.filterCharsMax + 1), limits, /at most 65536/);
  refused(`a IN (${'1,'.repeat(10_000)}1)`, limits, /more than 10000/);
  refused(`${'a OR '.repeat(10_001)}a`, limits, /more than 10000/);
  refused(`a${'.a'.repeat(20_000)}`, limits, /more than 10000/);
  parseFilter(`${'('.repeat(256)}a${')'.repeat(256)}`, limits);
  parseFilter(`${'NOT '.repeat(1_000)}a`, wide);
  parseFilter(`a LIKE '${'x'.repeat(2 * million)}'`, wide);
});
