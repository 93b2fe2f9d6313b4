/** A real Headrace server in a process of its own, on free ports, with its own data directory and policies. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const launcher = join(import.meta.dirname, '../../bin/headrace');
const readyTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;

export interface TestServer extends AsyncDisposable {
  readonly dataDir: string;
  readonly policiesDir: string;
  readonly flight: number;
  readonly data: number;
  readonly http: number;
  readonly pid: number;
  /** What the server has logged so far. */
  log(): string;
  token(principal: string, teams?: readonly string[], flags?: readonly string[]): Promise<string>;
  /** Runs a CLI command on the server's data directory. */
  cli(...args: readonly string[]): Promise<CliResult>;
  writePolicies(files: Readonly<Record<string, string>>): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ServerOptions {
  /** Kept when given; otherwise a temporary one that goes with the server. */
  readonly dataDir?: string;
  readonly policies?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
}

export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const home = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'headrace-test-')));
  const dataDir = join(home, 'data');
  const policiesDir = join(home, 'policies');
  await mkdir(policiesDir, { recursive: true });
  const writePolicies = async (files: Readonly<Record<string, string>>): Promise<void> => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(policiesDir, name), text);
  };
  await writePolicies(options.policies ?? {});
  const ports = ['--flight-port', '0', '--data-port', '0', '--http-port', '0'];
  const child = spawn(
    launcher,
    ['serve', '--data-dir', dataDir, '--policies', policiesDir, ...ports, ...(options.flags ?? [])],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
    },
  );
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ready = await firstLine(child, exited, () => log);
  const cli = (...args: readonly string[]): Promise<CliResult> => runCli([...args, '--data-dir', dataDir], options.env);
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await exited;
  };
  return {
    dataDir,
    policiesDir,
    ...ready,
    pid: child.pid!,
    log: () => log,
    cli,
    writePolicies,
    kill,
    token: async (principal, teams = [], flags = []) => {
      const teamFlags = teams.length > 0 ? ['--teams', teams.join(',')] : [];
      const result = await cli('token', '--principal', principal, ...teamFlags, ...flags);
      if (result.code !== 0) throw new Error(result.stderr);
      return result.stdout.trim();
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
        await exited;
        clearTimeout(timer);
      }
      if (options.dataDir === undefined) await rm(home, { recursive: true, force: true });
    },
  };
}

interface ReadyLine {
  readonly flight: number;
  readonly data: number;
  readonly http: number;
}

async function firstLine(child: ChildProcess, exited: Promise<void>, log: () => string): Promise<ReadyLine> {
  const lines = createInterface({ input: child.stdout! });
  const line = await Promise.race([
    new Promise<string>((resolve) => lines.once('line', resolve)),
    exited.then(() => Promise.reject(new Error(`the server ended before it was ready:\n${log()}`))),
    new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error(`the server was not ready in time:\n${log()}`)), readyTimeoutMs).unref();
    }),
  ]);
  const { ready, ...ports } = JSON.parse(line) as ReadyLine & { ready: boolean };
  if (!ready) throw new Error(`not a ready line: ${line}`);
  return ports;
}

/** Runs `bin/headrace` and never throws for its exit code. */
export async function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  try {
    const result = await promisify(execFile)(launcher, args, { env: { ...process.env, ...env }, maxBuffer: 64 << 20 });
    return { code: 0, ...result };
  } catch (error) {
    const failed = error as { code?: number; stdout?: string; stderr?: string };
    return { code: failed.code ?? -1, stdout: failed.stdout ?? '', stderr: failed.stderr ?? '' };
  }
}
