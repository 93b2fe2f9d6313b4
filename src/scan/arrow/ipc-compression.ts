import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { compressFrameSync, decompressFrameSync } from 'lz4-napi';
import { ServiceError } from '../../core/errors.ts';
import type { MalformedCode } from './ipc-wire.ts';
import { type ByteBudget, unbounded } from './kernels/byte-budget.ts';
import { aligned } from './kernels/typed-views.ts';
import { lz4FrameBytes } from './lz4-frame.ts';

export type IpcCompression = 'none' | 'lz4' | 'zstd';
export type IpcCodec = Exclude<IpcCompression, 'none'>;

const zstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
// Shorter buffers gain less than the codec's frame costs.
const compressedBytesMin = 64;

/** A buffer as BodyCompression wants it (format/Message.fbs): the 8-byte length, or -1, and the frame, or the bytes themselves. */
export function compressBuffer(buffer: Uint8Array, codec: IpcCodec): readonly Uint8Array[] {
  if (buffer.length === 0) return [];
  const compressed = buffer.length < compressedBytesMin ? buffer : compress(buffer, codec);
  return compressed.length < buffer.length
    ? [lengthPrefix(buffer.length), compressed]
    : [lengthPrefix(storedRaw), buffer];
}

const compress = (buffer: Uint8Array, codec: IpcCodec): Uint8Array =>
  codec === 'zstd' ? zstdCompressSync(buffer, zstdOptions) : compressFrameSync(asBuffer(buffer));

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The length of a buffer that is not compressed. */
export const storedRaw = -1;

/** What stands before a buffer: the bytes that it unpacks to, or {@link storedRaw}. */
export function lengthPrefix(bytes: number): Uint8Array {
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigInt64(0, BigInt(bytes), true);
  return prefix;
}

/**
 * The inverse of {@link compressBuffer}, for bytes of unknown origin: the result has exactly the claimed length, which the budget
 * is charged first. Throws `code` where frame and length disagree.
 */
export function decompressBuffer(
  bytes: Uint8Array,
  codec: IpcCodec,
  code: MalformedCode = 'INVALID_REQUEST',
  budget: ByteBudget = unbounded,
): Uint8Array {
  if (bytes.length === 0) return bytes;
  if (bytes.length < 8) throw badBuffer(code, 'is shorter than its length prefix');
  const claimed = new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true);
  const frame = bytes.subarray(8);
  if (claimed === -1n) return frame;
  if (claimed < 0n || claimed > BigInt(Number.MAX_SAFE_INTEGER)) throw badBuffer(code, `claims ${claimed} bytes`);
  const length = Number(claimed);
  // Some writers compress an empty buffer, others store nothing behind the prefix.
  if (length === 0 && frame.length === 0) return frame;
  budget.charge(length);
  const plain = codec === 'zstd' ? decompressZstd(frame, length, code) : decompressLz4(frame, length, code);
  if (plain.length !== length) throw badBuffer(code, `holds ${plain.length} bytes and claims ${length}`);
  return aligned(plain);
}

function decompressZstd(frame: Uint8Array, length: number, code: MalformedCode): Uint8Array {
  try {
    return zstdDecompressSync(frame, { maxOutputLength: Math.max(1, length) });
  } catch (cause) {
    throw badBuffer(code, 'is not a zstd frame of the length that it claims', cause);
  }
}

function decompressLz4(frame: Uint8Array, length: number, code: MalformedCode): Uint8Array {
  if (lz4FrameBytes(frame) !== length) throw badBuffer(code, 'is not an LZ4 frame of the length that it claims');
  try {
    return decompressFrameSync(asBuffer(frame));
  } catch (cause) {
    throw badBuffer(code, 'is not an LZ4 frame', cause);
  }
}

const badBuffer = (code: MalformedCode, what: string, cause?: unknown): ServiceError =>
  new ServiceError(code, `Arrow IPC: a compressed buffer ${what}`, { cause });
