import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { AvroCursor } from '../../../src/catalog/avro/cursor.ts';
import { parseAvroSchema } from '../../../src/catalog/avro/schema.ts';
import { decodeSnappy } from '../../../src/catalog/avro/snappy.ts';
import { readAvro, writeAvro } from '../../../src/catalog/manifest/avro.ts';
import { type ErrorCode, isServiceError } from '../../../src/core/errors.ts';
import { defaultLimits } from '../../../src/core/limits.ts';

const limits = { ...defaultLimits, decompressedBytesMax: 1 << 20, avroRowValuesMax: 1_000 };
const fails = (code: ErrorCode) => (error: unknown) => isServiceError(error, code);
const rowsOf = (bytes: Uint8Array): unknown[] => [...readAvro(bytes, limits).rows];

/** Avro's zigzag variable-length integer. */
function varint(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}
const prefixed = (bytes: Buffer | string): Buffer =>
  Buffer.concat([varint(BigInt(Buffer.from(bytes).length)), Buffer.from(bytes)]);
const record = (type: unknown): object => ({ type: 'record', name: 'r', fields: [{ name: 'a', type }] });
const sync = Buffer.alloc(16, 7);

/** A container whose one block holds just these bytes. */
function container(schema: object | string, block: Buffer, { rows = 1n, codec = 'null' } = {}): Buffer {
  const text = typeof schema === 'string' ? schema : JSON.stringify(schema);
  const header = [
    varint(2n),
    prefixed('avro.schema'),
    prefixed(text),
    prefixed('avro.codec'),
    prefixed(codec),
    varint(0n),
    sync,
  ];
  return Buffer.concat([Buffer.from('Obj\x01'), ...header, varint(rows), prefixed(block), sync]);
}

const sample = writeAvro(
  {
    type: 'record',
    name: 's',
    fields: [
      { name: 'a', type: ['null', 'long'] },
      { name: 'b', type: { type: 'array', items: 'string' } },
    ],
  },
  new Map([['k', 'v']]),
  [
    { a: 1n, b: ['x', 'yz'] },
    { a: null, b: [] },
    { a: -(2n ** 63n), b: ['é'] },
  ],
  { codec: 'null', blockBytesTarget: 4 },
);

test('what was written reads back', () => {
  assert.deepEqual(rowsOf(sample), [
    [1n, ['x', 'yz']],
    [null, []],
    [-(2n ** 63n), ['é']],
  ]);
});

test('a file cut at any byte is CORRUPT_FILE, or ends between two blocks', () => {
  const whole = rowsOf(sample);
  const betweenBlocks: number[] = [];
  for (let end = 0; end < sample.length; end++) {
    try {
      const rows = rowsOf(sample.subarray(0, end));
      assert.deepEqual(rows, whole.slice(0, rows.length));
      betweenBlocks.push(end);
    } catch (error) {
      assert.ok(isServiceError(error, 'CORRUPT_FILE'), `cut at ${end}: ${error}`);
    }
  }
  assert.ok(betweenBlocks.length <= 3);
});

test('a file with any byte changed gives rows or a typed error', () => {
  for (let at = 0; at < sample.length; at++) {
    for (const value of [0, 0x7f, 0x80, 0xff, sample[at]! ^ 1]) {
      const mutant = Buffer.from(sample);
      mutant[at] = value;
      try {
        rowsOf(mutant);
      } catch (error) {
        assert.ok(isServiceError(error), `byte ${at} = ${value}: ${error}`);
      }
    }
  }
});

test('declared counts and lengths are not believed', () => {
  const array = record({ type: 'array', items: 'int' });
  const map = record({ type: 'map', values: 'null' });
  const corrupt: [object, Buffer][] = [
    [array, Buffer.concat([varint(2n ** 29n), Buffer.from([0])])],
    [array, Buffer.concat([varint(-(2n ** 52n)), varint(1n), Buffer.from([0])])],
    [array, Buffer.concat([varint(-(2n ** 63n)), varint(1n), Buffer.from([0])])],
    [array, Buffer.alloc(11, 0xff)],
    [map, Buffer.concat([varint(2n ** 40n), Buffer.from([0])])],
    [record('string'), varint(2n ** 50n)],
    [record('bytes'), varint(-1n)],
    [record(['null', 'int']), varint(2n)],
    [record({ type: 'enum', name: 'e', symbols: ['x'] }), varint(-1n)],
    [record('boolean'), Buffer.from([2])],
    [record('int'), varint(2n ** 40n)],
    [record('int'), Buffer.from([0, 0])],
  ];
  for (const [schema, block] of corrupt) {
    assert.throws(() => rowsOf(container(schema, block)), fails('CORRUPT_FILE'), JSON.stringify(schema));
  }
  assert.throws(() => rowsOf(container(record('int'), varint(1n), { rows: 2n ** 40n })), fails('CORRUPT_FILE'));
  assert.throws(() => rowsOf(container(record('int'), varint(1n), { rows: -1n })), fails('CORRUPT_FILE'));
});

test('items and rows of no bytes are bounded by count', () => {
  const nulls = Buffer.concat([varint(2n ** 40n), varint(0n)]);
  assert.throws(() => rowsOf(container(record({ type: 'array', items: 'null' }), nulls)), fails('LIMIT_EXCEEDED'));
  assert.throws(() => rowsOf(container(record('null'), Buffer.alloc(0), { rows: 2n ** 40n })), fails('CORRUPT_FILE'));
  assert.equal(rowsOf(container(record('null'), Buffer.alloc(0), { rows: 5n })).length, 5);
  const empties = record({ type: 'array', items: { type: 'record', name: 'e', fields: [] } });
  assert.throws(() => rowsOf(container(empties, nulls)), fails('LIMIT_EXCEEDED'));
});

test('compressed blocks that swell beyond the limit are LIMIT_EXCEEDED', () => {
  const zeros = Buffer.alloc(64 << 20);
  for (const [codec, block] of [
    ['deflate', deflateRawSync(zeros)],
    ['zstandard', zstdCompressSync(zeros)],
  ] as const) {
    assert.throws(() => rowsOf(container(record('bytes'), block, { codec })), fails('LIMIT_EXCEEDED'), codec);
    assert.throws(
      () => rowsOf(container(record('bytes'), block.subarray(0, 9), { codec })),
      fails('CORRUPT_FILE'),
      codec,
    );
  }
  const snappy = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x08, 0, 0, 0, 0]);
  assert.throws(() => rowsOf(container(record('bytes'), snappy, { codec: 'snappy' })), fails('LIMIT_EXCEEDED'));
});

test('codecs that are not read are named', () => {
  assert.throws(
    () => rowsOf(container(record('bytes'), Buffer.from([0]), { codec: 'bzip2' })),
    (error) => isServiceError(error, 'UNSUPPORTED_FEATURE') && error.message.includes('bzip2'),
  );
});

test('schemas that hold themselves, nest too deep, or swell through references are refused', () => {
  const self = { type: 'record', name: 'n', fields: [{ name: 'next', type: ['null', 'n'] }] };
  assert.throws(() => parseAvroSchema(self, limits), fails('UNSUPPORTED_FEATURE'));
  let deep: unknown = 'int';
  for (let level = 0; level < 100; level++) deep = { type: 'array', items: deep };
  assert.throws(() => parseAvroSchema(deep, limits), fails('LIMIT_EXCEEDED'));
  let wrapped: unknown = 'int';
  for (let level = 0; level < 100; level++) wrapped = { type: wrapped };
  assert.throws(() => parseAvroSchema(wrapped, limits), fails('LIMIT_EXCEEDED'));
  const doubling = Array.from({ length: 60 }, (_, at) => ({
    name: `f${at}`,
    type: {
      type: 'record',
      name: `n${at}`,
      fields:
        at === 0
          ? []
          : [
              { name: 'l', type: `n${at - 1}` },
              { name: 'r', type: `n${at - 1}` },
            ],
    },
  }));
  assert.throws(
    () => parseAvroSchema({ type: 'record', name: 'all', fields: doubling }, limits),
    fails('LIMIT_EXCEEDED'),
  );
  const text = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  assert.throws(() => rowsOf(container(text, Buffer.alloc(0))), fails('CORRUPT_FILE'));
});

test('malformed schemas are CORRUPT_FILE', () => {
  const bad: unknown[] = [
    7,
    null,
    {},
    'nope',
    { type: 'record', name: 'r' },
    { type: 'record', name: 'r', fields: [{ type: 'int' }] },
    {
      type: 'record',
      name: 'r',
      fields: [
        { name: 'a', type: 'int' },
        { name: 'a', type: 'int' },
      ],
    },
    { type: 'record', name: '', fields: [] },
    { type: 'fixed', name: 'f', size: -1 },
    { type: 'fixed', name: 'f', size: 2 ** 40 },
    { type: 'enum', name: 'e', symbols: [1] },
    [],
    ['null', ['int']],
  ];
  for (const json of bad)
    assert.throws(() => parseAvroSchema(json, limits), fails('CORRUPT_FILE'), JSON.stringify(json));
});

test('a header of too many entries is LIMIT_EXCEEDED', () => {
  const entries = Array.from({ length: 2_000 }, (_, at) => Buffer.concat([prefixed(`k${at}`), prefixed('')]));
  const bytes = Buffer.concat([Buffer.from('Obj\x01'), varint(2_000n), ...entries, varint(0n), sync]);
  assert.throws(() => readAvro(bytes, limits), fails('LIMIT_EXCEEDED'));
});

test('longs of every size survive, halves and bigint alike', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const cursor = new AvroCursor(varint(value));
      assert.equal(cursor.long(), value);
      assert.equal(cursor.left, 0);
    }),
  );
});

test('random Snappy streams decode or are refused, within their stated length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        assert.ok(decodeSnappy(bytes, 1 << 16).length <= 1 << 16);
      } catch (error) {
        assert.ok(isServiceError(error), `${error}`);
      }
    }),
    { numRuns: 2_000 },
  );
});
