/**
 * Undoes BYTE_STREAM_SPLIT (parquet-format, Encodings.md): byte k of all values stands together. Gives `count` values of `width`
 * bytes, of which `bytes` has exactly count × width from `start` on.
 */
export function joinByteStreams(bytes: Uint8Array, start: number, width: number, count: number): Uint8Array {
  if (width === 4) return joinWords(bytes, start, count, 1);
  if (width === 8) return joinWords(bytes, start, count, 2);
  const out = new Uint8Array(count * width);
  for (let stream = 0; stream < width; stream++) {
    const from = start + stream * count;
    for (let value = 0, to = stream; value < count; value++, to += width) out[to] = bytes[from + value]!;
  }
  return out;
}

/** Values of one or two words, a word at a time. */
function joinWords(bytes: Uint8Array, start: number, count: number, perValue: 1 | 2): Uint8Array {
  const words = new Int32Array(count * perValue);
  for (let word = 0; word < perValue; word++) {
    const s0 = start + 4 * word * count;
    const s1 = s0 + count;
    const s2 = s1 + count;
    const s3 = s2 + count;
    for (let value = 0, to = word; value < count; value++, to += perValue) {
      words[to] =
        bytes[s0 + value]! | (bytes[s1 + value]! << 8) | (bytes[s2 + value]! << 16) | (bytes[s3 + value]! << 24);
    }
  }
  return new Uint8Array(words.buffer);
}
