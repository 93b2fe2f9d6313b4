import { ServiceError } from '../../core/errors.ts';
import type { ByteRange } from '../../storage/object-store.ts';
import type { ColumnChunk } from './metadata.ts';
import { ThriftReader } from './thrift.ts';

/** Where one data page of a chunk lies, header included, and which rows of the row group it holds. */
export interface PagePlace {
  readonly range: ByteRange;
  readonly startRow: number;
  readonly endRow: number;
}

/** Per data page, as the file says it (parquet.thrift, `ColumnIndex`). */
export interface ColumnIndex {
  readonly nullPages: readonly boolean[];
  /** In the physical type's PLAIN encoding, byte arrays without their length. */
  readonly minValues: readonly Uint8Array[];
  readonly maxValues: readonly Uint8Array[];
  readonly nullCounts: readonly number[] | null;
}

const thriftDepthMax = 8;
const pagesMax = 1_000_000;

const corrupt = (problem: string): ServiceError =>
  new ServiceError('CORRUPT_FILE', `a Parquet offset index is damaged: ${problem}`);

/** Parses a chunk's offset index; every page lies within the chunk, rows ascend. Throws CORRUPT_FILE. */
export function parseOffsetIndex(bytes: Uint8Array, chunk: ColumnChunk, groupRows: number): readonly PagePlace[] {
  const reader: ThriftReader = new ThriftReader(bytes, 'a Parquet offset index', thriftDepthMax);
  const drafts: { offset: number; size: number; row: number }[] = [];
  reader.struct((id, type) => {
    if (id !== 1) return reader.skip(type);
    reader.list(type, pagesMax, (element) => {
      const draft = { offset: -1, size: -1, row: -1 };
      reader.structField(element, (member, field) => {
        if (member === 1) draft.offset = reader.i64(field);
        else if (member === 2) draft.size = reader.i32(field);
        else if (member === 3) draft.row = reader.i64(field);
        else reader.skip(field);
      });
      drafts.push(draft);
    });
  });
  let lastEnd = chunk.range.start;
  return drafts.map((draft, at) => {
    const end = draft.offset + draft.size;
    const endRow = drafts[at + 1]?.row ?? groupRows;
    if (draft.size < 0 || draft.offset < lastEnd || end > chunk.range.end)
      throw corrupt('a page lies outside of its chunk');
    if ((at === 0 && draft.row !== 0) || draft.row > endRow) throw corrupt('its rows do not ascend from 0');
    lastEnd = end;
    return { range: { start: draft.offset, end }, startRow: draft.row, endRow };
  });
}

/** Parses a chunk's column index, which must speak of as many pages as the offset index. Throws CORRUPT_FILE. */
export function parseColumnIndex(bytes: Uint8Array, pages: number): ColumnIndex {
  const reader: ThriftReader = new ThriftReader(bytes, 'a Parquet column index', thriftDepthMax);
  const nullPages: boolean[] = [];
  const minValues: Uint8Array[] = [];
  const maxValues: Uint8Array[] = [];
  let nullCounts: number[] | null = null;
  reader.struct((id, type) => {
    if (id === 1) reader.list(type, pagesMax, (element) => nullPages.push(reader.listBool(element)));
    else if (id === 2) reader.list(type, pagesMax, (element) => minValues.push(reader.binary(element)));
    else if (id === 3) reader.list(type, pagesMax, (element) => maxValues.push(reader.binary(element)));
    else if (id === 5) {
      const counts: number[] = [];
      reader.list(type, pagesMax, (element) => counts.push(reader.i64(element)));
      nullCounts = counts;
    } else reader.skip(type);
  });
  const counted: number[] | null = nullCounts;
  const lengths = [nullPages.length, minValues.length, maxValues.length];
  if (lengths.some((length) => length !== pages) || (counted !== null && (counted as number[]).length !== pages)) {
    reader.fail(`it speaks of other pages than the ${pages} of the offset index`);
  }
  return { nullPages, minValues, maxValues, nullCounts: counted };
}
