import { ServiceError } from '../../core/errors.ts';
import type { ByteRange } from '../../storage/object-store.ts';
import type { ParquetFile } from './footer.ts';
import type { BloomFilterPlace } from './metadata.ts';
import { fetchRanges } from './ranges.ts';
import { ThriftReader } from './thrift.ts';
import { xxhash64 } from './xxhash64.ts';

// Filters of up to this size are read whole, in one request; of greater ones the header and the blocks that are asked for.
const wholeBytesMax = 64 * 1024;
/** Four small fields, three of them unions of an empty struct: 20 bytes as writers make it. */
const headerBytesMax = 64;
const blockBytes = 32;
const thriftDepthMax = 8;

/**
 * Whether a chunk's split-block bloom filter says that it may hold each of the values, given in PLAIN encoding, byte arrays without
 * their length (parquet-format, "BloomFilter.md"). True for all of them where the filter is of a kind that is not known. Throws
 * CORRUPT_FILE, CANCELLED, and what the store throws.
 */
export async function bloomFilterHolds(
  file: ParquetFile,
  place: BloomFilterPlace,
  values: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<{ readonly holds: readonly boolean[]; readonly bytesRead: number }> {
  const end = Math.min(file.bytes, place.start + (place.bytes ?? headerBytesMax));
  const isWhole = place.bytes !== null && end - place.start <= wholeBytesMax;
  const first = { start: place.start, end: isWhole ? end : Math.min(end, place.start + headerBytesMax) };
  const head = await fetchRanges(file, [first], signal);
  const header = readHeader(head.parts[0]!);
  if (header === null) return { holds: values.map(() => true), bytesRead: head.bytesRead };
  const bitsetStart = place.start + header.bytes;
  if (bitsetStart + header.bitsetBytes > (isWhole ? end : file.bytes)) {
    throw new ServiceError('CORRUPT_FILE', 'a Parquet bloom filter runs past its end');
  }
  const hashes = values.map(xxhash64);
  const blocks = hashes.map((hash): ByteRange => {
    const start = bitsetStart + blockBytes * blockOf(hash, header.bitsetBytes / blockBytes);
    return { start, end: start + blockBytes };
  });
  if (isWhole) {
    const part = (range: ByteRange): Uint8Array =>
      head.parts[0]!.subarray(range.start - place.start, range.end - place.start);
    return { holds: blocks.map((range, at) => hasAllBits(part(range), hashes[at]!)), bytesRead: head.bytesRead };
  }
  const { parts, bytesRead } = await fetchRanges(file, blocks, signal);
  return { holds: parts.map((part, at) => hasAllBits(part, hashes[at]!)), bytesRead: head.bytesRead + bytesRead };
}

/** Null for an algorithm, a hash or a compression other than the one of each that parquet.thrift has. */
function readHeader(bytes: Uint8Array): { readonly bytes: number; readonly bitsetBytes: number } | null {
  const reader: ThriftReader = new ThriftReader(bytes, 'a Parquet bloom filter', thriftDepthMax);
  let bitsetBytes = -1;
  let known = 0;
  reader.struct((id, type) => {
    if (id === 1) bitsetBytes = reader.i32(type);
    else if (id >= 2 && id <= 4) {
      reader.structField(type, (choice, inner) => {
        if (choice === 1) known++;
        reader.skip(inner);
      });
    } else reader.skip(type);
  });
  if (known !== 3) return null;
  if (bitsetBytes < blockBytes || bitsetBytes % blockBytes !== 0) reader.fail('it is no whole number of blocks');
  return { bytes: reader.at, bitsetBytes };
}

/** The upper half of the hash, scaled to the number of blocks. */
const blockOf = (hash: bigint, blocks: number): number => Number(((hash >> 32n) * BigInt(blocks)) >> 32n);

const salts = [0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31];

/** One bit in each of a block's eight words, chosen by the lower half of the hash. */
function hasAllBits(block: Uint8Array, hash: bigint): boolean {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const key = Number(BigInt.asUintN(32, hash));
  return salts.every((salt, word) => {
    const bit = Math.imul(key, salt) >>> 27;
    return ((view.getUint32(4 * word, true) >>> bit) & 1) === 1;
  });
}
