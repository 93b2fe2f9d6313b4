import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { type ExitCode, exitCodes, UsageError } from './exit-codes.ts';
import { reportFailure } from './output.ts';

/** A command's file: it adds arguments, options, examples and what is done. */
interface CommandModule {
  readonly define: (command: Command) => void;
}

interface Entry {
  readonly summary: string;
  /** Only the file of the command that runs is loaded. */
  readonly load: () => Promise<CommandModule>;
}

const commands: ReadonlyMap<string, Entry> = new Map<string, Entry>([
  ['serve', { summary: 'start the server', load: () => import('./commands/serve.ts') }],
  ['token', { summary: 'issue a token, or revoke tokens', load: () => import('./commands/token.ts') }],
  ['import', { summary: 'load Parquet and CSV files into a table', load: () => import('./commands/import.ts') }],
  ['register', { summary: 'take in a table that another engine wrote', load: () => import('./commands/register.ts') }],
  ['create-namespace', { summary: 'make a namespace', load: () => import('./commands/create-namespace.ts') }],
  ['drop', { summary: 'drop a table or an empty namespace', load: () => import('./commands/drop.ts') }],
  [
    'alter',
    { summary: "change a table's columns, partitions or properties", load: () => import('./commands/alter.ts') },
  ],
  ['ref', { summary: 'create or drop a branch or tag of a table', load: () => import('./commands/ref.ts') }],
  ['tables', { summary: 'list tables', load: () => import('./commands/tables.ts') }],
  ['snapshots', { summary: "list a table's snapshots", load: () => import('./commands/snapshots.ts') }],
  ['clean', { summary: 'remove files that no snapshot of a table names', load: () => import('./commands/clean.ts') }],
  ['tag', { summary: 'mark a namespace, table or column for policies', load: () => import('./commands/tag.ts') }],
  ['untag', { summary: 'take a mark away', load: () => import('./commands/untag.ts') }],
  ['policy', { summary: 'check and explain policies', load: () => import('./commands/policy.ts') }],
  ['audit', { summary: 'verify the audit log', load: () => import('./commands/audit.ts') }],
  ['doctor', { summary: 'look for trouble', load: () => import('./commands/doctor.ts') }],
  ['bench', { summary: 'run a benchmark against its rivals', load: () => import('./commands/bench.ts') }],
  ['cat', { summary: 'read one data file as an Arrow stream', load: () => import('./commands/cat.ts') }],
]);

/** Runs one command line and gives the exit status. Never throws. */
export async function runCommandLine(args: readonly string[]): Promise<ExitCode> {
  const json = args.some((arg) => arg === '--json' || arg.startsWith('--json='));
  // A closed pipe is told to whoever writes; the stream's own event must not end the process with a trace.
  process.stdout.on('error', () => {});
  try {
    await (await createProgram(args)).parseAsync(args, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return reportCommander(error, json);
    return reportFailure(error, json);
  }
}

async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('headrace')
    .description('Streams Arrow record batches from Iceberg tables, with policy enforced on the server.')
    .version(readVersion(), '-V, --version')
    .enablePositionalOptions()
    .exitOverride()
    // Refused command lines are reported in one place, in the form that was asked for.
    .configureOutput({ outputError: () => {} })
    .addHelpText('after', '\nExit status: 0 ok, 1 failed, 2 usage, 3 bad input, 4 denied.');
  const wanted = args[0] === 'help' ? args[1] : args[0];
  for (const [name, { summary, load }] of commands) {
    const command = program.command(name).summary(summary).description(summary);
    if (name === wanted) (await load()).define(command);
  }
  return program;
}

function readVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { readonly version: string }).version;
}

/** Help and the version are no errors, and are printed already; everything else is the command line's fault. */
function reportCommander(error: CommanderError, json: boolean): ExitCode {
  if (error.exitCode === 0) return exitCodes.ok;
  if (error.code === 'commander.help') return exitCodes.usage;
  const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  return reportFailure(new UsageError(message), json);
}
