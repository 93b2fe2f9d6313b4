import { type ErrorCode, errorTable, ServiceError } from '../../../core/errors.ts';

export const errorCodeTrailer = 'headrace-error-code';

/** Trailers of all names and values together stay below 8 KB, beyond which some clients drop them; most of it is left to the message. */
const encodedMessageBytesMax = 6_000;
const ellipsis = '…';

/** How a call ends on the wire. */
export interface CallStatus {
  /** The gRPC status. */
  readonly code: number;
  readonly message: string;
  /** For the trailer {@link errorCodeTrailer}; null = none. */
  readonly errorCode: ErrorCode | null;
}

export const okStatus: CallStatus = { code: 0, message: '', errorCode: null };

/** A failed call's status: the code's number, `CODE: text`, and the code once more in a trailer. */
export const errorStatus = (error: ServiceError): CallStatus => ({
  code: errorTable[error.code].grpc,
  message: fitMessage(`${error.code}: ${error.message}`),
  errorCode: error.code,
});

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

export const messageTooLarge = (bytesMax: number): ServiceError =>
  new ServiceError('LIMIT_EXCEEDED', `a message has more than ${bytesMax} bytes: send smaller ones`);

/** A name for a finished call's outcome in metrics. */
export type Outcome = 'OK' | ErrorCode;
