import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { type Document, parseDocument } from 'yaml';
import type { AuthConfig, Config, TlsConfig } from '../core/config.ts';
import { ServiceError } from '../core/errors.ts';
import { defaultLimits, type Limits } from '../core/limits.ts';
import { didYouMean } from '../core/nearest.ts';
import { configKeys, configShape, type RawConfig } from './config-schema.ts';

const fileBytesMax = 1 << 20;
const environmentPrefix = 'HEADRACE_';
/** What the client and the launcher read, and the server does not. */
const environmentOfOthers = new Set(['HEADRACE_CONFIG', 'HEADRACE_TOKEN', 'HEADRACE_URI']);
const pathKeys = new Set(['dataDir', 'policies', 'tls.cert', 'tls.key', 'tls.clientCa', 'audit.dir']);
/** What the names of later versions already mean, by URL scheme. */
const reservedWarehouses = new Set(['s3', 's3a', 's3n', 'abfs', 'abfss', 'wasb', 'wasbs', 'gs', 'gcs']);
const reservedCatalogs = new Set(['postgres', 'postgresql']);

export interface ConfigSources {
  /** `headrace.yaml`; paths in it are relative to its folder. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By dotted key, such as `flight.port`; undefined = not given. Flags win over the environment, which wins over the file. */
  readonly flags: Readonly<Record<string, unknown>>;
}

/** The variable that sets a key: `cache.memoryBytes` is `HEADRACE_CACHE_MEMORY_BYTES`. */
export function environmentName(key: string): string {
  const words = key.replaceAll('.', '_').replace(/([a-z0-9])([A-Z])/g, '$1_$2');
  return environmentPrefix + words.toUpperCase();
}

/**
 * Reads, merges and checks the configuration. Throws INVALID_REQUEST that names the key and what it must be, or the nearest known key
 * for an unknown one, and UNSUPPORTED_FEATURE for a value that is reserved for a later version.
 */
export function loadConfig({ file, env, flags }: ConfigSources): Config {
  const merged = new Map<string, unknown>();
  if (file !== undefined) addFile(merged, file);
  addEnvironment(merged, env);
  for (const [key, value] of Object.entries(flags)) {
    if (value !== undefined) add(merged, key, value, `the flag for ${key}`, process.cwd());
  }
  const parsed = configShape.safeParse(nest(merged));
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw invalid(`"${issue.path.join('.')}" ${issue.message}`);
  }
  return finish(parsed.data, merged);
}

function add(merged: Map<string, unknown>, key: string, value: unknown, source: string, base: string): void {
  if (!configKeys.includes(key)) throw unknownKey(key, source);
  merged.set(key, pathKeys.has(key) && typeof value === 'string' && value !== '' ? resolve(base, value) : value);
}

function unknownKey(key: string, source: string): ServiceError {
  const last = key.slice(key.lastIndexOf('.') + 1);
  // A misspelt key is near a whole key or, in the wrong section, near another key's last part.
  const hint = didYouMean(key, configKeys) || didYouMean(last, lastParts.keys());
  const full = lastParts.get(/ Did you mean (.*)\?$/.exec(hint)?.[1] ?? '');
  return invalid(`${source}: there is no key "${key}".${full ? ` Did you mean ${full}?` : hint}`);
}

const lastParts = new Map(configKeys.map((key) => [key.slice(key.lastIndexOf('.') + 1), key]));

function addFile(merged: Map<string, unknown>, file: string): void {
  let text: string;
  try {
    if (statSync(file).size > fileBytesMax) throw invalid(`the file has more than ${fileBytesMax} bytes`);
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof ServiceError) throw cause;
    throw new ServiceError('INVALID_REQUEST', `the configuration file ${file} cannot be read`, { cause });
  }
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: true, logLevel: 'silent' });
  const problem = document.errors[0];
  if (problem) {
    const place = problem.linePos?.[0] ? `:${problem.linePos[0].line}:${problem.linePos[0].col}` : '';
    throw new ServiceError('INVALID_REQUEST', `${file}${place} is not valid YAML`, { cause: problem });
  }
  addSection(merged, plainValue(document, file), '', file);
}

/** Aliases stay off: a configuration has no use for them, and nested ones grow without bound. */
function plainValue(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw new ServiceError('INVALID_REQUEST', `${file}: YAML aliases are not allowed in the configuration`, { cause });
  }
}

function addSection(merged: Map<string, unknown>, value: unknown, prefix: string, file: string): void {
  if (value === null || value === undefined) return;
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw invalid(`${file}: ${prefix === '' ? 'the file' : `"${prefix}"`} must be a mapping of keys`);
  }
  for (const [name, child] of Object.entries(value)) {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    if (configKeys.some((known) => known.startsWith(`${key}.`))) addSection(merged, child, key, file);
    else if (child !== null) add(merged, key, child, file, dirname(resolve(file)));
    else if (!configKeys.includes(key)) throw unknownKey(key, file);
  }
}

function addEnvironment(merged: Map<string, unknown>, env: ConfigSources['env']): void {
  const keys = new Map(configKeys.map((key) => [environmentName(key), key]));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(environmentPrefix) || value === undefined || environmentOfOthers.has(name)) continue;
    const key = keys.get(name);
    if (key === undefined) throw invalid(`there is no setting ${name}.${didYouMean(name, keys.keys())}`);
    add(merged, key, value, name, process.cwd());
  }
}

function nest(merged: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const root: Record<string, unknown> = Object.create(null);
  for (const [key, value] of merged) {
    const parts = key.split('.');
    let section = root;
    for (const part of parts.slice(0, -1)) {
      section[part] ??= Object.create(null);
      section = section[part] as Record<string, unknown>;
    }
    section[parts[parts.length - 1]!] = value;
  }
  return root;
}

function finish(raw: RawConfig, given: ReadonlyMap<string, unknown>): Config {
  refuseReserved(raw, given);
  checkWorkerPorts(raw);
  const dataDir = raw.dataDir ?? resolve('.data');
  const auth = authConfig(raw.auth ?? {});
  const host = raw.host ?? '127.0.0.1';
  if (auth.issuer === null && !isLoopback(host)) {
    throw invalid(
      `"host" is ${host}, but without "auth.issuer" Headrace issues its own tokens and listens on loopback only: set auth.issuer, auth.audience and auth.jwksUrl, or host to 127.0.0.1`,
    );
  }
  return {
    dataDir,
    warehouse: warehouse(raw.warehouse, dataDir),
    policies: raw.policies ?? null,
    host,
    auth,
    tls: tlsConfig(raw.tls ?? {}),
    flight: {
      port: raw.flight?.port ?? 8815,
      dataPort: raw.flight?.dataPort ?? 8816,
      advertisedHost: raw.flight?.advertisedHost ?? null,
      workerPorts: raw.flight?.workerPorts ?? null,
    },
    http: { port: raw.http?.port ?? 8181 },
    tickets: { ttlMs: raw.tickets?.ttl ?? 3_600_000, keys: raw.tickets?.keys ?? [] },
    masks: { keys: raw.masks?.keys ?? [] },
    cache: { memoryBytes: raw.cache?.memoryBytes ?? null, diskBytes: raw.cache?.diskBytes ?? null },
    workers: raw.workers ?? null,
    limits: limits(raw.limits),
    log: { level: raw.log?.level ?? 'info' },
  };
}

function refuseReserved(raw: RawConfig, given: ReadonlyMap<string, unknown>): void {
  const unsupported = (key: string, what: string): ServiceError =>
    new ServiceError('UNSUPPORTED_FEATURE', `"${key}": ${what} is not supported by this version`);
  for (const key of given.keys()) {
    if (key.startsWith('storage.s3.')) throw unsupported(key, 'S3 storage');
  }
  if (raw.audit?.dir !== undefined) throw unsupported('audit.dir', 'a folder of audit records');
  // 0 says what is so already.
  if (raw.cache?.diskBytes) throw unsupported('cache.diskBytes', 'a cache of data on disk, other than 0 bytes,');
  const maskKeys = raw.masks?.keys ?? [];
  if (maskKeys.length > 1) throw unsupported('masks.keys', 'more than one key');
  if (maskKeys[0]?.domain !== undefined) throw unsupported('masks.keys.0.domain', 'a key for a domain of its own');
  if (raw.tags?.hideSuspects) throw unsupported('tags.hideSuspects', 'hiding suspected columns');
  if (raw.catalog?.url !== undefined) {
    if (reservedCatalogs.has(scheme(raw.catalog.url) ?? '')) throw unsupported('catalog.url', 'a PostgreSQL catalog');
    throw invalid('"catalog.url" must be left out: the catalog is then SQLite in dataDir');
  }
}

/** As many workers as there may be where nobody says how many. */
const workersDefaultMax = 8;

function checkWorkerPorts({ workers = workersDefaultMax, flight }: RawConfig): void {
  const first = flight?.workerPorts;
  if (first === undefined || first + workers - 1 <= 65_535) return;
  throw invalid(`"flight.workerPorts" is ${first}, which leaves no room for ${workers} consecutive ports`);
}

const scheme = (url: string): string | null => /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase() ?? null;

function warehouse(given: string | undefined, dataDir: string): string {
  if (given === undefined) return `file://${dataDir}/warehouse`;
  const kind = scheme(given);
  if (kind !== null && reservedWarehouses.has(kind)) {
    throw new ServiceError('UNSUPPORTED_FEATURE', `"warehouse": ${kind}: is not supported by this version, use file:`);
  }
  const path = kind === 'file' ? given.slice('file:'.length).replace(/^\/\/(?=\/)/, '') : '';
  if (!path.startsWith('/') || path.startsWith('//') || path.split('/').includes('..')) {
    throw invalid('"warehouse" must be a URL with an absolute path, such as file:///data/warehouse');
  }
  return `file://${path.replace(/\/+$/, '')}`;
}

function authConfig(raw: NonNullable<RawConfig['auth']>): AuthConfig {
  const { issuer, audience, jwksUrl } = raw;
  const given = [issuer, audience, jwksUrl].filter((value) => value !== undefined);
  if (given.length > 0 && (issuer === undefined || audience === undefined || jwksUrl === undefined)) {
    throw invalid('"auth.issuer", "auth.audience" and "auth.jwksUrl" go together: set all three or none');
  }
  if (jwksUrl !== undefined && !isKeySetUrl(jwksUrl)) {
    throw invalid('"auth.jwksUrl" must be an https: URL (http: on loopback only)');
  }
  for (const key of ['teamsClaim', 'workloadClaim', 'engineClaim'] as const) {
    if (raw[key] === undefined || issuer !== undefined) continue;
    throw invalid(
      `"auth.${key}" goes with "auth.issuer": tokens that Headrace issues itself have claims of fixed names`,
    );
  }
  return {
    issuer:
      issuer !== undefined && audience !== undefined && jwksUrl !== undefined ? { issuer, audience, jwksUrl } : null,
    teamsClaim: raw.teamsClaim ?? 'teams',
    workloadClaim: raw.workloadClaim ?? 'workload',
    engineClaim: raw.engineClaim ?? 'engine',
    anonymous: raw.anonymous ?? false,
  };
}

function isKeySetUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

/** Whether an address reaches this machine alone. Names other than `localhost` are taken to reach further. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  if (isIP(address) === 4) return address.startsWith('127.');
  return address === '::1' || address.toLowerCase() === 'localhost';
}

function tlsConfig({ cert, key, clientCa }: NonNullable<RawConfig['tls']>): TlsConfig | null {
  if (cert === undefined && key === undefined && clientCa === undefined) return null;
  if (cert === undefined || key === undefined) throw invalid('"tls.cert" and "tls.key" go together: set both');
  return { cert, key, clientCa: clientCa ?? null };
}

function limits(raw: RawConfig['limits']): Limits {
  const given = Object.entries(raw ?? {}).filter(([, value]) => value !== undefined);
  const merged: Limits = { ...defaultLimits, ...Object.fromEntries(given) };
  if (merged.messageBytesTarget > merged.messageBytesMax) {
    throw invalid('"limits.messageBytesTarget" must not exceed limits.messageBytesMax');
  }
  if (merged.messageBytesMax > merged.streamBytesMax || merged.streamBytesMax > merged.streamsBytesMax) {
    throw invalid('"limits" must rise from messageBytesMax over streamBytesMax to streamsBytesMax');
  }
  return merged;
}

function invalid(message: string): ServiceError {
  return new ServiceError('INVALID_REQUEST', `configuration: ${message}`);
}
