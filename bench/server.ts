import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { loadConfig } from '../src/server/config.ts';
import { openEmbedded } from '../src/server/embedded.ts';
import type { Certificate } from './certificate.ts';
import { repository, startChild } from './child.ts';
import { type Contender, namespace } from './contender.ts';
import type { Input } from './inputs.ts';

const readyTimeoutMs = 120_000;
const tokenTtlSeconds = 86_400;

export interface ServerOptions {
  /** Whether decoded data is kept in memory. Footers and plans are kept in both cases, as in the rivals. */
  readonly cache: boolean;
  readonly certificate?: Certificate | null;
  /** A folder for CPU profiles (V8's `.cpuprofile`), one for each thread, written when the server stops. */
  readonly profiles?: string | undefined;
  /** Cedar, by file name; the administrator that measures has every right without any. */
  readonly policies?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** A Headrace server of a benchmark. Its own token is an administrator's. */
export interface Headrace extends Contender {
  readonly dataDir: string;
  /** The same server, as somebody else sees it. */
  as(name: string, teams: readonly string[]): Promise<Contender>;
  /** Registers another table of the namespace. */
  register(table: string, metadata: string): Promise<void>;
}

/** Room for several times the benchmark table. */
const cacheBytes = 2e9;

/** Headrace as it is served to anybody, in a process of its own, over tables `bench.NAME` that are registered as they lie. */
export async function startHeadrace(
  inputs: ReadonlyMap<string, Pick<Input, 'metadata'>>,
  { cache, certificate = null, profiles, policies = {}, env = {} }: ServerOptions,
): Promise<Headrace> {
  await using resources = new AsyncDisposableStack();
  const build = join(repository, 'build/bench');
  await mkdir(build, { recursive: true });
  const home = await mkdtemp(join(build, 'server-'));
  resources.defer(() => rm(home, { recursive: true, force: true }));
  const [dataDir, policiesDir] = [join(home, 'data'), join(home, 'policies')];
  await mkdir(policiesDir);
  const token = await setUp(dataDir, inputs);
  // Policies name the tables, which exist now.
  for (const [name, text] of Object.entries(policies)) await writeFile(join(policiesDir, name), text);
  const ports = ['--flight-port', '0', '--data-port', '0', '--http-port', '0'];
  const server = resources.use(
    startChild(
      join(repository, 'bin/headrace'),
      ['serve', '--data-dir', dataDir, '--policies', policiesDir, ...ports],
      {
        env: {
          HEADRACE_LOG_LEVEL: 'warn',
          HEADRACE_CACHE_MEMORY_BYTES: cache ? String(cacheBytes) : '0',
          HEADRACE_CACHE_DISK_BYTES: '0',
          ...(certificate !== null && {
            HEADRACE_TLS_CERT: certificate.cert,
            HEADRACE_TLS_KEY: certificate.key,
            // Else endpoints name only the connection that clients have.
            HEADRACE_FLIGHT_ADVERTISED_HOST: '127.0.0.1',
          }),
          ...(profiles !== undefined && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles}` }),
          ...env,
        },
      },
    ),
  );
  const {
    flight,
    data,
    http: httpPort,
  } = JSON.parse(await server.line(readyTimeoutMs)) as {
    readonly data: number;
    readonly flight: number;
    readonly http: number;
  };
  const owned = resources.move();
  const at = (port: number): string => `${certificate === null ? 'grpc+tcp' : 'grpc+tls'}://127.0.0.1:${port}`;
  const contender: Contender = {
    name: 'headrace',
    pid: server.pid,
    log: server.log,
    uri: at(flight),
    putUri: at(data),
    token,
    roots: certificate?.cert ?? null,
    ...(cache && { cacheBytes: () => cachedBytes(httpPort, certificate) }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
  return {
    ...contender,
    dataDir,
    async as(name, teams) {
      return {
        ...contender,
        name,
        token: await issueToken(dataDir, name, teams),
        [Symbol.asyncDispose]: async () => {},
      };
    },
    register: (table, metadata) => registerTables(dataDir, new Map([[table, { metadata }]])),
  };
}

const gaugeName = 'headrace_cache_bytes';

/** What the server's cache holds, by its own account; 0 without one. */
async function cachedBytes(httpPort: number, certificate: Certificate | null): Promise<number> {
  const where = `://127.0.0.1:${httpPort}/metrics`;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  if (certificate === null) http.get(`http${where}`, resolve).once('error', reject);
  else https.get(`https${where}`, { ca: await readFile(certificate.cert) }, resolve).once('error', reject);
  const lines = (await text(await promise)).split('\n').filter((line) => line.startsWith(gaugeName));
  const values = lines.filter((line) => /^[\s{]/.test(line.slice(gaugeName.length)));
  return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Makes the data directory with its tables, and issues an administrator's token. */
async function setUp(dataDir: string, inputs: ReadonlyMap<string, Pick<Input, 'metadata'>>): Promise<string> {
  {
    await using embedded = await openEmbedded(loadConfig({ env: {}, flags: { dataDir } }));
    await embedded.catalog.createNamespace([namespace]);
  }
  await registerTables(dataDir, inputs);
  return await issueToken(dataDir, 'bench', ['admin']);
}

async function registerTables(dataDir: string, inputs: ReadonlyMap<string, Pick<Input, 'metadata'>>): Promise<void> {
  await using embedded = await openEmbedded(loadConfig({ env: {}, flags: { dataDir } }));
  const { signal } = new AbortController();
  for (const [name, { metadata }] of inputs) {
    await embedded.catalog.registerTable({ namespace: [namespace], name }, metadata, signal);
  }
}

async function issueToken(dataDir: string, principal: string, teams: readonly string[]): Promise<string> {
  await using embedded = await openEmbedded(loadConfig({ env: {}, flags: { dataDir } }));
  const claims = { principal, teams, workload: null, engine: null, ttlSeconds: tokenTtlSeconds };
  return (await embedded.issuer!.issue(claims)).token;
}
