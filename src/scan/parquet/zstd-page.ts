import { createZstdDecompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Allocate } from './allocate.ts';
import { ZlibContext } from './zlib-context.ts';

/** What a context keeps between pages: beyond it a frame gets one of its own. Level 19 needs 8 MiB. */
const windowBytesMax = 8 << 20;
/** Output that one step of the public call may take: a declared size is trusted for no more than this before its bytes are there. */
const outputStepBytesMax = 4 << 20;
/** The least that it takes for a step. */
const outputStepBytesMin = 64;

let shared: ZlibContext | null | undefined;

/**
 * Undoes zstd into exactly `bytes` bytes; throws for anything else. One context of the library serves all pages of a thread: the public
 * call makes a stream and a context for each, which is 33 of the 34 µs that a page of 17-bit indices takes (0.7 CPU-s per GB of Arrow on
 * the benchmark table). Where Node's insides are not as expected, the public call it is.
 */
export function decompressZstdPage(body: Uint8Array, bytes: number, allocate: Allocate): Uint8Array {
  if (shared === undefined) shared = openContext();
  if (shared !== null && fitsContext(body)) return decodeWith(shared, body, bytes, allocate);
  const chunkSize = Math.min(outputStepBytesMax, Math.max(outputStepBytesMin, bytes + 1));
  return zstdDecompressSync(body, { maxOutputLength: Math.max(1, bytes), chunkSize });
}

function decodeWith(context: ZlibContext, body: Uint8Array, bytes: number, allocate: Allocate): Uint8Array {
  // A byte too many, so that a page which unfolds further than declared is seen to.
  const room = bytes + 1;
  const out = allocate(room);
  const { outputLeft, inputLeft, failure } = context.run(body, out, room);
  if (failure !== null) throw new Error(failure);
  if (outputLeft !== 1 || inputLeft !== 0) throw new RangeError(`the frame does not hold exactly ${bytes} bytes`);
  return out.subarray(0, bytes);
}

/** Null where the stream is not made as expected, or does not decode a known frame. */
function openContext(): ZlibContext | null {
  const known = Buffer.from('a known text, a known text, a known text');
  const allocate = (bytes: number): Uint8Array => new Uint8Array(bytes);
  return ZlibContext.of(createZstdDecompress(), (context) =>
    known.equals(decodeWith(context, zstdCompressSync(known), known.length, allocate)),
  );
}

const magic = [0x28, 0xb5, 0x2f, 0xfd] as const;

/** Whether a frame's window, which the context keeps memory for, is known and small (RFC 8878, 3.1.1.1). */
function fitsContext(frame: Uint8Array): boolean {
  if (frame.length < 6 || magic.some((byte, at) => frame[at] !== byte)) return false;
  const descriptor = frame[4]!;
  // A frame of a single segment is decoded straight into the output.
  if ((descriptor & 0x20) !== 0) return true;
  const exponent = frame[5]! >> 3;
  const base = 2 ** (10 + exponent);
  return base + (base / 8) * (frame[5]! & 7) <= windowBytesMax;
}
