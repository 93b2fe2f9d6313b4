import { ServiceError } from '../../../core/errors.ts';

/** Protobuf wire types that Flight uses (protobuf encoding guide, "Message structure"). */
export const wireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const varintBytesMax = 10;
const fieldNumberMax = 2 ** 29 - 1;

export interface WireField {
  readonly number: number;
  readonly type: number;
  /** The value of a varint field, exact up to 2^53 and saturated beyond; 0 otherwise. */
  readonly varint: number;
  /** The content of a length-delimited field, a view of the input; empty otherwise. */
  readonly bytes: Uint8Array;
}

const noBytes = new Uint8Array(0);

/**
 * Reads the fields of one protobuf message in order, without copying. `what` names the message in errors. Throws INVALID_REQUEST for
 * a varint that does not end, a length beyond the input, a group, or a field number out of range.
 */
export function* readFields(input: Uint8Array, what: string): Generator<WireField, void, undefined> {
  const cursor = { at: 0 };
  while (cursor.at < input.length) {
    const tag = readVarint(input, cursor, what);
    const type = tag % 8;
    const number = Math.floor(tag / 8);
    if (number < 1 || number > fieldNumberMax) throw malformed(what, 'a field number is out of range');
    if (type === wireType.varint) {
      yield { number, type, varint: readVarint(input, cursor, what), bytes: noBytes };
      continue;
    }
    const length = lengthOf(type, input, cursor, what);
    if (length > input.length - cursor.at) throw malformed(what, 'a field is longer than the message');
    const bytes = type === wireType.bytes ? input.subarray(cursor.at, cursor.at + length) : noBytes;
    cursor.at += length;
    yield { number, type, varint: 0, bytes };
  }
}

function lengthOf(type: number, input: Uint8Array, cursor: { at: number }, what: string): number {
  switch (type) {
    case wireType.bytes:
      return readVarint(input, cursor, what);
    case wireType.fixed64:
      return 8;
    case wireType.fixed32:
      return 4;
    default:
      throw malformed(what, 'a field has an unknown wire type');
  }
}

function readVarint(input: Uint8Array, cursor: { at: number }, what: string): number {
  let value = 0;
  let scale = 1;
  for (let read = 0; read < varintBytesMax; read++) {
    const byte = input[cursor.at++];
    if (byte === undefined) throw malformed(what, 'it ends within a number');
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return Math.min(value, Number.MAX_SAFE_INTEGER);
    scale *= 128;
  }
  throw malformed(what, 'a number has too many bytes');
}

/** The content of a field that must be length-delimited. */
export function bytesOf(field: WireField, what: string): Uint8Array {
  if (field.type !== wireType.bytes) throw malformed(what, `field ${field.number} has the wrong wire type`);
  return field.bytes;
}

/** The content of a field that must be UTF-8 text. */
export function textOf(field: WireField, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytesOf(field, what));
  } catch (cause) {
    throw malformed(what, `field ${field.number} is not UTF-8 text`, cause);
  }
}

export function malformed(what: string, why: string, cause?: unknown): ServiceError {
  return new ServiceError('INVALID_REQUEST', `malformed ${what}: ${why}`, { cause });
}

/** Bytes that a length or tag takes as a varint. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Writes a varint and gives the offset after it. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let next = at;
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) target[next++] = (rest % 128) | 0x80;
  target[next++] = rest;
  return next;
}

/** Bytes of a length-delimited field, tag and length included. */
export const bytesFieldBytes = (number: number, length: number): number =>
  varintBytes(number * 8 + wireType.bytes) + varintBytes(length) + length;

/** Writes a length-delimited field's tag and length and gives the offset where its content goes. */
export function writeBytesHead(target: Uint8Array, at: number, number: number, length: number): number {
  return writeVarint(target, writeVarint(target, at, number * 8 + wireType.bytes), length);
}
