import { crc32 } from 'node:zlib';
import { ServiceError } from '../../core/errors.ts';
import type { ColumnChunk } from './metadata.ts';
import { type ParquetLeaf, repetitionLevelMax } from './schema.ts';
import { ThriftReader } from './thrift.ts';

interface PageBase {
  /** Number of the encoding (parquet.thrift, `Encoding`). */
  readonly encoding: number;
  /** Values, nulls counted. */
  readonly values: number;
  readonly uncompressedBytes: number;
  /** As it lies in the file; a view. */
  readonly body: Uint8Array;
}

export interface DictionaryPage extends PageBase {
  readonly kind: 'dictionary';
}

export interface DataPageV1 extends PageBase {
  readonly kind: 'v1';
  /** Rows that begin in the page; null where only the levels would tell. */
  readonly rows: number | null;
  readonly definitionEncoding: number;
  readonly repetitionEncoding: number;
}

/** Its levels stand uncompressed before its values. */
export interface DataPageV2 extends PageBase {
  readonly kind: 'v2';
  readonly rows: number;
  readonly nulls: number;
  readonly definitionBytes: number;
  readonly repetitionBytes: number;
  readonly compressed: boolean;
}

export type DataPage = DataPageV1 | DataPageV2;

export interface Pages {
  readonly dictionary: DictionaryPage | null;
  readonly data: readonly DataPage[];
}

interface PageHeader {
  type: number;
  uncompressedBytes: number;
  compressedBytes: number;
  crc: number | null;
  values: number;
  encoding: number;
  definitionEncoding: number;
  repetitionEncoding: number;
  nulls: number;
  rows: number;
  definitionBytes: number;
  repetitionBytes: number;
  compressed: boolean;
}

const pageTypes = { data: 0, index: 1, dictionary: 2, dataV2: 3 } as const;
const rleEncoding = 3;
const thriftDepthMax = 16;
const encodingMax = 9;

const corrupt = (problem: string): ServiceError =>
  new ServiceError('CORRUPT_FILE', `a Parquet column chunk is damaged: ${problem}`);

/**
 * Walks the page headers of one column chunk, or of some of its pages one after the other. Sizes, counts and checksums are checked
 * against the bytes at hand; nothing is decompressed. Throws CORRUPT_FILE, or LIMIT_EXCEEDED for a page above `pageBytesMax`.
 */
export function walkPages(
  parts: readonly Uint8Array[],
  leaf: ParquetLeaf,
  chunk: ColumnChunk,
  pageBytesMax: number,
): Pages {
  let dictionary: DictionaryPage | null = null;
  const data: DataPage[] = [];
  let values = 0;
  for (const bytes of parts) {
    const reader: ThriftReader = new ThriftReader(bytes, 'a Parquet page header', thriftDepthMax);
    while (reader.at < bytes.length) {
      const header = readHeader(reader);
      const body = bytes.subarray(reader.at, reader.at + header.compressedBytes);
      checkHeader(header, body, pageBytesMax);
      reader.at += header.compressedBytes;
      if (header.type === pageTypes.index) continue;
      if (header.type === pageTypes.dictionary) {
        if (dictionary !== null || data.length > 0) throw corrupt('a dictionary page does not come first');
        dictionary = { kind: 'dictionary', ...pageBase(header, body) };
        continue;
      }
      values += header.values;
      if (values > chunk.values) throw corrupt(`its pages hold more than its ${chunk.values} values`);
      data.push(dataPage(header, body, leaf));
    }
  }
  return { dictionary, data };
}

const pageBase = (header: PageHeader, body: Uint8Array): PageBase => ({
  encoding: header.encoding,
  values: header.values,
  uncompressedBytes: header.uncompressedBytes,
  body,
});

function dataPage(header: PageHeader, body: Uint8Array, leaf: ParquetLeaf): DataPage {
  const flat = repetitionLevelMax(leaf) === 0;
  const base = pageBase(header, body);
  if (header.type === pageTypes.data) {
    const { definitionEncoding, repetitionEncoding } = header;
    return { kind: 'v1', ...base, rows: flat ? header.values : null, definitionEncoding, repetitionEncoding };
  }
  const { rows, nulls, definitionBytes, repetitionBytes, compressed } = header;
  if (rows < 0 || rows > header.values || (flat && rows !== header.values)) {
    throw corrupt(`a page of ${header.values} values claims ${rows} rows`);
  }
  if (nulls < 0 || nulls > header.values) throw corrupt(`a page of ${header.values} values claims ${nulls} nulls`);
  const levels = definitionBytes + repetitionBytes;
  if (definitionBytes < 0 || repetitionBytes < 0 || levels > body.length || levels > header.uncompressedBytes) {
    throw corrupt('the levels of a page run past its end');
  }
  return { kind: 'v2', ...base, rows, nulls, definitionBytes, repetitionBytes, compressed };
}

function checkHeader(header: PageHeader, body: Uint8Array, pageBytesMax: number): void {
  if (header.compressedBytes < 0 || header.uncompressedBytes < 0) throw corrupt('a page has no valid size');
  if (body.length < header.compressedBytes) throw corrupt('a page runs past the end of its chunk');
  if (header.uncompressedBytes > pageBytesMax) {
    throw new ServiceError(
      'LIMIT_EXCEEDED',
      `a Parquet page claims ${header.uncompressedBytes} bytes uncompressed; at most ${pageBytesMax} are read`,
    );
  }
  if (header.type !== pageTypes.index) {
    if (header.values < 0) throw corrupt('a page has no valid count of values');
    if (header.encoding < 0 || header.encoding > encodingMax) throw corrupt('a page has an unknown encoding');
  }
  if (header.crc !== null && crc32(body) !== header.crc >>> 0) throw corrupt('the checksum of a page does not match');
}

function readHeader(reader: ThriftReader): PageHeader {
  const header: PageHeader = {
    type: -1,
    uncompressedBytes: -1,
    compressedBytes: -1,
    crc: null,
    values: -1,
    encoding: -1,
    definitionEncoding: rleEncoding,
    repetitionEncoding: rleEncoding,
    nulls: -1,
    rows: -1,
    definitionBytes: -1,
    repetitionBytes: -1,
    compressed: true,
  };
  let details = -1;
  reader.struct((id, type) => {
    if (id === 1) header.type = reader.i32(type);
    else if (id === 2) header.uncompressedBytes = reader.i32(type);
    else if (id === 3) header.compressedBytes = reader.i32(type);
    else if (id === 4) header.crc = reader.i32(type);
    else if (id === 5) {
      details = pageTypes.data;
      readDataHeader(reader, type, header);
    } else if (id === 7) {
      details = pageTypes.dictionary;
      readDictionaryHeader(reader, type, header);
    } else if (id === 8) {
      details = pageTypes.dataV2;
      readDataHeaderV2(reader, type, header);
    } else reader.skip(type);
  });
  if (header.type !== pageTypes.index && details !== header.type) reader.fail('its type and its details disagree');
  return header;
}

function readDataHeader(reader: ThriftReader, type: number, header: PageHeader): void {
  reader.structField(type, (id, field) => {
    if (id === 1) header.values = reader.i32(field);
    else if (id === 2) header.encoding = reader.i32(field);
    else if (id === 3) header.definitionEncoding = reader.i32(field);
    else if (id === 4) header.repetitionEncoding = reader.i32(field);
    else reader.skip(field);
  });
}

function readDictionaryHeader(reader: ThriftReader, type: number, header: PageHeader): void {
  reader.structField(type, (id, field) => {
    if (id === 1) header.values = reader.i32(field);
    else if (id === 2) header.encoding = reader.i32(field);
    else reader.skip(field);
  });
}

function readDataHeaderV2(reader: ThriftReader, type: number, header: PageHeader): void {
  reader.structField(type, (id, field) => {
    if (id === 1) header.values = reader.i32(field);
    else if (id === 2) header.nulls = reader.i32(field);
    else if (id === 3) header.rows = reader.i32(field);
    else if (id === 4) header.encoding = reader.i32(field);
    else if (id === 5) header.definitionBytes = reader.i32(field);
    else if (id === 6) header.repetitionBytes = reader.i32(field);
    else if (id === 7) header.compressed = reader.bool(field);
    else reader.skip(field);
  });
}
