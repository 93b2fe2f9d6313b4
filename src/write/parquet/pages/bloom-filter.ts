import { ThriftWriter } from '../../../scan/parquet/thrift.ts';
import type { LeafDictionary } from './dictionary.ts';
import type { PhysicalValues } from './physical.ts';
import { type Hash64, xxh64 } from './xxh64.ts';

export interface BloomOptions {
  /** The share of absent values that the filter takes for present ones. */
  readonly falsePositives: number;
  readonly bytesMax: number;
}

const blockBytes = 32;
const salts = [0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31] as const;

/**
 * A chunk's split-block bloom filter with its header (parquet-format, BloomFilter.md); null for bools and where there are no values.
 * With a dictionary only its entries are hashed.
 */
export function encodeBloomFilter(
  values: PhysicalValues,
  dictionary: LeafDictionary | null,
  options: BloomOptions,
): Uint8Array | null {
  if (values.kind === 'bool' || values.count === 0) return null;
  const entries = dictionary?.entries ?? null;
  const count = entries?.length ?? values.count;
  const bitset = new Uint32Array(bitsetBytes(count, options) / 4);
  const blocks = bitset.byteLength / blockBytes;
  const view = new DataView(values.values.buffer, values.values.byteOffset, values.values.byteLength);
  const hash: Hash64 = { low: 0, high: 0 };
  for (let at = 0; at < count; at++) {
    const value = entries === null ? at : entries[at]!;
    const start = values.kind === 'bytes' ? values.offsets[value]! : value * values.width;
    const end = values.kind === 'bytes' ? values.offsets[value + 1]! : start + values.width;
    xxh64(values.values, view, start, end, hash);
    // Both are below 2^32 and blocks are few: the product is exact.
    const block = Math.floor(((hash.high >>> 0) * blocks) / 2 ** 32) * salts.length;
    for (let place = 0; place < salts.length; place++) {
      bitset[block + place]! |= 1 << (Math.imul(hash.low, salts[place]!) >>> 27);
    }
  }
  const header = encodeHeader(bitset.byteLength);
  const out = new Uint8Array(header.length + bitset.byteLength);
  out.set(header);
  out.set(new Uint8Array(bitset.buffer), header.length);
  return out;
}

/** A power of two; what keeps false positives to their share, or as much as is allowed. */
function bitsetBytes(distinct: number, { falsePositives, bytesMax }: BloomOptions): number {
  const bits = (-8 * distinct) / Math.log(1 - falsePositives ** (1 / 8));
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(blockBytes, bits / 8)));
  return Math.max(blockBytes, Math.min(wanted, 2 ** Math.floor(Math.log2(bytesMax))));
}

function encodeHeader(bytes: number): Uint8Array {
  const writer = new ThriftWriter();
  writer.struct(() => {
    writer.i32(1, bytes);
    // Each of the three is a union of which the first member is the only one: split blocks, XXH64, no compression.
    for (const field of [2, 3, 4]) writer.structField(field, () => writer.structField(1, () => {}));
  });
  return writer.finish();
}
