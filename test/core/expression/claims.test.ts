import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isServiceError } from '../../../src/core/errors.ts';
import { formatFilter } from '../../../src/core/expression/format.ts';
import { bindClaims, parseFilter, parsePolicyFilter } from '../../../src/core/expression/parse.ts';
import { collectClaims } from '../../../src/core/expression/rewrite.ts';
import { limits } from './expressions.ts';

const bound = (text: string, claims: Readonly<Record<string, unknown>>): string =>
  formatFilter(bindClaims(parsePolicyFilter(text, limits), new Map(Object.entries(claims))));

test('claims take the place of literals', () => {
  assert.equal(bound('region = principal.claims.region', { region: "EU'" }), "region = 'EU'''");
  assert.equal(bound('principal.claims.level >= level', { level: 3 }), 'level <= 3');
  assert.equal(bound('a = principal.claims.a AND b = 1', { a: true }), 'a = TRUE AND b = 1');
  assert.equal(bound('r IN (principal.claims.regions, 3)', { regions: ['EU', 'US'] }), "r IN ('EU', 'US', 3)");
  assert.equal(bound('r NOT IN principal.claims.regions', { regions: 'EU' }), "r NOT IN ('EU')");
  assert.equal(
    bound('n BETWEEN principal.claims.a AND principal.claims."b c"', { a: 1.5, 'b c': -2 }),
    'n >= 1.5 AND n <= -2',
  );
});

test('a missing or wrongly typed claim admits no rows, also below NOT and beside OR', () => {
  const filters = [
    'r = principal.claims.x',
    'NOT r = principal.claims.x',
    'a = 1 OR NOT (r IN (principal.claims.x))',
    'a OR r != principal.claims.x',
  ];
  const claims: unknown[] = [
    undefined,
    null,
    {},
    { a: 1 },
    [[1]],
    [null],
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 60,
    '\ud800',
    () => 1,
  ];
  for (const text of filters) {
    for (const x of claims)
      assert.equal(bound(text, x === undefined ? {} : { x }), 'FALSE', `${text} with ${String(x)}`);
  }
  assert.equal(bound('NOT r = principal.claims.x', { x: ['EU'] }), 'FALSE', 'an array is a list for IN alone');
  assert.equal(bound('TRUE OR r = principal.claims.toString', {}), 'FALSE');
});

test('an empty list is a list: nothing is in it', () => {
  assert.equal(bound('r IN (principal.claims.x)', { x: [] }), 'FALSE');
  assert.equal(bound('r NOT IN (principal.claims.x)', { x: [] }), 'NOT FALSE');
});

test('only policies know claims; a quoted principal is a column', () => {
  assert.deepEqual(
    parseFilter('"principal".claims.x = 1', limits),
    parsePolicyFilter('"principal".claims.x = 1', limits),
  );
  assert.deepEqual(
    [...collectClaims(parsePolicyFilter('a = principal.claims.x OR b IN (1, principal.claims.y)', limits))],
    ['x', 'y'],
  );
  for (const text of [
    'a = principal.name',
    'a = principal.claims',
    'a = principal.claims.x.y',
    'principal.claims.x',
    'principal.claims.x = 1',
  ]) {
    assert.throws(
      () => parsePolicyFilter(text, limits),
      (error) => isServiceError(error, 'INVALID_FILTER'),
      text,
    );
  }
});

test('a policy filter formats to text that parses back', () => {
  for (const text of ['a = principal.claims.x', 'a IN (principal.claims."odd one", 5)', '"principal" = 1']) {
    assert.equal(formatFilter(parsePolicyFilter(text, limits)), text);
  }
});
