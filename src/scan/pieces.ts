import type { Column } from './arrow/column.ts';
import { concatColumns } from './arrow/kernels/concat.ts';
import { sliceColumn } from './arrow/kernels/slice.ts';
import type { Position } from './shards.ts';

/** Rows in the output's shape, with where each of them is stored. */
export interface Piece {
  readonly columns: readonly Column[];
  readonly rows: number;
  readonly file: number;
  /** The row in the file of the first one, where they are contiguous; else the row of each. */
  readonly at: number | Int32Array;
}

/** The first `rows` rows, and the others. */
export function splitPieces(pieces: readonly Piece[], rows: number): [Piece[], Piece[]] {
  const ready: Piece[] = [];
  let left = rows;
  for (let at = 0; at < pieces.length; at++) {
    const piece = pieces[at]!;
    if (piece.rows > left) {
      if (left > 0) ready.push(slicePiece(piece, 0, left));
      return [ready, [slicePiece(piece, left, piece.rows), ...pieces.slice(at + 1)]];
    }
    ready.push(piece);
    left -= piece.rows;
  }
  return [ready, []];
}

export function slicePiece(piece: Piece, start: number, end: number): Piece {
  if (start === 0 && end === piece.rows) return piece;
  return {
    columns: piece.columns.map((column) => sliceColumn(column, start, end)),
    rows: end - start,
    file: piece.file,
    at: typeof piece.at === 'number' ? piece.at + start : piece.at.subarray(start, end),
  };
}

export function joinPieces(pieces: readonly Piece[]): readonly Column[] {
  const [first] = pieces;
  if (pieces.length === 1) return first!.columns;
  return first!.columns.map((_, at) => concatColumns(pieces.map((piece) => piece.columns[at]!)));
}

/** The place behind the last row of a piece. */
export function after(piece: Piece): Position {
  const last = typeof piece.at === 'number' ? piece.at + piece.rows - 1 : piece.at[piece.rows - 1]!;
  return { file: piece.file, row: last + 1 };
}
