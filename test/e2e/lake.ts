/** A server process and a Python process with a Headrace client, PyIceberg on top of it, and DuckDB. */
import { type ServerOptions, startServer, type TestServer } from '../support/server.ts';
import { openPythonSession, type PythonSession } from './python-session.ts';

export interface Lake extends AsyncDisposable {
  readonly server: TestServer;
  readonly token: string;
  readonly python: PythonSession;
  /** Runs a CLI command on the server's data, and throws where it fails. */
  cli(...args: readonly string[]): Promise<string>;
  /** Runs Python that sees `client` (a `headrace.Client`), `catalog` (PyIceberg over Headrace), `readers`, `duck` and `pa`. */
  run<Output>(source: string, input?: unknown): Promise<Output>;
}

const prelude = `
import json
import pyarrow as pa
import headrace
from differential import readers
from headrace_catalog import HeadraceCatalog
client = headrace.connect(f"grpc://127.0.0.1:{input['flight']}", token=input["token"])
catalog = HeadraceCatalog(client)
duck = readers.open_duckdb()
`;

export async function openLake(options: ServerOptions = {}): Promise<Lake> {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await startServer(options));
  const python = opened.use(openPythonSession());
  const cli = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await server.cli(...args);
    if (code !== 0) throw new Error(`headrace ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  await cli('create-namespace', 'bronze');
  const token = await server.token('admin', ['admin']);
  await python.run(prelude, { flight: server.flight, token });
  const resources = opened.move();
  return {
    server,
    token,
    python,
    cli,
    run: python.run,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
