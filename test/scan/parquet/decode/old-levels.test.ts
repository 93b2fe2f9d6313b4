import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultLimits } from '../../../../src/core/limits.ts';
import { openLeaf } from '../../../../src/scan/parquet/decode-leaf.ts';
import { encodeLeafFile } from '../../../../src/scan/parquet/leaf-file.ts';
import { parseMetadata } from '../../../../src/scan/parquet/metadata.ts';
import type { DataPage } from '../../../../src/scan/parquet/pages.ts';
import type { ParquetLeaf } from '../../../../src/scan/parquet/schema.ts';
import { valuesOf } from '../values.ts';

const rleEncoding = 3;
const bitPackedEncoding = 4;

/** A chunk of one v1 page of an optional int32 column, its definition levels in the encoding and bytes given. */
function chunkOf(definitionEncoding: number, levels: readonly number[], rows: number, values: readonly number[]) {
  const chain: ParquetLeaf[] = [];
  const base = { kind: 'leaf', name: 'c', path: ['c'], fieldId: null, repetition: 'optional', logical: null } as const;
  const leaf: ParquetLeaf = { ...base, chain, index: 0, physical: 'int32', typeLength: 0 };
  chain.push(leaf);
  const body = Buffer.concat([Uint8Array.from(levels), Buffer.from(Int32Array.from(values).buffer)]);
  const page: DataPage = {
    kind: 'v1',
    encoding: 0,
    values: rows,
    rows,
    uncompressedBytes: body.length,
    body,
    definitionEncoding,
    repetitionEncoding: rleEncoding,
  };
  const file = encodeLeafFile({ leaf, codec: 'none', dictionary: null, data: [page], rows });
  const dataEnd = file.length - 8 - new DataView(file.buffer, file.byteOffset + file.length - 8).getUint32(0, true);
  const { rowGroups } = parseMetadata(file.subarray(dataEnd, file.length - 8), dataEnd, defaultLimits);
  const chunk = rowGroups[0]!.chunks[0]!;
  const parts = [file.subarray(chunk.range.start, chunk.range.end)];
  const held = { start: 0, end: rows };
  return { leaf, chunk, parts, held, pageRows: null, rows: held, batchRows: rows };
}

test('levels in the deprecated bit-packed encoding are read as those of today', () => {
  const values = [7, -8, 9, 10];
  const expected = [7, null, -8, 9, null, null, 10, null];
  // The deprecated encoding packs from the highest bit down, and has no length before it.
  const old = chunkOf(bitPackedEncoding, [0b10110010], 8, values);
  const current = chunkOf(rleEncoding, [2, 0, 0, 0, 3, 0b01001101], 8, values);
  for (const source of [old, current]) {
    const reader = openLeaf(source, defaultLimits);
    assert.deepEqual(valuesOf(reader.read(source.held)), expected);
    assert.deepEqual(valuesOf(reader.read({ start: 2, end: 5 })), expected.slice(2, 5));
  }
});
