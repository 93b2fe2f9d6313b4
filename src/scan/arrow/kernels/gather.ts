import { halvesOf, wordsOf } from './typed-views.ts';

/**
 * Values of `width` bytes by row, packed; -1 gives zeros. 64-bit values move as pairs of 32-bit words: as doubles a NaN could lose
 * its payload, as BigInts each would be an object.
 */
export function gatherFixed(values: Uint8Array, width: number, indices: Int32Array): Uint8Array {
  const out = new Uint8Array(indices.length * width);
  switch (width) {
    case 1:
      gatherSingles(values, indices, out);
      break;
    case 2:
      gatherSingles(halvesOf(values), indices, halvesOf(out));
      break;
    case 4:
      gatherSingles(wordsOf(values), indices, wordsOf(out));
      break;
    case 8:
      gatherPairs(wordsOf(values), indices, wordsOf(out));
      break;
    default:
      if ((width & 3) === 0 && (values.byteOffset & 3) === 0)
        gatherWords(wordsOf(values), width >> 2, indices, wordsOf(out));
      else gatherRuns(values, width, indices, out);
  }
  return out;
}

type Numbers = Uint8Array | Int16Array | Int32Array;

function gatherSingles(values: Numbers, indices: Int32Array, out: Numbers): void {
  for (let row = 0; row < indices.length; row++) {
    const index = indices[row]!;
    if (index >= 0) out[row] = values[index]!;
  }
}

function gatherPairs(values: Int32Array, indices: Int32Array, out: Int32Array): void {
  for (let row = 0; row < indices.length; row++) {
    const from = indices[row]! << 1;
    if (from < 0) continue;
    out[row << 1] = values[from]!;
    out[(row << 1) | 1] = values[from + 1]!;
  }
}

function gatherWords(values: Int32Array, words: number, indices: Int32Array, out: Int32Array): void {
  for (let row = 0, to = 0; row < indices.length; row++, to += words) {
    const from = indices[row]! * words;
    if (from < 0) continue;
    for (let word = 0; word < words; word++) out[to + word] = values[from + word]!;
  }
}

function gatherRuns(values: Uint8Array, width: number, indices: Int32Array, out: Uint8Array): void {
  for (let row = 0; row < indices.length; row++) {
    const from = indices[row]! * width;
    if (from < 0) continue;
    for (let byte = 0; byte < width; byte++) out[row * width + byte] = values[from + byte]!;
  }
}
