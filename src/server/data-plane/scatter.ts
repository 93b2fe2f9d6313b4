import type { Frame } from '../streams/wire/flight-data.ts';

const prefixBytes = 5;

/** Bytes that are written together, and whose way out of the process is told as one. */
export interface Piece {
  readonly parts: readonly Uint8Array[];
  readonly byteLength: number;
  /** Those of them that are the frame's own, not framing around it. */
  readonly frameBytes: number;
}

export interface PieceSizes {
  /** Neighbouring parts below this are copied together: an entry of their own in the write costs more than the copy. */
  readonly smallBytes: number;
  /** No piece is larger. */
  readonly pieceBytesMax: number;
}

/** A message's bytes, prefix first, as pieces to be written one after another; large parts are views, not copies. */
export function scatter(frame: Frame, { smallBytes, pieceBytesMax }: PieceSizes): Piece[] {
  const pieces: Piece[] = [];
  let parts: Uint8Array[] = [];
  let byteLength = 0;
  let framing = prefixBytes;
  let small: Uint8Array[] = [prefixOf(frame.byteLength)];
  let gathered = prefixBytes;
  const flushSmall = (): void => {
    if (gathered === 0) return;
    parts.push(small.length === 1 ? small[0]! : joined(small, gathered));
    byteLength += gathered;
    small = [];
    gathered = 0;
  };
  const flush = (): void => {
    flushSmall();
    if (byteLength === 0) return;
    pieces.push({ parts, byteLength, frameBytes: byteLength - framing });
    parts = [];
    byteLength = 0;
    framing = 0;
  };
  for (const part of frame.parts) {
    if (part.length < smallBytes) {
      if (byteLength + gathered + part.length > pieceBytesMax) flush();
      small.push(part);
      gathered += part.length;
      continue;
    }
    flushSmall();
    for (let at = 0; at < part.length; ) {
      if (byteLength >= pieceBytesMax) flush();
      const room = pieceBytesMax - byteLength;
      const bytes = at === 0 && part.length <= room ? part : part.subarray(at, at + room);
      parts.push(bytes);
      byteLength += bytes.length;
      at += bytes.length;
    }
  }
  flush();
  return pieces;
}

function prefixOf(byteLength: number): Uint8Array {
  const prefix = Buffer.allocUnsafe(prefixBytes);
  prefix[0] = 0;
  prefix.writeUInt32BE(byteLength, 1);
  return prefix;
}

function joined(parts: readonly Uint8Array[], byteLength: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(byteLength);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
