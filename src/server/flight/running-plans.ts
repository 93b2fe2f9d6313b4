import { LRUCache } from 'lru-cache';
import { ServiceError } from '../../core/errors.ts';

/** The streams that run, by the plan that they belong to, so that a plan can be cancelled as a whole. */
export interface RunningPlans {
  /**
   * A signal for one stream of a plan: fires with `outer` and when the plan is cancelled. CANCELLED for a plan that already is.
   * Dispose when the stream ends.
   */
  start(plan: string, outer: AbortSignal): { readonly signal: AbortSignal } & Disposable;
  /** Ends the plan's streams and refuses new ones; says how many ran. */
  cancel(plan: string): number;
}

const cancelledMax = 10_000;

export function createRunningPlans(): RunningPlans {
  const running = new Map<string, Set<AbortController>>();
  const cancelled = new LRUCache<string, true>({ max: cancelledMax });
  return {
    start(plan, outer) {
      if (cancelled.has(plan)) throw wasCancelled();
      const controller = new AbortController();
      const streams = running.get(plan) ?? new Set();
      running.set(plan, streams.add(controller));
      return {
        signal: AbortSignal.any([outer, controller.signal]),
        [Symbol.dispose]: () => {
          streams.delete(controller);
          if (streams.size === 0) running.delete(plan);
        },
      };
    },
    cancel(plan) {
      cancelled.set(plan, true);
      const streams = running.get(plan) ?? new Set<AbortController>();
      for (const controller of streams) controller.abort(wasCancelled());
      return streams.size;
    },
  };
}

const wasCancelled = (): ServiceError => new ServiceError('CANCELLED', 'the plan was cancelled by CancelFlightInfo');
