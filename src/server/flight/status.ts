import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { type ErrorCode, errorTable, ServiceError } from '../../core/errors.ts';

export const errorCodeTrailer = 'headrace-error-code';

/** Trailers of all names and values together stay below 8 KB, beyond which some clients drop them; most of it is left to the message. */
const encodedMessageBytesMax = 6_000;
const ellipsis = '…';

/** A failed call's status: the code's number, `CODE: text`, and the code once more in a trailer. */
export function errorStatus(error: ServiceError): StatusObject {
  const metadata = new Metadata();
  metadata.set(errorCodeTrailer, error.code);
  return { code: errorTable[error.code].grpc, details: fitMessage(`${error.code}: ${error.message}`), metadata };
}

export const okStatus = (): StatusObject => ({ code: status.OK, details: '', metadata: new Metadata() });

/**
 * Cuts a message so that it fits once percent-encoded, as gRPC sends it: a character may take twelve bytes. Lone surrogates, which cannot
 * be encoded at all, are replaced.
 */
export function fitMessage(message: string): string {
  const wellFormed = message.toWellFormed();
  let bytes = 0;
  let end = 0;
  let cut = 0;
  for (const character of wellFormed) {
    bytes += encodeURI(character).length;
    if (bytes > encodedMessageBytesMax) return wellFormed.slice(0, cut) + ellipsis;
    end += character.length;
    if (bytes <= encodedMessageBytesMax - encodeURI(ellipsis).length) cut = end;
  }
  return wellFormed;
}

const messageTooLarge = (bytesMax: number): ServiceError =>
  new ServiceError('LIMIT_EXCEEDED', `a message has more than ${bytesMax} bytes: send smaller ones`);

/** What the transport library's own refusals mean in our codes. Its text stays behind. */
export function libraryError(code: number, bytesMax: number): ServiceError {
  switch (code) {
    case status.RESOURCE_EXHAUSTED:
      return messageTooLarge(bytesMax);
    case status.DEADLINE_EXCEEDED:
      return new ServiceError('DEADLINE_EXCEEDED', 'the deadline of the call has passed');
    case status.UNIMPLEMENTED:
      return new ServiceError('UNSUPPORTED_FEATURE', 'the call is compressed in a way that is not supported');
    case status.CANCELLED:
      return new ServiceError('CANCELLED', 'the call was cancelled');
    default:
      return new ServiceError('INVALID_REQUEST', 'the call is not well-formed gRPC');
  }
}

/** A name for a finished call's outcome in metrics. */
export type Outcome = 'OK' | ErrorCode;
