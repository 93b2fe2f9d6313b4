import type { Frame } from './flight-data.ts';
import { bytesFieldBytes, bytesOf, readFields, writeBytesHead } from './protobuf.ts';

/** Already serialized bytes as something to send. */
export const frameOf = (bytes: Uint8Array): Frame => ({
  byteLength: bytes.length,
  parts: [bytes],
  copy: (target, at = 0) => {
    target.set(bytes, at);
    return bytes.length;
  },
});

/** The one bytes field `number` of a message; empty where it is absent. */
export function onlyBytes(input: Uint8Array, number: number, what: string): Uint8Array {
  let value: Uint8Array = new Uint8Array(0);
  for (const field of readFields(input, what)) if (field.number === number) value = bytesOf(field, what);
  return value;
}

export const decodeTicket = (input: Uint8Array): Uint8Array => onlyBytes(input, 1, 'Ticket');

/** A PutResult: field 1 is its `app_metadata`. */
export function encodePutResult(appMetadata: Uint8Array): Uint8Array {
  if (appMetadata.length === 0) return appMetadata;
  const output = new Uint8Array(bytesFieldBytes(1, appMetadata.length));
  output.set(appMetadata, writeBytesHead(output, 0, 1, appMetadata.length));
  return output;
}
