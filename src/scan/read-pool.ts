import type { Limits } from '../core/limits.ts';

/** What all streams of a thread hold of files' bytes, together and each. */
export interface ReadPool {
  /** A stream's part in it. */
  open(): PoolShare;
  readonly heldBytes: number;
}

export interface PoolShare {
  /** Whether so many bytes may be held. Where not, `onRoom` is called once asking again is worth it. */
  take(bytes: number, isAwaited: boolean): boolean;
  /** Less than nothing takes in any case: what turns out larger than was thought. */
  give(bytes: number): void;
  onRoom: () => void;
  /** From now on nobody waits for this stream: it may be told to let go of all it holds, which `close` then does. */
  idle(evict: () => void): void;
  busy(): void;
  close(): void;
}

interface Share extends PoolShare {
  heldBytes: number;
  idleSinceMs: number;
  evict: (() => void) | null;
}

/**
 * Bounds what streams hold together. A reader that takes nothing keeps its stream's bytes only as long as nobody else needs the room: then
 * the stream that was left alone longest lets go of its own, and reads again what it still needs when its reader comes back. What a
 * stream waits for it gets before any stream reads ahead.
 */
export function createReadPool(
  { readPoolBytesMax, readIdleMs }: Pick<Limits, 'readPoolBytesMax' | 'readIdleMs'>,
  now: () => number = () => performance.now(),
): ReadPool {
  let heldBytes = 0;
  /** The longest idle first. */
  const idle = new Set<Share>();
  const waiting = new Set<Share>();
  let isTimed = false;

  const makeRoom = (bytes: number): void => {
    for (const share of idle) {
      if (heldBytes + bytes <= readPoolBytesMax || share.idleSinceMs > now() - readIdleMs) return;
      idle.delete(share);
      if (share.heldBytes > 0) share.evict!();
    }
  };

  const wake = (): void => {
    // Those that still do not fit queue up again, in the same order.
    const asking = [...waiting];
    waiting.clear();
    for (const share of asking) share.onRoom();
  };

  const wakeLater = (): void => {
    if (isTimed) return;
    isTimed = true;
    const later = (): void => {
      isTimed = false;
      wake();
    };
    setTimeout(later, readIdleMs).unref();
  };

  const add = (share: Share, bytes: number): void => {
    share.heldBytes += bytes;
    heldBytes += bytes;
  };

  return {
    get heldBytes() {
      return heldBytes;
    },
    open() {
      let isOpen = true;
      const share: Share = {
        heldBytes: 0,
        idleSinceMs: 0,
        evict: null,
        onRoom: () => undefined,
        take(bytes, isAwaited) {
          // A stream that holds something gives it back only by going on.
          const isUrgent = isAwaited && (share.heldBytes > 0 || heldBytes === 0);
          if (!isUrgent && isOpen) {
            if (isAwaited) makeRoom(bytes);
            const isLate = waiting.size > (waiting.has(share) ? 1 : 0);
            if (heldBytes + bytes > readPoolBytesMax || (isLate && !isAwaited)) {
              if (isAwaited) waiting.add(share);
              if (isAwaited) wakeLater();
              return false;
            }
          }
          waiting.delete(share);
          if (isOpen) add(share, bytes);
          return true;
        },
        give(bytes) {
          if (!isOpen) return;
          add(share, -bytes);
          if (bytes > 0) wake();
        },
        idle(evict) {
          share.idleSinceMs = now();
          share.evict = evict;
          idle.add(share);
          if (waiting.size > 0) wakeLater();
        },
        busy() {
          idle.delete(share);
        },
        close() {
          if (!isOpen) return;
          isOpen = false;
          idle.delete(share);
          waiting.delete(share);
          heldBytes -= share.heldBytes;
          share.heldBytes = 0;
          wake();
        },
      };
      return share;
    },
  };
}
