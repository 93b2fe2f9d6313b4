import { type Command, InvalidArgumentError } from 'commander';
import { findOrphans, type Orphan, removeOrphans } from '../../catalog/cleanup.ts';
import { formatTable } from '../../core/identifier.ts';
import { parseDuration } from '../../server/config-values.ts';
import { loadNamedTable } from '../catalog-names.ts';
import { type EmbeddedOptions, withDataDir, withEmbedded } from '../embedded-command.ts';
import { interruptSignal } from '../interrupt.ts';
import { alignTable, printResult } from '../output.ts';

interface Options extends EmbeddedOptions {
  readonly olderThan?: number;
  readonly dryRun?: boolean;
}

const hourMs = 3_600_000;
const olderThanDefaultMs = 24 * hourMs;
/** A younger file may belong to a write that still runs, and deleting it would break the table that it becomes part of. */
const olderThanMinMs = hourMs;

export function define(command: Command): void {
  withDataDir(command)
    .argument('<table>')
    .option('--older-than <age>', 'leave younger files to writes in progress (default: 24h)', parseAge)
    .option('--dry-run', 'list the files and delete none')
    .addHelpText('after', '\nExample:\n  headrace clean bronze.flights --older-than 7d --dry-run')
    .action((table: string, options: Options) => clean(table, options));
}

function parseAge(text: string): number {
  const ms = parseDuration(text);
  if (ms === null || ms < olderThanMinMs)
    throw new InvalidArgumentError('Write an age of 1h or more, such as 24h or 7d.');
  return ms;
}

async function clean(name: string, options: Options): Promise<void> {
  const signal = interruptSignal();
  await withEmbedded(options, 'refuse', async ({ catalog, config }) => {
    const { identifier } = await loadNamedTable(name, catalog, signal);
    const found = { olderThanMs: options.olderThan ?? olderThanDefaultMs, signal, limits: config.limits };
    const orphans = await findOrphans(catalog, identifier, found);
    const removed = options.dryRun !== true;
    if (removed && orphans.length > 0) await removeOrphans(catalog, identifier, orphans, signal);
    const bytes = orphans.reduce((sum, orphan) => sum + orphan.bytes, 0);
    const result = {
      table: formatTable(identifier),
      removed,
      files: orphans.length,
      bytes,
      orphans: orphans.map(shown),
    };
    await printResult(options.json === true, result, linesOf(orphans, bytes, removed));
  });
}

const shown = ({ location, bytes, modifiedMs }: Orphan) => ({
  location,
  bytes,
  modified: new Date(modifiedMs).toISOString(),
});

function linesOf(orphans: readonly Orphan[], bytes: number, removed: boolean): string[] {
  if (orphans.length === 0) return ['nothing to clean up'];
  const rows = orphans.map(shown).map((orphan) => [orphan.modified, orphan.bytes, orphan.location]);
  const total = `${orphans.length} files, ${bytes} bytes`;
  return [...alignTable(['MODIFIED', 'BYTES', 'FILE'], rows), removed ? `removed ${total}` : `would remove ${total}`];
}
