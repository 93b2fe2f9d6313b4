import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { python, repository, runChild } from './child.ts';

export const codecs = ['zstd', 'snappy'] as const;
export type Codec = (typeof codecs)[number];

/** A table: Parquet files, and Iceberg metadata that names them as its data files. */
export interface Input {
  readonly codec: Codec;
  readonly rows: number;
  /** Its data files, which rivals read too. */
  readonly files: readonly string[];
  /** Of the files' bytes, one after the other. */
  readonly sha256: string;
  /** Location of the table's metadata.json. */
  readonly metadata: string;
  /** Bytes of all rows and columns as Arrow. */
  readonly arrowBytes: number;
  /** Bytes of each column in the files, compressed as they are. */
  readonly columnBytes: Readonly<Record<string, number>>;
}

const folder = join(repository, 'build/bench/inputs');
const generators = ['table.py', 'iceberg.py', 'column_bytes.py', 'split.py', 'inputs.ts'];
const generateTimeoutMs = 600_000;

/** The benchmark table of so many rows, made once and kept below `build/`. */
export function prepareInput(rows: number, codec: Codec): Promise<Input> {
  return prepare(`${rows}-${codec}`, codec, async (home) => {
    const file = join(home, 'table.parquet');
    await generate('table.py', file, '--rows', String(rows), '--codec', codec);
    return [file];
  });
}

/** The same rows in so many zstd files of one row group each. */
export function prepareManyFiles(rows: number, count: number): Promise<Input> {
  return prepare(`${rows}-in-${count}`, 'zstd', async (home) => {
    const [whole] = (await prepareInput(rows, 'zstd')).files;
    await generate('split.py', whole!, home, String(count));
    const names = (await readdir(home)).filter((name) => name.endsWith('.parquet')).sort();
    return names.map((name) => join(home, name));
  });
}

/** Makes a table's files and the metadata over them, unless that was done before. */
async function prepare(name: string, codec: Codec, make: (home: string) => Promise<readonly string[]>): Promise<Input> {
  const record = join(folder, `${name}-${await generatorsHash()}.json`);
  const known = await readFile(record, 'utf8').catch(() => null);
  if (known !== null) return JSON.parse(known) as Input;
  await mkdir(folder, { recursive: true });
  const home = await mkdtemp(join(folder, `${name}-`));
  const files = await make(home);
  const described = JSON.parse(await generate('iceberg.py', home, codec, ...files)) as Omit<Input, 'codec' | 'files'>;
  const input: Input = { ...described, codec, files, sha256: await filesHash(files) };
  // The record comes last and whole, so that a run that was cut off leaves nothing that the next one believes.
  await writeFile(join(home, 'input.json'), JSON.stringify(input));
  await rename(join(home, 'input.json'), record);
  return input;
}

const generate = (script: string, ...args: readonly string[]): Promise<string> =>
  runChild(python, [join(import.meta.dirname, script), ...args], generateTimeoutMs);

/** What inputs depend on: how they are made, and the folder, because Iceberg metadata holds absolute paths. */
export async function generatorsHash(names: readonly string[] = generators): Promise<string> {
  const hash = createHash('sha256').update(folder);
  for (const name of names) hash.update(await readFile(join(import.meta.dirname, name)));
  return hash.digest('hex').slice(0, 8);
}

export async function filesHash(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** A table's rows as an Arrow file, made once beside its first data file. */
export async function prepareArrowFile({ files: [first] }: Input): Promise<string> {
  const file = `${first!}.arrow`;
  if (existsSync(file)) return file;
  await generate('arrow_file.py', first!, `${file}.part`);
  await rename(`${file}.part`, file);
  return file;
}
