import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { ServiceError } from '../../core/errors.ts';
import { exitCodes } from '../exit-codes.ts';

interface Options {
  readonly size: 'smoke' | 'short' | 'full';
  /** A file, or standard output. */
  readonly json?: string | true;
  readonly pairs?: number;
  readonly rivals?: readonly string[];
  readonly without?: readonly string[];
}

type RunSubject = (
  subject: string,
  options: Omit<Options, 'json'> & { readonly json: string | true | null },
) => Promise<unknown>;

export function define(command: Command): void {
  command
    .argument('<subject>', 'what to measure, such as hot-stream, cold-stream or ingest')
    .addOption(new Option('--size <size>', 'how much data').choices(['smoke', 'short', 'full']).default('smoke'))
    .option('--json [file]', 'write the figures as JSON, to a file or to standard output')
    .option('--pairs <count>', 'samples of each server, taken in turn, instead of as many as the size says', pairs)
    .option('--rivals <names>', 'the only rivals to compare with, separated by commas', names)
    .option('--without <names>', 'rivals to leave out, such as tonic, which needs Rust', names)
    .addHelpText('after', '\nExample:\n  headrace bench cold-stream --size full --json cold-stream.json')
    .action((subject: string, options: Options) => run(subject, options));
}

const names = (text: string): readonly string[] => text.split(',');

function pairs(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('It is a whole number above 0.');
  return count;
}

/** Benchmarks and their rivals are part of a checkout, not of the package. */
async function run(subject: string, { json, ...options }: Options): Promise<void> {
  const module = new URL('../../../bench/run.ts', import.meta.url);
  if (!existsSync(fileURLToPath(module))) {
    throw new ServiceError(
      'UNSUPPORTED_FEATURE',
      'benchmarks run in a checkout of the repository: they are not part of the package',
    );
  }
  // The servers that are measured end with this process, which a signal alone would end without a word to them.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(exitCodes.failed));
  const { runSubject } = (await import(module.href)) as { readonly runSubject?: RunSubject };
  if (runSubject === undefined) throw new ServiceError('INTERNAL', 'bench/run.ts has no runSubject');
  await runSubject(subject, { ...options, json: json ?? null });
}
