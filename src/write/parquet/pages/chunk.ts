import { crc32 } from 'node:zlib';
import { ThriftWriter } from '../../../scan/parquet/thrift.ts';
import type { EncodedChunk } from '../encoded-row-group.ts';
import { readRawFields } from '../encoded-row-group.ts';
import { storageOf } from '../stored-schema.ts';
import { type BloomOptions, encodeBloomFilter } from './bloom-filter.ts';
import { type Bounds, boundaryOrder, boundsOf, mergeBounds } from './bounds.ts';
import type { ByteSink } from './byte-sink.ts';
import { codecNumbers, compressPage, type PageCodec } from './compress.ts';
import { type CutBounds, cutBounds } from './cut-bounds.ts';
import type { Cut } from './cuts.ts';
import type { LeafDictionary } from './dictionary.ts';
import { bitWidthOf, encodeHybrid, encodeRun } from './hybrid.ts';
import type { Leaf } from './leaves.ts';
import type { PhysicalValues } from './physical.ts';
import { encodePlain, encodePlainEntries } from './plain.ts';

export interface ChunkOptions {
  readonly codec: PageCodec;
  readonly level: number | null;
  readonly pageVersion: 'V1' | 'V2';
  readonly checksums: boolean;
  /** Bytes that a bound of a text may have. */
  readonly boundBytes: number;
}

export interface ChunkInput {
  readonly leaf: Leaf;
  readonly values: PhysicalValues;
  readonly cuts: readonly Cut[];
  /** Of all values; null = PLAIN. */
  readonly dictionary: LeafDictionary | null;
  /** Null = no bloom filter. */
  readonly bloom: BloomOptions | null;
}

export interface WrittenChunk {
  /** Headers included. */
  readonly uncompressedBytes: number;
  /** Where in the sink its pages lie. */
  readonly start: number;
  readonly end: number;
  readonly nans: number;
  /** Its metadata and indexes once it is known where in the row group its pages begin. */
  place(base: number): EncodedChunk;
}

const encodings = { plain: 0, rle: 3, dictionary: 8 } as const;
const pageTypes = { v1: 0, dictionary: 2, v2: 3 } as const;

interface Page {
  readonly offset: number;
  readonly bytes: number;
  readonly startRow: number;
  readonly slots: number;
  readonly nulls: number;
  readonly bounds: Bounds | null;
}

/** Appends the pages of one column chunk (parquet-format, README "Data Pages"). */
export function writeChunk(sink: ByteSink, input: ChunkInput, options: ChunkOptions): WrittenChunk {
  const { leaf, values, cuts, dictionary } = input;
  const start = sink.length;
  const sizes = { uncompressed: 0 };
  if (dictionary !== null) writeDictionaryPage(sink, values, dictionary, options, sizes);
  const indexWidth = dictionary === null ? 0 : Math.max(1, bitWidthOf(dictionary.entries.length - 1));
  const pages: Page[] = [];
  let nans = 0;
  for (const cut of cuts) {
    const found = boundsOf(values, cut.startValue, cut.endValue, dictionary);
    nans += found.nans;
    const body =
      dictionary === null
        ? encodePlain(values, cut.startValue, cut.endValue)
        : encodeIndices(dictionary.indices, cut, indexWidth);
    const offset = sink.length - start;
    writeDataPage(sink, leaf, cut, body, dictionary === null ? encodings.plain : encodings.dictionary, options, sizes);
    const slots = cut.endSlot - cut.startSlot;
    const nulls = slots - (cut.endValue - cut.startValue);
    pages.push({
      offset,
      bytes: sink.length - start - offset,
      startRow: cut.startRow,
      slots,
      nulls,
      bounds: found.bounds,
    });
  }
  const sized = { uncompressedBytes: sizes.uncompressed, compressedBytes: sink.length - start };
  const cutting = (bounds: Bounds): CutBounds => cutBounds(leaf.type, bounds, options.boundBytes);
  return {
    uncompressedBytes: sizes.uncompressed,
    start,
    end: sink.length,
    nans,
    place: (base) => ({
      metadata: encodeMetadata({ ...input, pages, base, ...sized }, options, cutting),
      columnIndex: encodeColumnIndex(values, pages, cutting),
      offsetIndex: encodeOffsetIndex(pages, base),
      bloomFilter: input.bloom === null ? null : encodeBloomFilter(values, dictionary, input.bloom),
    }),
  };
}

function writeDictionaryPage(
  sink: ByteSink,
  values: PhysicalValues,
  { entries }: LeafDictionary,
  options: ChunkOptions,
  sizes: { uncompressed: number },
): void {
  const plain = encodePlainEntries(values, entries);
  const body = compressPage(options.codec, plain, options.level);
  const header = encodeHeader(pageTypes.dictionary, plain.length, [body], options, (writer) => {
    writer.structField(7, () => {
      writer.i32(1, entries.length);
      writer.i32(2, encodings.plain);
    });
  });
  sizes.uncompressed += header.length + plain.length;
  sink.append(header);
  sink.append(body);
}

function encodeIndices(indices: Int32Array, { startValue, endValue }: Cut, width: number): Uint8Array {
  const packed = encodeHybrid(indices, startValue, endValue, width);
  const body = new Uint8Array(packed.length + 1);
  body[0] = width;
  body.set(packed, 1);
  return body;
}

function writeDataPage(
  sink: ByteSink,
  leaf: Leaf,
  cut: Cut,
  body: Uint8Array,
  encoding: number,
  options: ChunkOptions,
  sizes: { uncompressed: number },
): void {
  const repetition = encodeLevels(leaf.repetition, leaf.repetitionMax, cut);
  const definition = encodeLevels(leaf.definition, leaf.definitionMax, cut);
  const parts =
    options.pageVersion === 'V1'
      ? dataPageV1(cut, [repetition, definition], body, encoding, options)
      : dataPageV2(cut, [repetition, definition], body, encoding, options);
  sizes.uncompressed += parts[0]!.length + repetition.length + definition.length + body.length;
  if (options.pageVersion === 'V1') sizes.uncompressed += lengthPrefixBytes(repetition) + lengthPrefixBytes(definition);
  for (const part of parts) sink.append(part);
}

type Levels = readonly [repetition: Uint8Array, definition: Uint8Array];

/** The levels stand before the compressed values: values without nulls are the whole frame (design: passed pages). */
function dataPageV2(
  cut: Cut,
  [repetition, definition]: Levels,
  body: Uint8Array,
  encoding: number,
  options: ChunkOptions,
): Uint8Array[] {
  const packed = body.length === 0 ? body : compressPage(options.codec, body, options.level);
  const isCompressed = options.codec !== 'UNCOMPRESSED' && packed.length < body.length;
  const parts = [repetition, definition, isCompressed ? packed : body];
  const uncompressed = repetition.length + definition.length + body.length;
  const header = encodeHeader(pageTypes.v2, uncompressed, parts, options, (writer) => {
    writer.structField(8, () => {
      const slots = cut.endSlot - cut.startSlot;
      writer.i32(1, slots);
      writer.i32(2, slots - (cut.endValue - cut.startValue));
      writer.i32(3, cut.endRow - cut.startRow);
      writer.i32(4, encoding);
      writer.i32(5, definition.length);
      writer.i32(6, repetition.length);
      writer.bool(7, isCompressed);
    });
  });
  return [header, ...parts];
}

/** The levels, each behind its length, are compressed with the values; a required column has none. */
function dataPageV1(
  cut: Cut,
  [repetition, definition]: Levels,
  body: Uint8Array,
  encoding: number,
  options: ChunkOptions,
): Uint8Array[] {
  const plain =
    repetition.length + definition.length === 0
      ? body
      : Buffer.concat([...withLength(repetition), ...withLength(definition), body]);
  const packed = compressPage(options.codec, plain, options.level);
  const header = encodeHeader(pageTypes.v1, plain.length, [packed], options, (writer) => {
    writer.structField(5, () => {
      writer.i32(1, cut.endSlot - cut.startSlot);
      writer.i32(2, encoding);
      writer.i32(3, encodings.rle);
      writer.i32(4, encodings.rle);
    });
  });
  return [header, packed];
}

const lengthPrefixBytes = (levels: Uint8Array): number => (levels.length === 0 ? 0 : 4);

function withLength(levels: Uint8Array): Uint8Array[] {
  if (levels.length === 0) return [];
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, levels.length, true);
  return [length, levels];
}

function encodeLevels(levels: Uint8Array | null, max: number, { startSlot, endSlot }: Cut): Uint8Array {
  if (max === 0) return new Uint8Array(0);
  const width = bitWidthOf(max);
  return levels === null ? encodeRun(max, endSlot - startSlot, width) : encodeHybrid(levels, startSlot, endSlot, width);
}

function encodeHeader(
  type: number,
  uncompressedBytes: number,
  parts: readonly Uint8Array[],
  { checksums }: ChunkOptions,
  details: (writer: ThriftWriter) => void,
): Uint8Array {
  const writer = new ThriftWriter();
  writer.struct(() => {
    writer.i32(1, type);
    writer.i32(2, uncompressedBytes);
    writer.i32(
      3,
      parts.reduce((sum, part) => sum + part.length, 0),
    );
    if (checksums) writer.i32(4, parts.reduce((crc, part) => crc32(part, crc), 0) | 0);
    details(writer);
  });
  return writer.finish();
}

interface ChunkFacts extends ChunkInput {
  readonly pages: readonly Page[];
  readonly base: number;
  readonly uncompressedBytes: number;
  readonly compressedBytes: number;
}

/** `ColumnMetaData`, with offsets from the row group's first byte; its path is written by whoever knows the schema. */
function encodeMetadata(facts: ChunkFacts, options: ChunkOptions, cutting: (bounds: Bounds) => CutBounds) {
  const { leaf, values, pages, dictionary } = facts;
  const writer = new ThriftWriter();
  writer.struct(() => {
    writer.i32(1, storageOf(leaf.type).type);
    writer.i32s(
      2,
      dictionary === null ? [encodings.plain, encodings.rle] : [encodings.plain, encodings.rle, encodings.dictionary],
    );
    writer.strings(3, []);
    writer.i32(4, codecNumbers[options.codec]);
    writer.i64(5, leaf.slots);
    writer.i64(6, facts.uncompressedBytes);
    writer.i64(7, facts.compressedBytes);
    writer.i64(9, pages[0]!.offset + facts.base);
    writer.i64(11, dictionary === null ? null : facts.base);
    writer.structField(12, () => {
      const merged = mergeBounds(
        values,
        pages.map((page) => page.bounds),
      );
      const bounds = merged === null ? null : cutting(merged);
      writer.i64(
        3,
        pages.reduce((sum, page) => sum + page.nulls, 0),
      );
      writer.binary(5, bounds?.max ?? null);
      writer.binary(6, bounds?.min ?? null);
      writer.bool(7, bounds?.isMaxExact ?? null);
      writer.bool(8, bounds?.isMinExact ?? null);
    });
  });
  return readRawFields(writer.finish());
}

/** Null where a page has values but no bounds, as one of NaNs alone: an index must speak of every page. */
function encodeColumnIndex(
  values: PhysicalValues,
  pages: readonly Page[],
  cutting: (bounds: Bounds) => CutBounds,
): Uint8Array | null {
  const empty = new Uint8Array(0);
  const cut: (CutBounds | null)[] = [];
  for (const { slots, nulls, bounds } of pages) {
    if (bounds === null && nulls < slots) return null;
    const found = bounds === null ? null : cutting(bounds);
    if (found !== null && found.max === null) return null;
    cut.push(found);
  }
  const writer = new ThriftWriter();
  writer.struct(() => {
    writer.bools(
      1,
      cut.map((bounds) => bounds === null),
    );
    writer.binaries(
      2,
      cut.map((bounds) => bounds?.min ?? empty),
    );
    writer.binaries(
      3,
      cut.map((bounds) => bounds?.max ?? empty),
    );
    writer.i32(
      4,
      boundaryOrder(
        values,
        pages.flatMap(({ bounds }) => bounds ?? []),
      ),
    );
    writer.i64s(
      5,
      pages.map((page) => page.nulls),
    );
  });
  return writer.finish();
}

function encodeOffsetIndex(pages: readonly Page[], base: number): Uint8Array {
  const writer = new ThriftWriter();
  writer.struct(() => {
    writer.structs(1, pages, (page) => {
      writer.i64(1, page.offset + base);
      writer.i32(2, page.bytes);
      writer.i64(3, page.startRow);
    });
  });
  return writer.finish();
}
