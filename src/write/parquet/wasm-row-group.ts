import { ServiceError } from '../../core/errors.ts';
import type { FieldId } from '../../core/ids.ts';
import type { ArrowSchema, Batch } from '../../scan/arrow/column.ts';
import { createIpcEncoder, frameMessage } from '../../scan/arrow/ipc-write.ts';
import { type ParquetLimits, parseMetadata } from '../../scan/parquet/metadata.ts';
import { ThriftReader } from '../../scan/parquet/thrift.ts';
import { withParquetWasm } from '../../scan/parquet/wasm.ts';
import { type EncodedRowGroup, type RawField, readRawFields } from './encoded-row-group.ts';
import { countNans } from './nan-counts.ts';
import type { RowGroupJob } from './row-group-job.ts';
import { encoderSchema } from './stored-schema.ts';
import { wasmWriterProperties } from './writer-options.ts';

const unencodable = { code: 'INTERNAL', message: 'rows cannot be encoded as Parquet' } as const;
const magicBytes = 4;
const trailerBytes = 8;
const thriftDepthMax = 32;

/**
 * Encodes rows as one row group by parquet-wasm, for codecs that Node lacks. The module writes whole files, so that each row group
 * is a small file of its own in memory, whose pages, chunk metadata and page indexes are taken over.
 */
export function encodeInWasm({ fields, columns, rows, options, limits }: RowGroupJob): EncodedRowGroup {
  const schema = encoderSchema(fields);
  const ipc = ipcStream(schema, { schema, rows, columns });
  const file = withParquetWasm(limits.decoderMemoryBytesMax, unencodable, (api) => {
    const table = api.Table.fromIPCStream(ipc);
    // Both arguments are consumed by the call.
    return api.writeParquet(table, wasmWriterProperties(api, options, rows));
  });
  const nans = new Map<FieldId, number>();
  countNans(fields, columns, nans);
  return { ...takeApart(file, rows, limits), nans, plainLeaves: new Set() };
}

function ipcStream(schema: ArrowSchema, batch: Batch): Uint8Array {
  const encoder = createIpcEncoder(schema, { compression: 'none', dictionaries: false });
  const parts = [...encoder.encode(batch), ...encoder.finish()].flatMap(frameMessage);
  return Buffer.concat([...parts, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)]);
}

function takeApart(
  file: Uint8Array,
  rows: number,
  limits: ParquetLimits,
): Omit<EncodedRowGroup, 'nans' | 'plainLeaves'> {
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
    bloomFilter: null,
  }));
  const uncompressedBytes = group.chunks.reduce((sum, chunk) => sum + chunk.uncompressedBytes, 0);
  return { rows, uncompressedBytes, pages: [file.subarray(magicBytes, pagesEnd)], base: magicBytes, chunks };
}

/** The `ColumnMetaData` of each chunk of a footer's one row group, field by field. */
function readRawChunks(footer: Uint8Array): RawField[][] {
  const reader: ThriftReader = new ThriftReader(footer, 'an encoded Parquet footer', thriftDepthMax);
  const chunks: RawField[][] = [];
  const readChunk = (type: number): void => {
    reader.structField(type, (id, field) => {
      const start = reader.at;
      reader.skip(field);
      if (id === 3) chunks.push(readRawFields(reader.bytes.subarray(start, reader.at)));
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
