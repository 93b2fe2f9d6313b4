import { isServiceError, ServiceError } from '../../core/errors.ts';
import type { ColumnChunk } from './metadata.ts';
import { countPageRows } from './page-rows.ts';
import { walkPages } from './pages.ts';
import { type ParquetLeaf, repetitionLevelMax } from './schema.ts';
import { ThriftReader } from './thrift.ts';

/** A page of a chunk as its header tells. */
export interface ScannedPage {
  /** Offsets in the bytes that were scanned, the header included. */
  readonly start: number;
  readonly end: number;
  /** `cut`: its end lies beyond the bytes at hand. */
  readonly kind: 'dictionary' | 'data' | 'other' | 'cut';
  /** Rows that begin in a data page; null where its levels are in an encoding that is not looked into. */
  readonly rows: number | null;
  /** Whether its first value begins a row: below a list a page may go on with the last row of the page before. */
  readonly startsRow: boolean;
  /** Whether the next page is known to begin a row. */
  readonly endsRow: boolean;
}

const pageTypes = { data: 0, dictionary: 2, dataV2: 3 } as const;
const thriftDepthMax = 16;
/** A header of more bytes is taken for damage; statistics within it are long texts at most. */
const headerBytesMax = 1 << 20;

const corrupt = (problem: string): ServiceError =>
  new ServiceError('CORRUPT_FILE', `a Parquet column chunk is damaged: ${problem}`);

/**
 * The page that begins at `at`; null where its header is cut off. That it does not end within the bytes is damage when they are the
 * chunk's `last`. Only where the page lies and how many rows it has is looked at: whoever decodes it checks the rest. Throws CORRUPT_FILE.
 */
export function scanPage(
  bytes: Uint8Array,
  at: number,
  last: boolean,
  leaf: ParquetLeaf,
  chunk: ColumnChunk,
  pageBytesMax: number,
): ScannedPage | null {
  const header = readHeader(bytes, at, last);
  if (header === null) return null;
  if (header.compressedBytes < 0) throw corrupt('a page has no valid size');
  const end = header.end + header.compressedBytes;
  const page = { start: at, end, rows: 0, startsRow: true, endsRow: true };
  if (end > bytes.length) {
    if (last) throw corrupt('a page runs past the end of its chunk');
    return { ...page, kind: 'cut' };
  }
  if (header.type === pageTypes.dictionary) return { ...page, kind: 'dictionary' };
  if (header.type !== pageTypes.data && header.type !== pageTypes.dataV2) return { ...page, kind: 'other' };
  const rows = header.type === pageTypes.dataV2 ? header.rows : header.values;
  if (rows < 0) throw corrupt('a page has no valid count of values');
  if (header.type === pageTypes.dataV2 || repetitionLevelMax(leaf) === 0) return { ...page, kind: 'data', rows };
  const [data] = walkPages([bytes.subarray(at, end)], leaf, chunk, pageBytesMax).data;
  const counted = data === undefined ? null : countPageRows(data, leaf, chunk.codec);
  if (counted === null) return { ...page, kind: 'data', rows: null };
  return { ...page, kind: 'data', ...counted, endsRow: false };
}

interface Header {
  /** Where the page's body begins. */
  readonly end: number;
  readonly type: number;
  readonly compressedBytes: number;
  readonly values: number;
  readonly rows: number;
}

/** Null where it is cut off at the end of the bytes. */
function readHeader(bytes: Uint8Array, at: number, last: boolean): Header | null {
  const reader: ThriftReader = new ThriftReader(bytes, 'a Parquet page header', thriftDepthMax, at);
  const header = { type: -1, compressedBytes: -1, values: -1, rows: -1 };
  try {
    reader.struct((id, type) => {
      if (id === 1) header.type = reader.i32(type);
      else if (id === 3) header.compressedBytes = reader.i32(type);
      else if (id === 5 || id === 8) {
        reader.structField(type, (member, field) => {
          if (member === 1) header.values = reader.i32(field);
          else if (member === 3 && id === 8) header.rows = reader.i32(field);
          else reader.skip(field);
        });
      } else reader.skip(type);
    });
  } catch (error) {
    if (!last && isServiceError(error, 'CORRUPT_FILE') && bytes.length - at < headerBytesMax) return null;
    throw error;
  }
  return { ...header, end: reader.at };
}
