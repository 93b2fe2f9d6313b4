/** Bytes that grow at their end; what was appended is copied. */
export class ByteSink {
  #bytes: Uint8Array;
  length = 0;

  constructor(memory: ArrayBufferLike) {
    this.#bytes = new Uint8Array(memory);
  }

  append(bytes: Uint8Array): void {
    const end = this.length + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.length);
    this.length = end;
  }

  /** A view of what was appended from `start` to `end`; it holds until the next append. */
  view(start: number, end: number): Uint8Array {
    return this.#bytes.subarray(start, end);
  }
}
