import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { python, repository, startChild } from './child.ts';
import type { Contender } from './contender.ts';

const readyTimeoutMs = 60_000;

/** The rival `pyarrow-put`: a Flight server in C++ (pyarrow) that writes each DoPut to a zstd Parquet file and fsyncs it. */
export async function startPutRival(): Promise<Contender> {
  await using resources = new AsyncDisposableStack();
  const build = join(repository, 'build/bench');
  await mkdir(build, { recursive: true });
  const folder = await mkdtemp(join(build, 'put-'));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  const script = join(import.meta.dirname, 'rivals/pyarrow_put.py');
  const server = resources.use(startChild(python, [script, folder]));
  const { flight } = JSON.parse(await server.line(readyTimeoutMs)) as { readonly flight: number };
  const owned = resources.move();
  return {
    name: 'pyarrow-put',
    pid: server.pid,
    uri: `grpc+tcp://127.0.0.1:${flight}`,
    token: null,
    roots: null,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
