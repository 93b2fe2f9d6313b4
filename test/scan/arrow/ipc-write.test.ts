import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ArrowSchema, Batch, Column } from '../../../src/scan/arrow/column.ts';
import { createIpcDecoder, openIpcStream } from '../../../src/scan/arrow/ipc-read.ts';
import { encodeSchema } from '../../../src/scan/arrow/ipc-schema.ts';
import {
  createIpcEncoder,
  dictionaryIds,
  encodeBatch,
  type IpcOptions,
  writeIpcStream,
} from '../../../src/scan/arrow/ipc-write.ts';
import { hydrate } from '../../../src/scan/arrow/kernels/hydrate.ts';
import { runPython } from '../../support/python.ts';
import { collect } from './collect.ts';
import { field, Random, randomColumn, randomType, valuesOf } from './sample-columns.ts';

const optionsOf = (random: Random): IpcOptions => ({
  compression: random.pick(['none', 'lz4', 'zstd'] as const),
  dictionaries: random.chance(0.5),
});

function randomBatch(random: Random, schema: ArrowSchema): Batch {
  const rows = random.below(30);
  return { schema, rows, columns: schema.fields.map(({ type }) => randomColumn(random, type, rows)) };
}

const randomSchema = (random: Random): ArrowSchema => ({
  fields: Array.from({ length: random.below(4) }, (_, at) => field(`c${at}`, randomType(random, 3), true, at)),
  metadata: new Map([['name', 'välue']]),
});

test('a stream of batches reads back the same, whatever dictionaries come and go between them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const random = new Random(seed);
      const schema = randomSchema(random);
      const batches = Array.from({ length: random.below(4) }, () => randomBatch(random, schema));
      const bytes = Buffer.concat(await collect(writeIpcStream(schema, batches, optionsOf(random))));
      const contents = await openIpcStream(bytes);
      assert.deepEqual(contents.schema, schema);
      const read = await collect(contents.batches);
      assert.deepEqual(
        read.map((batch) => batch.columns.map(valuesOf)),
        batches.map((batch) => batch.columns.map(valuesOf)),
      );
    }),
    { numRuns: 300 },
  );
});

test('single messages decode one by one, their bodies aligned and of the length that they say', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = new Random(seed);
      const batch = randomBatch(random, randomSchema(random));
      const options = optionsOf(random);
      const decoder = createIpcDecoder();
      decoder.readSchema(encodeSchema(batch.schema, options.dictionaries ? dictionaryIds(batch) : undefined));
      const messages = encodeBatch(batch, options);
      for (const [at, message] of messages.entries()) {
        const body = Buffer.concat(message.body);
        assert.equal(body.length, message.bodyBytes);
        assert.equal(body.length % 8, 0);
        const read = decoder.readMessage(message.header, body);
        assert.equal(read === null, at < messages.length - 1);
        if (read !== null) assert.deepEqual(read.columns.map(valuesOf), batch.columns.map(valuesOf));
      }
    }),
    { numRuns: 300 },
  );
});

const text = (...values: string[]): Column => {
  const parts = values.map((value) => Buffer.from(value));
  const offsets = new Int32Array(values.length + 1);
  parts.forEach((part, at) => {
    offsets[at + 1] = offsets[at]! + part.length;
  });
  return {
    kind: 'bytes',
    type: { kind: 'utf8' },
    length: values.length,
    nullCount: 0,
    validity: null,
    offsets,
    values: Buffer.concat(parts),
  };
};

const encoded = (dictionary: Column, ...indices: number[]): Column => ({
  kind: 'dictionary',
  type: dictionary.type,
  length: indices.length,
  nullCount: 0,
  validity: null,
  indices: Int32Array.from(indices),
  dictionary,
});

test('a dictionary is sent once, again only when another takes its place, and pyarrow reads each batch by its own', async (context) => {
  const schema = { fields: [field('t', { kind: 'utf8' })], metadata: new Map<string, string>() };
  const first = text('a', 'b');
  const columns = [
    encoded(first, 0, 1),
    encoded(first, 1, 1),
    encoded(text('x', 'y', 'z'), 2),
    text('plain', 'again'),
    encoded(first, 0),
  ];
  const encoder = createIpcEncoder(schema, { compression: 'none', dictionaries: true });
  const counts = columns.map((column) => encoder.encode({ schema, rows: column.length, columns: [column] }).length);
  // The schema, a dictionary and a batch; a batch; a new dictionary and a batch, and so on.
  assert.deepEqual(counts, [3, 1, 2, 2, 2]);
  assert.deepEqual(encoder.finish(), []);
  const folder = mkdtempSync(join(tmpdir(), 'headrace-dictionary-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'stream.arrows');
  const batches = columns.map((column) => ({ schema, rows: column.length, columns: [column] }));
  const parts = await collect(writeIpcStream(schema, batches, { compression: 'zstd', dictionaries: true }));
  writeFileSync(path, Buffer.concat(parts));
  const output = await runPython(
    `import pyarrow.ipc as ipc
reader = ipc.open_stream(open(input, 'rb').read())
output = [str(reader.schema.field(0).type), [b.column(0).to_pylist() for b in reader]]`,
    path,
  );
  assert.deepEqual(output, [
    'dictionary<values=string, indices=int32, ordered=0>',
    [['a', 'b'], ['b', 'b'], ['z'], ['plain', 'again'], ['a']],
  ]);
});

test('without dictionaries the same columns are sent as plain text', () => {
  const column = encoded(text('a', 'b'), 1, 0);
  const schema = { fields: [field('t', { kind: 'utf8' })], metadata: new Map<string, string>() };
  const encoder = createIpcEncoder(schema, { compression: 'none', dictionaries: false });
  const [, batch] = encoder.encode({ schema, rows: 2, columns: [column] });
  const decoder = createIpcDecoder();
  decoder.readSchema(encodeSchema(schema));
  const read = decoder.readMessage(batch!.header, Buffer.concat(batch!.body));
  assert.deepEqual(read!.columns.map(valuesOf), [valuesOf(hydrate(column))]);
  assert.equal(read!.columns[0]!.kind, 'bytes');
});

test('a stream without batches still has its schema and its end', async () => {
  const schema = { fields: [field('t', { kind: 'utf8' })], metadata: new Map<string, string>() };
  const bytes = Buffer.concat(await collect(writeIpcStream(schema, [])));
  const contents = await openIpcStream(bytes);
  assert.deepEqual(contents.schema, schema);
  assert.deepEqual(await collect(contents.batches), []);
});
