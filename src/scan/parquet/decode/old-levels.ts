import { damaged } from './damaged.ts';

/**
 * Levels in the deprecated bit-packed encoding, which has no length before it and packs from the highest bit down (parquet-format,
 * Encodings.md, "Bit-packed (Deprecated)"), as the one run of bit-packed groups that today's encoding would hold. `end` is where they end
 * among `bytes`. (Arrow's own readers take them from the lowest bit up.)
 */
export function repackLevels(
  bytes: Uint8Array,
  start: number,
  width: number,
  count: number,
): { readonly levels: Uint8Array; readonly end: number } {
  const end = start + Math.ceil((count * width) / 8);
  if (end > bytes.length) throw damaged('the levels of a page run past its end');
  const groups = Math.ceil(count / 8);
  const header: number[] = [];
  for (let rest = groups * 2 + 1; ; rest = Math.floor(rest / 128)) {
    header.push(rest >= 128 ? (rest % 128) | 0x80 : rest);
    if (rest < 128) break;
  }
  const levels = new Uint8Array(header.length + groups * width);
  levels.set(header);
  for (let level = 0; level < count; level++) {
    for (let bit = 0; bit < width; bit++) {
      const from = level * width + bit;
      const to = header.length * 8 + level * width + (width - 1 - bit);
      const value = (bytes[start + Math.floor(from / 8)]! >>> (7 - (from % 8))) & 1;
      levels[Math.floor(to / 8)]! |= value << (to % 8);
    }
  }
  return { levels, end };
}
