import { cancellationError, throwIfCancelled } from '../../../core/cancellation.ts';
import { ServiceError } from '../../../core/errors.ts';
import type { StreamBudget } from '../byte-budget.ts';
import type { Frame } from './flight-data.ts';
import { type CallStatus, errorStatus, type Outcome, okStatus } from './status.ts';

/** How long a caller may take to notice that its call has failed. */
const errorLingerMs = 3_500;

export interface RpcCallOptions {
  readonly stallMs: number;
}

/** What carries a call: grpc-js on the control plane, an HTTP/2 stream of our own on the data plane. */
export interface CallTransport {
  readonly peer: string;
  /** Resolves once nothing of the call is left on the wire. */
  readonly closed: Promise<void>;
  /** True from the moment on at which nothing can be sent any more. */
  readonly gone: boolean;
  /** Asks for one message, which comes by {@link RpcCall.received}, or {@link RpcCall.inputEnded} where there is none. */
  startRead(): void;
  /** Sends a message in its turn. `left` hears of bytes that have left the process, until they add up to the frame's. */
  sendMessage(frame: Frame, left: (bytes: number) => void): void;
  /** Sends the status behind what was sent before. At most once. */
  sendStatus(status: CallStatus): void;
  /** Ends the stream at once, dropping what waits in it. */
  reset(): void;
}

/**
 * One call on the wire. Reading is pulled, one message at a time, so that nothing is read ahead of the handler; sending counts bytes until
 * the transport has let go of them; the call ends exactly once, with the first status given.
 */
export class RpcCall {
  readonly #transport: CallTransport;
  readonly #options: RpcCallOptions;
  readonly #controller = new AbortController();
  #reading: PromiseWithResolvers<Buffer | null> | null = null;
  #inputEnded = false;
  #outcome: Outcome | null = null;
  #unsentBytes = 0;
  #sentBytes = 0;
  #stallTimer: NodeJS.Timeout | null = null;

  constructor(transport: CallTransport, options: RpcCallOptions) {
    this.#transport = transport;
    this.#options = options;
    void transport.closed.then(() => this.#stopTimer());
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get closed(): Promise<void> {
    return this.#transport.closed;
  }

  /** Null while the call runs. */
  get outcome(): Outcome | null {
    return this.#outcome;
  }

  get peer(): string {
    return this.#transport.peer;
  }

  get sentBytes(): number {
    return this.#sentBytes;
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
    this.#transport.startRead();
    return promise;
  }

  /**
   * Sends one message: returns once `budget` has room for it, or without a budget once the transport has let go of it. Rejects with the
   * signal's reason when the call ends before that.
   */
  async send(frame: Frame, budget: StreamBudget | null): Promise<void> {
    throwIfCancelled(this.signal);
    const { byteLength } = frame;
    if (budget !== null) await budget.take(byteLength, this.signal);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let unsentBytes = byteLength;
    this.#unsentBytes += byteLength;
    this.#startTimer();
    this.#transport.sendMessage(frame, (bytes) => {
      budget?.give(bytes);
      unsentBytes -= bytes;
      this.#unsentBytes -= bytes;
      this.#sentBytes += bytes;
      this.#progressed();
      if (unsentBytes === 0) resolve();
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
    this.#transport.sendStatus(okStatus);
    // The input is not needed any more, and a reader of the rest has as long as it had for the rest.
    this.#startTimer();
  }

  /** Ends the call with an error, and fires the signal with it. */
  fail(error: ServiceError): void {
    if (this.#outcome === null) {
      this.#outcome = error.code;
      if (!this.#transport.gone) this.#transport.sendStatus(errorStatus(error));
      this.#stopTimer();
      this.#stallTimer = setTimeout(() => this.#transport.reset(), errorLingerMs).unref();
    }
    this.#abort(error);
  }

  #abort(reason: ServiceError): void {
    if (!this.signal.aborted) this.#controller.abort(reason);
    this.#reading?.reject(cancellationError(this.signal));
    this.#reading = null;
  }

  #startTimer(): void {
    if (this.#transport.gone) return;
    this.#stallTimer ??= setTimeout(() => this.#stalled(), this.#options.stallMs).unref();
  }

  #progressed(): void {
    if (this.#unsentBytes === 0 && this.#outcome === null) this.#stopTimer();
    else this.#stallTimer?.refresh();
  }

  #stopTimer(): void {
    if (this.#stallTimer !== null) clearTimeout(this.#stallTimer);
    this.#stallTimer = null;
  }

  #stalled(): void {
    this.#stallTimer = null;
    if (this.#outcome !== null) this.#transport.reset();
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
