import { constants } from 'node:zlib';

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

/** What one step left over. */
export interface ZlibStep {
  readonly outputLeft: number;
  readonly inputLeft: number;
  /** The library's message; null where it did not fail. */
  readonly failure: string | null;
}

/** A context of the library that is kept and used again: the public calls make a stream and a context each time. */
export class ZlibContext {
  readonly #handle: Handle;
  /** After a write: bytes left of the output, bytes left of the input. */
  readonly #left: Uint32Array;
  #failure: string | null = null;

  private constructor(handle: Handle, left: Uint32Array) {
    this.#handle = handle;
    this.#left = left;
    handle.onerror = (message) => {
      this.#failure = message;
    };
  }

  /** The context of a stream of `node:zlib`; null where the stream is not made as expected, or `proves` finds that it does not work. */
  static of(stream: unknown, proves: (context: ZlibContext) => boolean): ZlibContext | null {
    const { _handle: handle, _writeState: left } = stream as {
      readonly _handle?: unknown;
      readonly _writeState?: unknown;
    };
    if (!isHandle(handle) || !(left instanceof Uint32Array)) return null;
    const context = new ZlibContext(handle, left);
    try {
      return proves(context) ? context : null;
    } catch {
      return null;
    }
  }

  /** Takes all of `input` as one whole and writes to the beginning of `output`. */
  run(input: Uint8Array, output: Uint8Array, outputBytes: number): ZlibStep {
    this.#failure = null;
    this.#handle.reset();
    this.#handle.writeSync(constants.ZSTD_e_end, input, 0, input.length, output, 0, outputBytes);
    return { outputLeft: this.#left[0]!, inputLeft: this.#left[1]!, failure: this.#failure };
  }
}

function isHandle(value: unknown): value is Handle {
  if (typeof value !== 'object' || value === null) return false;
  const { reset, writeSync } = value as { readonly reset?: unknown; readonly writeSync?: unknown };
  return typeof reset === 'function' && typeof writeSync === 'function';
}
