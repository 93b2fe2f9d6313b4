import type { Column } from '../../arrow/column.ts';
import { allocateFresh } from '../allocate.ts';
import { rawType } from '../leaf-type.ts';
import type { ColumnChunk } from '../metadata.ts';
import type { DataPage, Pages } from '../pages.ts';
import type { ParquetLeaf } from '../schema.ts';
import { giveBack, takeBuffer } from './page-buffers.ts';
import { type LevelMaxima, openPage, type PageParts } from './page-parts.ts';
import {
  type Dictionary,
  mayBeViewed,
  openDictionary,
  openValues,
  type PageValues,
  physicalWidth,
} from './page-values.ts';
import type { WindowType } from './window.ts';

/** A page's levels and values, both read front to back. */
export interface OpenPage extends Pick<PageParts, 'repetition' | 'definition'> {
  readonly values: PageValues;
  /** Lets go of the page's bytes, once nothing is read of it any more. */
  close(): void;
}

/** The pages of one column chunk, or a run of them, decompressed one by one; the dictionary once. */
export interface ChunkPages {
  readonly leaf: ParquetLeaf;
  readonly data: readonly DataPage[];
  readonly window: WindowType;
  open(page: DataPage): OpenPage;
}

export function chunkPages(
  leaf: ParquetLeaf,
  chunk: ColumnChunk,
  pages: Pages,
  levels: LevelMaxima,
  bytesMax: number,
): ChunkPages {
  let decoded: Dictionary | null = null;
  let column: Column | null = null;
  const type = rawType(leaf);
  const dictionary = (): Dictionary | null => {
    if (decoded === null && pages.dictionary !== null) decoded = openDictionary(leaf, chunk, pages.dictionary);
    return decoded;
  };
  const dictionaryColumn = (): Column => {
    if (column !== null) return column;
    const found = dictionary();
    if (found?.kind !== 'bytes') throw new TypeError('only byte arrays stay in their dictionary');
    const { offsets, values, length } = found;
    column = { kind: 'bytes', type, length, nullCount: 0, validity: null, offsets, values };
    return column;
  };
  return {
    leaf,
    data: pages.data,
    window: { type, width: physicalWidth(leaf), dictionary: dictionaryColumn, bytesMax },
    open(page) {
      let taken: Uint8Array | null = null;
      const allocate = (size: number): Uint8Array => {
        taken = takeBuffer(size);
        return taken;
      };
      const viewable = mayBeViewed(leaf, page);
      const parts = openPage(page, chunk.codec, levels, viewable ? allocateFresh : allocate);
      const values = openValues({ leaf, page, viewable, dictionary, bytesMax }, parts.bytes, parts.start);
      const close = (): void => {
        if (taken !== null) giveBack(taken);
        taken = null;
      };
      return { repetition: parts.repetition, definition: parts.definition, values, close };
    },
  };
}
