import { LRUCache } from 'lru-cache';
import type { DataFile } from '../catalog/manifest/types.ts';
import { ServiceError } from '../core/errors.ts';
import type { Limits } from '../core/limits.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { createDictionaryValues, type DictionaryValues } from './parquet/dictionary-values.ts';
import { openParquet, type ParquetFile } from './parquet/footer.ts';

/** Parquet footers by location: data files never change under theirs. */
export interface FooterCache {
  /** UNSUPPORTED_FEATURE for other formats; else what `openParquet` throws. */
  open(file: Pick<DataFile, 'path' | 'format'>, signal: AbortSignal): Promise<ParquetFile>;
  /** Dictionaries of their columns; absent = they are not looked into. */
  readonly dictionaries?: DictionaryValues;
}

// What a footer's parsed form needs, per byte of its source.
const parsedFactor = 4;

export function createFooterCache(options: { readonly objects: ObjectStore; readonly limits: Limits }): FooterCache {
  const { objects, limits } = options;
  const footers = new LRUCache<string, ParquetFile>({
    maxSize: limits.footerCacheBytesMax,
    sizeCalculation: (file) => 1_024 + file.footer.length * parsedFactor + (file.whole?.length ?? 0),
  });
  return {
    dictionaries: createDictionaryValues(limits.dictionaryCacheBytesMax),
    async open({ path, format }, signal) {
      if (format !== 'parquet') {
        throw new ServiceError('UNSUPPORTED_FEATURE', `the table has a data file in ${format}; only Parquet is read`);
      }
      const known = footers.get(path);
      if (known !== undefined) return known;
      const file = await openParquet({ objects, location: path, limits, signal });
      footers.set(path, file);
      return file;
    },
  };
}
