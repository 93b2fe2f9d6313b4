import { type ErrorCode, ServiceError } from '../../core/errors.ts';
import { markPublished } from '../telemetry/log.ts';

/** The end of a channel to another thread: a `Worker`, or the `parentPort` inside of one. */
export interface ChannelPort {
  postMessage(value: unknown): void;
  on(event: 'message', listener: (value: unknown) => void): unknown;
}

/** What one side does for the other: methods whose arguments and results structured cloning can carry. */
type Methods<Side> = { readonly [Name in keyof Side]: (...args: never[]) => unknown };
type ArgsOf<Method> = Method extends (...args: infer Args) => unknown ? Args : never;
type ResultOf<Method> = Method extends (...args: never[]) => infer Result ? Awaited<Result> : never;

type Sent =
  | { readonly kind: 'ask'; readonly id: number; readonly name: string; readonly args: readonly unknown[] }
  | { readonly kind: 'tell'; readonly name: string; readonly args: readonly unknown[] }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly code: ErrorCode; readonly message: string };

export interface ChannelOptions<Local> {
  readonly methods: Local;
  /** Questions without an answer at once; further ones are LIMIT_EXCEEDED. */
  readonly asksMax: number;
  /** What the other side may know of an error. Its cause stays here. */
  readonly publish: (error: unknown) => ServiceError;
}

/** Calls methods of another thread, and lets that one call ours. */
export class Channel<Local extends Methods<Local>, Remote extends Methods<Remote>> {
  readonly #port: ChannelPort;
  readonly #options: ChannelOptions<Local>;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #next = 0;
  #closed: ServiceError | null = null;

  constructor(port: ChannelPort, options: ChannelOptions<Local>) {
    this.#port = port;
    this.#options = options;
    port.on('message', (message) => this.#receive(message as Sent));
  }

  /** Rejects with the ServiceError that the method threw on the other side, or that the channel was closed with. */
  async ask<Name extends keyof Remote & string>(
    name: Name,
    ...args: ArgsOf<Remote[Name]>
  ): Promise<ResultOf<Remote[Name]>> {
    if (this.#closed !== null) throw this.#closed;
    if (this.#waiting.size >= this.#options.asksMax) {
      throw new ServiceError('LIMIT_EXCEEDED', 'too many calls wait to be decided: try again later');
    }
    const id = this.#next++;
    const answered = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answered);
    this.#send({ kind: 'ask', id, name, args });
    return (await answered.promise) as ResultOf<Remote[Name]>;
  }

  /** Calls without waiting; what the method throws is told to nobody but the log of the other side. */
  tell<Name extends keyof Remote & string>(name: Name, ...args: ArgsOf<Remote[Name]>): void {
    if (this.#closed === null) this.#send({ kind: 'tell', name, args });
  }

  /** Fails every open question, and each that comes, with `reason`. */
  close(reason: ServiceError): void {
    this.#closed ??= reason;
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }

  #send(message: Sent): void {
    this.#port.postMessage(message);
  }

  #receive(message: Sent): void {
    switch (message.kind) {
      case 'ask':
        void this.#answer(message.id, message.name, message.args);
        return;
      case 'tell':
        void this.#call(message.name, message.args).catch((error: unknown) => this.#options.publish(error));
        return;
      case 'answer':
        this.#settle(message.id)?.resolve(message.value);
        return;
      case 'refusal':
        this.#settle(message.id)?.reject(markPublished(new ServiceError(message.code, message.message)));
        return;
      default:
        message satisfies never;
    }
  }

  #settle(id: number): PromiseWithResolvers<unknown> | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  async #call(name: string, args: readonly unknown[]): Promise<unknown> {
    const method = this.#options.methods[name as keyof Local] as unknown as (...args: readonly unknown[]) => unknown;
    return await method(...args);
  }

  async #answer(id: number, name: string, args: readonly unknown[]): Promise<void> {
    try {
      this.#send({ kind: 'answer', id, value: await this.#call(name, args) });
    } catch (error) {
      const { code, message } = this.#options.publish(error);
      this.#send({ kind: 'refusal', id, code, message });
    }
  }
}
