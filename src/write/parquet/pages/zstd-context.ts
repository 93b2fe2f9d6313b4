import { constants, createZstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** The part of Node's zlib streams that its own synchronous calls are made of. */
interface Handle {
  reset(): void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputBytes: number,
    output: Uint8Array,
    outputAt: number,
    outputBytes: number,
  ): void;
  onerror: (message: string, number: number, code: string) => void;
}

interface Context {
  readonly handle: Handle;
  /** After a write: bytes left of the output, bytes left of the input. */
  readonly left: Uint32Array;
  failure: string | null;
}

const contexts = new Map<number, Context | null>();

/** Room that holds the frame of so many bytes, whatever they are (zstd.h, `ZSTD_compressBound`). */
export const zstdBound = (bytes: number): number => bytes + (bytes >> 8) + 1024;

/**
 * Compresses bytes into one frame at the start of `out`, which has {@link zstdBound} room; the frame's length. One context of the
 * library serves all pages of a thread: the public call makes a stream and a context for each, which is half of the time that
 * a page of 80 KB takes (0.9 instead of 1.6 ms per MB). Where Node's insides are not as expected, the public call it is.
 */
export function compressZstd(bytes: Uint8Array, level: number, out: Uint8Array): number {
  let context = contexts.get(level);
  if (context === undefined) {
    context = openContext(level);
    contexts.set(level, context);
  }
  const length = context === null ? null : compressWith(context, bytes, out);
  if (length !== null) return length;
  const frame = zstdCompressSync(bytes, {
    chunkSize: zstdBound(bytes.length),
    params: { [constants.ZSTD_c_compressionLevel]: level },
  });
  out.set(frame);
  return frame.length;
}

/** Null where the context failed. */
function compressWith(context: Context, bytes: Uint8Array, out: Uint8Array): number | null {
  const { handle, left } = context;
  context.failure = null;
  handle.reset();
  handle.writeSync(constants.ZSTD_e_end, bytes, 0, bytes.length, out, 0, out.length);
  return context.failure === null && left[0]! > 0 && left[1] === 0 ? out.length - left[0]! : null;
}

/** Null where the stream is not made as expected, or does not encode a known text. */
function openContext(level: number): Context | null {
  const stream: unknown = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: level } });
  const { _handle: handle, _writeState: left } = stream as {
    readonly _handle?: unknown;
    readonly _writeState?: unknown;
  };
  if (!isHandle(handle) || !(left instanceof Uint32Array)) return null;
  const context: Context = { handle, left, failure: null };
  handle.onerror = (message) => {
    context.failure = message;
  };
  const known = Buffer.from('a known text, a known text, a known text');
  const out = new Uint8Array(zstdBound(known.length));
  try {
    const length = compressWith(context, known, out);
    return length !== null && known.equals(zstdDecompressSync(out.subarray(0, length))) ? context : null;
  } catch {
    return null;
  }
}

function isHandle(value: unknown): value is Handle {
  if (typeof value !== 'object' || value === null) return false;
  const { reset, writeSync } = value as { readonly reset?: unknown; readonly writeSync?: unknown };
  return typeof reset === 'function' && typeof writeSync === 'function';
}
