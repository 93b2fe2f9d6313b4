import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Column } from '../../src/scan/arrow/column.ts';
import { createBatchCutter } from '../../src/scan/batch-cutter.ts';
import { joinPieces, type Piece } from '../../src/scan/pieces.ts';

/** Rows of a text column with the given lengths, as one piece. */
function pieceOf(lengths: readonly number[], first: number): Piece {
  const offsets = new Int32Array(lengths.length + 1);
  lengths.forEach((length, at) => {
    offsets[at + 1] = offsets[at]! + length;
  });
  const text: Column = {
    kind: 'bytes',
    type: { kind: 'utf8' },
    length: lengths.length,
    nullCount: 0,
    validity: null,
    offsets,
    values: new Uint8Array(offsets[lengths.length]!),
  };
  return { columns: [text], rows: lengths.length, file: 0, at: first };
}

/** The rows of each batch that `lengths`, spread over pieces of the given sizes, are cut into. */
function cut(
  lengths: readonly number[],
  sizes: readonly number[],
  rowsMax: number,
  bytesTarget: number,
  hold: (piece: Piece) => Piece = (piece) => piece,
): number[] {
  const cutter = createBatchCutter(rowsMax, bytesTarget);
  const batches: (readonly Piece[])[] = [];
  for (let start = 0, turn = 0; start < lengths.length; turn++) {
    const end = Math.min(lengths.length, start + sizes[turn % sizes.length]!);
    batches.push(...cutter.push(hold(pieceOf(lengths.slice(start, end), start))));
    start = end;
  }
  const last = cutter.end();
  if (last.length > 0) batches.push(last);
  return batches.map((batch) => joinPieces(batch)[0]!.length);
}

/** The same rows, each an entry of a dictionary. */
function inDictionary(piece: Piece): Piece {
  const columns = piece.columns.map((dictionary): Column => {
    const { type, length, nullCount, validity } = dictionary;
    const indices = Int32Array.from({ length }, (_, row) => row);
    return { kind: 'dictionary', type, length, nullCount, validity, indices, dictionary };
  });
  return { ...piece, columns };
}

test('rows in a dictionary are cut like rows without one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(300), { minLength: 1, maxLength: 5_000 }),
      fc.integer({ min: 1, max: 100_000 }),
      (lengths, target) => {
        assert.deepEqual(cut(lengths, [700], 4_096, target, inDictionary), cut(lengths, [700], 4_096, target));
      },
    ),
  );
});

test('batches depend on their rows alone, not on the pieces in which the rows came', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 6_000 }),
      fc.array(fc.integer({ min: 1, max: 2_500 }), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 5_000 }),
      fc.integer({ min: 1_000, max: 500_000 }),
      (lengths, sizes, rowsMax, bytesTarget) => {
        const batches = cut(lengths, sizes, rowsMax, bytesTarget);
        assert.deepEqual(batches, cut(lengths, [6_000], rowsMax, bytesTarget));
        assert.equal(
          batches.reduce((sum, rows) => sum + rows, 0),
          lengths.length,
        );
        for (const rows of batches) assert.ok(rows >= 1 && rows <= rowsMax);
      },
    ),
    { numRuns: 60 },
  );
});

test('a batch that starts where another one ended is cut as if there had been nothing before', () => {
  const lengths = Array.from({ length: 20_000 }, (_, at) => (at * 7919) % 400);
  const batches = cut(lengths, [333], 5_000, 300_000);
  assert.ok(batches.length > 5);
  let start = 0;
  for (const [at, rows] of batches.entries()) {
    assert.deepEqual(cut(lengths.slice(start), [777], 5_000, 300_000), batches.slice(at));
    start += rows;
  }
});

test('small rows fill batches up to their rows, large ones up to their bytes, and what waits stays bounded', () => {
  assert.deepEqual(cut(new Array(10_000).fill(4), [100], 4_000, 1 << 20), [4_000, 4_000, 2_000]);
  assert.deepEqual(cut(new Array(4_096).fill(996), [100], 60_000, 2_100_000), [2_048, 2_048]);
  assert.deepEqual(cut(new Array(3_000).fill(10_000), [64], 60_000, 1 << 20), [1_024, 1_024, 952]);
  assert.deepEqual(cut([], [1], 10, 10), []);
});
