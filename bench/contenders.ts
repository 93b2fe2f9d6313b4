import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Certificate, makeCertificate } from './certificate.ts';
import { type Client, openClient } from './client.ts';
import type { Contender } from './contender.ts';
import type { Input } from './inputs.ts';
import { type StreamRival, serverOf, startRival } from './rivals.ts';
import { type Headrace, type ServerOptions, startHeadrace } from './server.ts';

export type OursKind = 'cold' | 'hot' | 'cold-tls' | 'hot-tls';

/** The servers of one subject over the same tables, each started when it is first asked for and ended with this. */
export interface Contenders extends AsyncDisposable {
  ours(kind: OursKind): Promise<Client>;
  headrace(kind: OursKind): Promise<Headrace>;
  rival(name: StreamRival): Promise<Client>;
  client(contender: Contender): Client;
}

export function openContenders(
  inputs: ReadonlyMap<string, Input>,
  {
    rivalArguments = {},
    ...options
  }: Pick<ServerOptions, 'profiles' | 'policies' | 'env'> & {
    readonly rivalArguments?: Readonly<Record<string, readonly string[]>>;
  },
): Contenders {
  const resources = new AsyncDisposableStack();
  const clients = new Map<string, Promise<Client>>();
  const servers = new Map<string, Promise<Contender>>();
  const certificate = once(async (): Promise<Certificate> => {
    const folder = await mkdtemp(join(tmpdir(), 'headrace-certificate-'));
    resources.defer(() => rm(folder, { recursive: true, force: true }));
    return await makeCertificate(folder);
  });
  const client = (contender: Contender): Client => resources.use(openClient(contender));
  const headraces = new Map<OursKind, Promise<Headrace>>();
  const headrace = (kind: OursKind): Promise<Headrace> =>
    kept(headraces, kind, async () => {
      const secured = kind.endsWith('-tls') ? await certificate() : null;
      return resources.use(
        await startHeadrace(inputs, { ...options, cache: kind.startsWith('hot'), certificate: secured }),
      );
    });
  return {
    headrace,
    client,
    ours: (kind) => kept(clients, kind, async () => client(await headrace(kind))),
    rival: (name) =>
      kept(clients, name, async () => {
        const { kind, tls } = serverOf(name);
        const server = await kept(servers, `${kind} ${tls}`, async () =>
          resources.use(await startRival(name, inputs, tls ? await certificate() : null, rivalArguments[kind])),
        );
        // The server is shared by names that differ in what they ask it for, and is not this client's to end.
        return client({ ...server, name, compression: name.endsWith('-zstd') ? 'zstd' : null });
      }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function kept<K, V>(known: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  const made = known.get(key) ?? make();
  known.set(key, made);
  return made;
}

function once<V>(make: () => Promise<V>): () => Promise<V> {
  const known = new Map<null, Promise<V>>();
  return () => kept(known, null, make);
}
