import { cancellationError, throwIfCancelled } from '../../core/cancellation.ts';
import { ServiceError } from '../../core/errors.ts';

interface Waiter {
  admit(): void;
}

/** One holder per key at a time, the others in the order in which they came. */
export class Turns {
  readonly #waitingMax: number;
  /** The waiters behind the holder; a key that nobody holds is absent. */
  readonly #lines = new Map<string, Waiter[]>();

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  /**
   * Waits for the turn of every key; dispose the result to give them back. Keys are taken in one order, so that two calls never
   * wait for each other. Throws LIMIT_EXCEEDED for a line that is full, and what the signal says.
   */
  async take(keys: readonly string[], signal: AbortSignal): Promise<Disposable> {
    throwIfCancelled(signal);
    const held: string[] = [];
    const release = (): void => {
      for (const key of held.splice(0)) this.#release(key);
    };
    try {
      for (const key of [...new Set(keys)].sort()) {
        await this.#wait(key, signal);
        held.push(key);
      }
    } catch (error) {
      release();
      throw error;
    }
    return { [Symbol.dispose]: release };
  }

  #wait(key: string, signal: AbortSignal): Promise<void> {
    const line = this.#lines.get(key);
    if (line === undefined) {
      this.#lines.set(key, []);
      return Promise.resolve();
    }
    if (line.length >= this.#waitingMax) {
      throw new ServiceError('LIMIT_EXCEEDED', `${this.#waitingMax} commits wait for this table already`);
    }
    return new Promise((resolve, reject) => {
      const cancel = (): void => {
        line.splice(line.indexOf(waiter), 1);
        reject(cancellationError(signal));
      };
      const waiter: Waiter = {
        admit: () => {
          signal.removeEventListener('abort', cancel);
          resolve();
        },
      };
      signal.addEventListener('abort', cancel, { once: true });
      line.push(waiter);
    });
  }

  #release(key: string): void {
    const next = this.#lines.get(key)?.shift();
    if (next === undefined) this.#lines.delete(key);
    else next.admit();
  }
}
