import type { BytesColumn } from '../arrow/column.ts';

export type TextMask = 'mask-alphanum' | 'show-first-4' | 'show-last-4';

const shown = 4;
const digitMark = 0x6e; // n
const otherMark = 0x78; // x

/** What takes the place of each ASCII character: n for digits, x for the rest, punctuation that gives structure stays. */
const asciiMasks = Uint8Array.from({ length: 128 }, (_, code) => {
  if (code >= 0x30 && code <= 0x39) return digitMark;
  return '(),.-@'.includes(String.fromCharCode(code)) ? code : otherMark;
});

/**
 * Iceberg's `mask-alphanum`, and the two masks that leave the first or last 4 code points of a longer text; a text of at most 4 is
 * shown whole by those, as the specification has it. Nulls stay null. The values are fresh and hold masked text alone.
 */
export function maskTexts(column: BytesColumn, mask: TextMask): BytesColumn {
  const source = column.values;
  const offsets = new Int32Array(column.length + 1);
  // Each code point becomes itself or one byte, so the result is never longer.
  const out = new Uint8Array(column.offsets[column.length]!);
  let to = 0;
  for (let row = 0; row < column.length; row++) {
    const end = column.offsets[row + 1]!;
    let at = column.offsets[row]!;
    const rawEnd = mask === 'show-first-4' ? skip(source, at, end, shown) : at;
    const rawStart = mask === 'show-last-4' ? lastStart(source, at, end) : end;
    while (at < rawEnd) out[to++] = source[at++]!;
    while (at < rawStart) {
      const byte = source[at]!;
      out[to++] = byte < 128 ? asciiMasks[byte]! : otherMark;
      at = nextCodePoint(source, at, end);
    }
    while (at < end) out[to++] = source[at++]!;
    offsets[row + 1] = to;
  }
  return { ...column, offsets, values: out.slice(0, to) };
}

/** The first code points of texts, or bytes of binaries: Iceberg's truncate transform. Nulls stay null. */
export function truncateTexts(column: BytesColumn, width: number): BytesColumn {
  const source = column.values;
  const isText = column.type.kind === 'utf8';
  const offsets = new Int32Array(column.length + 1);
  const out = new Uint8Array(column.offsets[column.length]!);
  let to = 0;
  for (let row = 0; row < column.length; row++) {
    const at = column.offsets[row]!;
    const end = column.offsets[row + 1]!;
    const cut = isText ? skip(source, at, end, width) : Math.min(end, at + width);
    out.set(source.subarray(at, cut), to);
    to += cut - at;
    offsets[row + 1] = to;
  }
  return { ...column, offsets, values: out.slice(0, to) };
}

/** A lead byte with the continuation bytes that it announces; any other byte stands for itself, so that broken UTF-8 hides too. */
function nextCodePoint(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at]!;
  const length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  let next = at + 1;
  while (next < end && next < at + length && (bytes[next]! & 0xc0) === 0x80) next++;
  return next;
}

function skip(bytes: Uint8Array, at: number, end: number, codePoints: number): number {
  let next = at;
  for (let count = 0; count < codePoints && next < end; count++) next = nextCodePoint(bytes, next, end);
  return next;
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let seen = 0;
  for (let at = start; at < end; at++) seen |= bytes[at]!;
  return seen < 128;
}

/** Where the latest code points start, in a ring. */
const starts = new Int32Array(shown);

/** Where the last 4 code points of [at, end) start. */
function lastStart(bytes: Uint8Array, at: number, end: number): number {
  if (isAscii(bytes, at, end)) return Math.max(at, end - shown);
  let count = 0;
  for (let next = at; next < end; next = nextCodePoint(bytes, next, end)) starts[count++ % shown] = next;
  return count <= shown ? at : starts[count % shown]!;
}
