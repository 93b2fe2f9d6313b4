import { constants, type ServerHttp2Stream } from 'node:http2';
import { isServiceError, ServiceError } from '../../core/errors.ts';
import type { Frame } from '../streams/wire/flight-data.ts';
import { type CallTransport, RpcCall } from '../streams/wire/rpc-call.ts';
import { type CallStatus, errorCodeTrailer } from '../streams/wire/status.ts';
import { MessageReader } from './message-reader.ts';
import { type Piece, type PieceSizes, scatter } from './scatter.ts';

export const responseHead = { ':status': 200, 'content-type': 'application/grpc', 'grpc-accept-encoding': 'identity' };

/** How a status looks among trailers, or among the headers of an answer that has nothing else. */
export function statusHeaders({ code, message, errorCode }: CallStatus): Record<string, string> {
  return {
    'grpc-status': String(code),
    ...(message === '' ? {} : { 'grpc-message': percentEncode(message) }),
    ...(errorCode === null ? {} : { [errorCodeTrailer]: errorCode }),
  };
}

/** gRPC over HTTP/2, "Percent-Encoded": printable ASCII but `%` stays as it is. */
const percentEncode = (message: string): string =>
  message.replace(/[^ -$&-~]+/gu, (text) => Buffer.from(text).toString('hex').replace(/../g, '%$&').toUpperCase());

export interface Http2CallOptions {
  readonly peer: string;
  readonly stallMs: number;
  readonly messageBytesMax: number;
  readonly pieces: PieceSizes;
  /** Bytes of a stream that are handed to the session ahead of its reader. */
  readonly aheadBytes: number;
  /** Called when the call begins to read, which it does once it has a right to. */
  readonly onRead?: (() => void) | undefined;
}

/** Makes a call of a stream. */
export function openCall(stream: ServerHttp2Stream, options: Http2CallOptions): RpcCall {
  const transport = new Http2Transport(stream, options);
  const call = new RpcCall(transport, options);
  transport.attach(call);
  return call;
}

/** One HTTP/2 stream as the carrier of a call. */
class Http2Transport implements CallTransport {
  readonly peer: string;
  readonly closed: Promise<void>;
  readonly #stream: ServerHttp2Stream;
  readonly #options: Http2CallOptions;
  readonly #reader: MessageReader;
  #waiting: { readonly piece: Piece; readonly left: (bytes: number) => void }[] = [];
  #ahead = 0;
  #status: CallStatus | null = null;
  #wanted = false;
  #inputEnded = false;
  #call: RpcCall | null = null;

  constructor(stream: ServerHttp2Stream, options: Http2CallOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#reader = new MessageReader(options.messageBytesMax);
    this.peer = options.peer;
    this.closed = new Promise((resolve) => stream.once('close', resolve));
  }

  /** Connects the stream's events to the call. */
  attach(call: RpcCall): void {
    this.#call = call;
    const stream = this.#stream;
    // An error is followed by `close`, which tells all that is needed; without a listener it would end the process.
    stream.on('error', () => {});
    stream.once('aborted', () => call.cancelled());
    stream.once('close', () => {
      this.#waiting = [];
      call.cancelled();
    });
    stream.once('wantTrailers', () => stream.sendTrailers(statusHeaders(this.#status!)));
    stream.pause();
    stream.on('data', (chunk: Buffer) => this.#received(chunk));
    stream.once('end', () => {
      this.#inputEnded = true;
      this.#endInput();
    });
  }

  get gone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  startRead(): void {
    this.#options.onRead?.();
    this.#wanted = true;
    if (!this.#deliver(null)) {
      if (this.#inputEnded) this.#endInput();
      else this.#stream.resume();
    }
  }

  sendMessage(frame: Frame, left: (bytes: number) => void): void {
    this.#respond();
    for (const piece of scatter(frame, this.#options.pieces)) this.#waiting.push({ piece, left });
    this.#write();
  }

  sendStatus(status: CallStatus): void {
    if (this.#status !== null || this.gone) return;
    this.#status = status;
    // What the caller still sends is dropped as it comes, so that nothing piles up while the status is on its way.
    this.#stream.resume();
    if (this.#stream.headersSent) this.#finish();
    else this.#stream.respond({ ...responseHead, ...statusHeaders(status) }, { endStream: true });
  }

  reset(): void {
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #respond(): void {
    if (!this.#stream.headersSent && !this.gone) this.#stream.respond(responseHead, { waitForTrailers: true });
  }

  /** Keeps the session supplied with bytes, but no more of them than it needs to go on. */
  #write(): void {
    const stream = this.#stream;
    while (this.#waiting.length > 0 && this.#ahead < this.#options.aheadBytes && !this.gone) {
      const { piece, left } = this.#waiting.shift()!;
      const { parts, byteLength, frameBytes } = piece;
      this.#ahead += byteLength;
      // One system call for all parts, and one callback.
      stream.cork();
      for (const part of parts.slice(0, -1)) stream.write(part);
      stream.write(parts.at(-1)!, (error) => {
        if (error) return;
        this.#ahead -= byteLength;
        left(frameBytes);
        this.#write();
      });
      stream.uncork();
    }
    this.#finish();
  }

  #finish(): void {
    if (this.#status !== null && this.#waiting.length === 0 && !this.#stream.writableEnded && !this.gone) {
      this.#stream.end();
    }
  }

  #received(chunk: Buffer): void {
    if (this.#status === null && this.#deliver(chunk)) this.#stream.pause();
  }

  /** Gives the call its next message, where that is complete. False = more bytes are needed. */
  #deliver(chunk: Buffer | null): boolean {
    const call = this.#call!;
    try {
      const message = this.#reader.next(chunk);
      if (message === null) return false;
      this.#wanted = false;
      call.received(message);
    } catch (error) {
      if (!isServiceError(error)) throw error;
      call.fail(error);
      return false;
    }
    return true;
  }

  #endInput(): void {
    if (!this.#wanted) return;
    if (this.#reader.partial) {
      this.#call!.fail(new ServiceError('INVALID_REQUEST', 'the call ends in the middle of a message'));
    } else this.#call!.inputEnded();
  }
}
