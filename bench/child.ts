import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

export const repository = join(import.meta.dirname, '..');
export const python = join(repository, '.venv/bin/python');

const stopTimeoutMs = 10_000;
const errorCharsMax = 8_000;

/** A process that is spoken to in lines. Disposing it ends it. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** The next line of standard output. Throws, with the end of standard error, when the process ends first or `timeoutMs` pass. */
  line(timeoutMs: number): Promise<string>;
  send(text: string): void;
  /** The end of what it wrote to standard error. */
  log(): string;
}

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a process, which does not outlive this one. */
export function startChild(command: string, args: readonly string[], options: ChildOptions = {}): Child {
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(command, args, {
    cwd: repository,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...options.env },
  });
  const name = [command, ...args].join(' ').slice(0, 120);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-errorCharsMax);
  });
  // A process that fails early closes its standard input; its exit tells why, not the broken pipe.
  child.stdin.on('error', () => {});
  const exited = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', (error) => {
      errors += error.message;
      resolve();
    });
  });
  const killNow = (): void => void child.kill('SIGKILL');
  process.once('exit', killNow);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid ?? -1,
    log: () => errors,
    send: (text) => void child.stdin.write(text),
    async line(timeoutMs) {
      const timer = setTimeout(killNow, timeoutMs);
      const { done, value } = await lines.next();
      clearTimeout(timer);
      if (!done) return value;
      await exited;
      throw new Error(`${name} ended, or was ended after ${timeoutMs} ms, without an answer:\n${errors}`);
    },
    async [Symbol.asyncDispose]() {
      process.removeListener('exit', killNow);
      child.stdin.end();
      child.kill('SIGTERM');
      const timer = setTimeout(killNow, stopTimeoutMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** Runs a process that prints one line, and gives it. Throws, with the end of standard error, when it ends without one. */
export async function runChild(
  command: string,
  args: readonly string[],
  timeoutMs: number,
  options: ChildOptions = {},
): Promise<string> {
  await using child = startChild(command, args, options);
  return await child.line(timeoutMs);
}
