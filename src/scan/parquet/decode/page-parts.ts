import type { Allocate } from '../allocate.ts';
import { decompress } from '../decompress.ts';
import type { Codec } from '../metadata.ts';
import type { DataPage, DataPageV1, DataPageV2 } from '../pages.ts';
import { damaged } from './damaged.ts';
import { HybridReader } from './hybrid-reader.ts';
import { repackLevels } from './old-levels.ts';

/** A data page, decompressed and taken apart (parquet-format, README.md, "Data Pages"). */
export interface PageParts {
  /** Null where the leaf has no such levels. */
  readonly repetition: HybridReader | null;
  readonly definition: HybridReader | null;
  /** The values stand from byte `start` on. */
  readonly bytes: Uint8Array;
  readonly start: number;
}

export interface LevelMaxima {
  readonly repetition: number;
  readonly definition: number;
}

/** Bits of a level. */
const levelWidth = (levelMax: number): number => 32 - Math.clz32(levelMax);
const lengthBytes = 4;
const bitPackedEncoding = 4;

/** Throws CORRUPT_FILE, and UNSUPPORTED_FEATURE for a codec that is not read. */
export function openPage(page: DataPage, codec: Codec, levels: LevelMaxima, allocate: Allocate): PageParts {
  return page.kind === 'v1' ? openV1(page, codec, levels, allocate) : openV2(page, codec, levels, allocate);
}

/** Levels and values are compressed together; each kind of level stands behind its length. */
function openV1(page: DataPageV1, codec: Codec, levels: LevelMaxima, allocate: Allocate): PageParts {
  const bytes = decompress(codec, page.body, page.uncompressedBytes, allocate);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (levelMax: number, encoding: number): HybridReader | null => {
    if (levelMax === 0) return null;
    if (encoding === bitPackedEncoding) {
      const old = repackLevels(bytes, at, levelWidth(levelMax), page.values);
      at = old.end;
      return new HybridReader(old.levels, 0, levelWidth(levelMax));
    }
    if (lengthBytes > bytes.length - at) throw damaged('the levels of a page are missing');
    const start = at + lengthBytes;
    const end = start + view.getUint32(at, true);
    if (end > bytes.length) throw damaged('the levels of a page run past its end');
    at = end;
    return new HybridReader(bytes.subarray(0, end), start, levelWidth(levelMax));
  };
  const repetition = take(levels.repetition, page.repetitionEncoding);
  const definition = take(levels.definition, page.definitionEncoding);
  return { repetition, definition, bytes, start: at };
}

/** Levels stand uncompressed in front, their lengths in the header. */
function openV2(page: DataPageV2, codec: Codec, levels: LevelMaxima, allocate: Allocate): PageParts {
  const { body, repetitionBytes, definitionBytes } = page;
  const levelBytes = repetitionBytes + definitionBytes;
  const reader = (levelMax: number, start: number, end: number): HybridReader | null =>
    levelMax === 0 ? null : new HybridReader(body.subarray(0, end), start, levelWidth(levelMax));
  const repetition = reader(levels.repetition, 0, repetitionBytes);
  const definition = reader(levels.definition, repetitionBytes, levelBytes);
  const packed = body.subarray(levelBytes);
  const plainBytes = page.uncompressedBytes - levelBytes;
  // A page of nulls alone has no values, and some writers then compress nothing.
  const isPlain = !page.compressed || (packed.length === 0 && plainBytes === 0);
  const bytes = isPlain ? packed : decompress(codec, packed, plainBytes, allocate);
  return { repetition, definition, bytes, start: 0 };
}
