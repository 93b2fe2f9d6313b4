/** A folder with a data directory of its own, on which the tests run the command line. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CliResult, runCli } from '../support/server.ts';

export interface Workspace extends AsyncDisposable {
  readonly folder: string;
  readonly dataDir: string;
  /** Runs a command on the data directory. */
  cli(...args: readonly string[]): Promise<CliResult>;
  /** The same, which must succeed: what it printed with --json. */
  json(...args: readonly string[]): Promise<Record<string, unknown>>;
  /** Must fail with this exit status; gives the error as printed with --json. */
  refused(code: number, ...args: readonly string[]): Promise<{ readonly code: string; readonly message: string }>;
  /** Writes a file and gives its path. */
  file(name: string, text: string | Uint8Array): Promise<string>;
  /** Every file of the warehouse, relative to it. */
  warehouse(): Promise<string[]>;
}

export async function openWorkspace(): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-cli-'));
  const dataDir = join(folder, 'data');
  const cli = (...args: readonly string[]): Promise<CliResult> => runCli([...args, '--data-dir', dataDir]);
  return {
    folder,
    dataDir,
    cli,
    async json(...args) {
      const { code, stdout, stderr } = await cli(...args, '--json');
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
      return JSON.parse(stdout);
    },
    async refused(expected, ...args) {
      const { code, stdout, stderr } = await cli(...args, '--json');
      assert.equal(code, expected, `${args.join(' ')}: ${stdout}${stderr}`);
      return JSON.parse(stderr.trim().split('\n').at(-1)!).error;
    },
    async file(name, text) {
      const path = join(folder, name);
      await writeFile(path, text);
      return path;
    },
    async warehouse() {
      const files = await readdir(join(dataDir, 'warehouse'), { recursive: true, withFileTypes: true });
      return files.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
