import type { FieldId } from '../../core/ids.ts';
import type { Value } from '../schema/types.ts';
import type { DataFile } from './types.ts';

/** Whole numbers of 0 and above in the narrowest array that holds them all. */
export type Counts = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** Parts of one run of bytes. */
export interface Slices {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  /** -1 = absent. */
  readonly lengths: Int32Array;
}

/** Files, column by column: plain data that structured cloning carries to another thread. */
export interface FileColumns {
  /** What all paths begin with. */
  readonly pathPrefix: string;
  /** The rest of each path in UTF-8, one after the other. */
  readonly pathBytes: Uint8Array;
  /** Where each ends. */
  readonly pathEnds: Uint32Array;
  /** Positions in {@link fileFormats}; null where all are Parquet. */
  readonly formats: Uint8Array | null;
  readonly rows: Counts;
  readonly bytes: Counts;
}

/**
 * The live files of a manifest in the order of its entries: about 100 bytes a file, where objects with maps of statistics take tens
 * of kilobytes. Never changed once made, so that any number of plans may share it.
 */
export interface ManifestColumns extends FileColumns {
  /** Length of every column. */
  readonly files: number;
  /** The distinct partition tuples, each with one value per field of the spec; a writer may have spelt one in two ways. */
  readonly tuples: readonly (readonly (Value | null)[])[];
  /** The tuple of each file. */
  readonly tupleOf: Counts;
}

/** The statistics of one leaf field as they were written, file by file. */
export interface MetricColumns {
  /** -1 = not known. */
  readonly valueCounts: Float64Array;
  readonly nullCounts: Float64Array;
  readonly nanCounts: Float64Array;
  /** Single-value serialization. */
  readonly lower: Slices;
  readonly upper: Slices;
}

/** What was read of a manifest. */
export interface ReadColumns {
  readonly columns: ManifestColumns;
  /** Of the fields that were asked for. */
  readonly metrics: ReadonlyMap<FieldId, MetricColumns>;
}

export const fileFormats = ['parquet', 'avro', 'orc', 'puffin'] as const satisfies readonly DataFile['format'][];

/** The part of a data file that {@link FileColumns} has. */
export type ColumnarFile = Pick<DataFile, 'path' | 'format' | 'rows' | 'bytes'>;

export function fileAt(columns: FileColumns, at: number): ColumnarFile {
  const start = at === 0 ? 0 : columns.pathEnds[at - 1]!;
  const { buffer, byteOffset, byteLength } = columns.pathBytes;
  const rest = Buffer.from(buffer, byteOffset, byteLength).toString('utf8', start, columns.pathEnds[at]!);
  return {
    path: columns.pathPrefix + rest,
    format: fileFormats[columns.formats?.[at] ?? 0]!,
    rows: columns.rows[at]!,
    bytes: columns.bytes[at]!,
  };
}

const tupleBytes = 64;
const valueBytes = 32;

/** About what the columns take in memory. */
export function memoryOfColumns({
  pathBytes,
  pathEnds,
  formats,
  rows,
  bytes,
  tuples,
  tupleOf,
}: ManifestColumns): number {
  const arrays = [pathBytes, pathEnds, rows, bytes, tupleOf].reduce((sum, array) => sum + array.byteLength, 1_024);
  const perTuple = tupleBytes + valueBytes * (tuples[0]?.length ?? 0);
  return arrays + (formats?.byteLength ?? 0) + tuples.length * perTuple;
}
