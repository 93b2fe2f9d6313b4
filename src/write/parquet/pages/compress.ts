import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { ServiceError } from '../../../core/errors.ts';
import { compressZstd, zstdBound } from './zstd-context.ts';

/** Codecs that pages are compressed with here, by their numbers (parquet.thrift, `CompressionCodec`). */
export const codecNumbers = { UNCOMPRESSED: 0, GZIP: 2, BROTLI: 4, ZSTD: 6 } as const;
export type PageCodec = keyof typeof codecNumbers;

export const isPageCodec = (codec: string): codec is PageCodec => Object.hasOwn(codecNumbers, codec);

/** zlib gives its output in steps of this size at least; a page that fits into one is not joined from pieces. */
const outputStepBytesMin = 1024;

/** What zstd's frames are made in; larger pages than most let go of it again. */
let scratch = new Uint8Array(0);

/** Compresses one page at a level, null = the codec's preset. The result holds until the next call. */
export function compressPage(codec: PageCodec, bytes: Uint8Array, level: number | null): Uint8Array {
  // A step as large as any result spares zlib's 16 KB pieces and their joining.
  const chunkSize = outputStepBytesMin + bytes.length + (bytes.length >> 7);
  switch (codec) {
    case 'UNCOMPRESSED':
      return bytes;
    case 'ZSTD': {
      const room = zstdBound(bytes.length);
      if (scratch.length < room) scratch = new Uint8Array(room * 2);
      return scratch.subarray(0, compressZstd(bytes, level ?? zstdLevelPreset, scratch));
    }
    case 'GZIP':
      return gzipSync(bytes, { chunkSize, ...(level !== null && { level }) });
    case 'BROTLI':
      return brotliCompressSync(bytes, {
        chunkSize,
        params: {
          [constants.BROTLI_PARAM_QUALITY]: level ?? brotliQualityPreset,
          [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
        },
      });
    default:
      throw new ServiceError('INTERNAL', `no pages are compressed with ${codec satisfies never}`);
  }
}

/** Level 3 makes numbers of the benchmark table larger (ids 0.295 instead of 0.252) and takes a quarter longer. */
const zstdLevelPreset = 1;
const brotliQualityPreset = 1;
