/** What the streams of one thread hold, where every thread of the process sees it. */
export interface BudgetLedger {
  /** Of all threads. */
  readonly openStreams: number;
  readonly reservedBytes: number;
  readonly queuedBytes: number;
  /** Of this thread. */
  add(streams: number, reservedBytes: number, queuedBytes: number): void;
}

const fields = 3;

/** Room for the sums of so many threads; each has a place of its own, so that adding needs no turn-taking. */
export const ledgerMemory = (threads: number): SharedArrayBuffer => new SharedArrayBuffer(threads * fields * 8);

/**
 * One thread's view. Two threads that look and add at the same moment may together pass a limit, by no more than what each adds at once:
 * a stream's reserve.
 */
export function openLedger(memory: SharedArrayBuffer, thread: number): BudgetLedger {
  const sums = new BigInt64Array(memory);
  const own = thread * fields;
  const total = (field: number): number => {
    let sum = 0n;
    for (let at = field; at < sums.length; at += fields) sum += Atomics.load(sums, at);
    return Number(sum);
  };
  return {
    get openStreams() {
      return total(0);
    },
    get reservedBytes() {
      return total(1);
    },
    get queuedBytes() {
      return total(2);
    },
    add(streams, reservedBytes, queuedBytes) {
      if (streams !== 0) Atomics.add(sums, own, BigInt(streams));
      if (reservedBytes !== 0) Atomics.add(sums, own + 1, BigInt(reservedBytes));
      if (queuedBytes !== 0) Atomics.add(sums, own + 2, BigInt(queuedBytes));
    },
  };
}

/** Gives back what a thread held that is no more. */
export function clearLedger(memory: SharedArrayBuffer, thread: number): void {
  const sums = new BigInt64Array(memory);
  for (let at = thread * fields; at < (thread + 1) * fields; at++) Atomics.store(sums, at, 0n);
}
