import { cancellationError, throwIfCancelled } from '../../../core/cancellation.ts';
import type { StreamBudget } from '../byte-budget.ts';
import type { Frame } from './flight-data.ts';
import type { RpcCall } from './rpc-call.ts';

/**
 * Sends what `items` gives, one after another, no faster than the reader takes it. When the call ends early the iterable's `return` runs, and
 * this does not wait for a handler that ignores its signal.
 */
export async function sendAll<Item>(
  call: RpcCall,
  items: AsyncIterable<Item>,
  frame: (item: Item) => Frame,
  budget: StreamBudget | null,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const result = await untilCancelled(iterator.next(), call.signal);
      if (result.done) {
        ended = true;
        // A handler that stops quietly on a fired signal must not make a cut stream look complete.
        throwIfCancelled(call.signal);
        return;
      }
      await call.send(frame(result.value), budget);
    }
  } finally {
    if (!ended) iterator.return?.().catch(() => {});
  }
}

/** The promise's result, or the signal's reason as soon as it fires; what the promise does after that goes unnoticed. */
export async function untilCancelled<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  promise.catch(() => {});
  throwIfCancelled(signal);
  const { promise: cancelled, reject } = Promise.withResolvers<never>();
  const leave = (): void => reject(cancellationError(signal));
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([promise, cancelled]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
