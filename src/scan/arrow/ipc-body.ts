import { ServiceError } from '../../core/errors.ts';
import type { StoredColumn } from './column.ts';
import { compressBuffer, type IpcCodec, type IpcCompression, lengthPrefix, storedRaw } from './ipc-compression.ts';
import { bitmapBytes } from './kernels/bitmap.ts';
import { bytesOf } from './kernels/typed-views.ts';

/** Collects the nodes and buffers of one message's body, compressed and padded. */
export interface BodyWriter {
  readonly codec: IpcCodec | null;
  /** Length and null count, alternating. */
  readonly nodes: readonly number[];
  /** Offset and length, alternating. */
  readonly buffers: readonly number[];
  readonly parts: readonly Uint8Array[];
  readonly byteLength: number;
  node(length: number, nullCount: number): void;
  bytes(buffer: Uint8Array): void;
  words(buffer: Int32Array): void;
  /** A bitmap; bits behind `length` in its last byte are sent as 0. */
  bits(bitmap: Uint8Array, length: number): void;
  /** Values that are already as the wire carries them. */
  stored(column: StoredColumn): void;
}

const alignment = 8;
const zeros = new Uint8Array(alignment);

export function bodyWriter(compression: IpcCompression): BodyWriter {
  const codec = compression === 'none' ? null : compression;
  const nodes: number[] = [];
  const buffers: number[] = [];
  const parts: Uint8Array[] = [];
  let offset = 0;
  const bytes = (buffer: Uint8Array): void => append(codec === null ? [buffer] : compressBuffer(buffer, codec));
  const append = (pieces: readonly Uint8Array[]): void => {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    buffers.push(offset, length);
    parts.push(...pieces.filter((piece) => piece.length > 0));
    const padding = -length & (alignment - 1);
    if (padding > 0) parts.push(zeros.subarray(0, padding));
    offset += length + padding;
  };
  return {
    codec,
    nodes,
    buffers,
    parts,
    get byteLength() {
      return offset;
    },
    node: (length, nullCount) => {
      nodes.push(length, nullCount);
    },
    bytes,
    words: (buffer) => bytes(bytesOf(buffer)),
    bits: (bitmap, length) => bytes(exactBits(bitmap, length)),
    stored: (column) => {
      if (codec !== 'zstd') throw new ServiceError('INTERNAL', 'a stored page goes to the wire of a zstd stream alone');
      append([lengthPrefix(column.compressed ? column.bytes : storedRaw), column.frame]);
    },
  };
}

/** A bitmap cut to its length. The last byte may carry the bits of rows that a slice left out: those go. */
function exactBits(bitmap: Uint8Array, length: number): Uint8Array {
  const exact = bitmap.subarray(0, bitmapBytes(length));
  const rest = length & 7;
  if (rest === 0 || exact[exact.length - 1]! >> rest === 0) return exact;
  const copy = new Uint8Array(exact);
  copy[copy.length - 1]! &= (1 << rest) - 1;
  return copy;
}
