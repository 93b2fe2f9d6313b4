import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { python, repository } from './child.ts';

/** Where and with what a benchmark ran. */
export interface Circumstances {
  readonly machine: string;
  /** The commit, with `+` where files differ from it; null outside a checkout. */
  readonly commit: string | null;
  readonly versions: Readonly<Record<string, string>>;
  /** Of the machine over the last minute, before the run: what others do to it. */
  readonly load: number;
}

export async function describeCircumstances(): Promise<Circumstances> {
  const { version } = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8')) as { version: string };
  const libraries = 'import platform, pyarrow; print(platform.python_version(), pyarrow.__version__)';
  const [pythonVersion, pyarrow] = (await output(python, ['-c', libraries])).split(' ');
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU';
  return {
    machine: `${availableParallelism()} × ${model}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, ${type()} ${release()}`,
    commit: await commit(),
    versions: { headrace: version, node: process.versions.node, python: pythonVersion!, pyarrow: pyarrow! },
    load: loadavg()[0]!,
  };
}

async function commit(): Promise<string | null> {
  try {
    const head = await output('git', ['rev-parse', '--short=12', 'HEAD']);
    const changes = await output('git', ['status', '--porcelain', '--untracked-files=no']);
    return changes === '' ? head : `${head}+`;
  } catch {
    return null;
  }
}

async function output(command: string, args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(command, args, { cwd: repository })).stdout.trim();
}
