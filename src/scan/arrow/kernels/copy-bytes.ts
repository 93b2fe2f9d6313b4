/** Room that a target of {@link copyRun} needs behind its last byte. */
export const copySlackBytes = 8;

// From here on making the views that `set` needs costs less than the words (43 ns against 20 for 64 bytes).
const setBytesMin = 128;

/** Bytes with the view that reads and writes words at any place of them. */
export interface WordBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** The view also reaches what lies behind the bytes in their buffer, so that words may be read at their end. */
export const wordBytes = (bytes: Uint8Array): WordBytes => {
  const room = Math.min(copySlackBytes, bytes.buffer.byteLength - bytes.byteOffset - bytes.byteLength);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength + room) };
};

/**
 * Copies bytes [start, end) of `from` to `at` of another buffer, by words: 10 ns for 21 bytes, where a loop over bytes takes 31 and
 * `set` 43. Up to 7 bytes behind the copy are overwritten too, so targets are filled front to back and end in
 * {@link copySlackBytes} of slack. (64-bit words as doubles would be faster still, but a NaN may lose its payload.)
 */
export function copyRun(to: WordBytes, at: number, from: WordBytes, start: number, end: number): void {
  const [source, target] = [from.view, to.view];
  const bytes = end - start;
  if (bytes >= setBytesMin) {
    to.bytes.set(from.bytes.subarray(start, end), at);
  } else if (start + ((bytes + 7) & ~7) <= source.byteLength) {
    for (let read = start, write = at; read < end; read += 8, write += 8) {
      target.setInt32(write, source.getInt32(read, true), true);
      target.setInt32(write + 4, source.getInt32(read + 4, true), true);
    }
  } else {
    for (let read = start, write = at; read < end; ) target.setUint8(write++, source.getUint8(read++));
  }
}
