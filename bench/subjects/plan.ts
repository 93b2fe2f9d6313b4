import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { against, type Bar } from '../bars.ts';
import { repository } from '../child.ts';
import { type Client, type Measurement, openClient } from '../client.ts';
import { namespace } from '../contender.ts';
import type { Sample } from '../figures.ts';
import { generatorsHash } from '../inputs.ts';
import { interleave, type Runner, type VariantResult } from '../interleave.ts';
import { startHeadrace } from '../server.ts';
import type { RunOptions, Subject, SubjectRun } from '../subject.ts';
import { makeSyntheticTable } from '../synthetic-manifests.ts';
import { type Engine, startEngine } from '../worker.ts';

const warmFiles = 100;
/** The files do not exist: like PyIceberg's, the plan goes by what manifests say, without the footers of the few files that are left. */
const env = { HEADRACE_LIMITS_PLAN_FOOTERS_MAX: '1' };
/** PyIceberg takes seconds for what is asked of the server often. */
const rivalCallsMax = 3;

interface Question {
  readonly name: string;
  /** The same for both: Iceberg's expressions as text. */
  readonly filter: string;
}

/** `{call}` is another number in each call, so that nobody answers from a plan that was asked for before: all ids are above it. */
const fresh = 'id > -{call}';
const questions: readonly Question[] = [
  { name: 'one partition', filter: `day = '2020-04-10' AND region = 'us' AND ${fresh}` },
  { name: 'all files', filter: fresh },
  {
    name: 'a day by bounds',
    filter: `seen_at >= '2020-04-10T00:00:00' AND seen_at < '2020-04-11T00:00:00' AND ${fresh}`,
  },
];

const warm = (variant: string): boolean => variant.includes(', warm');
const bars: readonly Bar[] = [
  ...against(['pyiceberg'], 'p50_ms', '<=', 0.02, warm),
  ...against(['pyiceberg'], 'p50_ms', '<=', 0.2, (variant) => !warm(variant)),
  { measure: 'growth_per_linear', op: '<=', bar: 1.1 },
];

/** How long a plan takes, of tables with many files: from the request to the FlightInfo, against PyIceberg's plan_files. */
export const subject: Subject = {
  name: 'plan',
  shows: 'planning tables of many files, on a server that has and one that has not seen their manifests',
  bars,
  async run({ size, profiles, wants, progress }: RunOptions): Promise<SubjectRun> {
    const tables = new Map<string, { readonly metadata: string }>();
    for (const files of new Set([warmFiles, ...size.plannedFiles])) {
      progress(`plan: a table of ${files} files`);
      tables.set(`files${files}`, await syntheticTable(files));
    }
    await using resources = new AsyncDisposableStack();
    const client = resources.use(
      openClient(resources.use(await startHeadrace(tables, { cache: true, profiles, env }))),
    );
    const variants: VariantResult[] = [];
    for (const files of size.plannedFiles) {
      for (const question of questions.slice(0, size.questions)) {
        const compared = files === size.plannedFiles.at(-1) && wants('pyiceberg');
        const cold = compared ? await measureCold(question, files, tables, size.pairs, progress) : null;
        const { name, about, ours, theirs } = await warmRunners(question, files, tables, client, size.calls);
        progress(`plan ${name}`);
        await using engine = compared ? startEngine('pyiceberg', 'plan.py', []) : null;
        const measured = await interleave(about, ours, engine === null ? [] : [theirs(engine)], size.pairs);
        variants.push(measured, ...(cold === null ? [] : [cold]));
      }
    }
    return { variants: withGrowth(variants, size.plannedFiles), inputs: {} };
  },
};

interface Asked {
  readonly name: string;
  readonly about: Pick<VariantResult, 'name' | 'rows' | 'resultHash'>;
  readonly ours: Runner;
  readonly theirs: (engine: Engine) => Runner;
}

async function warmRunners(
  question: Question,
  files: number,
  tables: Tables,
  client: Client,
  calls: number,
): Promise<Asked> {
  const name = `${variantOf(question, files)}, warm`;
  const { request, warm: elsewhere } = requestOf(question, files);
  const { rows } = await client.plan(request, 1, elsewhere);
  return {
    name,
    about: { name, rows, resultHash: null },
    ours: { name: 'headrace', sample: async () => checked(await client.plan(request, calls, request), rows, calls) },
    theirs: (engine) => {
      const times = Math.min(calls, rivalCallsMax);
      const job = { ...jobOf(question, files, tables), calls: times, again: true };
      return { name: engine.name, sample: async () => checked(await engine.measure(job), rows, times) };
    },
  };
}

/** Each sample is the first plan of a process that has planned another table. */
async function measureCold(
  question: Question,
  files: number,
  tables: Tables,
  pairs: number,
  progress: (line: string) => void,
): Promise<VariantResult> {
  const name = `${variantOf(question, files)}, cold`;
  progress(`plan ${name}`);
  const { request, warm: elsewhere } = requestOf(question, files);
  let rows: number | null = null;
  const first = (measured: Measurement): Sample => {
    rows ??= measured.rows;
    return checked(measured, rows, 1);
  };
  const ours: Runner = {
    name: 'headrace',
    async sample() {
      await using server = await startHeadrace(tables, { cache: true, env });
      await using client = openClient(server);
      return first(await client.plan(request, 1, elsewhere));
    },
  };
  const theirs: Runner = {
    name: 'pyiceberg',
    async sample() {
      await using engine = startEngine('pyiceberg', 'plan.py', []);
      return first(await engine.measure({ ...jobOf(question, files, tables), calls: 1, again: false }));
    },
  };
  const measured = await interleave({ name, rows: 0, resultHash: null }, ours, [theirs], pairs);
  return { ...measured, rows: rows ?? 0 };
}

type Tables = ReadonlyMap<string, { readonly metadata: string }>;

const variantOf = ({ name }: Question, files: number): string => `${name} of ${files}`;

function requestOf({ filter }: Question, files: number) {
  return {
    request: { table: `${namespace}.files${files}`, filter },
    warm: { table: `${namespace}.files${warmFiles}` },
  };
}

const jobOf = ({ filter }: Question, files: number, tables: Tables): object => ({
  filter,
  metadata: tables.get(`files${files}`)!.metadata,
  warm: tables.get(`files${warmFiles}`)!.metadata,
});

function checked(measured: Measurement, files: number, calls: number): Sample {
  if (measured.rows !== files) throw new Error(`a plan kept ${measured.rows} files where the other one kept ${files}`);
  const { wallS, serverCpuS, clientCpuS, rssMb } = measured;
  return {
    rows: files,
    bytes: 0,
    latenciesMs: measured.callMs,
    figures: {
      ...{ mb_per_s: 0, cpu_s_per_gb: 0, client_cpu_s_per_gb: 0, rss_mb: rssMb, streams: 1, wall_s: wallS },
      ...{ per_s: calls / wallS, cpu_ms: (serverCpuS * 1e3) / calls, client_cpu_ms: (clientCpuS * 1e3) / calls },
    },
  };
}

/** How a plan of the largest table grows over that of the smallest, divided by how the number of files does. */
function withGrowth(variants: readonly VariantResult[], counts: readonly number[]): readonly VariantResult[] {
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const latency = (name: string): number | undefined => variants.find((variant) => variant.name === name)?.ours.p50_ms;
  if (least === most) return variants;
  return variants.map((variant) => {
    const small = latency(variant.name.replace(` of ${most},`, ` of ${least},`));
    if (!variant.name.includes(` of ${most},`) || !variant.ours.p50_ms || !small) return variant;
    const growth = variant.ours.p50_ms / small / (most / least);
    return { ...variant, ours: { ...variant.ours, growth_per_linear: growth } };
  });
}

/** A table of so many files, made once and kept below `build/`. */
async function syntheticTable(files: number): Promise<{ readonly metadata: string }> {
  const folder = join(
    repository,
    `build/bench/inputs/synthetic-${files}-${await generatorsHash(['synthetic-manifests.ts'])}`,
  );
  const record = join(folder, 'made.json');
  if (existsSync(record)) return JSON.parse(await readFile(record, 'utf8')) as { readonly metadata: string };
  await mkdir(folder, { recursive: true });
  const { metadata } = await makeSyntheticTable({ folder, files });
  await writeFile(record, JSON.stringify({ metadata }));
  return { metadata };
}
