import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { writeAvro } from '../../../src/catalog/manifest/avro.ts';
import { manifestEntrySchema } from '../../../src/catalog/manifest/avro-schemas.ts';
import { readManifest, writeManifest } from '../../../src/catalog/manifest/manifest.ts';
import type { DataFile, ManifestEntry, ManifestFile } from '../../../src/catalog/manifest/types.ts';
import type { PartitionSpec } from '../../../src/catalog/partition/types.ts';
import type { Schema } from '../../../src/catalog/schema/types.ts';
import { isLive } from '../../../src/catalog/snapshot/read.ts';
import { type ErrorCode, isServiceError } from '../../../src/core/errors.ts';
import { type FieldId, fieldId, snapshotId } from '../../../src/core/ids.ts';
import { defaultLimits, type Limits } from '../../../src/core/limits.ts';
import { type ColumnFile, filesByColumns, filesByEntries } from './columns-of.ts';

const fails = (code: ErrorCode) => (error: unknown) => isServiceError(error, code);
const schema: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: fieldId(1), name: 'a', required: false, type: { kind: 'long' } },
    { id: fieldId(2), name: 'b', required: false, type: { kind: 'string' } },
  ],
};
const spec: PartitionSpec = {
  specId: 0,
  fields: [
    { sourceId: fieldId(1), fieldId: 1000, name: 'a', transform: { kind: 'identity' } },
    { sourceId: fieldId(2), fieldId: 1001, name: 'b', transform: { kind: 'truncate', width: 2 } },
  ],
};
const types = { schemas: [schema], spec } as const;
const context = {
  ...types,
  schemas: [schema],
  content: 'data',
  snapshotId: snapshotId(9n),
  sequenceNumber: 7n,
} as const;

const ids = [1, 2, 3, 200].map(fieldId);
const perField = <Item>(item: fc.Arbitrary<Item>): fc.Arbitrary<Map<FieldId, Item>> =>
  fc.uniqueArray(fc.tuple(fc.constantFrom(...ids), item), { selector: ([id]) => id }).map((pairs) => new Map(pairs));
const count = fc.oneof(fc.nat(200), fc.constantFrom(2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER));
const bound = fc.uint8Array({ maxLength: 40 });
const part = fc.constantFrom('data', 'data/b=é', 'data/b=x', 'other', '🚰');
const dataFile: fc.Arbitrary<DataFile> = fc.record({
  content: fc.constant('data' as const),
  path: fc.tuple(part, fc.string({ unit: 'grapheme' })).map(([folder, name]) => `file:///t/é/${folder}/${name}`),
  format: fc.constantFrom('parquet', 'parquet', 'parquet', 'orc', 'avro'),
  specId: fc.constant(0),
  partition: fc.tuple(
    fc.constantFrom(null, 0n, -5n, 2n ** 63n - 1n),
    fc.constantFrom(null, '', 'éa', 'xy'),
  ) as fc.Arbitrary<DataFile['partition']>,
  rows: count,
  bytes: count,
  metrics: fc.record({
    columnBytes: perField(count),
    valueCounts: perField(count),
    nullCounts: perField(count),
    nanCounts: perField(count),
    lowerBounds: perField(bound),
    upperBounds: perField(bound),
  }),
  splitOffsets: fc.array(fc.nat(1_000_000), { maxLength: 3 }),
  sortOrderId: fc.constantFrom(null, 3),
  rest: fc.constantFrom(new Map<string, unknown>(), new Map([['key_metadata', Buffer.from('key')]])),
});
const entry: fc.Arbitrary<ManifestEntry> = fc
  .tuple(fc.constantFrom('existing', 'added', 'deleted'), fc.constantFrom(7n, 2n), dataFile)
  .map(([status, sequence, file]) => ({
    status,
    snapshotId: snapshotId(4n),
    sequenceNumber: sequence,
    fileSequenceNumber: sequence,
    file,
  }));

const entriesOf = (bytes: Uint8Array, file: ManifestFile): ColumnFile[] =>
  filesByEntries(
    readManifest(bytes, file, types, defaultLimits)
      .filter(isLive)
      .map((one) => one.file),
    ids,
  );

test('columns hold what entries say, in any version, codec and order of statuses, over growing columns', async () => {
  const manifest = fc.tuple(
    fc.array(entry, { maxLength: 40 }),
    fc.constantFrom<1 | 2>(1, 2),
    fc.constantFrom('null', 'deflate', 'zstandard'),
    fc.subarray(ids),
    fc.boolean(),
  );
  await fc.assert(
    fc.asyncProperty(manifest, async ([entries, formatVersion, codec, metricsOf, countsKnown]) => {
      const { bytes, summary } = writeManifest(
        { ...context, sequenceNumber: formatVersion === 1 ? 0n : 7n, formatVersion, codec } as never,
        entries,
      );
      const file = { ...summary, path: 'm', ...(countsKnown ? {} : { addedFiles: null }) };
      const expected = filesByEntries(
        entries.filter(isLive).map((one) => one.file),
        metricsOf,
      );
      assert.deepEqual(await filesByColumns(bytes, { file, types, metricsOf }), expected);
    }),
    { numRuns: 300 },
  );
});

/** Entries of one seed, in one manifest. */
const [sample] = fc.sample(fc.array(entry, { minLength: 3, maxLength: 3 }), { seed: 3, numRuns: 1 });
const written = writeManifest({ ...context, formatVersion: 2, codec: 'null' }, sample!);
const manifest: ManifestFile = { ...written.summary, path: 'm' };
const read = (bytes: Uint8Array, limits: Limits = defaultLimits, file = manifest): Promise<ColumnFile[]> =>
  filesByColumns(bytes, { file, types, metricsOf: ids, limits });

test('a manifest cut at any byte is CORRUPT_FILE', async () => {
  for (let end = 0; end < written.bytes.length; end++) {
    await assert.rejects(read(written.bytes.subarray(0, end)), fails('CORRUPT_FILE'), `cut at ${end}`);
  }
});

test('a manifest with any byte changed reads as its entries do, or fails with a typed error', async () => {
  let same = 0;
  for (let at = 0; at < written.bytes.length; at++) {
    const mutant = Buffer.from(written.bytes);
    mutant[at]! ^= 1 << (at % 8);
    let expected: ColumnFile[] | null = null;
    try {
      expected = entriesOf(mutant, manifest);
    } catch (error) {
      assert.ok(isServiceError(error));
    }
    try {
      const files = await read(mutant);
      if (expected === null) continue;
      assert.deepEqual(files, expected, `byte ${at}`);
      same++;
    } catch (error) {
      assert.ok(isServiceError(error), `byte ${at}: ${error}`);
      // Whoever reads entries of data files minds others among them; columns have no room for them.
      assert.ok(expected === null || /delete files/.test(String(error)), `byte ${at} fails columns alone: ${error}`);
    }
  }
  assert.ok(same > written.bytes.length / 10);
});

test('limits on entries and on bytes hold', async () => {
  await assert.rejects(read(written.bytes, { ...defaultLimits, manifestEntriesMax: 2 }), fails('LIMIT_EXCEEDED'));
  await assert.rejects(
    read(written.bytes, { ...defaultLimits, manifestDecodedBytesMax: 500 }),
    fails('LIMIT_EXCEEDED'),
  );
  const more = { ...manifest, addedFiles: manifest.addedFiles! + 1 };
  await assert.rejects(read(written.bytes, defaultLimits, more), fails('CORRUPT_FILE'));
});

type Json = { [name: string]: Json } & Json[];

/** The manifest schema of version 2, changed. */
function schemaWith(change: (dataFile: (name: string) => Json) => void): object {
  const partition = { type: 'record', name: 'r102', fields: [] };
  const json = JSON.parse(JSON.stringify(manifestEntrySchema(partition, 2))) as Json;
  const file = json.fields!.find(({ name }) => (name as unknown) === 'data_file')!;
  change((wanted) => file.type!.fields!.find(({ name }) => (name as unknown) === wanted)!);
  return json;
}

const row = (change: object): Record<string, unknown> => ({
  status: 1,
  snapshot_id: 9n,
  sequence_number: 7n,
  file_sequence_number: 7n,
  data_file: {
    content: 0,
    file_path: 'file:///x.parquet',
    file_format: 'PARQUET',
    partition: {},
    record_count: 3n,
    file_size_in_bytes: 5n,
    column_sizes: null,
    value_counts: [{ key: 1, value: 3n }],
    null_value_counts: null,
    nan_value_counts: null,
    lower_bounds: [
      { key: 2, value: Buffer.from('b') },
      { key: 1, value: Buffer.from('a') },
    ],
    upper_bounds: null,
    key_metadata: null,
    split_offsets: null,
    equality_ids: null,
    sort_order_id: null,
    ...change,
  },
});
const unpartitioned = { schemas: [schema], spec: { specId: 0, fields: [] } } as const;
const foreign = (json: object, change: object = {}): Promise<ColumnFile[]> => {
  const file = { ...manifest, addedFiles: null };
  return filesByColumns(writeAvro(json, new Map(), [row(change)]), {
    file,
    types: unpartitioned,
    metricsOf: [fieldId(1)],
  });
};
const plain = schemaWith(() => {});

test('statistics are found by name and in any order of their members', async () => {
  const expected = await foreign(plain);
  assert.deepEqual([...expected[0]!.metrics.lowerBounds], [[1, new Uint8Array(Buffer.from('a'))]]);
  const reversed = schemaWith((field) => {
    const { fields } = (field('lower_bounds').type as Json)[1]!.items as Json;
    (fields as Json[]).reverse();
    for (const one of fields as Json[]) delete one['field-id'];
  });
  assert.deepEqual(await foreign(reversed), expected);
  const wider = schemaWith((field) => {
    const { fields } = (field('value_counts').type as Json)[1]!.items as Json;
    (fields as Json[]).splice(1, 0, { name: 'more', type: ['null', 'string'], default: null } as never);
  });
  const withMore = { value_counts: [{ key: 1, more: 'x', value: 3n }] };
  assert.deepEqual(await foreign(wider, withMore), expected);
});

test('statistics of a wrong type or without sense are left out, other fields of a wrong type are CORRUPT_FILE', async () => {
  const texts = schemaWith((field) => {
    const { fields } = (field('lower_bounds').type as Json)[1]!.items as Json;
    (fields as Json[])[1]!.type = 'string' as never;
  });
  const [file] = await foreign(texts, { lower_bounds: [{ key: 1, value: 'a' }] });
  assert.equal(file!.metrics.lowerBounds.size, 0);
  const [negative] = await foreign(plain, { value_counts: [{ key: 1, value: -3n }] });
  assert.equal(negative!.metrics.valueCounts.size, 0);
  await assert.rejects(foreign(plain, { value_counts: [{ key: -1, value: 3n }] }), fails('CORRUPT_FILE'));
  await assert.rejects(foreign(plain, { record_count: -1n }), fails('CORRUPT_FILE'));
  const number = schemaWith((field) => {
    field('file_path').type = 'long' as never;
  });
  await assert.rejects(foreign(number, { file_path: 4n }), fails('CORRUPT_FILE'));
});

test('delete files among data files are CORRUPT_FILE, formats that are not known UNSUPPORTED_FEATURE', async () => {
  await assert.rejects(foreign(plain, { content: 1 }), fails('CORRUPT_FILE'));
  await assert.rejects(foreign(plain, { content: 7 }), fails('CORRUPT_FILE'));
  await assert.rejects(foreign(plain, { file_format: 'lance' }), fails('UNSUPPORTED_FEATURE'));
  assert.equal((await foreign(plain, { file_format: 'oRC' }))[0]!.format, 'orc');
});
