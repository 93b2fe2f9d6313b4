import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { writeAvro } from '../../../src/catalog/manifest/avro.ts';
import { type ErrorCode, isServiceError } from '../../../src/core/errors.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { writeIpcStream } from '../../../src/scan/arrow/ipc-write.ts';
import { type AvroReadLimits, avroToBatches } from '../../../src/scan/avro/read.ts';
import { compareWithFastavro, type Pair, writeSamples } from './fastavro.ts';

const corpus = 'test/corpus/arrow-testing/data/avro';
const fails =
  (code: ErrorCode, text = '') =>
  (error: unknown) =>
    isServiceError(error, code) && error.message.includes(text);
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-avro-'));
});
after(() => rm(folder, { recursive: true }));

async function toArrow(avro: string, limits: AvroReadLimits = defaultLimits): Promise<Pair> {
  const { schema, batches } = avroToBatches(await readFile(avro), limits);
  const arrow = join(folder, `${basename(avro)}.arrows`);
  await writeFile(arrow, writeIpcStream(schema, batches, { compression: 'none', dictionaries: false }));
  return { avro, arrow };
}

const record = (type: unknown): object => ({ type: 'record', name: 'r', fields: [{ name: 'a', type }] });
const read = (schema: object, rows: object[], limits = defaultLimits) => {
  const bytes = writeAvro(schema, new Map(), rows as Record<string, unknown>[]);
  return [...avroToBatches(bytes, limits).batches];
};

test('every file of the corpus reads as fastavro reads it, or names the codec that is not supported', async () => {
  const names = (await readdir(corpus)).filter((name) => name.endsWith('.avro'));
  const unsupported = new Map([['alltypes_plain.xz.avro', 'xz']]);
  const pairs: Pair[] = [];
  for (const name of names) {
    const codec = unsupported.get(name);
    if (codec === undefined) pairs.push(await toArrow(join(corpus, name)));
    else await assert.rejects(toArrow(join(corpus, name)), fails('UNSUPPORTED_FEATURE', codec));
  }
  assert.equal(pairs.length, 17);
  for (const [at, { difference, rows }] of (await compareWithFastavro(pairs)).entries()) {
    assert.equal(difference, null, pairs[at]!.avro);
    assert.ok(rows > 0, pairs[at]!.avro);
  }
});

test('every Avro type, nullable in either order and not, reads as fastavro reads it, in batches of any size', async () => {
  const paths = await writeSamples(folder);
  for (const batchRowsDefault of [7, 65_536]) {
    const pairs = await Promise.all(paths.map((path) => toArrow(path, { ...defaultLimits, batchRowsDefault })));
    for (const [at, { difference }] of (await compareWithFastavro(pairs)).entries()) {
      assert.equal(difference, null, `${paths[at]}, ${batchRowsDefault} rows a batch`);
    }
  }
});

test('logical types become their Arrow types', async () => {
  const [timestamps, uuids, decimals] = await compareWithFastavro([
    await toArrow(join(corpus, 'timestamp_logical_types.avro')),
    await toArrow(join(corpus, 'duration_uuid.avro')),
    await toArrow(join(corpus, 'int256_decimal.avro')),
  ]);
  assert.deepEqual(timestamps!.types, [
    'id: int32 not null',
    'ts_millis: timestamp[ms, tz=UTC] not null',
    'ts_micros: timestamp[us, tz=UTC] not null',
    'ts_nanos: timestamp[ns, tz=UTC] not null',
    'local_ts_millis: timestamp[ms] not null',
    'local_ts_micros: timestamp[us] not null',
    'local_ts_nanos: timestamp[ns] not null',
  ]);
  assert.deepEqual(uuids!.types, [
    'duration_field: fixed_size_binary[12] not null',
    'uuid_field: extension<arrow.uuid> not null',
  ]);
  assert.deepEqual(decimals!.types, ['value: decimal256(76, 10) not null']);
});

test('unions of several types are refused by the path of their column', () => {
  const schema = record({ type: 'array', items: ['null', 'int', 'string'] });
  assert.throws(() => read(schema, []), fails('UNSUPPORTED_FEATURE', 'a.element'));
});

test('a union of one type is that type', () => {
  const [batch] = read(record(['long']), [{ a: 5n }]);
  assert.deepEqual([batch!.rows, batch!.schema.fields[0]!.nullable], [1, false]);
});

test('a decimal of more digits than its bytes hold reads as bytes', () => {
  const type = { type: 'fixed', name: 'f', size: 3, logicalType: 'decimal', precision: 30, scale: 2 };
  const [batch] = read(record(type), [{ a: Buffer.from('abc') }]);
  assert.deepEqual(batch!.schema.fields[0]!.type, { kind: 'fixed-size-binary', byteWidth: 3 });
});

test('field ids are kept as metadata', () => {
  const schema = { type: 'record', name: 'r', fields: [{ name: 'a', type: 'int', 'field-id': 7 }] };
  const [batch] = read(schema, [{ a: 1 }]);
  assert.equal(batch!.schema.fields[0]!.metadata.get('PARQUET:field_id'), '7');
});

test('a few bytes that unfold into a large column are LIMIT_EXCEEDED', () => {
  const limits = { ...defaultLimits, decompressedBytesMax: 1 << 20, messageBytesMax: 1 << 16 };
  const wide = record({ type: 'array', items: ['null', { type: 'fixed', name: 'f', size: 1 << 16 }] });
  assert.throws(() => read(wide, [{ a: new Array(1_000).fill(null) }], limits), fails('LIMIT_EXCEEDED'));
  const symbol = 'S'.repeat(1 << 16);
  const enums = record({ type: 'array', items: { type: 'enum', name: 'e', symbols: [symbol] } });
  assert.throws(() => read(enums, [{ a: new Array(1_000).fill(symbol) }], limits), fails('LIMIT_EXCEEDED'));
  const nulls = record({ type: 'array', items: 'null' });
  assert.throws(() => read(nulls, [{ a: new Array(2_000_000).fill(null) }], limits), fails('LIMIT_EXCEEDED'));
});

test('large rows end a batch before it exceeds the message size by more than a row', () => {
  const rows = Array.from({ length: 40 }, () => ({ a: Buffer.alloc(100_000) }));
  const batches = read(record('bytes'), rows, { ...defaultLimits, messageBytesMax: 1 << 20 });
  assert.equal(
    batches.reduce((sum, batch) => sum + batch.rows, 0),
    40,
  );
  assert.ok(batches.length >= 4);
});

test('strings that are not UTF-8, decimals that do not fit and false uuids are CORRUPT_FILE', () => {
  const text = writeAvro(record('string'), new Map(), [{ a: 'AAAA' }], { codec: 'null' });
  const broken = Buffer.from(Buffer.from(text).toString('latin1').replace('AAAA', 'A\xff\xfeA'), 'latin1');
  assert.throws(() => [...avroToBatches(broken, defaultLimits).batches], fails('CORRUPT_FILE'));
  const decimal = record({ type: 'bytes', logicalType: 'decimal', precision: 4, scale: 0 });
  assert.throws(() => read(decimal, [{ a: Buffer.alloc(17, 0x7f) }]), fails('CORRUPT_FILE'));
  assert.throws(() => read(decimal, [{ a: Buffer.alloc(0) }]), fails('CORRUPT_FILE'));
  assert.throws(
    () => read(record({ type: 'string', logicalType: 'uuid' }), [{ a: 'nonsense' }]),
    fails('CORRUPT_FILE'),
  );
});

test('a corpus file with any byte changed gives batches or a typed error', async () => {
  const bytes = await readFile(join(corpus, 'nested_records.avro'));
  for (let at = 0; at < bytes.length; at++) {
    for (const change of [1, 0x80, 0xff]) {
      const mutant = Buffer.from(bytes);
      mutant[at]! ^= change;
      try {
        for (const batch of avroToBatches(mutant, defaultLimits).batches) assert.ok(batch.rows > 0);
      } catch (error) {
        assert.ok(isServiceError(error), `byte ${at}: ${error}`);
      }
    }
  }
});
