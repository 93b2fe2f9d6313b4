import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The interpreter of the repository's virtual environment, which `make setup` creates. Throws where it is absent. */
export function pythonPath(): string {
  const path = join(repository, '.venv', 'bin', 'python');
  if (!existsSync(path)) throw new Error('the Python environment is missing: run `make setup`');
  return path;
}

/**
 * Runs one Python process and gives its result. `script` is Python source that sees the JSON of `input` as `input` and leaves a
 * JSON-able value in `output`. Rejects with the end of standard error when the script fails or overruns `timeoutMs`.
 */
export async function runPython(
  script: string,
  input: unknown,
  { timeoutMs = 120_000 }: { readonly timeoutMs?: number } = {},
): Promise<unknown> {
  const wrapper = [
    'import json as _json, sys as _sys',
    'input = _json.load(_sys.stdin)',
    'output = None',
    script,
    '_json.dump(output, _sys.stdout)',
  ].join('\n');
  const child = spawn(pythonPath(), ['-c', wrapper], {
    cwd: repository,
    stdio: ['pipe', 'pipe', 'pipe'],
    signal: AbortSignal.timeout(timeoutMs),
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  // A script that fails early closes its standard input: its exit status tells why, not the broken pipe.
  child.stdin.on('error', () => {});
  child.on('error', reject);
  child.on('close', (code) => {
    if (code === 0) resolve(JSON.parse(Buffer.concat(out).toString('utf8')));
    else reject(new Error(`python exited with ${code}:\n${Buffer.concat(err).toString('utf8').slice(-4000)}`));
  });
  child.stdin.end(JSON.stringify(input));
  return promise;
}
