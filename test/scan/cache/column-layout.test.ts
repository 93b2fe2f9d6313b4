import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeBatch } from '../../../src/scan/arrow/ipc-write.ts';
import { hydrate } from '../../../src/scan/arrow/kernels/hydrate.ts';
import { sliceColumn } from '../../../src/scan/arrow/kernels/slice.ts';
import { packColumn, sharedColumn } from '../../../src/scan/cache/column-layout.ts';
import { field, Random, randomColumn, randomType, valuesOf } from '../arrow/sample-columns.ts';

const noMax = Number.MAX_SAFE_INTEGER;

test('a shared column has the same rows as the one that it was made of, whole and in slices', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 300 }), fc.integer({ min: 1, max: 320 }), (seed, rows, cut) => {
      const random = new Random(seed);
      const type = randomType(random, 3);
      const column = randomColumn(random, type, rows);
      const shared = sharedColumn(packColumn(column, cut, noMax)!, type);
      assert.deepEqual(valuesOf(shared.whole()), valuesOf(column));
      assert.equal(shared.whole().nullCount, column.nullCount);
      for (let count = 0; count < 4; count++) {
        const start = random.below(rows + 1);
        const end = start + random.below(rows - start + 1);
        assert.deepEqual(valuesOf(shared.slice(start, end)), valuesOf(sliceColumn(column, start, end)));
      }
    }),
    { numRuns: 300 },
  );
});

test('slices that fall on the cuts of text, and slices of fixed widths and bitmaps, are views of the shared memory', () => {
  const random = new Random(1);
  const rows = 1_000;
  for (const kind of [{ kind: 'utf8' }, { kind: 'int', bits: 64, signed: true }, { kind: 'bool' }] as const) {
    const column = hydrate(randomColumn(random, kind, rows));
    const packed = packColumn(column, 256, noMax)!;
    const shared = sharedColumn(packed, kind);
    for (let start = 0; start < rows; start += 256) {
      const slice = shared.slice(start, Math.min(rows, start + 256));
      const buffers = slice.kind === 'bytes' ? [slice.values, slice.offsets] : 'values' in slice ? [slice.values] : [];
      for (const buffer of [...buffers, ...(slice.validity === null ? [] : [slice.validity])]) {
        assert.equal(buffer.buffer, packed);
      }
      assert.equal(slice.kind === 'bytes' ? slice.offsets[0] : 0, 0);
    }
  }
});

test('what is sent of a shared column is what is sent of its original', () => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom('none', 'lz4', 'zstd'), (seed, compression) => {
      const random = new Random(seed);
      const type = randomType(random, 2);
      const column = hydrate(randomColumn(random, type, 200));
      const shared = sharedColumn(packColumn(column, 64, noMax)!, type).whole();
      const schema = { fields: [field('x', type)], metadata: new Map() };
      const bytesOf = (one: typeof column): Buffer[] =>
        encodeBatch({ schema, rows: 200, columns: [one] }, { compression, dictionaries: false }).flatMap(({ body }) =>
          body.map((part) => Buffer.from(part)),
        );
      assert.deepEqual(Buffer.concat(bytesOf(shared)), Buffer.concat(bytesOf(column)));
    }),
    { numRuns: 100 },
  );
});

test('a column that is larger than the most is not packed', () => {
  const column = randomColumn(new Random(3), { kind: 'float', bits: 64 }, 100, false);
  assert.equal(packColumn(column, 64, 100), null);
});
