import { decodedInWasm, decompress } from './decompress.ts';
import { type Codec, codecs } from './metadata.ts';
import type { DataPage, DictionaryPage } from './pages.ts';
import { type ParquetLeaf, physicalTypes, type Repetition } from './schema.ts';
import { ThriftWriter } from './thrift.ts';

const magic = Uint8Array.from([0x50, 0x41, 0x52, 0x31]);
const repetitionNumbers: Record<Repetition, number> = { required: 0, optional: 1, repeated: 2 };
const pageTypeNumbers = { v1: 0, dictionary: 2, v2: 3 } as const;
const fixedNumber = physicalTypes.indexOf('fixed');
const int96Bytes = 12;

export interface LeafPages {
  readonly leaf: ParquetLeaf;
  readonly codec: Codec;
  readonly dictionary: DictionaryPage | null;
  readonly data: readonly DataPage[];
  /** Rows that the data pages hold. */
  readonly rows: number;
}

/**
 * A whole Parquet file in memory that holds one leaf column of one row group, for a decoder that reads files. Its schema is the bare
 * chain of groups down to the leaf, with repetition types but without logical types: what a group or a value means is decided by us
 * from the real schema. INT96 stands as 12 plain bytes. Pages of codecs that could grow beyond their declared size are decompressed
 * here; page statistics are left out.
 */
export function encodeLeafFile(pages: LeafPages): Uint8Array {
  const plain = !decodedInWasm(pages.codec);
  const parts: Uint8Array[] = [magic];
  let length = magic.length;
  const append = (part: Uint8Array): void => {
    parts.push(part);
    length += part.length;
  };
  const appendPage = (page: DictionaryPage | DataPage): void => {
    const body = plain ? plainBody(page, pages.codec) : page.body;
    append(encodePageHeader(page, body.length, plain));
    append(body);
  };
  if (pages.dictionary !== null) appendPage(pages.dictionary);
  const dataStart = length;
  for (const page of pages.data) appendPage(page);
  const footer = encodeFooter(pages, plain ? 'none' : pages.codec, dataStart, length);
  append(footer);
  const trailer = new Uint8Array(8);
  new DataView(trailer.buffer).setUint32(0, footer.length, true);
  trailer.set(magic, 4);
  append(trailer);
  return Buffer.concat(parts, length);
}

function plainBody(page: DictionaryPage | DataPage, codec: Codec): Uint8Array {
  if (page.kind !== 'v2') return decompress(codec, page.body, page.uncompressedBytes);
  if (!page.compressed) return page.body;
  const levelBytes = page.definitionBytes + page.repetitionBytes;
  const valueBytes = page.uncompressedBytes - levelBytes;
  // A page of nulls alone has no values, and some writers then compress nothing.
  const body = page.body.subarray(levelBytes);
  const values = body.length === 0 && valueBytes === 0 ? body : decompress(codec, body, valueBytes);
  return Buffer.concat([page.body.subarray(0, levelBytes), values]);
}

function encodePageHeader(page: DictionaryPage | DataPage, bodyBytes: number, plain: boolean): Uint8Array {
  const writer = new ThriftWriter();
  writer.struct(() => {
    writer.i32(1, pageTypeNumbers[page.kind]);
    writer.i32(2, page.uncompressedBytes);
    writer.i32(3, bodyBytes);
    if (page.kind === 'v1') {
      writer.structField(5, () => {
        writer.i32(1, page.values);
        writer.i32(2, page.encoding);
        writer.i32(3, page.definitionEncoding);
        writer.i32(4, page.repetitionEncoding);
      });
    } else if (page.kind === 'dictionary') {
      writer.structField(7, () => {
        writer.i32(1, page.values);
        writer.i32(2, page.encoding);
      });
    } else {
      writer.structField(8, () => {
        writer.i32(1, page.values);
        writer.i32(2, page.nulls);
        writer.i32(3, page.rows);
        writer.i32(4, page.encoding);
        writer.i32(5, page.definitionBytes);
        writer.i32(6, page.repetitionBytes);
        writer.bool(7, plain ? false : page.compressed);
      });
    }
  });
  return writer.finish();
}

function encodeFooter(pages: LeafPages, codec: Codec, dataStart: number, dataEnd: number): Uint8Array {
  const { leaf } = pages;
  const physical = leaf.physical === 'int96' ? fixedNumber : physicalTypes.indexOf(leaf.physical);
  const typeLength = leaf.physical === 'int96' ? int96Bytes : leaf.physical === 'fixed' ? leaf.typeLength : null;
  const names = leaf.chain.map((_, depth) => `n${depth}`);
  const bytes = dataEnd - magic.length;
  const writer = new ThriftWriter();
  writer.struct(() => {
    writer.i32(1, 2);
    writer.structs(2, [null, ...leaf.chain], (node, depth) => {
      if (node?.kind === 'leaf') {
        writer.i32(1, physical);
        writer.i32(2, typeLength);
      }
      if (node !== null) writer.i32(3, repetitionNumbers[node.repetition]);
      writer.binary(4, node === null ? 'schema' : names[depth - 1]!);
      if (node?.kind !== 'leaf') writer.i32(5, 1);
    });
    writer.i64(3, pages.rows);
    writer.structs(4, [null], () => {
      writer.structs(1, [null], () => {
        writer.i64(2, magic.length);
        writer.structField(3, () => {
          writer.i32(1, physical);
          writer.i32s(2, [...new Set(pages.data.map((page) => page.encoding))]);
          writer.strings(3, names);
          writer.i32(4, codecs.indexOf(codec));
          writer.i64(
            5,
            pages.data.reduce((sum, page) => sum + page.values, 0),
          );
          writer.i64(6, bytes);
          writer.i64(7, bytes);
          writer.i64(9, dataStart);
          writer.i64(11, pages.dictionary === null ? null : magic.length);
        });
      });
      writer.i64(2, bytes);
      writer.i64(3, pages.rows);
    });
  });
  return writer.finish();
}
