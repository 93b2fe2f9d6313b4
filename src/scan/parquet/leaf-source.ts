import type { Limits } from '../../core/limits.ts';
import type { Column } from '../arrow/column.ts';
import type { ColumnChunk } from './metadata.ts';
import type { DataPage } from './pages.ts';
import type { RowRange } from './row-set.ts';
import type { ParquetLeaf } from './schema.ts';

export type DecodeLimits = Pick<Limits, 'decompressedBytesMax' | 'decoderMemoryBytesMax'>;

/** What a leaf's decoder is given. */
export interface LeafSource {
  readonly leaf: ParquetLeaf;
  readonly chunk: ColumnChunk;
  /** The chunk's bytes: all of them, or its dictionary page and a run of data pages. */
  readonly parts: readonly Uint8Array[];
  /** The rows that the data pages in `parts` hold. */
  readonly held: RowRange;
  /** Rows of each data page in `parts`, where the offset index tells. */
  readonly pageRows: readonly number[] | null;
  /** The rows that will be asked for, within `held`. */
  readonly rows: RowRange;
  /** Rows that will be asked for at a time: about as many are decoded at once. */
  readonly batchRows: number;
}

/** Gives a leaf's values of some rows, in ascending ranges; synchronous. */
export interface LeafReader {
  read(rows: RowRange): Column;
  /** Single rows, ascending; at least one. Absent where reading what lies between them costs no more. */
  take?(rows: Int32Array): Column;
  /** The data pages where each holds whole rows of a top-level column that repeats nowhere; else null. */
  readonly pages: readonly DataPage[] | null;
}
