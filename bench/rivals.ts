import { join } from 'node:path';
import { python, startChild } from './child.ts';
import { type Contender, namespace } from './contender.ts';
import type { Input } from './inputs.ts';

/** Rivals that can be started, by the names that reports give them. */
export type RivalName = 'pyarrow-dataset';

const readyTimeoutMs = 60_000;

const scripts: Readonly<Record<RivalName, string>> = {
  'pyarrow-dataset': 'pyarrow_dataset.py',
};

/** Starts a rival over the same files that Headrace serves. */
export async function startRival(name: RivalName, inputs: ReadonlyMap<string, Input>): Promise<Contender> {
  await using resources = new AsyncDisposableStack();
  const tables = [...inputs].map(([table, { file }]) => `${namespace}.${table}=${file}`);
  const server = resources.use(startChild(python, [join(import.meta.dirname, 'rivals', scripts[name]), ...tables]));
  const { flight } = JSON.parse(await server.line(readyTimeoutMs)) as { readonly flight: number };
  const owned = resources.move();
  return {
    name,
    pid: server.pid,
    uri: `grpc://127.0.0.1:${flight}`,
    token: null,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
