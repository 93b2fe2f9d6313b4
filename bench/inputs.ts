import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { python, repository, runChild } from './child.ts';

export type Codec = 'zstd' | 'snappy';

/** One Parquet file of `table.py`, and Iceberg metadata that names it as its only data file. */
export interface Input {
  readonly codec: Codec;
  readonly rows: number;
  readonly file: string;
  readonly sha256: string;
  /** Location of the table's metadata.json. */
  readonly metadata: string;
  /** Bytes of all rows and columns as Arrow. */
  readonly arrowBytes: number;
}

const folder = join(repository, 'build/bench/inputs');
const generators = ['table.py', 'iceberg.py'];
const generateTimeoutMs = 600_000;

/** The benchmark table of so many rows, made once and kept below `build/`. */
export async function prepareInput(rows: number, codec: Codec): Promise<Input> {
  const record = join(folder, `${rows}-${codec}-${await generatorsHash()}.json`);
  const known = await readFile(record, 'utf8').catch(() => null);
  if (known !== null) return JSON.parse(known) as Input;
  await mkdir(folder, { recursive: true });
  const home = await mkdtemp(join(folder, `${rows}-${codec}-`));
  const file = join(home, 'table.parquet');
  const table = [join(import.meta.dirname, 'table.py'), file, '--rows', String(rows), '--codec', codec];
  await runChild(python, table, generateTimeoutMs);
  const iceberg = [join(import.meta.dirname, 'iceberg.py'), home, codec, file];
  const described = JSON.parse(await runChild(python, iceberg, generateTimeoutMs)) as Pick<
    Input,
    'metadata' | 'rows' | 'arrowBytes'
  >;
  const input: Input = { codec, file, sha256: await fileHash(file), ...described };
  // The record comes last and whole, so that a run that was cut off leaves nothing that the next one believes.
  await writeFile(join(home, 'input.json'), JSON.stringify(input));
  await rename(join(home, 'input.json'), record);
  return input;
}

/** What inputs depend on: how they are made, and the folder, because Iceberg metadata holds absolute paths. */
async function generatorsHash(): Promise<string> {
  const hash = createHash('sha256').update(folder);
  for (const name of generators) hash.update(await readFile(join(import.meta.dirname, name)));
  return hash.digest('hex').slice(0, 8);
}

async function fileHash(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
