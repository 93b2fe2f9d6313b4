import { ServiceError } from '../../core/errors.ts';

// The widest copy element has 3 bytes and yields 64: no honest stream claims more.
const expansionMax = 22;

/**
 * Decodes one raw Snappy stream (google/snappy, format_description.txt). Throws CORRUPT_FILE where it is malformed,
 * LIMIT_EXCEEDED where it says it is longer than `bytesMax`.
 */
export function decodeSnappy(from: Uint8Array, bytesMax: number): Uint8Array {
  const header = readLength(from);
  if (header.length > bytesMax) {
    throw new ServiceError('LIMIT_EXCEEDED', `a compressed block holds more than the ${bytesMax} bytes allowed`);
  }
  if (header.length > from.length * expansionMax) throw malformed();
  const to = new Uint8Array(header.length);
  let [read, written] = [header.end, 0];
  while (read < from.length) {
    const tag = from[read++]!;
    if ((tag & 3) === 0) {
      const extra = Math.max(0, (tag >> 2) - 59);
      const length = (extra === 0 ? tag >> 2 : littleEndian(from, read, extra)) + 1;
      read += extra;
      if (length > from.length - read || length > to.length - written) throw malformed();
      to.set(from.subarray(read, read + length), written);
      read += length;
      written += length;
    } else {
      const width = copyWidths[tag & 3]!;
      const tail = littleEndian(from, read, width);
      read += width;
      const length = width === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
      const distance = width === 1 ? ((tag >> 5) << 8) | tail : tail;
      if (distance === 0 || distance > written || length > to.length - written) throw malformed();
      copy(to, written, distance, length);
      written += length;
    }
  }
  if (written !== to.length) throw malformed();
  return to;
}

const copyWidths = [0, 1, 2, 4];

/** Byte by byte where the source runs into what is being written, as the format wants. */
function copy(to: Uint8Array, at: number, distance: number, length: number): void {
  if (distance >= length) to.copyWithin(at, at - distance, at - distance + length);
  else for (let end = at + length; at < end; at++) to[at] = to[at - distance]!;
}

function readLength(from: Uint8Array): { readonly length: number; readonly end: number } {
  let length = 0;
  for (let at = 0; at < 5 && at < from.length; at++) {
    length += (from[at]! & 0x7f) * 2 ** (7 * at);
    if (from[at]! < 0x80 && length < 2 ** 32) return { length, end: at + 1 };
  }
  throw malformed();
}

function littleEndian(from: Uint8Array, at: number, width: number): number {
  if (at + width > from.length) throw malformed();
  let value = 0;
  for (let byte = width - 1; byte >= 0; byte--) value = value * 256 + from[at + byte]!;
  return value;
}

const malformed = (): ServiceError => new ServiceError('CORRUPT_FILE', 'a Snappy-compressed block is malformed');
