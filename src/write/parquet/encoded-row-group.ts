import type { FieldId } from '../../core/ids.ts';
import { ThriftReader } from '../../scan/parquet/thrift.ts';

/** A field of a Thrift struct as the encoder wrote it. */
export interface RawField {
  readonly id: number;
  readonly type: number;
  readonly body: Uint8Array;
}

/** One column chunk of an encoded row group: its metadata, and its page index where it has one. */
export interface EncodedChunk {
  readonly metadata: readonly RawField[];
  readonly columnIndex: Uint8Array | null;
  readonly offsetIndex: Uint8Array | null;
  readonly bloomFilter: Uint8Array | null;
}

export interface EncodedRowGroup {
  readonly rows: number;
  readonly uncompressedBytes: number;
  /** The pages of all chunks, in parts that follow one another. */
  readonly pages: readonly Uint8Array[];
  /** Offset in `chunks`' metadata and offset indexes that stands for the first byte of `pages`. */
  readonly base: number;
  readonly chunks: readonly EncodedChunk[];
  /** NaNs among the values of each float and double field. */
  readonly nans: ReadonlyMap<FieldId, number>;
  /** Leaves, by their places, that are PLAIN because a dictionary would be larger by far or is not to be tried. */
  readonly plainLeaves: ReadonlySet<number>;
}

const what = 'an encoded Parquet footer';
const thriftDepthMax = 32;

/** The fields of one struct, unread. */
export function readRawFields(bytes: Uint8Array): RawField[] {
  const reader: ThriftReader = new ThriftReader(bytes, what, thriftDepthMax);
  const fields: RawField[] = [];
  reader.struct((id, type) => {
    const start = reader.at;
    reader.skip(type);
    fields.push({ id, type, body: reader.bytes.subarray(start, reader.at) });
  });
  return fields;
}

/** The offsets of a chunk's metadata or of an offset index are numbers that move with its pages. */
export function readOffset(field: RawField): number {
  return new ThriftReader(field.body, what, thriftDepthMax).i64(field.type);
}
