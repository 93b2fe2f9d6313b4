import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Command, Option } from 'commander';
import { ServiceError } from '../../core/errors.ts';
import { exitCodes } from '../exit-codes.ts';

interface Options {
  readonly size: 'smoke' | 'full';
  /** A file, or standard output. */
  readonly json?: string | true;
}

type RunSubject = (
  subject: string,
  options: { readonly size: string; readonly json: string | true | null },
) => Promise<unknown>;

export function define(command: Command): void {
  command
    .argument('<subject>', 'what to measure, such as cold-stream, projection or selective')
    .addOption(new Option('--size <size>', 'how much data').choices(['smoke', 'full']).default('smoke'))
    .option('--json [file]', 'write the figures as JSON, to a file or to standard output')
    .addHelpText('after', '\nExample:\n  headrace bench cold-stream --size full --json cold-stream.json')
    .action((subject: string, options: Options) => run(subject, options));
}

/** Benchmarks and their rivals are part of a checkout, not of the package. */
async function run(subject: string, { size, json }: Options): Promise<void> {
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
  await runSubject(subject, { size, json: json ?? null });
}
