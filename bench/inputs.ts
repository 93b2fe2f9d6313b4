import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
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
const generators = ['table.py', 'iceberg.py', 'column_bytes.py', 'inputs.ts'];
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
    'metadata' | 'rows' | 'arrowBytes' | 'columnBytes'
  >;
  const input: Input = { codec, files: [file], sha256: await filesHash([file]), ...described };
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

export async function filesHash(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) await pipeline(createReadStream(file), hash, { end: false });
  return hash.digest('hex');
}

/** A table's rows as an Arrow file, made once beside its first data file. */
export async function prepareArrowFile({ files: [first] }: Input): Promise<string> {
  const file = `${first!}.arrow`;
  if (existsSync(file)) return file;
  await runChild(python, [join(import.meta.dirname, 'arrow_file.py'), first!, `${file}.part`], generateTimeoutMs);
  await rename(`${file}.part`, file);
  return file;
}
