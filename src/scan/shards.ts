import type { Sequence } from './sequence.ts';

/** A place in a plan's row order: before row `row` of file `file`. Rows count the file's stored rows, pruned or not. */
export interface Position {
  readonly file: number;
  readonly row: number;
}

/** [start, end) in the plan's row order. */
export interface ShardRange {
  readonly start: Position;
  readonly end: Position;
}

/** A run of rows that costs `bytes` to read; runs come in plan order and do not overlap. */
export interface WeightedRun {
  readonly file: number;
  readonly startRow: number;
  readonly rows: number;
  readonly bytes: number;
}

// A cut this close to a run's edge, as a share of a shard, moves onto it: whole row groups are cheaper than a perfect balance.
const snapShare = 0.05;

/** Runs in plan order, with the bytes of the runs up to and including each. */
export interface WeightedRuns {
  readonly runs: Pick<Sequence<WeightedRun>, 'at'>;
  readonly bytesEnds: Float64Array;
}

/**
 * Cuts runs into exactly `shards` ranges of about equal bytes, inside a run where needed. Together the ranges cover every row
 * once; some are empty when there is less than a row for each.
 */
export function cutShards({ runs, bytesEnds }: WeightedRuns, shards: number, end: Position): ShardRange[] {
  const total = bytesEnds.at(-1) ?? 0;
  const ranges: ShardRange[] = [];
  let start: Position = { file: 0, row: 0 };
  for (let shard = 1; shard < shards; shard++) {
    const target = (total * shard) / shards;
    const at = firstReaching(bytesEnds, target);
    const run = at < bytesEnds.length ? runs.at(at) : undefined;
    const before = at === 0 ? 0 : bytesEnds[at - 1]!;
    const cut = run === undefined ? end : cutRun(run, target - before, (total / shards) * snapShare);
    ranges.push({ start, end: later(start, cut) });
    start = ranges[ranges.length - 1]!.end;
  }
  ranges.push({ start, end });
  return ranges;
}

/** The first of the ascending numbers that is no less: a plan may have a million runs. */
function firstReaching(numbers: Float64Array, least: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

function cutRun(run: WeightedRun, bytes: number, snapBytes: number): Position {
  if (bytes <= snapBytes) return { file: run.file, row: run.startRow };
  if (run.bytes - bytes <= snapBytes) return { file: run.file, row: run.startRow + run.rows };
  return { file: run.file, row: run.startRow + Math.round((run.rows * bytes) / run.bytes) };
}

export const isBefore = (a: Position, b: Position): boolean => a.file < b.file || (a.file === b.file && a.row < b.row);

const later = (a: Position, b: Position): Position => (isBefore(a, b) ? b : a);
