import type { ServerHttp2Stream } from 'node:http2';
import type { Metadata, ServerInterceptingCallInterface } from '@grpc/grpc-js';
import type { CallHeaders } from '../streams/wire/call-headers.ts';
import type { Frame } from '../streams/wire/flight-data.ts';
import { type CallTransport, RpcCall, type RpcCallOptions } from '../streams/wire/rpc-call.ts';
import type { CallStatus } from '../streams/wire/status.ts';
import { resetStream, streamOf } from './grpc-internals.ts';
import { libraryError, statusObject } from './grpc-status.ts';

type SendStatus = ServerInterceptingCallInterface['sendStatus'];

/** A call that grpc-js carries. */
export interface GrpcCall {
  readonly call: RpcCall;
  /** Only once the call has started. */
  readonly headers: CallHeaders;
  started(metadata: Metadata): void;
}

/** Takes a call over from the library before it reads anything. */
export function takeCall(
  base: ServerInterceptingCallInterface,
  { messageBytesMax, ...options }: RpcCallOptions & { readonly messageBytesMax: number },
): GrpcCall {
  const stream = streamOf(base);
  const sendStatus = base.sendStatus.bind(base);
  const call = new RpcCall(transport(base, stream, sendStatus), options);
  let metadata: Metadata | null = null;
  // The library ends calls by itself for deadlines, oversize and badly compressed messages: those take our form too.
  base.sendStatus = (status) => {
    const { destroyed, closed, errored } = stream;
    if (call.outcome !== null) sendStatus(status);
    // A write that fails because the caller has gone is reported here before the stream's end is.
    else if (destroyed || closed || errored !== null) call.cancelled();
    else call.fail(libraryError(status.code, messageBytesMax));
  };
  return {
    call,
    get headers() {
      if (metadata === null) throw new Error('a call has its metadata once it has started');
      return metadata;
    },
    started: (received) => {
      metadata = received;
    },
  };
}

const transport = (
  base: ServerInterceptingCallInterface,
  stream: ServerHttp2Stream,
  sendStatus: SendStatus,
): CallTransport => ({
  get peer() {
    return base.getPeer();
  },
  closed: new Promise((resolve) => stream.once('close', resolve)),
  get gone() {
    return stream.destroyed || stream.closed;
  },
  startRead: () => base.startRead(),
  // The library writes a copy: what the frame was made of must not wait with it.
  sendMessage: (frame: Frame, left) => {
    const { byteLength } = frame;
    base.sendMessage(frame, () => left(byteLength));
  },
  sendStatus: (status: CallStatus) => sendStatus(statusObject(status)),
  reset: () => resetStream(stream),
});
