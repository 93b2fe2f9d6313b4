import type { Http2Session } from 'node:http2';
import type { Limits } from '../../../core/limits.ts';

const pingWindowMs = 10_000;

/** Resets that a connection may send at once, and per second after that. Node's default ends sessions of honest loaders that cancel. */
export const resetAllowance = { streamResetBurst: 10_000, streamResetRate: 500 } as const;

/**
 * Ends a connection that floods the server with PING or SETTINGS frames (CVE-2019-9512, CVE-2019-9515): Node answers each and counts
 * none. The allowance leaves room for gRPC's bandwidth probes.
 */
export function endWhenFlooding(
  session: Http2Session,
  { connectionPingsMax }: Pick<Limits, 'connectionPingsMax'>,
): void {
  let frames = 0;
  let since = performance.now();
  const count = (): void => {
    const now = performance.now();
    if (now - since > pingWindowMs) [frames, since] = [0, now];
    if (++frames > connectionPingsMax) session.destroy();
  };
  session.on('ping', count);
  session.on('remoteSettings', count);
}
