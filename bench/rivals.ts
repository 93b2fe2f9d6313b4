import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificate } from './certificate.ts';
import { python, repository, runChild, startChild } from './child.ts';
import { type Contender, namespace } from './contender.ts';
import type { Input } from './inputs.ts';

const kinds = ['pyarrow-memory', 'pyarrow-dataset', 'tonic-memory', 'tonic', 'duckdb'] as const;
type Kind = (typeof kinds)[number];

/** Flight servers over the same files, by the names that reports give them: `-zstd` compresses on the wire, `-tls` encrypts. */
export type StreamRival = `${Kind}${'' | '-zstd' | '-tls'}`;

const readyTimeoutMs = 120_000;
const buildTimeoutMs = 1_800_000;
const folder = join(import.meta.dirname, 'rivals');

const scripts: Readonly<Partial<Record<Kind, string>>> = { duckdb: 'duckdb_server.py' };

/** The server that a rival's name stands for: those which only differ in what they are asked for share one. */
export function serverOf(rival: StreamRival): { readonly kind: Kind; readonly tls: boolean } {
  const kind = kinds.find((known) => rival.startsWith(known))!;
  return { kind, tls: rival.endsWith('-tls') };
}

/** Starts the server of a rival over the same files that Headrace serves, with arguments of its own before them. */
export async function startRival(
  rival: StreamRival,
  inputs: ReadonlyMap<string, Pick<Input, 'files'>>,
  certificate: Certificate | null,
  first: readonly string[] = [],
): Promise<Contender> {
  const { kind, tls } = serverOf(rival);
  const secured = tls ? certificate : null;
  if (tls && secured === null) throw new Error(`${rival} needs a certificate`);
  const tables = [...inputs].flatMap(([table, { files }]) => files.map((file) => `${namespace}.${table}=${file}`));
  const args = [
    ...first,
    ...(kind.endsWith('-memory') ? ['--memory'] : []),
    ...(secured === null ? [] : ['--tls', secured.cert, secured.key]),
    ...tables,
  ];
  await using resources = new AsyncDisposableStack();
  const server = resources.use(
    kind.startsWith('tonic')
      ? startChild(await tonicServer(), args)
      : startChild(python, [join(folder, scripts[kind] ?? 'pyarrow_server.py'), ...args]),
  );
  const { flight } = JSON.parse(await server.line(readyTimeoutMs)) as { readonly flight: number };
  const owned = resources.move();
  return {
    name: rival,
    pid: server.pid,
    uri: `${secured === null ? 'grpc+tcp' : 'grpc+tls'}://127.0.0.1:${flight}`,
    token: null,
    roots: secured?.cert ?? null,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Builds the Rust server where it changed, which takes minutes the first time, and gives the program. */
async function tonicServer(): Promise<string> {
  const target = join(repository, 'build/bench/tonic-target');
  const manifest = join(folder, 'tonic/Cargo.toml');
  const args = ['--release', '--locked', '--quiet', '--manifest-path', manifest];
  const build = ['-c', 'cargo build "$@" && echo built', 'cargo', ...args];
  await runChild('sh', build, buildTimeoutMs, { env: { CARGO_TARGET_DIR: target } });
  const program = join(target, 'release/headrace-rival-tonic');
  if (!existsSync(program)) throw new Error('cargo built no headrace-rival-tonic');
  return program;
}
