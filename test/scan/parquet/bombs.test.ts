import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { defaultLimits } from '../../../src/core/limits.ts';
import { openLeaf } from '../../../src/scan/parquet/decode-leaf.ts';
import { decompress } from '../../../src/scan/parquet/decompress.ts';
import { encodeLeafFile } from '../../../src/scan/parquet/leaf-file.ts';
import type { Codec, ColumnChunk } from '../../../src/scan/parquet/metadata.ts';
import { parseMetadata } from '../../../src/scan/parquet/metadata.ts';
import type { DataPage } from '../../../src/scan/parquet/pages.ts';
import type { ParquetLeaf } from '../../../src/scan/parquet/schema.ts';
import { withParquetWasm } from '../../../src/scan/parquet/wasm.ts';
import { valuesOf } from './values.ts';

const bytes = 64 << 20;
const bombs: readonly (readonly [Codec, Uint8Array])[] = [
  ['gzip', gzipSync(new Uint8Array(bytes))],
  ['zstd', zstdCompressSync(new Uint8Array(bytes))],
  ['brotli', brotliCompressSync(new Uint8Array(bytes))],
];

test('a page that decompresses to more than it declares is refused without taking the memory', () => {
  for (const [codec, bomb] of bombs) {
    const before = process.memoryUsage.rss();
    assert.throws(() => decompress(codec, bomb, 1000), { code: 'CORRUPT_FILE' }, codec);
    assert.ok(process.memoryUsage.rss() - before < bytes / 2, codec);
    assert.equal(decompress(codec, bomb, bytes).length, bytes, 'the control: declared honestly it is read');
  }
});

test('LZ4 data that points outside of itself or ends early is refused', () => {
  for (const block of [[0x10], [0x00, 5, 0], [0xf0, 255, 255], [0x1f, 65, 1, 0, 255, 255], [0x10, 65, 2, 0]]) {
    assert.throws(() => decompress('lz4-raw', Uint8Array.from(block), 100), { code: 'CORRUPT_FILE' });
  }
  const text = decompress('lz4-raw', Uint8Array.of(0x13, 65, 1, 0, 0x10, 66), 9);
  assert.equal(Buffer.from(text).toString(), 'AAAAAAAAB');
});

function leafOf(repetition: 'required' | 'optional'): ParquetLeaf {
  const base = { kind: 'leaf', name: 'c', path: ['c'], fieldId: null, repetition, logical: null } as const;
  const chain: ParquetLeaf[] = [];
  const leaf: ParquetLeaf = { ...base, chain, index: 0, physical: 'int64', typeLength: 0 };
  chain.push(leaf);
  return leaf;
}

/** A chunk of one v1 page of nulls alone, whose run length claims `values` of them in a few bytes. */
function chunkOfNulls(values: number): { leaf: ParquetLeaf; chunk: ColumnChunk; bytes: Uint8Array } {
  const leaf = leafOf('optional');
  const run: number[] = [];
  for (let rest = values * 2; ; rest = Math.floor(rest / 128)) {
    run.push(rest >= 128 ? (rest % 128) | 0x80 : rest);
    if (rest < 128) break;
  }
  const levels = Uint8Array.from([run.length + 1, 0, 0, 0, ...run, 0]);
  const page: DataPage = {
    kind: 'v1',
    encoding: 0,
    values,
    rows: values,
    uncompressedBytes: levels.length,
    body: levels,
    definitionEncoding: 3,
    repetitionEncoding: 3,
  };
  const file = encodeLeafFile({ leaf, codec: 'none', dictionary: null, data: [page], rows: values });
  const footerBytes = new DataView(file.buffer, file.byteOffset + file.length - 8).getUint32(0, true);
  const dataEnd = file.length - 8 - footerBytes;
  const metadata = parseMetadata(file.subarray(dataEnd, file.length - 8), dataEnd, defaultLimits);
  const chunk = metadata.rowGroups[0]!.chunks[0]!;
  return { leaf, chunk, bytes: file.subarray(chunk.range.start, chunk.range.end) };
}

const decodeNulls = (values: number) => {
  const { leaf, chunk, bytes: pages } = chunkOfNulls(values);
  const rows = { start: 0, end: values };
  const source = { leaf, chunk, parts: [pages], held: rows, pageRows: null, rows, batchRows: values };
  return openLeaf(source, defaultLimits).read(rows);
};

test('a few bytes that claim billions of values are refused before they are decoded', () => {
  const column = decodeNulls(1000);
  assert.deepEqual([column.length, column.nullCount], [1000, 1000]);
  const before = process.memoryUsage.rss();
  assert.throws(() => decodeNulls(2_000_000_000), { code: 'LIMIT_EXCEEDED' });
  assert.ok(process.memoryUsage.rss() - before < 100 << 20);
});

test('a decoder that runs out of its memory answers LIMIT_EXCEEDED and the next call works', () => {
  const leaf = leafOf('required');
  const values = 1 << 20;
  const body = new Uint8Array(values * 8);
  const page: DataPage = {
    kind: 'v2',
    encoding: 0,
    values,
    rows: values,
    nulls: 0,
    definitionBytes: 0,
    repetitionBytes: 0,
    compressed: false,
    uncompressedBytes: body.length,
    body,
  };
  const file = encodeLeafFile({ leaf, codec: 'none', dictionary: null, data: [page], rows: values });
  const decode = (memoryBytesMax: number): number =>
    withParquetWasm(
      memoryBytesMax,
      { code: 'CORRUPT_FILE', message: 'the test file cannot be decoded' },
      (api) => api.readParquet(file).intoIPCStream().length,
    );
  assert.throws(() => decode(20 << 20), { code: 'LIMIT_EXCEEDED' });
  assert.ok(decode(1 << 30) > body.length);
  assert.equal(valuesOf(decodeNulls(3)).length, 3);
});
