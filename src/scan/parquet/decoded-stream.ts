import { ServiceError } from '../../core/errors.ts';
import { defaultLimits } from '../../core/limits.ts';
import type { Batch } from '../arrow/column.ts';
import { messageBodyBytes } from '../arrow/ipc-decoder.ts';
import { createIpcDecoder } from '../arrow/ipc-read.ts';

const continuation = 0xffffffff;

/**
 * The batches of an IPC stream that lies in memory whole, as the decoder's module returns it; they share its memory. Synchronous, so
 * that a row group is decoded without giving way. The stream comes from our own module, but what it holds was made from a foreign
 * file: it is validated like any other. Throws CORRUPT_FILE.
 */
export function readDecodedStream(bytes: Uint8Array, rowsMax: number, depthMax: number): Batch[] {
  const limits = {
    ...defaultLimits,
    decompressedBytesMax: bytes.length,
    messageRowsMax: rowsMax,
    schemaDepthMax: depthMax,
  };
  const decoder = createIpcDecoder(limits, 'CORRUPT_FILE');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const batches: Batch[] = [];
  let at = 0;
  let first = true;
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - at)
      throw new ServiceError('INTERNAL', 'the Parquet decoder returned a stream that is cut off');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (bytes.length - at >= 8) {
    if (view.getUint32(at, true) !== continuation) {
      throw new ServiceError('INTERNAL', 'the Parquet decoder returned a stream of another framing');
    }
    const headerBytes = view.getUint32(at + 4, true);
    at += 8;
    if (headerBytes === 0) break;
    const header = take(headerBytes);
    const body = take(messageBodyBytes(header, 'CORRUPT_FILE'));
    if (first) decoder.readSchema(header);
    else {
      const batch = decoder.readMessage(header, body);
      if (batch !== null) batches.push(batch);
    }
    first = false;
  }
  return batches;
}
