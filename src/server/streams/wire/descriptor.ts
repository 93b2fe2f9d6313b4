import { ServiceError } from '../../../core/errors.ts';
import type { FlightDescriptor } from './messages.ts';
import { bytesFieldBytes, bytesOf, malformed, readFields, textOf, wireType, writeBytesHead } from './protobuf.ts';

const what = 'FlightDescriptor';
const pathPartsMax = 64;
const typePath = 1;
const typeCmd = 2;

/** The fields of a FlightDescriptor as any protobuf codec gives them. */
export interface WireDescriptor {
  readonly type: number;
  readonly cmd: Uint8Array;
  readonly path: readonly string[];
}

/** What a descriptor on the wire says. Null for the empty one, which some clients send to mean none. Throws INVALID_REQUEST. */
export function fromWireDescriptor({ type, cmd, path }: WireDescriptor): FlightDescriptor | null {
  if (type === typeCmd) return { kind: 'cmd', cmd };
  if (type === typePath) return { kind: 'path', path };
  if (type === 0 && cmd.length === 0 && path.length === 0) return null;
  throw malformed(what, 'its type must be PATH (1) or CMD (2)');
}

/** The descriptor, or INVALID_REQUEST where a call has none. */
export function requireDescriptor(descriptor: FlightDescriptor | null): FlightDescriptor {
  if (descriptor !== null) return descriptor;
  throw new ServiceError('INVALID_REQUEST', 'the call needs a FlightDescriptor that names a table');
}

/** Reads a serialized FlightDescriptor without copying its command. */
export function decodeDescriptor(input: Uint8Array): FlightDescriptor | null {
  let type = 0;
  let cmd: Uint8Array = new Uint8Array(0);
  const path: string[] = [];
  for (const field of readFields(input, what)) {
    if (field.number === 1) {
      if (field.type !== wireType.varint) throw malformed(what, 'field 1 has the wrong wire type');
      type = field.varint;
    } else if (field.number === 2) cmd = bytesOf(field, what);
    else if (field.number === 3) {
      if (path.length === pathPartsMax) throw malformed(what, `its path has more than ${pathPartsMax} parts`);
      path.push(textOf(field, what));
    }
  }
  return fromWireDescriptor({ type, cmd, path });
}

/** Serializes a descriptor. */
export function encodeDescriptor(descriptor: FlightDescriptor): Uint8Array {
  const contents =
    descriptor.kind === 'cmd' ? [descriptor.cmd] : descriptor.path.map((part) => new TextEncoder().encode(part));
  const number = descriptor.kind === 'cmd' ? 2 : 3;
  const size = contents.reduce((sum, content) => sum + bytesFieldBytes(number, content.length), 2);
  const output = new Uint8Array(size);
  output.set([1 * 8 + wireType.varint, descriptor.kind === 'cmd' ? typeCmd : typePath]);
  let at = 2;
  for (const content of contents) {
    at = writeBytesHead(output, at, number, content.length);
    output.set(content, at);
    at += content.length;
  }
  return output;
}
