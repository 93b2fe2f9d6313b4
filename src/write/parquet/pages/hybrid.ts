/**
 * The hybrid of run lengths and bit packing in which levels and dictionary indices are stored (parquet-format, Encodings.md, "RLE").
 */

/** Equal values from which on a run is shorter than bit packing. */
const runLengthMin = 8;
/** The widest values that fit into 32 bits together with what is left of a byte. */
export const packedWidthMax = 24;

/** Bits that values 0 to `max` take. */
export const bitWidthOf = (max: number): number => 32 - Math.clz32(max);

/** Encodes values [start, end), each below 2^`width`; `width` is 1 to {@link packedWidthMax}. */
export function encodeHybrid(values: Uint8Array | Int32Array, start: number, end: number, width: number): Uint8Array {
  // Each group of 8 is packed behind a header of its own at worst, or part of a run.
  const out = new Uint8Array(((end - start + 7) >>> 3) * (width + 14) + 16);
  let length = 0;
  let packedFrom = start;
  const pack = (to: number): void => {
    if (to === packedFrom) return;
    length = writeVarint(out, length, (((to - packedFrom + 7) >>> 3) << 1) | 1);
    length = packBits(values, packedFrom, to, width, out, length);
    packedFrom = to;
  };
  for (let at = start; at < end; ) {
    const value = values[at]!;
    let run = at + 1;
    while (run < end && values[run] === value) run++;
    // Packed values come in groups of 8: what completes the last group is packed with it.
    const boundary = packedFrom + (((at - packedFrom + 7) >>> 3) << 3);
    if (run - boundary >= runLengthMin) {
      pack(boundary);
      length = writeRun(out, length, value, run - boundary, width);
      packedFrom = run;
    }
    at = run;
  }
  pack(end);
  return out.slice(0, length);
}

/** `count` times `value`. */
export function encodeRun(value: number, count: number, width: number): Uint8Array {
  const out = new Uint8Array(16);
  return out.slice(0, writeRun(out, 0, value, count, width));
}

function writeRun(out: Uint8Array, start: number, value: number, count: number, width: number): number {
  let length = writeVarint(out, start, count << 1);
  for (let shift = 0; shift < width; shift += 8) out[length++] = value >>> shift;
  return length;
}

function writeVarint(out: Uint8Array, start: number, value: number): number {
  let length = start;
  let rest = value;
  for (; rest >= 128; rest >>>= 7) out[length++] = (rest & 0x7f) | 0x80;
  out[length++] = rest;
  return length;
}

/** Packs values [start, end) from the lowest bit of each byte on; the last group of 8 is filled up with zeros. */
function packBits(
  values: Uint8Array | Int32Array,
  start: number,
  end: number,
  width: number,
  out: Uint8Array,
  at: number,
): number {
  const packedEnd = at + ((end - start + 7) >>> 3) * width;
  let length = at;
  let bits = 0;
  let filled = 0;
  for (let index = start; index < end; index++) {
    bits |= values[index]! << filled;
    filled += width;
    while (filled >= 8) {
      out[length++] = bits;
      bits >>>= 8;
      filled -= 8;
    }
  }
  if (filled > 0) out[length] = bits;
  return packedEnd;
}
