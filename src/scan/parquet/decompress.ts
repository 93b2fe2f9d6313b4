import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { ServiceError } from '../../core/errors.ts';
import { type Allocate, allocateFresh } from './allocate.ts';
import { decodeLz4Block } from './lz4-block.ts';
import type { Codec } from './metadata.ts';
import { decodeSnappy } from './snappy.ts';
import { decompressZstdPage } from './zstd-page.ts';

const corrupt = (problem: string, cause?: unknown): ServiceError =>
  new ServiceError('CORRUPT_FILE', `a Parquet page is damaged: ${problem}`, { cause });

/** Codecs that the page decoder undoes itself, never writing more than a page's declared size. */
export const decodedInWasm = (codec: Codec): boolean => codec === 'none' || codec === 'snappy' || codec === 'lz4-raw';

/**
 * Undoes a page's compression into exactly `bytes` bytes, and never more: a page that grows beyond its declared size is
 * CORRUPT_FILE before it takes memory. Some codecs write to a buffer of `allocate`, of which the result is a view; others have their own.
 * UNSUPPORTED_FEATURE for LZO.
 */
export function decompress(codec: Codec, body: Uint8Array, bytes: number, allocate = allocateFresh): Uint8Array {
  const plain = decompressAny(codec, body, bytes, allocate);
  if (plain.length !== bytes) throw corrupt(`it has ${plain.length} bytes where ${bytes} are declared`);
  return plain;
}

/** Output that one step of zlib may take: a page's declared size is trusted for no more than this before its bytes are there. */
const outputStepBytesMax = 4 << 20;
/** The least that zlib takes for a step. */
const outputStepBytesMin = 64;

function decompressAny(codec: Codec, body: Uint8Array, bytes: number, allocate: Allocate): Uint8Array {
  // A step as large as the page spares zlib's 16 KB pieces and their joining; a byte more, the step that finds nothing left.
  const chunkSize = Math.min(outputStepBytesMax, Math.max(outputStepBytesMin, bytes + 1));
  const options = { maxOutputLength: Math.max(1, bytes), chunkSize };
  try {
    switch (codec) {
      case 'none':
        return body;
      case 'gzip':
        return gunzipSync(body, options);
      case 'brotli':
        return brotliDecompressSync(body, options);
      case 'zstd':
        return decompressZstdPage(body, bytes, allocate);
      case 'lz4':
        return decodeHadoopLz4(body, bytes) ?? decodeLz4Block(body, bytes, allocate);
      case 'lz4-raw':
        return decodeLz4Block(body, bytes, allocate);
      case 'snappy':
        return decodeSnappy(body, bytes, allocate);
      case 'lzo':
        break;
      default:
        codec satisfies never;
    }
  } catch (cause) {
    throw corrupt(`its ${codec} data cannot be decompressed to ${bytes} bytes`, cause);
  }
  throw new ServiceError(
    'UNSUPPORTED_FEATURE',
    `Parquet pages compressed with ${codec} are not read; write them with zstd`,
  );
}

/**
 * The deprecated `LZ4` codec of Hadoop: blocks, each behind its uncompressed and compressed size as big-endian 32-bit numbers
 * (parquet-format, Compression.md). Null where the sizes do not add up: other writers stored a bare block under the same name.
 */
function decodeHadoopLz4(body: Uint8Array, bytes: number): Uint8Array | null {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const blocks: { readonly start: number; readonly end: number; readonly plainBytes: number }[] = [];
  let at = 0;
  let plain = 0;
  while (at < body.length) {
    if (body.length - at < 8) return null;
    const plainBytes = view.getUint32(at);
    const end = at + 8 + view.getUint32(at + 4);
    plain += plainBytes;
    if (end > body.length || plain > bytes) return null;
    blocks.push({ start: at + 8, end, plainBytes });
    at = end;
  }
  if (plain !== bytes) return null;
  return Buffer.concat(
    blocks.map((block) => decodeLz4Block(body.subarray(block.start, block.end), block.plainBytes, allocateFresh)),
  );
}
