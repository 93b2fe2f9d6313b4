import { join } from 'node:path';
import { startChild } from './child.ts';
import { type Client, openClient, type Rewrite } from './client.ts';
import type { BenchRequest, Contender } from './contender.ts';

const answerTimeoutMs = 60_000;
/** Enough for every worker of a server to be named. */
const shardsAsked = 64;

/** A client that reaches its server over a path of some length. */
export interface DistantClient extends Client {
  /** Bytes that the server has sent to clients on this path. */
  receivedBytes(): Promise<number>;
}

/**
 * Puts a proxy before every port of a server that the endpoints of such a scan name, and opens a client behind it. Round trip 0 only
 * counts.
 */
export async function openDistantClient(
  contender: Contender,
  request: BenchRequest,
  roundTripMs: number,
): Promise<DistantClient> {
  await using resources = new AsyncDisposableStack();
  const named = await (async () => {
    await using near = openClient(contender);
    return await near.locations({ ...request, shards: shardsAsked });
  })();
  const uris = [...new Set([contender.uri, contender.putUri ?? contender.uri, ...named])];
  const ports = [...new Set(uris.map((uri) => new URL(uri).port))];
  const proxy = resources.use(
    startChild(process.execPath, [join(import.meta.dirname, 'proxy.ts'), String(roundTripMs), ...ports]),
  );
  const answer = JSON.parse(await proxy.line(answerTimeoutMs)) as { readonly ports: Record<string, number> };
  const rewrite: Rewrite = Object.fromEntries(
    uris.map((uri) => [uri, uri.replace(/:\d+$/, `:${answer.ports[new URL(uri).port]!}`)]),
  );
  const client = resources.use(openClient(contender, rewrite));
  const owned = resources.move();
  return {
    ...client,
    async receivedBytes() {
      proxy.send('how many\n');
      return (JSON.parse(await proxy.line(answerTimeoutMs)) as { readonly toClients: number }).toClients;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
