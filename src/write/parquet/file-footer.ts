import type { NestedField } from '../../catalog/schema/types.ts';
import { ThriftReader, ThriftWriter, thriftType } from '../../scan/parquet/thrift.ts';
import { type EncodedChunk, type RawField, readOffset } from './encoded-row-group.ts';
import { leafPaths, writeSchemaElements } from './stored-schema.ts';

/** A row group that has been written: its pages begin at `position` in the file. */
export interface WrittenRowGroup {
  readonly rows: number;
  readonly position: number;
  readonly pageBytes: number;
  readonly uncompressedBytes: number;
  readonly base: number;
  readonly chunks: readonly EncodedChunk[];
}

interface IndexPlace {
  readonly offset: number;
  readonly length: number;
}

/** Per row group and chunk. */
type Places = readonly (readonly (IndexPlace | null)[])[];

interface IndexPlaces {
  readonly columnIndexes: Places;
  readonly offsetIndexes: Places;
  readonly blooms: Places;
}

const thriftDepthMax = 32;
const pathField = 3;
/** `data_page_offset`, `index_page_offset`, `dictionary_page_offset`. */
const offsetFields: ReadonlySet<number> = new Set([9, 10, 11]);

/**
 * What follows the row groups of a data file: their column indexes, bloom filters, offset indexes and the footer, without its length and
 * magic (parquet-format, "Page Index"). `position` is where it begins; the footer begins at `footerStart` of the result.
 */
export function encodeTail(
  fields: readonly NestedField[],
  groups: readonly WrittenRowGroup[],
  position: number,
  createdBy: string,
): { readonly bytes: Uint8Array; readonly footerStart: number } {
  const parts: Uint8Array[] = [];
  let at = position;
  const place = (bytes: Uint8Array | null): IndexPlace | null => {
    if (bytes === null) return null;
    parts.push(bytes);
    at += bytes.length;
    return { offset: at - bytes.length, length: bytes.length };
  };
  const columnIndexes = groups.map((group) => group.chunks.map((chunk) => place(chunk.columnIndex)));
  const blooms = groups.map((group) => group.chunks.map((chunk) => place(chunk.bloomFilter)));
  const offsetIndexes = groups.map((group) =>
    group.chunks.map((chunk) =>
      place(chunk.offsetIndex === null ? null : moveOffsetIndex(chunk.offsetIndex, shiftOf(group))),
    ),
  );
  const footerStart = at - position;
  parts.push(encodeFooter(fields, groups, { columnIndexes, offsetIndexes, blooms }, createdBy));
  return { bytes: Buffer.concat(parts), footerStart };
}

const shiftOf = (group: WrittenRowGroup): number => group.position - group.base;

function encodeFooter(
  fields: readonly NestedField[],
  groups: readonly WrittenRowGroup[],
  { columnIndexes, offsetIndexes, blooms }: IndexPlaces,
  createdBy: string,
): Uint8Array {
  const paths = leafPaths(fields);
  const writer = new ThriftWriter();
  writer.struct(() => {
    writer.i32(1, 2);
    writeSchemaElements(writer, fields);
    writer.i64(
      3,
      groups.reduce((sum, group) => sum + group.rows, 0),
    );
    writer.structs(4, groups, (group, ordinal) => {
      writer.structs(1, group.chunks, (chunk, leaf) => {
        const columnIndex = columnIndexes[ordinal]![leaf]!;
        const offsetIndex = offsetIndexes[ordinal]![leaf]!;
        writer.i64(2, 0);
        writer.structField(3, () => {
          writeChunkMetadata(writer, chunk.metadata, paths[leaf]!, shiftOf(group));
          const bloom = blooms[ordinal]![leaf]!;
          writer.i64(14, bloom?.offset ?? null);
          writer.i32(15, bloom?.length ?? null);
        });
        writer.i64(4, offsetIndex?.offset ?? null);
        writer.i32(5, offsetIndex?.length ?? null);
        writer.i64(6, columnIndex?.offset ?? null);
        writer.i32(7, columnIndex?.length ?? null);
      });
      writer.i64(2, group.uncompressedBytes);
      writer.i64(3, group.rows);
      writer.i64(5, group.position);
      writer.i64(6, group.pageBytes);
      // The ordinal is 16 bits wide; readers need it for encryption only.
      writer.i16(7, ordinal < 32768 ? ordinal : null);
    });
    writer.binary(6, createdBy);
    writer.structs(7, paths, () => writer.structField(1, () => {}));
  });
  return writer.finish();
}

function writeChunkMetadata(
  writer: ThriftWriter,
  metadata: readonly RawField[],
  path: readonly string[],
  shift: number,
): void {
  for (const field of metadata) {
    if (field.id === pathField) writer.strings(pathField, path);
    else if (offsetFields.has(field.id)) writer.i64(field.id, readOffset(field) + shift);
    else writer.copy(field.id, field.type, field.body);
  }
}

/** An offset index whose pages lie `shift` bytes further on. */
function moveOffsetIndex(bytes: Uint8Array, shift: number): Uint8Array {
  const reader: ThriftReader = new ThriftReader(bytes, 'an encoded Parquet offset index', thriftDepthMax);
  const pages: { offset: number; size: number; row: number }[] = [];
  const rest: RawField[] = [];
  reader.struct((id, type) => {
    if (id === 1) {
      reader.list(type, Number.MAX_SAFE_INTEGER, (element) => {
        const page = { offset: 0, size: 0, row: 0 };
        reader.structField(element, (member, field) => {
          if (member === 1) page.offset = reader.i64(field);
          else if (member === 2) page.size = reader.i32(field);
          else if (member === 3) page.row = reader.i64(field);
          else reader.skip(field);
        });
        pages.push(page);
      });
    } else {
      const start = reader.at;
      reader.skip(type);
      rest.push({ id, type, body: bytes.subarray(start, reader.at) });
    }
  });
  const writer = new ThriftWriter();
  writer.struct(() => {
    writer.structs(1, pages, (page) => {
      writer.i64(1, page.offset + shift);
      writer.i32(2, page.size);
      writer.i64(3, page.row);
    });
    for (const field of rest) if (field.type !== thriftType.stop) writer.copy(field.id, field.type, field.body);
  });
  return writer.finish();
}
