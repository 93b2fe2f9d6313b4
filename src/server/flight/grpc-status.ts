import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { ServiceError } from '../../core/errors.ts';
import { type CallStatus, errorCodeTrailer, messageTooLarge } from '../streams/wire/status.ts';

/** A status as the library sends it. */
export function statusObject({ code, message, errorCode }: CallStatus): StatusObject {
  const metadata = new Metadata();
  if (errorCode !== null) metadata.set(errorCodeTrailer, errorCode);
  return { code, details: message, metadata };
}

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
