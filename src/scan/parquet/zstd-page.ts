import { createZstdDecompress, zstdDecompressSync } from 'node:zlib';

/** What zlib's streams do their work with: bytes from one buffer into another, at once. */
interface ZstdHandle {
  reset(): void;
  writeSync(
    flush: number,
    from: Uint8Array,
    fromAt: number,
    fromBytes: number,
    to: Uint8Array,
    toAt: number,
    toBytes: number,
  ): void;
  onerror: (message: string) => void;
}

interface Decoder {
  readonly handle: ZstdHandle;
  /** After a step: bytes of room left in the output, and bytes of input not taken. */
  readonly left: Uint32Array;
}

/**
 * Node has no call that decompresses with a context made before. One that is kept takes 0.85 instead of 1.3 s of CPU per GB of zstd in
 * pages of 8 KB to 1 MB (of the benchmark table); the stream's own parts are used for it, as Node 26 has them. Undefined = not tried,
 * null = this Node has them otherwise.
 */
let kept: Decoder | null | undefined;
const flushContinue = 0;
const beyond = new Uint8Array(1);
const nothing = new Uint8Array(0);

/** Undoes the zstd frames of one page into `bytes` bytes, which are allocated first. Throws what `zstdDecompressSync` throws. */
export function decompressZstdPage(body: Uint8Array, bytes: number): Uint8Array {
  const decoder = kept === undefined ? openDecoder() : kept;
  kept = decoder;
  if (decoder !== null && bytes > 0) {
    const out = Buffer.allocUnsafeSlow(bytes);
    if (decodeFrame(decoder, body, out)) return out;
  }
  // Several frames, a frame that ends elsewhere than it should, damage: zlib tells them apart.
  return zstdDecompressSync(body, { maxOutputLength: Math.max(1, bytes), chunkSize: Math.max(64, bytes) });
}

/** Whether the body is one frame that fills the output exactly. */
function decodeFrame({ handle, left }: Decoder, body: Uint8Array, out: Uint8Array): boolean {
  let failed = false;
  handle.onerror = () => {
    failed = true;
  };
  handle.reset();
  handle.writeSync(flushContinue, body, 0, body.length, out, 0, out.length);
  if (!failed && left[0] === 0 && left[1] === 0) {
    // What is left of a frame that holds more would come out now.
    handle.writeSync(flushContinue, nothing, 0, 0, beyond, 0, beyond.length);
    if (!failed && left[0] === beyond.length) return true;
  }
  if (failed) kept = undefined;
  return false;
}

function openDecoder(): Decoder | null {
  const { _handle: handle, _writeState: left } = createZstdDecompress() as unknown as Record<string, unknown>;
  return isHandle(handle) && left instanceof Uint32Array && left.length === 2 ? { handle, left } : null;
}

const isHandle = (value: unknown): value is ZstdHandle =>
  typeof value === 'object' &&
  value !== null &&
  'writeSync' in value &&
  typeof value.writeSync === 'function' &&
  'reset' in value &&
  typeof value.reset === 'function';
