import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { MetricColumns, Slices } from '../../../src/catalog/manifest/columns.ts';
import type { FileMetrics } from '../../../src/catalog/manifest/types.ts';
import type { PrimitiveType } from '../../../src/catalog/schema/types.ts';
import { formatFilter } from '../../../src/core/expression/format.ts';
import { parseFilter } from '../../../src/core/expression/parse.ts';
import { type FieldId, fieldId } from '../../../src/core/ids.ts';
import { bindFilter } from '../../../src/scan/filter/bind.ts';
import type { BoundField, BoundFilter } from '../../../src/scan/filter/bound.ts';
import { columnsMayMatch } from '../../../src/scan/prune/match-columns.ts';
import { metricsMayMatch, metricsMustMatch } from '../../../src/scan/prune/metrics.ts';
import { rangeMustMatch } from '../../../src/scan/prune/range.ts';
import { type RangeColumns, rangeAt, rangeColumns } from '../../../src/scan/prune/range-columns.ts';
import { limits } from '../../core/expression/expressions.ts';
import { type FilterCase, filterCase } from '../filter/cases.ts';
import { anyHabits, metricsOf, noMetrics } from './statistics.ts';

/** A file with its statistics, as entries have them. */
interface File {
  readonly rows: number;
  readonly metrics: FileMetrics;
}

function metricColumns(files: readonly File[], id: FieldId): MetricColumns {
  const counts = (of: (metrics: FileMetrics) => ReadonlyMap<FieldId, number>): Float64Array =>
    Float64Array.from(files, ({ metrics }) => of(metrics).get(id) ?? -1);
  const slices = (of: (metrics: FileMetrics) => ReadonlyMap<FieldId, Uint8Array>): Slices => {
    const parts = files.map(({ metrics }) => of(metrics).get(id));
    const lengths = Int32Array.from(parts, (part) => part?.length ?? -1);
    const starts = new Uint32Array(files.length);
    // Anything may lie before and between them.
    let at = 3;
    for (const [file, part] of parts.entries()) {
      starts[file] = at;
      at += (part?.length ?? 0) + 1;
    }
    const bytes = new Uint8Array(at).fill(0xee);
    for (const [file, part] of parts.entries()) if (part !== undefined) bytes.set(part, starts[file]);
    return { bytes, starts, lengths };
  };
  return {
    valueCounts: counts(({ valueCounts }) => valueCounts),
    nullCounts: counts(({ nullCounts }) => nullCounts),
    nanCounts: counts(({ nanCounts }) => nanCounts),
    lower: slices(({ lowerBounds }) => lowerBounds),
    upper: slices(({ upperBounds }) => upperBounds),
  };
}

/** What columns say of each file: whether it may match, and whether all of it must. */
function byColumns(filter: BoundFilter, files: readonly File[]): { readonly may: boolean[]; readonly must: boolean[] } {
  const known = new Map<string, RangeColumns>();
  const columnsOf = (field: BoundField): RangeColumns => {
    const key = `${field.fieldId}`;
    const columns =
      known.get(key) ??
      rangeColumns(
        field,
        metricColumns(files, field.fieldId),
        files.map(({ rows }) => rows),
      );
    known.set(key, columns);
    return columns;
  };
  return {
    may: Array.from(columnsMayMatch(filter, files.length, columnsOf), (bit) => bit === 1),
    must: files.map((_, at) => rangeMustMatch(filter, (field) => rangeAt(columnsOf(field), at))),
  };
}

const byFiles = (filter: BoundFilter, files: readonly File[]): ReturnType<typeof byColumns> => ({
  may: files.map(({ metrics, rows }) => metricsMayMatch(filter, metrics, rows)),
  must: files.map(({ metrics, rows }) => metricsMustMatch(filter, metrics, rows)),
});

const bound = ({ expression, schema }: Pick<FilterCase, 'expression' | 'schema'>): BoundFilter =>
  bindFilter(expression, schema, () => true);

test('columns decide of every file what its statistics decide alone, over all types, conditions and writers', () => {
  const seen = { pruned: 0, kept: 0, strict: 0 };
  const cut = fc.array(fc.tuple(fc.nat(20), fc.nat(20), anyHabits), { maxLength: 6 });
  fc.assert(
    fc.property(filterCase(undefined, 20), cut, (given, cuts) => {
      const files = cuts.map(([start, count, habits]): File => {
        const rows = given.rows.slice(start % (given.rows.length + 1)).slice(0, count % 4);
        return { rows: rows.length, metrics: metricsOf({ ...given, rows }, habits) };
      });
      const expected = byFiles(bound(given), files);
      assert.deepEqual(byColumns(bound(given), files), expected, formatFilter(given.expression));
      for (const may of expected.may) seen[may ? 'kept' : 'pruned']++;
      seen.strict += expected.must.filter((must) => must).length;
    }),
    { numRuns: 4_000 },
  );
  assert.ok(seen.pruned > 500 && seen.kept > 500 && seen.strict > 100, JSON.stringify(seen));
});

const hostileBound = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.constantFrom(1, 4, 7, 8, 16).chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
  fc
    .constantFrom('0000c07f', '000000000000f87f', '0000000000000080', 'ffffffffffffff7f', 'edA080', 'ff', 'c3', '')
    .map((hex) => Buffer.from(hex, 'hex')),
);
const hostileCount = fc.constantFrom(undefined, 0, 1, 3, 5, 2 ** 40);

test('columns decide as statistics do where these make no sense', () => {
  const file = fc.record({
    rows: fc.constantFrom(0, 1, 3),
    counts: fc.tuple(hostileCount, hostileCount, hostileCount),
    lower: fc.option(hostileBound),
    upper: fc.option(hostileBound),
  });
  const one = <Item>(item: Item | null | undefined): ReadonlyMap<FieldId, Item> =>
    item === null || item === undefined ? new Map() : new Map([[fieldId(1), item]]);
  let pruned = 0;
  fc.assert(
    fc.property(filterCase(undefined, 1), fc.array(file, { maxLength: 4 }), (given, made) => {
      const files = made.map(
        ({ rows, counts: [values, nulls, nans], lower, upper }): File => ({
          rows,
          metrics: {
            ...noMetrics,
            valueCounts: one(values),
            nullCounts: one(nulls),
            nanCounts: one(nans),
            lowerBounds: one(lower),
            upperBounds: one(upper),
          },
        }),
      );
      const expected = byFiles(bound(given), files);
      assert.deepEqual(byColumns(bound(given), files), expected, formatFilter(given.expression));
      pruned += expected.may.filter((may) => !may).length;
    }),
    { numRuns: 4_000 },
  );
  assert.ok(pruned > 500, `${pruned}`);
});

const fieldOf = (type: PrimitiveType) => ({ id: fieldId(1), name: 'x', required: false, type });

/** Which of the files with these bounds may match. */
function kept(type: PrimitiveType, text: string, bounds: readonly (readonly [string | null, string | null])[]): string {
  const schema = { schemaId: 0, identifierFieldIds: [], fields: [fieldOf(type)] };
  const filter = bindFilter(parseFilter(text, limits), schema, () => true);
  const one = (hex: string | null): ReadonlyMap<FieldId, Uint8Array> =>
    hex === null ? new Map() : new Map([[fieldId(1), Buffer.from(hex, 'hex')]]);
  const files = bounds.map(
    ([lower, upper]): File => ({
      rows: 10,
      metrics: {
        ...noMetrics,
        nullCounts: new Map([[fieldId(1), 0]]),
        lowerBounds: one(lower),
        upperBounds: one(upper),
      },
    }),
  );
  assert.deepEqual(byColumns(filter, files), byFiles(filter, files));
  return byColumns(filter, files)
    .may.map((may) => (may ? '1' : '0'))
    .join('');
}

test('longs beyond what a double holds are compared exactly, as are those beside them', () => {
  const long = { kind: 'long' } as const;
  const [most, below, five] = ['ffffffffffffff7f', 'feffffffffffff7f', '0500000000000000'];
  assert.equal(
    kept(long, `x = ${2n ** 63n - 1n}`, [
      [most, most],
      [below, below],
      [five, most],
      [five, five],
    ]),
    '1010',
  );
  assert.equal(
    kept(long, `x > ${2n ** 63n - 2n}`, [
      [below, most],
      [five, below],
      [null, null],
    ]),
    '101',
  );
  assert.equal(
    kept(long, `x < ${2n ** 62n}`, [
      [five, five],
      [null, five],
    ]),
    '11',
  );
  assert.equal(
    kept(long, `x > ${2n ** 62n}`, [
      [five, five],
      [five, null],
    ]),
    '01',
  );
  assert.equal(
    kept(long, `x IN (${2n ** 62n}, 5, ${-(2n ** 62n)})`, [
      [five, five],
      ['06000000', '07000000'],
    ]),
    '10',
  );
});

test('prefixes of several bytes a character are compared by whole characters', () => {
  const text = (value: string): string => Buffer.from(value).toString('hex');
  const files = [
    [text('é'), text('éz')],
    [text('a'), text('è')],
    [text('ê'), text('🚰')],
    [text(''), text('é')],
  ] as const;
  assert.equal(kept({ kind: 'string' }, "x LIKE 'é%'", files), '1001');
  assert.equal(kept({ kind: 'string' }, "NOT x LIKE 'é%'", files), '0111');
  assert.equal(kept({ kind: 'string' }, "x LIKE '%'", files), '1111');
});
