import { gatherFixed } from '../../../scan/arrow/kernels/gather.ts';
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
    case 'fixed':
      return gatherFixed(values.values, values.width, entries);
    case 'bytes': {
      const { offsets } = values;
      let bytes = 0;
      for (let at = 0; at < entries.length; at++) bytes += 4 + offsets[entries[at]! + 1]! - offsets[entries[at]!]!;
      const out = new Uint8Array(bytes);
      const [source, target] = [viewOf(values.values), viewOf(out)];
      let to = 0;
      for (let at = 0; at < entries.length; at++) {
        const start = offsets[entries[at]!]!;
        const end = offsets[entries[at]! + 1]!;
        to = putText(out, target, to, values.values, source, start, end);
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
  const [source, target] = [viewOf(values), viewOf(out)];
  let to = 0;
  for (let at = start; at < end; at++) to = putText(out, target, to, values, source, offsets[at]!, offsets[at + 1]!);
  return out;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

// Below this length words are cheaper than the view that `set` needs.
const loopBytes = 64;

function putText(
  out: Uint8Array,
  target: DataView,
  at: number,
  from: Uint8Array,
  source: DataView,
  start: number,
  end: number,
): number {
  const length = end - start;
  target.setInt32(at, length, true);
  let to = at + 4;
  if (length > loopBytes) {
    out.set(from.subarray(start, end), to);
    return to + length;
  }
  let byte = start;
  for (; byte + 4 <= end; byte += 4, to += 4) target.setInt32(to, source.getInt32(byte));
  for (; byte < end; byte++) out[to++] = from[byte]!;
  return to;
}

function encodeBits(values: Uint8Array, start: number, end: number): Uint8Array {
  const out = new Uint8Array((end - start + 7) >>> 3);
  for (let at = start; at < end; at++) out[(at - start) >>> 3]! |= values[at]! << ((at - start) & 7);
  return out;
}
