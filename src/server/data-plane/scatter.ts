import type { Frame } from '../streams/wire/flight-data.ts';

const prefixBytes = 5;

/** Bytes that are written at once. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** Those of them that are the frame's own, not framing around it. */
  readonly frameBytes: number;
}

export interface PieceSizes {
  /** Parts below this are copied together: a write of their own costs more than the copy. */
  readonly smallBytes: number;
  /** No piece is larger: what a stalled reader holds on to. */
  readonly pieceBytesMax: number;
}

/** A message's bytes, prefix first, as pieces to be written one after another; large parts are views, not copies. */
export function scatter(frame: Frame, { smallBytes, pieceBytesMax }: PieceSizes): Piece[] {
  const pieces: Piece[] = [];
  let small: Uint8Array[] = [prefixOf(frame.byteLength)];
  let gathered = prefixBytes;
  let framing = prefixBytes;
  const flush = (): void => {
    if (gathered === 0) return;
    pieces.push({ bytes: joined(small, gathered), frameBytes: gathered - framing });
    small = [];
    gathered = 0;
    framing = 0;
  };
  for (const part of frame.parts) {
    if (part.length < smallBytes) {
      if (gathered + part.length > pieceBytesMax) flush();
      small.push(part);
      gathered += part.length;
      continue;
    }
    flush();
    for (let at = 0; at < part.length; at += pieceBytesMax) {
      const bytes = part.subarray(at, at + pieceBytesMax);
      pieces.push({ bytes, frameBytes: bytes.length });
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
