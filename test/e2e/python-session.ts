import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pythonPath } from '../support/python.ts';

/** What a snippet raised; `code` is a `HeadraceError`'s. */
export class SnippetError extends Error {
  readonly code: string | null;

  constructor(trace: string, code: string | null) {
    super(trace);
    this.code = code;
  }
}

/** One Python process for a whole test file: its imports and its clients are made once. */
export interface PythonSession extends AsyncDisposable {
  /** Runs Python source that sees the JSON of `input` as `input` and leaves a JSON-able value in `output`. */
  run<Output>(source: string, input?: unknown): Promise<Output>;
}

interface Answer {
  readonly output?: unknown;
  readonly error?: string;
  readonly code?: string | null;
}

export function openPythonSession(): PythonSession {
  const child = spawn(pythonPath(), [join(import.meta.dirname, 'session.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  const waiting: PromiseWithResolvers<Answer>[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()!.resolve(JSON.parse(line) as Answer));
  const ended = new Promise<void>((resolve) => {
    child.once('close', (code) => {
      for (const one of waiting.splice(0)) one.reject(new Error(`python exited with ${code}`));
      resolve();
    });
  });
  child.stdin.on('error', () => {});
  return {
    async run<Output>(source: string, input: unknown = null): Promise<Output> {
      const answer = Promise.withResolvers<Answer>();
      waiting.push(answer);
      child.stdin.write(`${JSON.stringify({ source, input })}\n`);
      const { output, error, code } = await answer.promise;
      if (error !== undefined) throw new SnippetError(error, code ?? null);
      return output as Output;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}

/** An assertion for `assert.rejects`: the snippet failed with this code of ours. */
export const failsWith =
  (code: string) =>
  (error: unknown): boolean => {
    if (error instanceof SnippetError && error.code === code) return true;
    throw error;
  };
