import type { RevocationStore } from '../auth/authenticate/revocations.ts';
import type { PolicyStore } from '../auth/policy/reload.ts';
import type { CatalogStore } from '../catalog/store/catalog-store.ts';

/**
 * A count that rises whenever something changed that a decision may rest on: policies, revoked tokens, tables, tags, namespaces. A running
 * stream that has seen the current count need not ask again whether its right still holds.
 */
export interface DecisionClock extends AsyncDisposable {
  /** The count, for threads that cannot be called: one Int32. */
  readonly shared: SharedArrayBuffer;
  now(): number;
}

export interface DecisionClockOptions {
  readonly policies: Pick<PolicyStore, 'onChange'>;
  readonly store: Pick<CatalogStore, 'changes'>;
  readonly revocations: Pick<RevocationStore, 'refresh'>;
  /** How soon a change by another process is seen. */
  readonly pollMs?: number;
}

export function startDecisionClock({
  policies,
  store,
  revocations,
  pollMs = 500,
}: DecisionClockOptions): DecisionClock {
  const shared = new SharedArrayBuffer(4);
  const count = new Int32Array(shared);
  const tick = (): void => void Atomics.add(count, 0, 1);
  const watched = policies.onChange(tick);
  let known: string | null = null;
  const look = async (): Promise<void> => {
    const changes = await store.changes();
    const found = JSON.stringify([changes.namespaces, changes.tables, changes.tags, changes.entries]);
    if (found === known) return;
    // First, so that whoever asks because of the count is answered by what raised it.
    await revocations.refresh();
    if (known !== null) tick();
    known = found;
  };
  let looking: Promise<void> | null = null;
  const timer = setInterval(() => {
    // A store that cannot be read leaves the count as it is: what asks then is the watch over each stream, which fails closed.
    looking ??= look()
      .catch(() => {})
      .finally(() => {
        looking = null;
      });
  }, pollMs).unref();
  return {
    shared,
    now: () => Atomics.load(count, 0),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      watched[Symbol.dispose]();
      await looking;
    },
  };
}
