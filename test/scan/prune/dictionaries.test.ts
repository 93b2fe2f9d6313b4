import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { PrimitiveType, Schema } from '../../../src/catalog/schema/types.ts';
import { parseFilter } from '../../../src/core/expression/parse.ts';
import { type FieldId, fieldId } from '../../../src/core/ids.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { bindFilter } from '../../../src/scan/filter/bind.ts';
import { createDictionaryValues } from '../../../src/scan/parquet/dictionary-values.ts';
import { openParquet } from '../../../src/scan/parquet/footer.ts';
import { leavesByFieldId } from '../../../src/scan/parquet/project.ts';
import { dictionariesMayMatch } from '../../../src/scan/prune/dictionaries.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import { runPython } from '../../support/python.ts';
import { temporaryFolder } from '../parquet/compare.ts';
import { countingStore } from '../parquet/counting-store.ts';

/** Even numbers only, in every way of storing them; `spilled` outgrows its dictionary. */
const writeFile = `
import decimal, random
import pyarrow as pa, pyarrow.parquet as pq
random.seed(4)
rows = 60000
def field(id, name, kind): return pa.field(name, kind, metadata={'PARQUET:field_id': str(id)})
even = [2 * random.randrange(3000) for _ in range(rows)]
nulls = [None if at % 7 == 0 else value for at, value in enumerate(even)]
columns = [
    (field(1, 'long', pa.int64()), nulls), (field(2, 'int', pa.int32()), even),
    (field(3, 'text', pa.string()), [None if n is None else f'v{n}' for n in nulls]), (field(4, 'double', pa.float64()), [n / 4 for n in even]),
    (field(5, 'price', pa.decimal128(12, 2)), [decimal.Decimal(n) for n in even]),
    (field(6, 'spilled', pa.string()), [f'{n} ' + 'x' * 40 for n in even]), (field(7, 'plain', pa.int64()), even),
]
table = pa.Table.from_arrays([pa.array(values, field.type) for field, values in columns], schema=pa.schema([field for field, _ in columns]))
pq.write_table(table, f'{input}/even.parquet', dictionary_pagesize_limit=100000, use_dictionary=[f.name for f, _ in columns if f.name != 'plain'], store_schema=False)
output = None
`;

const types: readonly (readonly [string, PrimitiveType])[] = [
  ['long', { kind: 'long' }],
  // Promoted since the file was written.
  ['int', { kind: 'long' }],
  ['text', { kind: 'string' }],
  ['double', { kind: 'double' }],
  ['price', { kind: 'decimal', precision: 12, scale: 2 }],
  ['spilled', { kind: 'string' }],
  ['plain', { kind: 'long' }],
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
  await runPython(writeFile, folder.path);
});
after(async () => {
  await local[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function open() {
  const objects = countingStore(local);
  const location = pathToFileURL(join(folder.path, 'even.parquet')).href;
  const file = await openParquet({ objects, location, limits: defaultLimits, signal });
  const leaves = leavesByFieldId(file, null);
  const mapping = new Map(
    types.map(([, type], at) => [leaves.get(fieldId(at + 1))!, { fieldId: fieldId(at + 1) as FieldId, type }]),
  );
  const dictionaries = createDictionaryValues(1 << 20);
  objects.reads.length = 0;
  const ask = (text: string) => {
    const filter = bindFilter(parseFilter(text, defaultLimits), schema, () => true);
    return dictionariesMayMatch(filter, { file, rowGroup: 0, mapping, dictionaries }, signal);
  };
  return { objects, file, ask };
}

const lacking = [
  'long = 501',
  'int = 501',
  "text = 'v501'",
  'double = 0.25',
  'price = 501.00',
  'long IN (501, 503, 7001)',
  "text LIKE 'v501x%'",
  "text = 'v501' OR long = 503",
  'long = 500 AND int = 501',
  "text = 'v501' AND spilled IS NULL",
];
const holding = [
  'long = 500',
  'int = 500',
  "text = 'v500'",
  'double = 0.5',
  'price = 500.00',
  'long IN (501, 500)',
  "text LIKE 'v50%'",
];
const untold = [
  'long IS NULL',
  'long != 501',
  'long > 501 AND long < 502',
  "text = 'v501' OR long IS NULL",
  'long = 501 OR int = 500',
  'NOT long = 500',
  "spilled = 'nothing'",
  'plain = 501',
  'long = 501 OR plain = 501',
];

for (const [what, filters, expected] of [
  ['lacks', lacking, false],
  ['may hold', [...holding, ...untold], true],
] as const) {
  for (const text of filters) {
    test(`a row group ${what} what passes ${text}`, async () => {
      const { ask } = await open();
      assert.equal((await ask(text)).mayMatch, expected);
    });
  }
}

test('dictionaries alone are read, once, and none where they tell nothing', async () => {
  const { objects, file, ask } = await open();
  const chunk = file.metadata.rowGroups[0]!.chunks[2]!;
  const { bytesRead } = await ask("text = 'v501'");
  assert.equal(bytesRead, objects.bytes());
  assert.ok(bytesRead > 0 && bytesRead < (chunk.range.end - chunk.range.start) / 2, `${bytesRead} bytes`);
  assert.equal((await ask("text = 'v503'")).bytesRead, 0);
  for (const text of ['plain = 501', "spilled = 'nothing'", 'long > 501 AND long < 502', 'long IS NULL']) {
    assert.equal((await ask(text)).bytesRead, 0, text);
  }
  assert.equal(objects.bytes(), bytesRead);
});
