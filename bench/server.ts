import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../src/server/config.ts';
import { openEmbedded } from '../src/server/embedded.ts';
import { repository, startChild } from './child.ts';
import { type Contender, namespace } from './contender.ts';
import type { Input } from './inputs.ts';

const readyTimeoutMs = 60_000;
const tokenTtlSeconds = 86_400;

/** Nothing that was decoded or fetched is kept: footers and plans are, as in the rivals. */
const cachesOff: Readonly<Record<string, string>> = {
  HEADRACE_CACHE_MEMORY_BYTES: '0',
  HEADRACE_CACHE_DISK_BYTES: '0',
};

export interface ServerOptions {
  /** A folder for CPU profiles (V8's `.cpuprofile`), one for each thread, written when the server stops. */
  readonly profiles?: string | undefined;
}

/** Headrace as it is served to anybody, in a process of its own, over tables `bench.NAME` that are registered as they lie. */
export async function startHeadrace(
  inputs: ReadonlyMap<string, Input>,
  { profiles }: ServerOptions = {},
): Promise<Contender> {
  await using resources = new AsyncDisposableStack();
  const build = join(repository, 'build/bench');
  await mkdir(build, { recursive: true });
  const dataDir = await mkdtemp(join(build, 'server-'));
  resources.defer(() => rm(dataDir, { recursive: true, force: true }));
  const token = await setUp(dataDir, inputs);
  const ports = ['--flight-port', '0', '--data-port', '0', '--http-port', '0'];
  const env =
    profiles === undefined ? cachesOff : { ...cachesOff, NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles}` };
  const server = resources.use(
    startChild(join(repository, 'bin/headrace'), ['serve', '--data-dir', dataDir, ...ports], { env }),
  );
  const { flight } = JSON.parse(await server.line(readyTimeoutMs)) as { readonly flight: number };
  const owned = resources.move();
  return {
    name: 'headrace',
    pid: server.pid,
    uri: `grpc://127.0.0.1:${flight}`,
    token,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Registers the tables in a new data directory and issues an administrator's token. */
async function setUp(dataDir: string, inputs: ReadonlyMap<string, Input>): Promise<string> {
  await using embedded = await openEmbedded(loadConfig({ env: {}, flags: { dataDir } }));
  await embedded.catalog.createNamespace([namespace]);
  const { signal } = new AbortController();
  for (const [name, input] of inputs) {
    await embedded.catalog.registerTable({ namespace: [namespace], name }, input.metadata, signal);
  }
  const issued = await embedded.issuer!.issue({
    principal: 'bench',
    teams: ['admin'],
    workload: null,
    engine: null,
    ttlSeconds: tokenTtlSeconds,
  });
  return issued.token;
}
