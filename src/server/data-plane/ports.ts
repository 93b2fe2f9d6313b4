import { createServer } from 'node:net';
import { ServiceError } from '../../core/errors.ts';
import type { Listener } from './options.ts';

/** Where several threads and processes may listen on one port, and the system spreads connections over them (Node: `reusePort`). */
const sharingPlatforms: ReadonlySet<string> = new Set(['linux', 'freebsd', 'dragonfly', 'sunos', 'aix']);
export const canSharePorts = sharingPlatforms.has(process.platform);

export interface WorkerPorts {
  readonly host: string;
  /** The worker's own; 0 = any free port. */
  readonly own: number;
  /** The one that all workers share; 0 in the first of them = any free port, whose number the others then get. */
  readonly shared: number;
}

/** What one worker listens on: its own port, and the shared one where the system has such. */
export const workerListeners = (
  { host, own, shared }: WorkerPorts,
  canShare: boolean = canSharePorts,
): readonly Listener[] =>
  canShare
    ? [
        { host, port: own, shared: false },
        { host, port: shared, shared: true },
      ]
    : [{ host, port: own, shared: false }];

/**
 * Throws UNAVAILABLE where something listens on a port already. To be asked before the first worker shares it: a second server of the same
 * user would otherwise join in silently and get a part of the connections.
 */
export async function requireFreePort(host: string, port: number): Promise<void> {
  if (port === 0) return;
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', (cause) =>
      reject(new ServiceError('UNAVAILABLE', `Flight data cannot listen on ${host} port ${port}`, { cause })),
    );
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve()));
  });
}
