import type { Column, DictionaryColumn } from './arrow/column.ts';
import { bitAt } from './arrow/kernels/bitmap.ts';
import { type Piece, splitPieces } from './pieces.ts';

/** Cuts a sequence of pieces into batches. */
export interface BatchCutter {
  /** Takes a piece and gives the batches that are full with it, each as the pieces that it is made of. */
  push(piece: Piece): readonly (readonly Piece[])[];
  /** What is left: the last batch, or nothing. */
  end(): readonly Piece[];
}

/** Rows between two looks at how many bytes a batch has. */
const measuredRows = 1_024;

/**
 * Batches of `rowsMax` rows, or fewer where their rows are large: then the most multiples of 1,024 rows, counted from the batch's own
 * start, that stay within `bytesTarget`, but at least one. How rows are spread over pieces makes no difference, so that a batch tells
 * nothing of the rows that were taken out between its own; and what waits for a batch to be full stays bounded.
 */
export function createBatchCutter(rowsMax: number, bytesTarget: number): BatchCutter {
  let pieces: Piece[] = [];
  let rows = 0;
  /** The rows of the batch that have been measured, and where the next one lies in `pieces`. */
  let measured = { rows: 0, bytes: 0, piece: 0, row: 0 };

  const withNext = (count: number): typeof measured => {
    let { bytes, piece, row } = measured;
    for (let left = count; left > 0; ) {
      const { columns, rows: held } = pieces[piece]!;
      const end = Math.min(held, row + left);
      for (const column of columns) bytes += rangeBytes(column, row, end);
      left -= end - row;
      [piece, row] = end === held ? [piece + 1, 0] : [piece, end];
    }
    return { rows: measured.rows + count, bytes, piece, row };
  };

  const close = (count: number): readonly Piece[] => {
    const [batch, rest] = splitPieces(pieces, count);
    rows -= count;
    pieces = rest;
    measured = { rows: 0, bytes: 0, piece: 0, row: 0 };
    return batch;
  };

  return {
    push(given) {
      const full: (readonly Piece[])[] = [];
      pieces.push(given);
      rows += given.rows;
      for (;;) {
        const count = Math.min(measuredRows, rowsMax - measured.rows);
        if (rows < measured.rows + count) return full;
        const next = withNext(count);
        if (measured.rows > 0 && next.bytes > bytesTarget) full.push(close(measured.rows));
        else if (next.rows === rowsMax || next.bytes > bytesTarget) full.push(close(next.rows));
        else measured = next;
      }
    },
    end() {
      const left = pieces;
      pieces = [];
      rows = 0;
      return left;
    },
  };
}

/**
 * Bytes of the values of rows [start, end): ranges that touch add up. Bitmaps are left out. Rows in a dictionary count as what they are
 * without one: whether a file has one depends on rows that may be hidden.
 */
function rangeBytes(column: Column, start: number, end: number): number {
  const rows = end - start;
  switch (column.kind) {
    case 'null':
    case 'bool':
      return 0;
    case 'fixed':
      return rows * column.width;
    case 'bytes':
      return rows * 4 + column.offsets[end]! - column.offsets[start]!;
    case 'list':
      return rows * 4 + rangeBytes(column.child, column.offsets[start]!, column.offsets[end]!);
    case 'fixed-list':
      return rangeBytes(column.child, start * column.size, end * column.size);
    case 'struct':
      return column.children.reduce((sum, child) => sum + rangeBytes(child, start, end), 0);
    case 'dictionary':
      return dictionaryRangeBytes(column, start, end);
    default:
      return column satisfies never;
  }
}

function dictionaryRangeBytes({ dictionary, indices, validity }: DictionaryColumn, start: number, end: number): number {
  if (dictionary.kind !== 'bytes') return (end - start) * (dictionary.kind === 'fixed' ? dictionary.width : 4);
  const { offsets } = dictionary;
  let bytes = (end - start) * 4;
  for (let row = start; row < end; row++) {
    if (validity !== null && bitAt(validity, row) === 0) continue;
    bytes += offsets[indices[row]! + 1]! - offsets[indices[row]!]!;
  }
  return bytes;
}
