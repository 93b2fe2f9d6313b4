import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutShards, isBefore, type Position, type WeightedRun, type WeightedRuns } from '../../src/scan/shards.ts';

const runsArbitrary = fc
  .array(
    fc.record({
      rows: fc.integer({ min: 1, max: 50 }),
      bytesPerRow: fc.integer({ min: 1, max: 9 }),
      sameFile: fc.boolean(),
    }),
    {
      maxLength: 30,
    },
  )
  .map((parts) => {
    const runs: WeightedRun[] = [];
    let file = 0;
    let startRow = 0;
    for (const { rows, bytesPerRow, sameFile } of parts) {
      if (!sameFile && runs.length > 0) [file, startRow] = [file + 1, 0];
      runs.push({ file, startRow, rows, bytes: rows * bytesPerRow });
      startRow += rows;
    }
    return { runs, end: { file: file + 1, row: 0 } };
  });

/** Runs with the bytes up to and including each. */
function weighted(runs: readonly WeightedRun[]): WeightedRuns {
  let sum = 0;
  return { runs, bytesEnds: Float64Array.from(runs, ({ bytes }) => (sum += bytes)) };
}

/** Which rows of the runs a range covers, as `file:row`. */
function covered(runs: readonly WeightedRun[], start: Position, end: Position): string[] {
  return runs.flatMap((run) =>
    Array.from({ length: run.rows }, (_, at) => ({ file: run.file, row: run.startRow + at }))
      .filter((position) => !isBefore(position, start) && isBefore(position, end))
      .map(({ file, row }) => `${file}:${row}`),
  );
}

test('shards cover every row exactly once, in order, and come in the number asked for', () => {
  fc.assert(
    fc.property(runsArbitrary, fc.integer({ min: 1, max: 40 }), ({ runs, end }, shards) => {
      const ranges = cutShards(weighted(runs), shards, end);
      assert.equal(ranges.length, shards);
      const rows = ranges.flatMap((range) => covered(runs, range.start, range.end));
      assert.deepEqual(rows, covered(runs, { file: 0, row: 0 }, end));
    }),
  );
});

test('one large row group is split below its edges, in about equal parts', () => {
  const run = { file: 0, startRow: 0, rows: 1000, bytes: 8000 };
  const ranges = cutShards(weighted([run]), 8, { file: 1, row: 0 });
  const sizes = ranges.map(({ start, end }) => covered([run], start, end).length);
  assert.deepEqual(sizes, [125, 125, 125, 125, 125, 125, 125, 125]);
});

test('a cut close to the edge of a row group moves onto it', () => {
  const runs = [
    { file: 0, startRow: 0, rows: 100, bytes: 1020 },
    { file: 0, startRow: 100, rows: 100, bytes: 980 },
  ];
  const [first] = cutShards(weighted(runs), 2, { file: 1, row: 0 });
  assert.deepEqual(first!.end, { file: 0, row: 100 });
});
