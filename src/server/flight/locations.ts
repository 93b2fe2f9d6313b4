import type { Config } from '../../core/config.ts';

/** Flight's word for the connection that the client already has. */
const reuseConnection = 'arrow-flight-reuse-connection://?';

/**
 * Where endpoints send bulk calls, best first: the data port, where the client can tell which host it is on. Without an advertised host
 * that is the address listened on, which a TLS certificate seldom names: the connection that the client has comes first then.
 */
export function dataLocations(
  { host, tls, flight: { advertisedHost } }: Pick<Config, 'host' | 'tls' | 'flight'>,
  dataPort: number,
): readonly string[] {
  const scheme = tls === null ? 'grpc+tcp' : 'grpc+tls';
  const at = (name: string): string => `${scheme}://${name.includes(':') ? `[${name}]` : name}:${dataPort}`;
  if (advertisedHost !== null) return [at(advertisedHost), reuseConnection];
  if (host === '0.0.0.0' || host === '::') return [reuseConnection];
  return tls === null ? [at(host), reuseConnection] : [reuseConnection, at(host)];
}
