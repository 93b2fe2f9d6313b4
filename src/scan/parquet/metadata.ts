import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import type { ByteRange } from '../../storage/object-store.ts';
import { convertedType, readLogicalType } from './logical-type.ts';
import { buildSchema, type LogicalType, type ParquetSchema, physicalTypes, type SchemaElement } from './schema.ts';
import { ThriftReader, thriftType } from './thrift.ts';

/** Codecs by their numbers (parquet.thrift, `CompressionCodec`). */
export const codecs = ['none', 'snappy', 'gzip', 'lzo', 'brotli', 'lz4', 'zstd', 'lz4-raw'] as const;
export type Codec = (typeof codecs)[number];

/** Where a chunk's bloom filter lies, header first; writers before parquet-format 2.10 did not say how long it is. */
export interface BloomFilterPlace {
  readonly start: number;
  readonly bytes: number | null;
}

export interface ColumnChunk {
  /** Place of the leaf in the schema. */
  readonly leaf: number;
  readonly codec: Codec;
  /** Values, nulls counted. */
  readonly values: number;
  /** Where its pages lie: the dictionary page, if any, first. */
  readonly range: ByteRange;
  readonly hasDictionary: boolean;
  readonly uncompressedBytes: number;
  /** Where its dictionary page lies, if the footer says that all its values stand in that; else null. */
  readonly onlyDictionary: ByteRange | null;
  /** Where the `Statistics` struct lies in the footer's bytes. */
  readonly statistics: ByteRange | null;
  readonly offsetIndex: ByteRange | null;
  readonly columnIndex: ByteRange | null;
  readonly bloomFilter: BloomFilterPlace | null;
  /** Why its pages cannot be read by us; null where they can. */
  readonly unreadable: 'encrypted' | 'in another file' | null;
}

export interface RowGroup {
  readonly rows: number;
  /** Rows of the file before this group. */
  readonly startRow: number;
  /** One per leaf of the schema, in its order. */
  readonly chunks: readonly ColumnChunk[];
}

export interface FileMetadata {
  readonly rows: number;
  readonly schema: ParquetSchema;
  readonly rowGroups: readonly RowGroup[];
  readonly createdBy: string | null;
  readonly keyValue: ReadonlyMap<string, string>;
  /** Per leaf: whether `min_value` and `max_value` follow the type's own order. */
  readonly typeOrdered: readonly boolean[];
}

/** What bounds the reading of one file. */
export type ParquetLimits = Pick<
  Limits,
  | 'footerBytesMax'
  | 'schemaFieldsMax'
  | 'schemaDepthMax'
  | 'columnChunksMax'
  | 'decompressedBytesMax'
  | 'decoderMemoryBytesMax'
  | 'rowGroupBytesMax'
  | 'readGapBytesMax'
  | 'readsAtOnceMax'
>;

const what = 'the Parquet footer';
/** A list is a group, a repeated group and the element's own nodes. */
const elementsPerField = 2;
const nodesPerLevel = 2;
const keyValueMax = 10_000;
const encodingStatsMax = 1_000;
/** DATA_PAGE and DATA_PAGE_V2; PLAIN_DICTIONARY and RLE_DICTIONARY (parquet.thrift, `PageType` and `Encoding`). */
const dataPageTypes = [0, 3];
const indexEncodings = [2, 8];
/** Thrift nesting of a footer: schema, row groups, chunks, their metadata, statistics; skipped fields may go deeper. */
const thriftDepthMax = 32;

/**
 * Parses a footer (parquet.thrift, `FileMetaData`). `dataEnd` is the file's offset where the footer begins: every range of a chunk
 * or index lies before it. Throws CORRUPT_FILE, LIMIT_EXCEEDED, UNSUPPORTED_FEATURE.
 */
export function parseMetadata(footer: Uint8Array, dataEnd: number, limits: ParquetLimits): FileMetadata {
  const reader: ThriftReader = new ThriftReader(footer, what, thriftDepthMax);
  let schema: ParquetSchema | undefined;
  let rows: number | undefined;
  let rowGroups: RowGroup[] | undefined;
  let createdBy: string | null = null;
  let typeOrdered: boolean[] = [];
  const keyValue = new Map<string, string>();
  reader.struct((id, type) => {
    switch (id) {
      case 2:
        schema = readSchema(reader, type, limits);
        break;
      case 3:
        rows = reader.i64(type);
        break;
      case 4:
        if (schema === undefined) reader.fail('its row groups come before its schema');
        rowGroups = readRowGroups(reader, type, schema, dataEnd, limits);
        break;
      case 5:
        reader.list(type, keyValueMax, (element) => readKeyValue(reader, element, keyValue));
        break;
      case 6:
        createdBy = reader.string(type);
        break;
      case 7:
        typeOrdered = readColumnOrders(reader, type, limits.schemaFieldsMax);
        break;
      default:
        reader.skip(type);
    }
  });
  if (schema === undefined || rows === undefined || rowGroups === undefined) {
    return reader.fail('its schema, row count or row groups are missing');
  }
  const counted = rowGroups.reduce((sum, group) => sum + group.rows, 0);
  // Some old writers left the file's own count at 0.
  if (rows !== counted && rows !== 0) reader.fail(`it counts ${rows} rows where its row groups hold ${counted}`);
  return { rows: counted, schema, rowGroups, createdBy, keyValue, typeOrdered };
}

function readSchema(reader: ThriftReader, type: number, limits: ParquetLimits): ParquetSchema {
  const elements: SchemaElement[] = [];
  const elementsMax = elementsPerField * limits.schemaFieldsMax;
  reader.list(type, elementsMax, (element) => elements.push(readElement(reader, element)));
  return buildSchema(elements, nodesPerLevel * limits.schemaDepthMax);
}

function readElement(reader: ThriftReader, elementType: number): SchemaElement {
  const optional = (): number | null => null;
  let type = optional();
  let typeLength = optional();
  let repetition = optional();
  let childCount = optional();
  let fieldId = optional();
  let converted = optional();
  let name: string | null = null;
  let scale = 0;
  let precision = 0;
  let logical: LogicalType | null = null;
  reader.structField(elementType, (id, field) => {
    if (id === 1) type = reader.i32(field);
    else if (id === 2) typeLength = reader.i32(field);
    else if (id === 3) repetition = reader.i32(field);
    else if (id === 4) name = reader.string(field);
    else if (id === 5) childCount = reader.i32(field);
    else if (id === 6) converted = reader.i32(field);
    else if (id === 7) scale = reader.i32(field);
    else if (id === 8) precision = reader.i32(field);
    else if (id === 9) fieldId = reader.i32(field);
    else if (id === 10) logical = readLogicalType(reader, field);
    else reader.skip(field);
  });
  if (name === null) return reader.fail('a schema element has no name');
  if (logical === null && converted !== null) logical = convertedType(reader, converted, precision, scale);
  return { name, type, typeLength, repetition, childCount, fieldId, logical };
}

function readKeyValue(reader: ThriftReader, type: number, into: Map<string, string>): void {
  let key = '';
  let value = '';
  reader.structField(type, (id, field) => {
    if (id === 1) key = reader.string(field);
    else if (id === 2) value = reader.string(field);
    else reader.skip(field);
  });
  into.set(key, value);
}

function readColumnOrders(reader: ThriftReader, type: number, countMax: number): boolean[] {
  const orders: boolean[] = [];
  reader.list(type, countMax, (element) => {
    let ordered = false;
    reader.structField(element, (id, field) => {
      ordered = id === 1;
      reader.skip(field);
    });
    orders.push(ordered);
  });
  return orders;
}

function readRowGroups(
  reader: ThriftReader,
  type: number,
  schema: ParquetSchema,
  dataEnd: number,
  limits: ParquetLimits,
): RowGroup[] {
  const groups: RowGroup[] = [];
  let startRow = 0;
  const groupsMax = Math.floor(limits.columnChunksMax / Math.max(1, schema.leaves.length));
  reader.list(type, groupsMax, (element, index) => {
    let rows: number | undefined;
    const drafts: ChunkDraft[] = [];
    reader.structField(element, (id, field) => {
      if (id === 1) {
        reader.list(field, limits.columnChunksMax, (chunk, leaf) => {
          if (leaf >= schema.leaves.length) reader.fail(`row group ${index} has more columns than the schema`);
          drafts.push(readChunk(reader, chunk));
        });
      } else if (id === 3) rows = reader.i64(field);
      else reader.skip(field);
    });
    if (rows === undefined || rows < 0) return reader.fail(`row group ${index} has no valid row count`);
    if (drafts.length !== schema.leaves.length) {
      return reader.fail(
        `row group ${index} has ${drafts.length} columns where the schema has ${schema.leaves.length}`,
      );
    }
    const known = rows;
    const chunks = drafts.map((draft, leaf) => finishChunk(reader, draft, leaf, index, known, schema, dataEnd));
    groups.push({ rows, startRow, chunks });
    startRow += rows;
    if (startRow > Number.MAX_SAFE_INTEGER) reader.fail('it counts more rows than 2^53');
  });
  return groups;
}

interface ChunkDraft {
  filePath: boolean;
  encrypted: boolean;
  physical: number;
  codec: number;
  values: number;
  uncompressedBytes: number;
  compressedBytes: number;
  dataPageOffset: number;
  dictionaryPageOffset: number;
  /** Whether every data page is said to hold indices; null where nothing is said. */
  holdsIndices: boolean | null;
  statistics: ByteRange | null;
  bloomFilterOffset: number;
  bloomFilterLength: number;
  offsetIndexOffset: number;
  offsetIndexLength: number;
  columnIndexOffset: number;
  columnIndexLength: number;
}

function readChunk(reader: ThriftReader, type: number): ChunkDraft {
  const draft: ChunkDraft = {
    filePath: false,
    encrypted: false,
    physical: -1,
    codec: -1,
    values: -1,
    uncompressedBytes: -1,
    compressedBytes: -1,
    dataPageOffset: -1,
    dictionaryPageOffset: -1,
    holdsIndices: null,
    statistics: null,
    bloomFilterOffset: -1,
    bloomFilterLength: -1,
    offsetIndexOffset: -1,
    offsetIndexLength: -1,
    columnIndexOffset: -1,
    columnIndexLength: -1,
  };
  reader.structField(type, (id, field) => {
    if (id === 1) draft.filePath = reader.binary(field).length > 0;
    else if (id === 3) readChunkMetadata(reader, field, draft);
    else if (id === 4) draft.offsetIndexOffset = reader.i64(field);
    else if (id === 5) draft.offsetIndexLength = reader.i32(field);
    else if (id === 6) draft.columnIndexOffset = reader.i64(field);
    else if (id === 7) draft.columnIndexLength = reader.i32(field);
    else {
      if (id === 8) draft.encrypted = true;
      reader.skip(field);
    }
  });
  return draft;
}

function readChunkMetadata(reader: ThriftReader, type: number, draft: ChunkDraft): void {
  reader.structField(type, (id, field) => {
    if (id === 1) draft.physical = reader.i32(field);
    else if (id === 4) draft.codec = reader.i32(field);
    else if (id === 5) draft.values = reader.i64(field);
    else if (id === 6) draft.uncompressedBytes = reader.i64(field);
    else if (id === 7) draft.compressedBytes = reader.i64(field);
    else if (id === 9) draft.dataPageOffset = reader.i64(field);
    else if (id === 11) draft.dictionaryPageOffset = reader.i64(field);
    else if (id === 12) {
      const start = reader.at;
      reader.skip(field);
      draft.statistics = { start, end: reader.at };
    } else if (id === 13 && field === thriftType.list) {
      reader.list(field, encodingStatsMax, (element) => readEncodingStats(reader, element, draft));
    } else if (id === 14 && field === thriftType.i64) draft.bloomFilterOffset = reader.i64(field);
    // Some writers have put other things under these numbers; nothing that must be known hangs on them.
    else if (id === 15 && field === thriftType.i32) draft.bloomFilterLength = reader.i32(field);
    else reader.skip(field);
  });
}

/** How many pages of a type have an encoding (parquet.thrift, `PageEncodingStats`). */
function readEncodingStats(reader: ThriftReader, type: number, draft: ChunkDraft): void {
  let [page, encoding, count] = [-1, -1, 0];
  reader.structField(type, (id, field) => {
    if (id === 1) page = reader.i32(field);
    else if (id === 2) encoding = reader.i32(field);
    else if (id === 3) count = reader.i32(field);
    else reader.skip(field);
  });
  if (!dataPageTypes.includes(page) || count <= 0) return;
  draft.holdsIndices = draft.holdsIndices !== false && indexEncodings.includes(encoding);
}

function finishChunk(
  reader: ThriftReader,
  draft: ChunkDraft,
  leaf: number,
  group: number,
  rows: number,
  schema: ParquetSchema,
  dataEnd: number,
): ColumnChunk {
  const place = `column ${leaf} of row group ${group}`;
  // A column under its own key may keep its metadata encrypted: then nothing else is known of it.
  const unreadable = draft.encrypted ? 'encrypted' : draft.filePath ? 'in another file' : null;
  const index = (start: number, length: number): ByteRange | null =>
    start > 0 && length > 0 && start + length <= dataEnd ? { start, end: start + length } : null;
  const rest = {
    leaf,
    statistics: draft.statistics,
    offsetIndex: index(draft.offsetIndexOffset, draft.offsetIndexLength),
    columnIndex: index(draft.columnIndexOffset, draft.columnIndexLength),
    bloomFilter: bloomFilterOf(draft, dataEnd),
  };
  if (unreadable !== null || (rows === 0 && draft.values <= 0)) {
    return {
      ...rest,
      codec: 'none',
      values: 0,
      range: { start: 0, end: 0 },
      hasDictionary: false,
      onlyDictionary: null,
      uncompressedBytes: 0,
      unreadable,
    };
  }
  const codec = codecs[draft.codec];
  if (codec === undefined) return reader.fail(`${place} has an unknown codec`);
  if (physicalTypes[draft.physical] !== schema.leaves[leaf]!.physical) {
    return reader.fail(`${place} has another type than the schema says`);
  }
  if (draft.values < 0 || draft.compressedBytes < 0 || draft.uncompressedBytes < 0) {
    return reader.fail(`${place} lacks a valid count or size`);
  }
  const first = draft.dictionaryPageOffset;
  const start = first > 0 && first < draft.dataPageOffset ? first : draft.dataPageOffset;
  const end = start + draft.compressedBytes;
  if (start < 4 || end > dataEnd) {
    return reader.fail(`${place} lies at [${start}, ${end}), outside of the file's data, which ends at ${dataEnd}`);
  }
  const holdsOnlyIndices = draft.holdsIndices === true && start === first && draft.dataPageOffset <= end;
  return {
    ...rest,
    codec,
    values: draft.values,
    range: { start, end },
    hasDictionary: start === first,
    onlyDictionary: holdsOnlyIndices ? { start, end: draft.dataPageOffset } : null,
    uncompressedBytes: draft.uncompressedBytes,
    unreadable,
  };
}

function bloomFilterOf(
  { bloomFilterOffset: start, bloomFilterLength }: ChunkDraft,
  dataEnd: number,
): BloomFilterPlace | null {
  const bytes = bloomFilterLength > 0 ? bloomFilterLength : null;
  return start > 0 && start + (bytes ?? 0) <= dataEnd ? { start, bytes } : null;
}

/** Throws UNSUPPORTED_FEATURE for a chunk whose pages are encrypted or lie in another file. */
export function requireReadable(chunk: ColumnChunk): void {
  if (chunk.unreadable !== null) {
    throw new ServiceError(
      'UNSUPPORTED_FEATURE',
      `a Parquet column is ${chunk.unreadable}: such columns are not read; write the file without encryption or external columns`,
    );
  }
}
