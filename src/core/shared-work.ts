import { cancellationError, throwIfCancelled } from './cancellation.ts';

interface Running<Value> {
  readonly result: Promise<Value>;
  readonly controller: AbortController;
  waiting: number;
}

/** Does work once for all who ask for it at the same time. It is cancelled when the last of them has gone, never before. */
export class SharedWork<Value> {
  readonly #running = new Map<string, Running<Value>>();

  /** What `work` gives; `signal` ends this caller's waiting alone. */
  async run(key: string, work: (signal: AbortSignal) => Promise<Value>, signal: AbortSignal): Promise<Value> {
    throwIfCancelled(signal);
    const running = this.#running.get(key) ?? this.#start(key, work);
    running.waiting++;
    const cancelled = Promise.withResolvers<never>();
    const leave = (): void => cancelled.reject(cancellationError(signal));
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([running.result, cancelled.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
      if (--running.waiting === 0) {
        if (this.#running.get(key) === running) this.#running.delete(key);
        running.controller.abort();
      }
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<Value>): Running<Value> {
    const controller = new AbortController();
    const running = { result: work(controller.signal), controller, waiting: 0 };
    // Whoever waits sees it fail; nobody may be left.
    running.result.catch(() => {});
    this.#running.set(key, running);
    return running;
  }
}
