import { glob, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { against } from '../bars.ts';
import { repository } from '../child.ts';
import { type Client, openClient } from '../client.ts';
import { namespace } from '../contender.ts';
import type { Sample } from '../figures.ts';
import { prepareArrowFile, prepareInput } from '../inputs.ts';
import { interleave, type Runner } from '../interleave.ts';
import { sampleOf } from '../measure.ts';
import { startHeadrace } from '../server.ts';
import type { RunOptions, Subject, SubjectRun } from '../subject.ts';
import { type Engine, startEngine } from '../worker.ts';

const engines = ['pyiceberg', 'duckdb', 'polars'] as const;

/** Appending Arrow data to a table: fsynced zstd Parquet from everybody. */
export const subject: Subject = {
  name: 'ingest',
  shows: 'appending Arrow batches as fsynced zstd Parquet',
  bars: [
    ...against(['pyiceberg'], 'mb_per_s', '>=', 3),
    ...against(['duckdb'], 'mb_per_s', '>=', 1),
    ...against(['pyiceberg', 'duckdb'], 'file_mb_per_put', '<=', 1.1),
  ],
  async run({ size, profiles, wants, progress }: RunOptions): Promise<SubjectRun> {
    const input = await prepareInput(size.rows, 'zstd');
    const data = await prepareArrowFile(input);
    const times = Math.max(1, Math.ceil(size.sampleBytes / input.arrowBytes));
    await using resources = new AsyncDisposableStack();
    const build = join(repository, 'build/bench');
    await mkdir(build, { recursive: true });
    const server = resources.use(await startHeadrace(new Map(), { cache: false, profiles }));
    const ours = await putRunner(resources.use(openClient(server)), server.dataDir, data, times);
    const rivals: Runner[] = [];
    for (const engine of engines.filter(wants)) {
      const folder = await mkdtemp(join(build, `${engine}-`));
      resources.defer(() => rm(folder, { recursive: true, force: true }));
      const worker = resources.use(startEngine(engine, 'ingest.py', [engine, data, folder]));
      rivals.push(engineRunner(worker, folder, times));
    }
    progress(`ingest ${times} × ${(input.arrowBytes / 1e6).toFixed(0)} MB`);
    const about = { name: 'append', rows: input.rows, resultHash: null };
    const variant = await interleave(about, ours, rivals, size.pairs);
    return { variants: [variant], inputs: { data: input.sha256 } };
  },
};

async function putRunner(client: Client, dataDir: string, data: string, times: number): Promise<Runner> {
  const table = `${namespace}.ingested`;
  await client.put({ data, put: { table, mode: 'create' }, times: 1 });
  await takeFiles(dataDir);
  return {
    name: client.name,
    async sample(): Promise<Sample> {
      const measured = await client.put({ data, put: { table, mode: 'append' }, times });
      const sample = sampleOf(measured, { streams: 1, bytes: measured.bytes, calls: times });
      return { ...sample, figures: { ...sample.figures, file_mb_per_put: (await takeFiles(dataDir)) / 1e6 / times } };
    },
  };
}

function engineRunner(engine: Engine, folder: string, times: number): Runner {
  return {
    name: engine.name,
    async sample(): Promise<Sample> {
      const measured = await engine.measure({ times });
      const sample = sampleOf(measured, { streams: 1, bytes: measured.bytes, calls: times });
      return { ...sample, figures: { ...sample.figures, file_mb_per_put: (await takeFiles(folder)) / 1e6 / times } };
    },
  };
}

/** Bytes of the Parquet files below a folder, which are removed, so that a long run does not fill the disk: nobody reads them. */
async function takeFiles(folder: string): Promise<number> {
  let bytes = 0;
  for await (const file of glob('**/*.parquet', { cwd: folder })) {
    bytes += (await stat(join(folder, file))).size;
    await rm(join(folder, file));
  }
  return bytes;
}
