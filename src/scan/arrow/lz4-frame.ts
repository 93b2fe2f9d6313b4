const magic = 0x184d2204;
// The frame's 2-bit block size codes 4 to 7 (LZ4 Frame Format, "BD byte").
const blockBytesMax = [0, 0, 0, 0, 64 << 10, 256 << 10, 1 << 20, 4 << 20];

/**
 * The number of bytes that an LZ4 frame decompresses to, found without writing any of them, or null where the bytes are not
 * exactly one well-formed frame (LZ4 Frame Format 1.6, Block Format). The decompressor has no bound of its own, and a few bytes
 * of LZ4 can stand for 255 times as many: what passes here is known to fit.
 */
export function lz4FrameBytes(frame: Uint8Array): number | null {
  if (frame.length < 7) return null;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const flags = frame[4]!;
  const blockMax = blockBytesMax[(frame[5]! >> 4) & 7]!;
  if (view.getUint32(0, true) !== magic || flags >> 6 !== 1 || blockMax === 0) return null;
  const independent = (flags & 0x20) !== 0;
  const blockChecksum = (flags & 0x10) !== 0 ? 4 : 0;
  const contentChecksum = (flags & 0x04) !== 0 ? 4 : 0;
  // A dictionary id (bit 0) names a dictionary that nobody sent.
  if ((flags & 0x01) !== 0) return null;
  let at = 6 + ((flags & 0x08) !== 0 ? 8 : 0) + 1;
  let total = 0;
  while (at + 4 <= frame.length) {
    const size = view.getUint32(at, true);
    at += 4;
    if (size === 0) return at + contentChecksum === frame.length ? total : null;
    const bytes = size & 0x7fffffff;
    if (at + bytes > frame.length) return null;
    const stored = size >>> 31 === 1;
    const produced = stored ? bytes : lz4BlockBytes(frame, at, at + bytes, independent ? 0 : total);
    if (produced < 0 || produced > blockMax) return null;
    total += produced;
    at += bytes + blockChecksum;
  }
  return null;
}

/** Bytes that the block in [at, end) decompresses to with `history` bytes before it, -1 where it is malformed. */
function lz4BlockBytes(frame: Uint8Array, at: number, end: number, history: number): number {
  let produced = 0;
  while (at < end) {
    const token = frame[at++]!;
    let literals = token >> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255 && at < end) {
        more = frame[at++]!;
        literals += more;
      }
    }
    at += literals;
    produced += literals;
    if (at === end) return produced;
    if (at + 2 > end) return -1;
    const distance = frame[at]! | (frame[at + 1]! << 8);
    at += 2;
    if (distance === 0 || distance > produced + history) return -1;
    let match = (token & 15) + 4;
    if (match === 19) {
      let more = 255;
      while (more === 255 && at < end) {
        more = frame[at++]!;
        match += more;
      }
    }
    produced += match;
  }
  return -1;
}
