import { ServiceError } from '../../core/errors.ts';
import type { ArrowSchema, Batch } from '../../scan/arrow/column.ts';
import { createIpcEncoder, frameMessage } from '../../scan/arrow/ipc-write.ts';
import { type ParquetLimits, parseMetadata } from '../../scan/parquet/metadata.ts';
import { ThriftReader } from '../../scan/parquet/thrift.ts';
import { withParquetWasm } from '../../scan/parquet/wasm.ts';
import { type ParquetWriterOptions, wasmWriterProperties } from './writer-options.ts';

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
}

export interface EncodedRowGroup {
  readonly rows: number;
  readonly uncompressedBytes: number;
  /** The pages of all chunks, as they follow one another. */
  readonly pages: Uint8Array;
  /** Offset in `chunks`' metadata and offset indexes that stands for the first byte of `pages`. */
  readonly base: number;
  readonly chunks: readonly EncodedChunk[];
}

const unencodable = { code: 'INTERNAL', message: 'rows cannot be encoded as Parquet' } as const;
const magicBytes = 4;
const trailerBytes = 8;
const thriftDepthMax = 32;

/**
 * Encodes rows as one row group. The module writes whole files, so that each row group is a small file of its own in memory, whose
 * pages, chunk metadata and page indexes are taken over: a data file then grows by row groups and none but the last is in memory.
 */
export function encodeRowGroup(
  schema: ArrowSchema,
  batch: Batch,
  options: ParquetWriterOptions,
  limits: ParquetLimits,
): EncodedRowGroup {
  const ipc = ipcStream(schema, { ...batch, schema });
  const file = withParquetWasm(limits.decoderMemoryBytesMax, unencodable, (api) => {
    const table = api.Table.fromIPCStream(ipc);
    // Both arguments are consumed by the call.
    return api.writeParquet(table, wasmWriterProperties(api, options, batch.rows));
  });
  return takeApart(file, batch.rows, limits);
}

function ipcStream(schema: ArrowSchema, batch: Batch): Uint8Array {
  const encoder = createIpcEncoder(schema, { compression: 'none', dictionaries: false });
  const parts = [...encoder.encode(batch), ...encoder.finish()].flatMap(frameMessage);
  return Buffer.concat([...parts, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)]);
}

function takeApart(file: Uint8Array, rows: number, limits: ParquetLimits): EncodedRowGroup {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const footerBytes = view.getUint32(file.length - trailerBytes, true);
  const dataEnd = file.length - trailerBytes - footerBytes;
  const footer = file.subarray(dataEnd, file.length - trailerBytes);
  const [group, ...others] = parseMetadata(footer, dataEnd, limits).rowGroups;
  if (group === undefined || others.length > 0 || group.rows !== rows) {
    throw new ServiceError('INTERNAL', `${rows} rows were encoded as ${others.length + 1} row groups`);
  }
  const pagesEnd = group.chunks.reduce((end, chunk) => Math.max(end, chunk.range.end), magicBytes);
  const raw = readRawChunks(footer);
  const slice = (range: { start: number; end: number } | null): Uint8Array | null =>
    range === null ? null : file.subarray(range.start, range.end);
  const chunks = group.chunks.map((chunk, at) => ({
    metadata: raw[at]!,
    columnIndex: slice(chunk.columnIndex),
    offsetIndex: slice(chunk.offsetIndex),
  }));
  const uncompressedBytes = group.chunks.reduce((sum, chunk) => sum + chunk.uncompressedBytes, 0);
  return { rows, uncompressedBytes, pages: file.subarray(magicBytes, pagesEnd), base: magicBytes, chunks };
}

/** The `ColumnMetaData` of each chunk of a footer's one row group, field by field. */
function readRawChunks(footer: Uint8Array): RawField[][] {
  const reader: ThriftReader = new ThriftReader(footer, 'an encoded Parquet footer', thriftDepthMax);
  const chunks: RawField[][] = [];
  const readChunk = (type: number): void => {
    reader.structField(type, (id, field) => {
      if (id === 3) chunks.push(readRawFields(reader, field));
      else reader.skip(field);
    });
  };
  reader.struct((id, type) => {
    if (id !== 4) return reader.skip(type);
    reader.list(type, 1, (group) => {
      reader.structField(group, (member, field) => {
        if (member === 1) reader.list(field, Number.MAX_SAFE_INTEGER, readChunk);
        else reader.skip(field);
      });
    });
  });
  return chunks;
}

function readRawFields(reader: ThriftReader, type: number): RawField[] {
  const fields: RawField[] = [];
  reader.structField(type, (id, field) => {
    const start = reader.at;
    reader.skip(field);
    fields.push({ id, type: field, body: reader.bytes.subarray(start, reader.at) });
  });
  return fields;
}

/** The offsets of a chunk's metadata or of an offset index are numbers that move with its pages. */
export function readOffset(field: RawField): number {
  return new ThriftReader(field.body, 'an encoded Parquet footer', thriftDepthMax).i64(field.type);
}
