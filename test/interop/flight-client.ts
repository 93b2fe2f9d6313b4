/** The arrow-go client of `go/`, built once for a test file. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const source = join(import.meta.dirname, 'go');
/** A first build compiles Arrow and gRPC on however few cores there are. */
const buildTimeoutMs = 15 * 60_000;
const runTimeoutMs = 3 * 60_000;

export interface FlightClient extends AsyncDisposable {
  /** Runs one scenario and gives what it saw; throws where the client failed otherwise than by a refusal. */
  run<Seen>(scenario: string, input: object): Promise<Seen>;
}

export interface Refused {
  readonly code: string;
  readonly message: string;
}

/** A field of a schema; `type` is arrow-go's name for it. */
export interface SeenColumn {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  readonly fieldId: string;
}

/** A stream up to its end, or up to what it was refused with. */
export interface SeenStream {
  readonly columns: readonly SeenColumn[];
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly batchRows: readonly number[];
  readonly progress: readonly { readonly next: number; readonly cursor: string }[];
  readonly bodyBytes: number;
  readonly refused?: Refused;
}

export interface SeenEndpoint {
  readonly locations: readonly string[];
  readonly expiresAt: string;
  readonly ticket: string;
}

export interface SeenInfo {
  readonly path: readonly string[] | null;
  readonly columns: readonly SeenColumn[];
  readonly totalRecords: number;
  readonly totalBytes: number;
  readonly ordered: boolean;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly endpoints: readonly SeenEndpoint[];
}

/** Runs `go` with these arguments and gives its standard output; throws with what it wrote otherwise. */
export async function go(...args: readonly string[]): Promise<string> {
  return run('go', args, '', buildTimeoutMs);
}

export async function buildFlightClient(): Promise<FlightClient> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-interop-'));
  const binary = join(folder, 'flight-client');
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await go('build', '-buildvcs=false', '-o', binary, '.');
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    run: async <Seen>(scenario: string, input: object) =>
      JSON.parse(await run(binary, [scenario], JSON.stringify(input), runTimeoutMs)) as Seen,
    [Symbol.asyncDispose]: remove,
  };
}

async function run(command: string, args: readonly string[], input: string, timeoutMs: number): Promise<string> {
  const child = spawn(command, args, { cwd: source, stdio: 'pipe', timeout: timeoutMs });
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const missing = `${command} is not on the PATH: the interop tests need Go 1.25 or newer`;
      reject(cause.code === 'ENOENT' ? new Error(missing) : cause);
    });
    child.once('close', (code, signal) => resolve(`${code ?? signal}`));
  });
  // A child that fails early closes its standard input: its exit status tells why, not the broken pipe.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [status, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (status !== '0') throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stderr}${stdout}`);
  return stdout;
}
