/** A server process, a pyarrow agent beside it, and tokens for whoever is named. */
import { openLocalIssuer } from '../../src/auth/authenticate/local-issuer.ts';
import { loadConfig } from '../../src/server/config.ts';
import { openEmbedded } from '../../src/server/embedded.ts';
import { type ServerOptions, startServer, type TestServer } from '../support/server.ts';
import { type Agent, type BatchAnswer, type InfoAnswer, type Refusal, type ScanAnswer, startAgent } from './agent.ts';

/** One principal's way to the server. */
export interface Caller {
  readonly token: string;
  call<Answer>(op: string, args: object): Promise<Answer>;
  refused(op: string, args: object): Promise<Refusal>;
  scan(request: object): Promise<ScanAnswer>;
  info(request: object): Promise<InfoAnswer>;
  batches(args: object): Promise<readonly BatchAnswer[]>;
  put(
    table: string,
    sample: string,
    options?: object,
  ): Promise<{ readonly snapshot_id: string; readonly rows: number }>;
  action<Answer>(type: string, json: object): Promise<Answer>;
}

export interface World extends AsyncDisposable {
  readonly server: TestServer;
  readonly agent: Agent;
  /** A caller with a new token of the local issuer. */
  as(principal: string, teams?: readonly string[], claims?: Readonly<Record<string, unknown>>): Promise<Caller>;
  /** With a port, every call goes there; else the bulk calls go to `bulk`. */
  withToken(token: string, port?: number): Caller;
  /** The port of DoGet, DoPut and DoExchange. */
  readonly bulk: number;
  /** Runs the CLI and throws where it fails. */
  run(...args: readonly string[]): Promise<string>;
  /** The value of a metric, summed over its labels. */
  metric(name: string): Promise<number>;
}

/** Which port carries the data: the data plane's, which its workers share, or the control plane's, which serves everything. */
export type Plane = 'data' | 'flight';

export async function openWorld(
  options: ServerOptions & { readonly namespaces?: readonly string[]; readonly plane?: Plane } = {},
): Promise<World> {
  const server = await startServer(options);
  const agent = startAgent();
  const run = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await server.cli(...args);
    if (code !== 0) throw new Error(`headrace ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const { dataDir } = server;
  {
    await using embedded = await openEmbedded(loadConfig({ env: {}, flags: { dataDir } }));
    for (const namespace of options.namespaces ?? []) await embedded.catalog.createNamespace([namespace]);
  }
  const issuer = await openLocalIssuer({ dataDir });
  const bulk = server[options.plane ?? 'data'];
  const withToken = (token: string, port?: number): Caller => {
    const common = { port: port ?? server.flight, bulk: port ?? bulk, token };
    const call = <Answer>(op: string, args: object): Promise<Answer> => agent.call(op, { ...common, ...args });
    return {
      token,
      call,
      refused: (op, args) => agent.refused(op, { ...common, ...args }),
      scan: (request) => call('scan', { request }),
      info: (request) => call('info', { request }),
      batches: (args) => call('batches', args),
      put: (table, sample, more = {}) => call('put', { table, sample, ...more }),
      action: (type, json) => call('action', { type, json }),
    };
  };
  return {
    server,
    agent,
    run,
    bulk,
    withToken,
    as: async (principal, teams = [], claims = {}) =>
      withToken((await issuer.issue({ principal, teams, claims, ttlSeconds: 3_600 })).token),
    async metric(name) {
      const text = await (await fetch(`http://127.0.0.1:${server.http}/metrics`)).text();
      return text
        .split('\n')
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        .reduce((sum, line) => sum + Number(/}?\s+(\S+)(\s+\d+)?$/.exec(line)![1]), 0);
    },
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Waits until `probe` gives a value, asking again and again; throws `what` after `timeoutMs`. */
export async function eventually<Value>(
  what: string,
  probe: () => Promise<Value | null>,
  timeoutMs = 10_000,
): Promise<Value> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== null) return value;
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Changes policies and waits until the server has them in force. */
export async function changePolicies(
  world: World,
  files: Readonly<Record<string, string>>,
  adminToken: string,
): Promise<void> {
  await world.server.writePolicies(files);
  const response = await fetch(`http://127.0.0.1:${world.server.http}/api/policies/reload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}` },
  });
  if (response.status !== 200) throw new Error(`the policies were not reloaded: ${await response.text()}`);
}
