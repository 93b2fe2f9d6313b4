import type { ServerHttp2Stream } from 'node:http2';
import type { Metadata, ServerInterceptingCallInterface, StatusObject } from '@grpc/grpc-js';
import { cancellationError, throwIfCancelled } from '../../core/cancellation.ts';
import { ServiceError } from '../../core/errors.ts';
import type { StreamBudget } from '../streams/byte-budget.ts';
import type { Frame } from './flight-data.ts';
import { resetStream, streamOf } from './grpc-internals.ts';
import { errorStatus, libraryError, type Outcome, okStatus } from './status.ts';

/** How long a caller may take to notice that its call has failed. */
const errorLingerMs = 3_500;

export interface RpcCallOptions {
  readonly stallMs: number;
  readonly messageBytesMax: number;
}

/**
 * One call on the wire. Reading is pulled, one message at a time, so that nothing is read ahead of the handler; sending counts bytes until
 * the transport has let go of them; the call ends exactly once, with the first status given.
 */
export class RpcCall {
  readonly #base: ServerInterceptingCallInterface;
  readonly #stream: ServerHttp2Stream;
  readonly #options: RpcCallOptions;
  readonly #controller = new AbortController();
  readonly #sendStatus: (status: Parameters<ServerInterceptingCallInterface['sendStatus']>[0]) => void;
  readonly closed: Promise<void>;
  #metadata: Metadata | null = null;
  #reading: PromiseWithResolvers<Buffer | null> | null = null;
  #inputEnded = false;
  #outcome: Outcome | null = null;
  #unsent = 0;
  #sentBytes = 0;
  #stallTimer: NodeJS.Timeout | null = null;

  constructor(base: ServerInterceptingCallInterface, options: RpcCallOptions) {
    this.#base = base;
    this.#options = options;
    this.#stream = streamOf(base);
    this.closed = new Promise((resolve) => this.#stream.once('close', resolve));
    void this.closed.then(() => this.#stopTimer());
    // The library ends calls by itself for deadlines, oversize and badly compressed messages: those take our form too.
    this.#sendStatus = base.sendStatus.bind(base);
    base.sendStatus = (status) => {
      const { destroyed, closed, errored } = this.#stream;
      if (this.#outcome !== null) this.#sendStatus(status);
      // A write that fails because the caller has gone is reported here before the stream's end is.
      else if (destroyed || closed || errored !== null) this.cancelled();
      else this.fail(libraryError(status.code, options.messageBytesMax));
    };
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get metadata(): Metadata {
    if (this.#metadata === null) throw new Error('a call has its metadata once it has started');
    return this.#metadata;
  }

  /** Null while the call runs. */
  get outcome(): Outcome | null {
    return this.#outcome;
  }

  get peer(): string {
    return this.#base.getPeer();
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  started(metadata: Metadata): void {
    this.#metadata = metadata;
  }

  received(message: Buffer): void {
    this.#reading?.resolve(message);
    this.#reading = null;
  }

  inputEnded(): void {
    this.#inputEnded = true;
    this.#reading?.resolve(null);
    this.#reading = null;
  }

  /** The caller cancelled or went away; also runs after each end, when there is nothing left to do. */
  cancelled(): void {
    this.#outcome ??= 'CANCELLED';
    this.#abort(new ServiceError('CANCELLED', 'the caller cancelled the call or went away'));
  }

  /** The next message, or null once the caller has sent its last. One call at a time. */
  async read(): Promise<Buffer | null> {
    throwIfCancelled(this.signal);
    if (this.#inputEnded) return null;
    this.#reading = Promise.withResolvers();
    const { promise } = this.#reading;
    this.#base.startRead();
    return promise;
  }

  /**
   * Sends one message: returns once `budget` has room for it, or without a budget once the transport has let go of it. Rejects with the
   * signal's reason when the call ends before that.
   */
  async send(frame: Frame, budget: StreamBudget | null): Promise<void> {
    throwIfCancelled(this.signal);
    // The transport writes a copy: what the frame was made of must not wait with it.
    const { byteLength } = frame;
    if (budget !== null) await budget.take(byteLength, this.signal);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#unsent++;
    this.#startTimer();
    this.#base.sendMessage(frame, () => {
      budget?.give(byteLength);
      this.#unsent--;
      this.#sentBytes += byteLength;
      this.#progressed();
      resolve();
    });
    if (budget !== null) return;
    const leave = (): void => reject(cancellationError(this.signal));
    this.signal.addEventListener('abort', leave, { once: true });
    await promise.finally(() => this.signal.removeEventListener('abort', leave));
  }

  /** Ends the call well. What was sent before still goes out. */
  succeed(): void {
    if (this.#outcome !== null) return;
    this.#outcome = 'OK';
    this.#sendStatus(okStatus());
    // The input is not needed any more, and a reader of the rest has as long as it had for the rest.
    this.#startTimer();
  }

  /** Ends the call with an error, and fires the signal with it. */
  fail(error: ServiceError): void {
    if (this.#outcome === null) {
      this.#outcome = error.code;
      this.#trySend(errorStatus(error));
      this.#stopTimer();
      this.#stallTimer = setTimeout(() => resetStream(this.#stream), errorLingerMs).unref();
    }
    this.#abort(error);
  }

  /** Ends the connection's part of the call without a word. */
  reset(): void {
    resetStream(this.#stream);
  }

  #trySend(status: StatusObject): void {
    if (!this.#stream.destroyed && !this.#stream.closed) this.#sendStatus(status);
  }

  #abort(reason: ServiceError): void {
    if (!this.signal.aborted) this.#controller.abort(reason);
    this.#reading?.reject(cancellationError(this.signal));
    this.#reading = null;
  }

  #startTimer(): void {
    if (this.#stream.closed) return;
    this.#stallTimer ??= setTimeout(() => this.#stalled(), this.#options.stallMs).unref();
  }

  #progressed(): void {
    if (this.#unsent === 0 && this.#outcome === null) this.#stopTimer();
    else this.#stallTimer?.refresh();
  }

  #stopTimer(): void {
    if (this.#stallTimer !== null) clearTimeout(this.#stallTimer);
    this.#stallTimer = null;
  }

  #stalled(): void {
    this.#stallTimer = null;
    if (this.#outcome !== null) resetStream(this.#stream);
    else {
      const seconds = Math.round(this.#options.stallMs / 1_000);
      this.fail(
        new ServiceError(
          'LIMIT_EXCEEDED',
          `nothing was read for ${seconds} s (limits.streamStallMs): resume the stream`,
        ),
      );
    }
  }
}
