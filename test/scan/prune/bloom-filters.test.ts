import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { PrimitiveType, Schema } from '../../../src/catalog/schema/types.ts';
import { isServiceError } from '../../../src/core/errors.ts';
import { parseFilter } from '../../../src/core/expression/parse.ts';
import { fieldId } from '../../../src/core/ids.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { bindFilter } from '../../../src/scan/filter/bind.ts';
import type { BoundFilter } from '../../../src/scan/filter/bound.ts';
import { bloomFilterHolds } from '../../../src/scan/parquet/bloom-filter.ts';
import { openParquet, type ParquetFile } from '../../../src/scan/parquet/footer.ts';
import { leavesByFieldId } from '../../../src/scan/parquet/project.ts';
import { bloomFiltersMayMatch } from '../../../src/scan/prune/bloom-filters.ts';
import { prunablePart } from '../../../src/scan/prune/prunable.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import { runPython } from '../../support/python.ts';
import { temporaryFolder } from '../parquet/compare.ts';
import { countingStore } from '../parquet/counting-store.ts';

/** Even numbers from 0 to 19998, in all types, every seventh null; `none` has no filter. `large.parquet` has one that is not read whole. */
const writeFiles = `
import datetime, decimal, uuid
import pyarrow as pa, pyarrow.parquet as pq, duckdb
rows = 10000
def field(id, name, kind): return pa.field(name, kind, metadata={'PARQUET:field_id': str(id)})
day = datetime.date(2000, 1, 1)
kinds = [
    ('long', pa.int64(), lambda n: n), ('int', pa.int32(), lambda n: n), ('text', pa.string(), lambda n: f'value {n:07}' * (1 + n % 5)),
    ('double', pa.float64(), lambda n: n / 4 if n else -0.0), ('float', pa.float32(), lambda n: n / 4), ('price', pa.decimal128(12, 2), lambda n: decimal.Decimal(-n)),
    ('wide', pa.decimal128(30, 2), lambda n: decimal.Decimal(-n) * 10**20), ('day', pa.date32(), lambda n: day + datetime.timedelta(days=n)),
    ('ts', pa.timestamp('us'), lambda n: datetime.datetime(2000, 1, 1) + datetime.timedelta(seconds=n)),
    ('millis', pa.timestamp('ms'), lambda n: datetime.datetime(2000, 1, 1) + datetime.timedelta(seconds=n)),
    ('none', pa.int64(), lambda n: n), ('small', pa.uint16(), lambda n: n),
]
columns = [[None if k % 7 == 6 else of(2 * k) for k in range(rows)] for _, _, of in kinds]
schema = pa.schema([field(at + 1, name, kind) for at, (name, kind, _) in enumerate(kinds)])
table = pa.Table.from_arrays([pa.array(values, kind) for values, (_, kind, _) in zip(columns, kinds)], schema=schema)
options = {name: {'ndv': rows, 'fpp': 0.01} for name, _, _ in kinds if name != 'none'}
pq.write_table(table, f'{input}/arrow.parquet', bloom_filter_options=options, use_dictionary=False, store_schema=False)
large = pa.table([pa.array(range(0, 400000, 2))], schema=pa.schema([field(1, 'long', pa.int64())]))
pq.write_table(large, f'{input}/large.parquet', bloom_filter_options={'long': {'ndv': 200000, 'fpp': 0.01}}, use_dictionary=False)
duckdb.sql(f"COPY (SELECT (i % 1000) * 2 AS long, 'value ' || (i % 1000) * 2 AS text FROM range(20000) t(i)) TO '{input}/duck.parquet' (FIELD_IDS {{long: 1, text: 3}})")
output = None
`;

const types: readonly (readonly [string, PrimitiveType])[] = [
  ['long', { kind: 'long' }],
  // Promoted since the file was written.
  ['int', { kind: 'long' }],
  ['text', { kind: 'string' }],
  ['double', { kind: 'double' }],
  ['float', { kind: 'double' }],
  ['price', { kind: 'decimal', precision: 12, scale: 2 }],
  ['wide', { kind: 'decimal', precision: 30, scale: 2 }],
  ['day', { kind: 'date' }],
  ['ts', { kind: 'timestamp' }],
  ['millis', { kind: 'timestamp' }],
  ['none', { kind: 'long' }],
  ['small', { kind: 'int' }],
];
const schema: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: types.map(([name, type], at) => ({ id: fieldId(at + 1), name, required: false, type })),
};

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const local = openLocalStore();
const { signal } = new AbortController();
before(async () => {
  folder = await temporaryFolder();
  await runPython(writeFiles, folder.path);
});
after(async () => {
  await local[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const boundOf = (text: string): BoundFilter => bindFilter(parseFilter(text, defaultLimits), schema, () => true);

async function open(name: string) {
  const objects = countingStore(local);
  const location = pathToFileURL(join(folder.path, name)).href;
  const file = await openParquet({ objects, location, limits: defaultLimits, signal });
  const leaves = leavesByFieldId(file, null);
  const mapping = new Map(
    types.flatMap(([, type], at) => {
      const leaf = leaves.get(fieldId(at + 1));
      return leaf === undefined ? [] : [[leaf, { fieldId: fieldId(at + 1), type }] as const];
    }),
  );
  objects.reads.length = 0;
  const ask = (filter: BoundFilter) => bloomFiltersMayMatch(filter, { file, rowGroup: 0, mapping }, signal);
  return { objects, file, ask };
}

/** A literal of each column for an even number, which is held unless it was a seventh. */
const literals: Readonly<Record<string, (n: number) => string>> = {
  long: String,
  int: String,
  text: (n) => `'${`value ${String(n).padStart(7, '0')}`.repeat(1 + (n % 5))}'`,
  double: (n) => String(n / 4),
  float: (n) => String(n / 4),
  price: (n) => String(-n),
  wide: (n) => `${-n}${'0'.repeat(20)}`,
  day: (n) => `DATE '${new Date(Date.UTC(2000, 0, 1 + n)).toISOString().slice(0, 10)}'`,
  ts: (n) => `TIMESTAMP '${new Date(Date.UTC(2000, 0, 1, 0, 0, n)).toISOString().slice(0, 19)}'`,
  small: String,
};

test('no value that a file holds is ever missed, and nearly all that it lacks are', async () => {
  const { ask } = await open('arrow.parquet');
  for (const [name, literal] of Object.entries(literals)) {
    let missed = 0;
    for (let at = 0; at < 60; at++) {
      const n = at * 2 * 83;
      const isNull = (n / 2) % 7 === 6;
      if (!isNull) assert.ok((await ask(boundOf(`${name} = ${literal(n)}`))).mayMatch, `${name} holds ${n}`);
      if (!(await ask(boundOf(`${name} = ${literal(n + 1)}`))).mayMatch) missed++;
    }
    assert.ok(missed >= 54, `${name}: ${missed} of 60 values that it lacks`);
  }
});

test('lists, conjunctions and disjunctions are decided by what each condition could hold', async () => {
  const { ask } = await open('arrow.parquet');
  const may = async (text: string): Promise<boolean> => (await ask(boundOf(text))).mayMatch;
  assert.equal(await may('long IN (1, 3, 5)'), false);
  assert.equal(await may('long IN (1, 3, 4)'), true);
  assert.equal(await may('long = 1 AND none = 2'), false);
  assert.equal(await may('long = 1 OR none = 2'), true);
  assert.equal(await may("long = 1 OR text = 'x'"), false);
  assert.equal(await may('double = 0.0'), true, 'the file holds a zero of the other sign');
  assert.equal(await may('int = 5000000000'), false, 'beyond what the file can hold');
  assert.equal(await may('float = 0.1'), false, 'no float is 0.1');
  for (const text of ['long != 1', 'NOT long = 1', 'long < 3', 'long IS NULL', 'NOT long IN (1, 3)', 'none = 1'])
    assert.equal(await may(text), true, text);
  assert.equal(await may("millis = TIMESTAMP '2000-01-01 00:00:01'"), true, 'a unit that may hold it otherwise');
});

test('filters are read for single values alone: small ones whole, of large ones a block, and never for a masked column', async () => {
  const { ask, objects, file } = await open('arrow.parquet');
  const chunk = (at: number) => file.metadata.rowGroups[0]!.chunks[at]!.bloomFilter!;
  const bytesFor = async (filter: BoundFilter): Promise<number> => {
    objects.reads.length = 0;
    const { bytesRead } = await ask(filter);
    assert.equal(bytesRead, objects.bytes());
    return bytesRead;
  };
  assert.equal(await bytesFor(boundOf('long = 1')), chunk(0).bytes);
  assert.equal(await bytesFor(boundOf("long < 4 AND text LIKE 'a%' AND none = 7")), 0);
  const masked = prunablePart(boundOf('long = 1 AND int = 4'), (id) => id !== fieldId(1));
  assert.equal(await bytesFor(masked), chunk(1).bytes);
  assert.equal((await ask(masked)).mayMatch, true);
  assert.equal((await ask(boundOf('long = 1 AND int = 4'))).mayMatch, false, 'the negative control');
});

test('of a large filter the header and the blocks of the values are read, nothing else', async () => {
  const { ask, objects, file } = await open('large.parquet');
  assert.ok(file.metadata.rowGroups[0]!.chunks[0]!.bloomFilter!.bytes! > 100_000);
  for (let n = 0; n < 400_000; n += 10_000) assert.ok((await ask(boundOf(`long = ${n}`))).mayMatch);
  let missed = 0;
  for (let n = 1; n < 400_000; n += 10_000) if (!(await ask(boundOf(`long = ${n}`))).mayMatch) missed++;
  assert.ok(missed >= 36, `${missed} of 40`);
  objects.reads.length = 0;
  assert.equal((await ask(boundOf('long IN (1, 3)'))).bytesRead, 64 + 2 * 32);
  assert.equal(objects.bytes(), 64 + 2 * 32);
});

test('the filters that DuckDB writes are read too', async () => {
  const { ask, file } = await open('duck.parquet');
  assert.ok(file.metadata.rowGroups[0]!.chunks.every(({ bloomFilter }) => bloomFilter !== null));
  let missed = 0;
  for (let n = 0; n < 2_000; n += 50) {
    assert.ok((await ask(boundOf(`long = ${n}`))).mayMatch && (await ask(boundOf(`text = 'value ${n}'`))).mayMatch);
    for (const text of [`long = ${n + 1}`, `text = 'value ${n + 1}'`])
      if (!(await ask(boundOf(text))).mayMatch) missed++;
  }
  assert.ok(missed >= 72, `${missed} of 80`);
});

test('a damaged filter is CORRUPT_FILE or decides nothing, whatever byte is changed, and never a crash', async () => {
  const { file } = await open('arrow.parquet');
  const bytes = await readFile(join(folder.path, 'arrow.parquet'));
  const place = file.metadata.rowGroups[0]!.chunks[0]!.bloomFilter!;
  const value = Buffer.alloc(8);
  const outcomes = new Set<string>();
  for (let at = 0; at < 40; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const whole = Buffer.from(bytes.subarray(0, place.start + place.bytes!));
      whole[place.start + at]! ^= 1 << bit;
      const mutant: ParquetFile = { ...file, bytes: whole.length, whole };
      for (const length of [place.bytes, null]) {
        try {
          const { holds } = await bloomFilterHolds(mutant, { ...place, bytes: length }, [value], signal);
          outcomes.add(`${holds}`);
        } catch (error) {
          assert.ok(isServiceError(error, 'CORRUPT_FILE'), `${error}`);
          outcomes.add('corrupt');
        }
      }
    }
  }
  assert.ok(outcomes.has('true') && outcomes.has('corrupt'), [...outcomes].join());
});
