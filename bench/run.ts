/**
 * Measures subjects against their rivals.
 * usage: node bench/run.ts [SUBJECT…] [--size smoke|short|full] [--json FILE] [--pairs N] [--sample-gb X] [--profile FOLDER]
 *   [--rivals NAME,…] [--without NAME,…] [--streams 1,4] [--codecs zstd,snappy]
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ServiceError } from '../src/core/errors.ts';
import { type Codec, codecs } from './inputs.ts';
import { describeCircumstances } from './machine.ts';
import { type Report, reportLines, reportOf } from './report.ts';
import { type Size, type SizeName, sizeNames, sizes } from './size.ts';
import type { Subject } from './subject.ts';

/** Only the file of the subject that runs is loaded. */
const subjects: ReadonlyMap<string, () => Promise<{ readonly subject: Subject }>> = new Map([
  ['hot-stream', () => import('./subjects/hot-stream.ts')],
  ['cold-stream', () => import('./subjects/cold-stream.ts')],
  ['passthrough', () => import('./subjects/passthrough.ts')],
  ['projection', () => import('./subjects/projection.ts')],
  ['selective', () => import('./subjects/selective.ts')],
  ['masked', () => import('./subjects/masked.ts')],
  ['plan', () => import('./subjects/plan.ts')],
  ['ingest', () => import('./subjects/ingest.ts')],
  ['resume', () => import('./subjects/resume.ts')],
  ['wan', () => import('./subjects/wan.ts')],
  ['many-streams', () => import('./subjects/many-streams.ts')],
]);

export const subjectNames: readonly string[] = [...subjects.keys()];

/** Names that are kept for subjects of later versions. */
const reserved: ReadonlySet<string> = new Set(['commit', 'load-table', 'expire', 's3-scan', 'policies']);

export interface BenchOptions {
  readonly size: SizeName;
  /** A file for the figures, or true for standard output, the report then going to standard error. */
  readonly json?: string | true | null;
  /** Instead of the size's own. */
  readonly pairs?: number | undefined;
  readonly sampleBytes?: number | undefined;
  readonly streams?: readonly number[] | undefined;
  /** A folder for CPU profiles of our server. */
  readonly profiles?: string | undefined;
  /** The only rivals that take part; absent = all. */
  readonly rivals?: readonly string[] | undefined;
  /** Rivals that take no part, and those whose names begin with one of these and a dash. */
  readonly without?: readonly string[] | undefined;
  readonly codecs?: readonly Codec[] | undefined;
}

/**
 * Measures one subject, prints its report and gives its figures. Throws INVALID_REQUEST for an unknown subject, UNSUPPORTED_FEATURE
 * for a reserved one, and when a rival's rows differ from ours.
 */
export async function runSubject(name: string, options: BenchOptions): Promise<Report> {
  const { json = null, profiles, rivals, without = [] } = options;
  const subject = await loadSubject(name);
  const size = sizeOf(options);
  const where = await describeCircumstances();
  const isOf = (rival: string, other: string): boolean => rival === other || rival.startsWith(`${other}-`);
  const run = await subject.run({
    size,
    profiles,
    codecs: options.codecs ?? codecs,
    wants: (rival) => (rivals?.includes(rival) ?? true) && !without.some((other) => isOf(rival, other)),
    progress: (line) => process.stderr.write(`measuring ${line}\n`),
  });
  const report = reportOf(subject, run, size, where);
  const text = `${reportLines(report).join('\n')}\n`;
  (json === true ? process.stderr : process.stdout).write(text);
  if (json === true) process.stdout.write(jsonText(report));
  else if (json !== null) await writeFile(json, jsonText(report));
  return report;
}

async function loadSubject(name: string): Promise<Subject> {
  const load = subjects.get(name);
  if (load !== undefined) return (await load()).subject;
  if (reserved.has(name)) {
    throw new ServiceError('UNSUPPORTED_FEATURE', `the subject ${name} is not measured by this version`);
  }
  throw new ServiceError(
    'INVALID_REQUEST',
    `there is no subject ${JSON.stringify(name)}: choose ${subjectNames.join(', ')}`,
  );
}

function sizeOf({ size, pairs, sampleBytes, streams }: BenchOptions): Size {
  const base = sizes[size];
  return {
    ...base,
    pairs: pairs ?? base.pairs,
    sampleBytes: sampleBytes ?? base.sampleBytes,
    streams: streams ?? base.streams,
  };
}

export const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      size: { type: 'string', default: 'smoke' },
      json: { type: 'string' },
      pairs: { type: 'string' },
      'sample-gb': { type: 'string' },
      profile: { type: 'string' },
      rivals: { type: 'string' },
      without: { type: 'string' },
      streams: { type: 'string' },
      codecs: { type: 'string' },
    },
  });
  const options: BenchOptions = {
    size: chosen('--size', values.size, sizeNames)!,
    pairs: positive('--pairs', values.pairs),
    sampleBytes: positive('--sample-gb', values['sample-gb'], 1e9),
    streams: list(values.streams)?.map((text) => positive('--streams', text)!),
    profiles: values.profile,
    rivals: list(values.rivals),
    without: list(values.without),
    codecs: list(values.codecs)?.map((text) => chosen('--codecs', text, codecs)),
  };
  const names = positionals.length > 0 ? positionals : subjectNames;
  const reports: Report[] = [];
  for (const name of names) {
    reports.push(await runSubject(name, options));
    // Written after each, so that a run that is cut short keeps what it measured. One subject is written as itself, several as a list.
    if (values.json !== undefined) await writeFile(values.json, jsonText(names.length === 1 ? reports[0] : reports));
  }
}

const list = (text: string | undefined): readonly string[] | undefined => text?.split(',');

function chosen<T extends string>(flag: string, text: string, known: readonly T[]): T {
  const found = known.find((name) => name === text);
  if (found === undefined) throw new Error(`${flag} is one of ${known.join(', ')}`);
  return found;
}

function positive(flag: string, text: string | undefined, unit = 1): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text) * unit;
  if (!(value > 0) || !Number.isFinite(value)) throw new Error(`${flag} takes a number above 0`);
  return value;
}

if (import.meta.main) {
  // Without this, an interrupted run would leave its servers behind: they are ended when the process exits.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  await main();
}
