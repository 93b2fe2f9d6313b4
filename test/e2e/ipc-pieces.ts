/** Arrow IPC bytes as the messages of a DoPut, also where the bytes are not what they should be. */
import { bytesField } from './protobuf-bytes.ts';

export interface IpcPiece {
  readonly header: Buffer;
  readonly body: Buffer;
}

const magic = 'ARROW1\0\0';
const piecesMax = 200;

/**
 * Splits a stream (or the stream inside a file) where its own lengths say, believing them as far as the bytes go: what cannot be
 * split is one last header.
 */
export function ipcPieces(bytes: Buffer): IpcPiece[] {
  const pieces: IpcPiece[] = [];
  let at = bytes.subarray(0, magic.length).toString('latin1') === magic ? magic.length : 0;
  while (bytes.length - at >= 4 && pieces.length < piecesMax) {
    const prefix = bytes.readUInt32LE(at) === 0xffffffff && bytes.length - at >= 8 ? 8 : 4;
    const length = bytes.readUInt32LE(at + prefix - 4);
    if (length === 0) break;
    const header = bytes.subarray(at + prefix, at + prefix + length);
    at += prefix + length;
    const body = bytes.subarray(at, at + bodyLength(header));
    at += body.length;
    pieces.push({ header, body });
    if (at > bytes.length) break;
  }
  return pieces.length > 0 ? pieces : [{ header: bytes, body: Buffer.alloc(0) }];
}

/** Field 3 of Message.fbs, read by hand; 0 where the header does not lead there. */
function bodyLength(header: Buffer): number {
  try {
    const root = header.readInt32LE(0);
    const table = root - header.readInt32LE(root);
    const offset = header.readUInt16LE(table) > 10 ? header.readUInt16LE(table + 10) : 0;
    const length = offset === 0 ? 0n : header.readBigInt64LE(root + offset);
    return length > 0n && length < 1n << 31n ? Number(length) : 0;
  } catch {
    return 0;
  }
}

/** A FlightDescriptor with a command. */
export const commandDescriptor = (command: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([8, 2]), bytesField(2, command)]);

export const jsonDescriptor = (request: unknown): Buffer => commandDescriptor(Buffer.from(JSON.stringify(request)));

/** FlightData messages; the descriptor goes with the first one. */
export function flightData(request: unknown, pieces: readonly IpcPiece[]): Buffer[] {
  return pieces.map(({ header, body }, at) =>
    Buffer.concat([
      ...(at === 0 ? [bytesField(1, jsonDescriptor(request))] : []),
      bytesField(2, header),
      ...(body.length > 0 ? [bytesField(1000, body)] : []),
    ]),
  );
}
