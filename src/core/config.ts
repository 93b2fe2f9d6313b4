import type { Limits } from './limits.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** The whole configuration, checked and with defaults filled in. Sizes are bytes, durations milliseconds. Holds secrets: never log it. */
export interface Config {
  /** Absolute path. */
  readonly dataDir: string;
  /** A `file:` URL without a trailing slash. */
  readonly warehouse: string;
  /** Folder of `*.cedar` files, absolute; null = no policies but the built-in one. */
  readonly policies: string | null;
  /** Address to listen on; beyond loopback only with `auth.issuer`. */
  readonly host: string;
  readonly auth: AuthConfig;
  readonly tls: TlsConfig | null;
  readonly flight: FlightConfig;
  readonly http: { readonly port: number };
  readonly tickets: TicketsConfig;
  readonly masks: { readonly keys: readonly MaskKey[] };
  readonly cache: CacheConfig;
  /** Worker threads of the data plane; null = the server chooses. */
  readonly workers: number | null;
  readonly limits: Limits;
  readonly log: { readonly level: LogLevel };
}

export interface AuthConfig {
  /** Null = Headrace issues its own tokens. */
  readonly issuer: ExternalIssuer | null;
  readonly teamsClaim: string;
  readonly workloadClaim: string;
  readonly engineClaim: string;
  readonly anonymous: boolean;
}

export interface ExternalIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUrl: string;
}

/** Paths of PEM files, absolute. */
export interface TlsConfig {
  readonly cert: string;
  readonly key: string;
  /** Clients must show a certificate that this authority signed; null = none is asked for. */
  readonly clientCa: string | null;
}

/** Port 0 = any free one. */
export interface FlightConfig {
  readonly port: number;
  readonly dataPort: number;
  /** Host name that endpoints carry; null = clients come back to the address that they asked. */
  readonly advertisedHost: string | null;
  /** The first of `workers` consecutive ports; null = free ports. */
  readonly workerPorts: number | null;
}

export interface TicketsConfig {
  readonly ttlMs: number;
  /** Keys of 32 bytes, the first of which seals and all of which open; empty = one is made in `dataDir`. */
  readonly keys: readonly Uint8Array[];
}

export interface MaskKey {
  readonly id: string;
  readonly key: Uint8Array;
}

export interface CacheConfig {
  /** For decoded columns; null = the server chooses, 0 = no cache. */
  readonly memoryBytes: number | null;
  readonly diskBytes: number | null;
}
