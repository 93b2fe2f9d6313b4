const magic = 0xfd2fb528;
const headerBytesMin = 6;
const blockHeaderBytes = 3;
const rawBlock = 0;
const runBlock = 1;
const compressedBlock = 2;
const checksumBytes = 4;
/** Bytes of the dictionary id by its flag (RFC 8878, section 3.1.1.1.1.6). */
const dictionaryIdBytes = [0, 1, 2, 4] as const;
/** A block holds at most so many bytes, decompressed (RFC 8878, section 3.1.1.2.4). */
const blockBytesMax = 128 * 1024;

/**
 * Whether bytes are exactly one zstd frame of `contentBytes` bytes of content (RFC 8878, section 3.1.1), by its headers alone: the
 * magic number, no dictionary, the content's size where the frame tells it, blocks that end where the bytes end. What the blocks hold
 * is the receiver's to check; no frame that is taken here makes it unpack more than its blocks can hold.
 */
export function isZstdFrame(bytes: Uint8Array, contentBytes: number): boolean {
  if (bytes.length < headerBytesMin) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== magic) return false;
  const descriptor = bytes[4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const hasReservedBit = (descriptor & 0x08) !== 0;
  const idBytes = dictionaryIdBytes[(descriptor & 3) as 0 | 1 | 2 | 3];
  if (hasReservedBit || idBytes > 0) return false;
  const sizeAt = isSingleSegment ? 5 : 6;
  const sizeBytes = contentSizeBytes(descriptor >> 6, isSingleSegment);
  if (bytes.length < sizeAt + sizeBytes) return false;
  const claimed = contentSize(view, sizeAt, sizeBytes);
  if (claimed !== null && claimed !== contentBytes) return false;
  const blocks = walkBlocks(bytes, sizeAt + sizeBytes);
  if (blocks === null || contentBytes > blocks.count * blockBytesMax) return false;
  // Without a size of its own a frame may hold no more blocks than its content fills.
  if (claimed === null && blocks.count > Math.ceil(contentBytes / blockBytesMax) + 1) return false;
  return blocks.end + ((descriptor & 4) !== 0 ? checksumBytes : 0) === bytes.length;
}

function contentSizeBytes(flag: number, isSingleSegment: boolean): number {
  if (flag === 0) return isSingleSegment ? 1 : 0;
  return 1 << flag;
}

function contentSize(view: DataView, at: number, bytes: number): number | null {
  switch (bytes) {
    case 0:
      return null;
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}

/** The number of blocks and where the last one ends; null where they are malformed or run past the end. */
function walkBlocks(bytes: Uint8Array, start: number): { readonly count: number; readonly end: number } | null {
  let at = start;
  for (let count = 1; at + blockHeaderBytes <= bytes.length; count++) {
    const header = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    const type = (header >> 1) & 3;
    const size = header >> 3;
    if (size > blockBytesMax || (type !== rawBlock && type !== runBlock && type !== compressedBlock)) return null;
    at += blockHeaderBytes + (type === runBlock ? 1 : size);
    if (at > bytes.length) return null;
    if ((header & 1) === 1) return { count, end: at };
  }
  return null;
}
