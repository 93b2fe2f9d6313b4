import { type Command, Option } from 'commander';
import { defaultLimits } from '../../core/limits.ts';
import { openLocalStore } from '../../storage/local.ts';
import { writeArrowStream } from '../cat/arrow-stream.ts';
import { type DataFormat, openDataFile } from '../cat/data-file.ts';
import { UsageError } from '../exit-codes.ts';
import { interruptSignal } from '../interrupt.ts';

interface Options {
  readonly format?: DataFormat;
}

export function define(command: Command): void {
  command
    .argument('<file>', 'a Parquet, Arrow (stream or file) or Avro file')
    .addOption(
      new Option('--format <format>', 'what the file is (default: as its first bytes say)').choices([
        'parquet',
        'arrow',
        'avro',
      ]),
    )
    .option('--json', 'report errors as JSON')
    .addHelpText(
      'after',
      `
Writes an Arrow IPC stream to standard output. A stream that was cut by an error ends within a message, so that no reader takes it
for whole.

Example:
  headrace cat flights.parquet > flights.arrows`,
    )
    .action((file: string, options: Options) => cat(file, options));
}

async function cat(file: string, { format }: Options): Promise<void> {
  if (process.stdout.isTTY) {
    throw new UsageError(
      'cat writes a binary Arrow stream, which is not for a terminal: redirect it, as in cat FILE > out.arrows',
    );
  }
  const signal = interruptSignal();
  await using objects = openLocalStore();
  const contents = await openDataFile(file, { format: format ?? null, objects, limits: defaultLimits, signal });
  await writeArrowStream(contents);
}
