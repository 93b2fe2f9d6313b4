import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NestedField, Schema, Type } from '../../../src/catalog/schema/types.ts';
import { type ErrorCode, isServiceError } from '../../../src/core/errors.ts';
import { parseFilterJson } from '../../../src/core/expression/json.ts';
import { parseFilter } from '../../../src/core/expression/parse.ts';
import { mapTerms } from '../../../src/core/expression/rewrite.ts';
import { fieldId } from '../../../src/core/ids.ts';
import {
  type BoundFilter,
  bindFilter,
  bindRowFilter,
  conjunction,
  referencedFields,
} from '../../../src/scan/filter/bind.ts';
import { limits } from '../../core/expression/expressions.ts';

const field = (id: number, name: string, type: Type): NestedField => ({ id: fieldId(id), name, required: false, type });
const schema: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    field(1, 'delay', { kind: 'int' }),
    field(2, 'origin', { kind: 'string' }),
    field(3, 'home', {
      kind: 'struct',
      fields: [field(4, 'zip', { kind: 'string' }), field(5, 'lat', { kind: 'double' })],
    }),
    field(6, 'tags', { kind: 'list', element: field(7, 'element', { kind: 'string' }) }),
    field(8, 'price', { kind: 'decimal', precision: 9, scale: 2 }),
    field(9, 'at', { kind: 'timestamptz' }),
    field(10, 'key', { kind: 'uuid' }),
    field(11, 'code', { kind: 'fixed', length: 2 }),
    field(12, 'blob', { kind: 'binary' }),
    field(13, 'local', { kind: 'timestamp' }),
  ],
};
const everything = (): boolean => true;
const bind = (text: string, visible: (id: number) => boolean = everything): BoundFilter =>
  bindFilter(parseFilter(text, limits), schema, visible);

function refused(text: string, code: ErrorCode, message: RegExp, visible: (id: number) => boolean = everything): void {
  assert.throws(
    () => bind(text, visible),
    (error) => {
      assert.ok(isServiceError(error, code), String(error));
      assert.match(error.message, message);
      return true;
    },
    text,
  );
}

const delay = { fieldId: 1, type: { kind: 'int' }, path: ['delay'] };

test('literals no int can equal are settled exactly', () => {
  const compare = (op: string, literal: number) => ({ kind: 'compare', op, field: delay, literal, nan: false });
  assert.deepEqual(bind('delay < 2.5'), compare('<=', 2));
  assert.deepEqual(bind('delay >= -2.5'), compare('>', -3));
  assert.deepEqual(bind('NOT delay > 2.50e0'), compare('<=', 2));
  assert.deepEqual(bind('delay = 25e-1'), { kind: 'unless-null', field: delay, value: false });
  assert.deepEqual(bind('delay != 99999999999'), { kind: 'unless-null', field: delay, value: true });
  assert.deepEqual(bind('delay <= 1e999999999999'), { kind: 'unless-null', field: delay, value: true });
  assert.deepEqual(bind('delay > 1e-999999999999'), compare('>', 0));
  assert.deepEqual(bind('NOT (delay IN (1.5, 99999999999))'), { kind: 'unless-null', field: delay, value: true });
  assert.deepEqual(bind('delay IN (1, 1.0, 10e-1, 0.5)'), compare('=', 1));
});

test('NOT is pushed down to the conditions', () => {
  const filter = bind("NOT (delay = 1 AND (origin LIKE 'S%' OR home.lat IS NAN OR home.lat < 1) AND TRUE)");
  assert.ok(filter.kind === 'or');
  assert.deepEqual(
    filter.of.map((child) => child.kind),
    ['compare', 'and', 'false'],
  );
  const [, inner] = filter.of;
  assert.ok(inner?.kind === 'and');
  assert.deepEqual(
    inner.of.map((child) => [child.kind, 'nan' in child && child.nan]),
    [
      ['not-starts-with', false],
      ['not-nan', false],
      ['compare', true],
    ],
  );
  assert.deepEqual([...referencedFields(filter)].sort(), [1, 2, 5]);
});

test('a column that is hidden reads exactly as one that does not exist, and is never suggested', () => {
  const hidden = (id: number): boolean => ![1, 4, 5].includes(id);
  refused('delai > 1', 'UNKNOWN_COLUMN', /^there is no column delai\. Did you mean delay\?$/);
  refused('delai > 1', 'UNKNOWN_COLUMN', /^there is no column delai\.$/, hidden);
  refused('delay > 1', 'UNKNOWN_COLUMN', /^there is no column delay\.$/, hidden);
  refused("delay > 'wrong type'", 'UNKNOWN_COLUMN', /^there is no column delay\.$/, hidden);
  refused("home.zip = '1'", 'UNKNOWN_COLUMN', /^there is no column home\.zip\.$/, hidden);
  refused('home IS NULL', 'UNKNOWN_COLUMN', /^there is no column home\.$/, (id) => id === 3 || id < 3);
  const byId = mapTerms(parseFilter('delay > 1', limits), () => ({ kind: 'field', fieldId: fieldId(1) }));
  assert.throws(() => bindFilter(byId, schema, hidden), /there is no column with the field id 1$/);
  assert.deepEqual(bindFilter(byId, schema, everything), bind('delay > 1'));
});

test('wrong types are INVALID_FILTER that names the column, its type and what to write', () => {
  refused("delay = 'ten'", 'INVALID_FILTER', /column delay \(int\).*text.*a number without quotes/);
  refused('origin = 5', 'INVALID_FILTER', /column origin \(string\).*a number/);
  refused("origin = DATE '2001-01-01'", 'INVALID_FILTER', /column origin \(string\).*a DATE/);
  refused('price = TRUE', 'INVALID_FILTER', /column price \(decimal\(9, 2\)\)/);
  refused('at > 5', 'INVALID_FILTER', /column at \(timestamptz\).*TIMESTAMP '2001-01-31T10:00:00Z'/);
  refused("at > '2001-01-01T00:00:00'", 'INVALID_FILTER', /column at \(timestamptz\): .*with a zone/);
  refused("local > '2001-01-01T00:00:00Z'", 'INVALID_FILTER', /column local \(timestamp\): .*without a zone/);
  refused("local > '2001-02-30'", 'INVALID_FILTER', /column local/);
  refused("key = UUID '12'", 'INVALID_FILTER', /column key \(uuid\)/);
  refused("blob = 'cafe'", 'INVALID_FILTER', /column blob \(binary\).*X'0AFF'/);
  refused("code = X'00'", 'INVALID_FILTER', /column code \(fixed\[2\]\).*1 bytes.*2 bytes/);
  refused('delay IS NAN', 'INVALID_FILTER', /column delay \(int\): IS NAN/);
  refused("delay LIKE 'a%'", 'INVALID_FILTER', /column delay \(int\): LIKE/);
  refused('home IS NULL', 'INVALID_FILTER', /column home is a struct.*name a field inside it/);
  refused('tags IS NULL', 'INVALID_FILTER', /column tags is a list/);
  refused("tags.element = 'x'", 'INVALID_FILTER', /column tags\.element lies below a list or a map/);
});

test('strings of a JSON filter are single-value serializations of the column', () => {
  const json = (term: string, value: unknown): BoundFilter =>
    bindFilter(parseFilterJson({ type: 'eq', term, value }, limits), schema, everything);
  assert.deepEqual(json('blob', 'CAFE'), bind("blob = X'CAFE'"));
  assert.deepEqual(json('price', '14.20'), bind('price = 14.2'));
  assert.deepEqual(json('at', '2001-01-01T00:00:00+00:00'), bind("at = TIMESTAMP '2001-01-01T01:00:00+01:00'"));
  assert.deepEqual(json('origin', '5'), bind("origin = '5'"));
  assert.throws(() => json('delay', 'ten'), /column delay \(int\)/);
});

test('a row filter that cannot be bound admits no row and tells the log why', () => {
  const older: Schema = { ...schema, schemaId: 1, fields: [field(99, 'gone', { kind: 'string' })] };
  const term = (id: number) => () => ({ kind: 'field', fieldId: fieldId(id) }) as const;
  const rows = (text: string, id: number) =>
    bindRowFilter(mapTerms(parseFilter(text, limits), term(id)), [schema, older]);
  assert.deepEqual(rows('x = 5', 1), { filter: bind('delay = 5'), problem: null });
  assert.ok(referencedFields(rows("NOT x = 'EU'", 99).filter).has(fieldId(99)));
  for (const broken of [rows("NOT x = 'EU'", 1), rows('NOT x = 5', 1234), rows('x IS NOT NULL', 3)]) {
    assert.deepEqual(broken.filter, { kind: 'false' });
    assert.ok(isServiceError(broken.problem));
  }
});

test('constants vanish where filters are joined', () => {
  const one = bind('delay = 1');
  assert.deepEqual(conjunction([{ kind: 'true' }, one]), one);
  assert.deepEqual(conjunction([{ kind: 'false' }, one]), { kind: 'false' });
  assert.deepEqual(conjunction([]), { kind: 'true' });
  assert.deepEqual(conjunction([one, one]), { kind: 'and', of: [one, one] });
});
