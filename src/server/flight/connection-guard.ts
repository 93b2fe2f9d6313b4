import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { Limits } from '../../core/limits.ts';

const pingWindowMs = 10_000;
const sessionWindowBytes = 2 << 20;

export interface ConnectionGuard {
  readonly connections: number;
}

/**
 * Caps connections and ends those that flood the server with PING or SETTINGS frames (CVE-2019-9512, CVE-2019-9515): the library
 * answers each and counts none. The allowance leaves room for gRPC's bandwidth probes.
 */
export function guardConnections(
  server: Http2Server,
  { connectionsMax, connectionPingsMax }: Pick<Limits, 'connectionsMax' | 'connectionPingsMax'>,
): ConnectionGuard {
  server.maxConnections = connectionsMax;
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    // A session without a listener would throw what a client can provoke.
    session.on('error', () => session.destroy());
    session.setLocalWindowSize(sessionWindowBytes);
    let frames = 0;
    let since = performance.now();
    const count = (): void => {
      const now = performance.now();
      if (now - since > pingWindowMs) [frames, since] = [0, now];
      if (++frames > connectionPingsMax) session.destroy();
    };
    session.on('ping', count);
    session.on('remoteSettings', count);
  });
  server.on('sessionError', () => {});
  server.on('clientError', (_error, socket) => socket.destroy());
  return {
    get connections() {
      return sessions.size;
    },
  };
}
