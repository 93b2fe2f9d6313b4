import { resolve } from 'node:path';
import type { Command } from 'commander';
import { formatTable, parseTableIdentifier } from '../../core/identifier.ts';
import { fileLocation } from '../../storage/locations.ts';
import { bindPolicyNames } from '../bind-policies.ts';
import { type EmbeddedOptions, withDataDir, withEmbedded } from '../embedded-command.ts';
import { interruptSignal } from '../interrupt.ts';
import { printResult } from '../output.ts';

export function define(command: Command): void {
  withDataDir(command)
    .argument('<table>', 'the name it gets, such as silver.flights; its namespace must exist')
    .argument('<metadata-json>', 'its newest metadata file: a path or a file: location')
    .addHelpText(
      'after',
      '\nExample:\n  headrace register silver.flights /lake/flights/metadata/00003-9c.metadata.json',
    )
    .action((table: string, metadata: string, options: EmbeddedOptions) => register(table, metadata, options));
}

async function register(name: string, metadata: string, options: EmbeddedOptions): Promise<void> {
  const identifier = parseTableIdentifier(name);
  const location = /^[a-z][a-z0-9+.-]*:/i.test(metadata) ? metadata : fileLocation(resolve(metadata));
  await withEmbedded(options, 'refuse', async (embedded) => {
    const table = await embedded.catalog.registerTable(identifier, location, interruptSignal());
    await bindPolicyNames(embedded);
    const { tableUuid, currentSnapshotId } = table.metadata;
    await printResult(
      options.json === true,
      {
        table: formatTable(identifier),
        uuid: tableUuid,
        metadata_location: table.metadataLocation,
        snapshot_id: currentSnapshotId,
      },
      [`registered ${formatTable(identifier)}`],
    );
  });
}
