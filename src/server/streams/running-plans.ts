import { LRUCache } from 'lru-cache';
import { ServiceError } from '../../core/errors.ts';

/** The streams that run, by the plan that they belong to, so that a plan can be cancelled as a whole. */
export interface RunningPlans {
  /**
   * Counts one stream of a plan, whose `fail` is called when the plan is cancelled. CANCELLED for a plan that already is. Dispose
   * when the stream ends.
   */
  start(plan: string, fail: (reason: ServiceError) => void): Disposable;
  /** Ends the plan's streams and refuses new ones; says how many ran. */
  cancel(plan: string): number;
}

interface RunningStream {
  readonly fail: (reason: ServiceError) => void;
}

const cancelledMax = 10_000;

export function createRunningPlans(): RunningPlans {
  const running = new Map<string, Set<RunningStream>>();
  const cancelled = new LRUCache<string, true>({ max: cancelledMax });
  return {
    start(plan, fail) {
      if (cancelled.has(plan)) throw wasCancelled();
      const stream: RunningStream = { fail };
      const streams = running.get(plan) ?? new Set();
      running.set(plan, streams.add(stream));
      return {
        [Symbol.dispose]: () => {
          streams.delete(stream);
          if (streams.size === 0) running.delete(plan);
        },
      };
    },
    cancel(plan) {
      cancelled.set(plan, true);
      const streams = [...(running.get(plan) ?? [])];
      for (const { fail } of streams) fail(wasCancelled());
      return streams.length;
    },
  };
}

const wasCancelled = (): ServiceError => new ServiceError('CANCELLED', 'the plan was cancelled by CancelFlightInfo');
