import type { Config } from '../../core/config.ts';

/** Flight's word for the connection that the client already has. */
const reuseConnection = 'arrow-flight-reuse-connection://?';

/** The data plane's ports as they are bound. */
export interface DataPorts {
  /** Of all workers together. */
  readonly shared: number;
  /** Of each worker that lives. */
  readonly workers: readonly number[];
}

/** Where an endpoint's bulk calls may go, best first. */
export type Locations = () => readonly string[];

/**
 * Names the workers in turn, from one endpoint to the next, so that the streams of a plan, and plans of one stream, are spread over them;
 * then the port that they share; then the connection that the client has. Without an advertised host these are addresses listened on, which
 * a TLS certificate seldom names: the connection that works comes first then.
 */
export function createLocations(
  { host, tls, flight: { advertisedHost } }: Pick<Config, 'host' | 'tls' | 'flight'>,
  ports: () => DataPorts,
): Locations {
  const name = advertisedHost ?? (host === '0.0.0.0' || host === '::' ? null : host);
  if (name === null) return () => [reuseConnection];
  const scheme = tls === null ? 'grpc+tcp' : 'grpc+tls';
  const at = (port: number): string => `${scheme}://${name.includes(':') ? `[${name}]` : name}:${port}`;
  const isNamed = tls === null || advertisedHost !== null;
  let turn = 0;
  return () => {
    const { shared, workers } = ports();
    const own = workers.length === 0 ? [] : [at(workers[turn++ % workers.length]!)];
    const planes = [...own, at(shared)];
    return isNamed ? [...planes, reuseConnection] : [reuseConnection, ...planes];
  };
}
