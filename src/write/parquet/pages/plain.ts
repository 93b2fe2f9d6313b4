import type { BytesValues, PhysicalValues } from './physical.ts';

/** Values [start, end) in PLAIN encoding (parquet-format, Encodings.md): a view where they lie so already. */
export function encodePlain(values: PhysicalValues, start: number, end: number): Uint8Array {
  switch (values.kind) {
    case 'fixed':
      return values.values.subarray(start * values.width, end * values.width);
    case 'bytes':
      return encodeTexts(values, start, end);
    case 'bool':
      return encodeBits(values.values, start, end);
    default:
      return values satisfies never;
  }
}

/** Chosen values in PLAIN encoding: the entries of a dictionary. */
export function encodePlainEntries(values: PhysicalValues, entries: Int32Array): Uint8Array {
  switch (values.kind) {
    case 'fixed': {
      const { width } = values;
      const out = new Uint8Array(entries.length * width);
      for (let at = 0; at < entries.length; at++) {
        const from = entries[at]! * width;
        for (let byte = 0; byte < width; byte++) out[at * width + byte] = values.values[from + byte]!;
      }
      return out;
    }
    case 'bytes': {
      const { offsets } = values;
      let bytes = 0;
      for (let at = 0; at < entries.length; at++) bytes += 4 + offsets[entries[at]! + 1]! - offsets[entries[at]!]!;
      const out = new Uint8Array(bytes);
      let to = 0;
      for (let at = 0; at < entries.length; at++) {
        const start = offsets[entries[at]!]!;
        const end = offsets[entries[at]! + 1]!;
        to = putText(out, to, values.values, start, end);
      }
      return out;
    }
    case 'bool':
      return encodeBits(values.values, 0, values.count);
    default:
      return values satisfies never;
  }
}

function encodeTexts({ offsets, values }: BytesValues, start: number, end: number): Uint8Array {
  const out = new Uint8Array(offsets[end]! - offsets[start]! + 4 * (end - start));
  let to = 0;
  for (let at = start; at < end; at++) to = putText(out, to, values, offsets[at]!, offsets[at + 1]!);
  return out;
}

// Below this length a loop is cheaper than making the view that `set` needs.
const loopBytes = 48;

function putText(out: Uint8Array, at: number, from: Uint8Array, start: number, end: number): number {
  const length = end - start;
  out[at] = length;
  out[at + 1] = length >>> 8;
  out[at + 2] = length >>> 16;
  out[at + 3] = length >>> 24;
  let to = at + 4;
  if (length > loopBytes) {
    out.set(from.subarray(start, end), to);
    return to + length;
  }
  for (let byte = start; byte < end; byte++) out[to++] = from[byte]!;
  return to;
}

function encodeBits(values: Uint8Array, start: number, end: number): Uint8Array {
  const out = new Uint8Array((end - start + 7) >>> 3);
  for (let at = start; at < end; at++) out[(at - start) >>> 3]! |= values[at]! << ((at - start) & 7);
  return out;
}
