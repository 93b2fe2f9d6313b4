import type { Command } from 'commander';
import { ServiceError } from '../../core/errors.ts';
import { formatNamespace, formatTable, parseNamespace, parseTableIdentifier } from '../../core/identifier.ts';
import { nothingNamed } from '../catalog-names.ts';
import { type EmbeddedOptions, withDataDir, withEmbedded } from '../embedded-command.ts';
import { interruptSignal } from '../interrupt.ts';
import { printResult } from '../output.ts';

interface Options extends EmbeddedOptions {
  readonly purge?: boolean;
}

export function define(command: Command): void {
  withDataDir(command)
    .argument(
      '<table-or-namespace>',
      'a table, or a namespace that holds nothing; a table wins where both have the name',
    )
    .option('--purge', "delete the table's files too")
    .addHelpText('after', '\nExamples:\n  headrace drop bronze.flights --purge\n  headrace drop bronze')
    .action((name: string, options: Options) => drop(name, options));
}

async function drop(name: string, options: Options): Promise<void> {
  const namespace = parseNamespace(name);
  const purge = options.purge === true;
  await withEmbedded(options, 'refuse', async ({ catalog }) => {
    if (namespace.length > 1 && (await catalog.tableExists(parseTableIdentifier(name)))) {
      const identifier = parseTableIdentifier(name);
      await catalog.dropTable(identifier, { purge, signal: interruptSignal() });
      const dropped = { dropped: 'table', table: formatTable(identifier), purged: purge };
      await printResult(options.json === true, dropped, [
        `dropped the table ${dropped.table}${purge ? ' and its files' : ''}`,
      ]);
      return;
    }
    if (!(await catalog.namespaceExists(namespace))) throw await nothingNamed(name, catalog);
    if (purge) throw new ServiceError('INVALID_REQUEST', `${name} is a namespace: --purge is for tables`);
    await catalog.dropNamespace(namespace);
    const dropped = { dropped: 'namespace', namespace: formatNamespace(namespace) };
    await printResult(options.json === true, dropped, [`dropped the namespace ${dropped.namespace}`]);
  });
}
