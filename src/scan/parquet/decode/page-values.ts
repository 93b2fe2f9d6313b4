import { aligned } from '../../arrow/kernels/typed-views.ts';
import { decompress } from '../decompress.ts';
import type { ColumnChunk } from '../metadata.ts';
import type { DataPage, DictionaryPage } from '../pages.ts';
import type { ParquetLeaf, PhysicalType } from '../schema.ts';
import { type BitValues, PlainBits, RunBits } from './bit-values.ts';
import { joinByteStreams } from './byte-stream-split.ts';
import {
  type ByteDictionary,
  type ByteValues,
  DeltaByteValues,
  DeltaLengthValues,
  DictionaryByteValues,
  FixedByteValues,
  PlainByteValues,
} from './byte-values.ts';
import { checkUnfolded, damaged } from './damaged.ts';
import { decodeDelta32, decodeDelta64 } from './delta.ts';
import { DictionaryValues, type FixedValues, PlainValues } from './fixed-values.ts';
import { HybridReader } from './hybrid-reader.ts';

/** The values of one page by what they are. */
export type PageValues =
  | { readonly kind: 'fixed'; readonly values: FixedValues }
  | { readonly kind: 'bits'; readonly values: BitValues }
  | { readonly kind: 'bytes'; readonly values: ByteValues };

/** The values of a chunk's dictionary page. */
export type Dictionary =
  | { readonly kind: 'fixed'; readonly values: Uint8Array }
  | ({ readonly kind: 'bytes' } & ByteDictionary);

/** Numbers of the encodings (parquet.thrift, `Encoding`). */
const encodings = {
  plain: 0,
  plainDictionary: 2,
  runs: 3,
  deltaBinaryPacked: 5,
  deltaLengthByteArray: 6,
  deltaByteArray: 7,
  dictionary: 8,
  byteStreamSplit: 9,
} as const;

const { plain, plainDictionary, dictionary, byteStreamSplit, deltaBinaryPacked } = encodings;
const anyFixed = [plain, plainDictionary, dictionary, byteStreamSplit];
const integers = [...anyFixed, deltaBinaryPacked];
/**
 * Whether a column may be made a view of a page's values. They lie at a multiple of 8 bytes where no levels stand before them, as they do
 * in v1 pages of optional columns.
 */
export const mayBeViewed = (leaf: ParquetLeaf, page: DataPage): boolean =>
  page.encoding === plain &&
  leaf.physical !== 'byte-array' &&
  (page.kind === 'v2' || leaf.chain.every((node) => node.repetition === 'required'));

const readable: Record<PhysicalType, readonly number[]> = {
  boolean: [plain, encodings.runs],
  int32: integers,
  int64: integers,
  int96: [plain, plainDictionary, dictionary],
  float: anyFixed,
  double: anyFixed,
  'byte-array': [plain, plainDictionary, dictionary, encodings.deltaLengthByteArray, encodings.deltaByteArray],
  fixed: [...anyFixed, encodings.deltaByteArray],
};

/** Whether this decoder knows an encoding for a leaf's physical type. */
export const readsEncoding = (leaf: ParquetLeaf, encoding: number): boolean =>
  readable[leaf.physical].includes(encoding);

const widths = { boolean: 0, int32: 4, int64: 8, int96: 12, float: 4, double: 8, 'byte-array': 0, fixed: 0 } as const;

/** Bytes of one fixed-width value. */
export const physicalWidth = (leaf: ParquetLeaf): number =>
  leaf.physical === 'fixed' ? leaf.typeLength : widths[leaf.physical];

/** Decodes the dictionary page, whose values are PLAIN. Throws CORRUPT_FILE. */
export function openDictionary(leaf: ParquetLeaf, chunk: ColumnChunk, page: DictionaryPage): Dictionary {
  const bytes = decompress(chunk.codec, page.body, page.uncompressedBytes);
  if (leaf.physical !== 'byte-array') {
    const size = page.values * physicalWidth(leaf);
    if (size > bytes.length) throw damaged('a dictionary has fewer values than it claims');
    return { kind: 'fixed', values: aligned(bytes.subarray(0, size)) };
  }
  const lengthBytes = 4;
  if (page.values * lengthBytes > bytes.length) throw damaged('a dictionary has fewer values than it claims');
  const offsets = new Int32Array(page.values + 1);
  const values = new PlainByteValues(bytes, 0);
  const size = values.measure(offsets, 0, page.values);
  return { kind: 'bytes', offsets, values: values.all(offsets, page.values, size), length: page.values };
}

export interface PageValuesOptions {
  readonly leaf: ParquetLeaf;
  readonly page: DataPage;
  /** The chunk's dictionary, decoded when a page first asks for it; null where there is none. */
  readonly dictionary: () => Dictionary | null;
  /** Whether the page's bytes stay as they are. */
  readonly viewable: boolean;
  /** Bytes that one page's values may unfold to. */
  readonly bytesMax: number;
}

/** The values that stand in `bytes` from `start` on. Throws CORRUPT_FILE, LIMIT_EXCEEDED. */
export function openValues(options: PageValuesOptions, bytes: Uint8Array, start: number): PageValues {
  const { leaf, page } = options;
  const isDictionary = page.encoding === plainDictionary || page.encoding === encodings.dictionary;
  switch (leaf.physical) {
    case 'boolean': {
      const values = page.encoding === plain ? new PlainBits(bytes, start) : openRuns(bytes, start);
      return { kind: 'bits', values };
    }
    case 'byte-array':
      return {
        kind: 'bytes',
        values: isDictionary ? openIndices(options, bytes, start) : openBytes(options, bytes, start),
      };
    default: {
      const values = isDictionary ? openGather(options, bytes, start) : openFixed(options, bytes, start);
      return { kind: 'fixed', values };
    }
  }
}

/** Booleans as runs, behind their length in 4 bytes. */
function openRuns(bytes: Uint8Array, start: number): BitValues {
  const lengthBytes = 4;
  // A page of nulls alone may hold nothing at all.
  if (start === bytes.length) return new RunBits(new HybridReader(bytes, start, 1));
  if (lengthBytes > bytes.length - start) throw damaged('a page of booleans ends early');
  const length = new DataView(bytes.buffer, bytes.byteOffset + start, lengthBytes).getUint32(0, true);
  const end = start + lengthBytes + length;
  if (end > bytes.length) throw damaged('a page of booleans ends early');
  return new RunBits(new HybridReader(bytes.subarray(0, end), start + lengthBytes, 1));
}

/** Indices stand behind one byte that says their width; a page of nulls alone may hold nothing at all. */
const indexReader = (bytes: Uint8Array, start: number): HybridReader =>
  new HybridReader(bytes, start + 1, bytes[start] ?? 1);

function openIndices(options: PageValuesOptions, bytes: Uint8Array, start: number): ByteValues {
  const found = options.dictionary();
  if (found?.kind !== 'bytes') throw damaged('a page needs a dictionary and there is none');
  return new DictionaryByteValues(indexReader(bytes, start), found);
}

function openGather(options: PageValuesOptions, bytes: Uint8Array, start: number): FixedValues {
  const found = options.dictionary();
  if (found?.kind !== 'fixed') throw damaged('a page needs a dictionary and there is none');
  return new DictionaryValues(indexReader(bytes, start), found.values, physicalWidth(options.leaf));
}

function openBytes({ page, bytesMax }: PageValuesOptions, bytes: Uint8Array, start: number): ByteValues {
  if (page.encoding === plain) return new PlainByteValues(bytes, start);
  checkUnfolded(page.values * 8, bytesMax);
  if (page.encoding === encodings.deltaLengthByteArray) return new DeltaLengthValues(bytes, start, page.values);
  return new DeltaByteValues(bytes, start, page.values);
}

function openFixed(
  { leaf, page, viewable, bytesMax }: PageValuesOptions,
  bytes: Uint8Array,
  start: number,
): FixedValues {
  const width = physicalWidth(leaf);
  switch (page.encoding) {
    case encodings.deltaBinaryPacked: {
      checkUnfolded(page.values * width, bytesMax);
      const decode = width === 4 ? decodeDelta32 : decodeDelta64;
      const { words } = decode(bytes, start, page.values);
      return new PlainValues(new Uint8Array(words.buffer), 0, words.byteLength, width, true);
    }
    case byteStreamSplit: {
      const size = bytes.length - start;
      if (width > 0 && size % width !== 0) throw damaged('the streams of a page differ in length');
      const values = joinByteStreams(bytes, start, width, width === 0 ? 0 : size / width);
      return new PlainValues(values, 0, values.length, width, true);
    }
    case encodings.deltaByteArray:
      checkUnfolded(page.values * (width + 8), bytesMax);
      return new FixedByteValues(new DeltaByteValues(bytes, start, page.values), width);
    default:
      return new PlainValues(bytes, start, bytes.length, width, viewable);
  }
}
