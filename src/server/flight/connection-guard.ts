import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { Limits } from '../../core/limits.ts';
import { endWhenFlooding } from '../streams/wire/flood.ts';

const sessionWindowBytes = 2 << 20;

export interface ConnectionGuard {
  readonly connections: number;
}

/** Caps connections and ends those that flood the server. */
export function guardConnections(
  server: Http2Server,
  limits: Pick<Limits, 'connectionsMax' | 'connectionPingsMax'>,
): ConnectionGuard {
  server.maxConnections = limits.connectionsMax;
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    // A session without a listener would throw what a client can provoke.
    session.on('error', () => session.destroy());
    session.setLocalWindowSize(sessionWindowBytes);
    endWhenFlooding(session, limits);
  });
  server.on('sessionError', () => {});
  server.on('clientError', (_error, socket) => socket.destroy());
  return {
    get connections() {
      return sessions.size;
    },
  };
}
