import type { Command } from 'commander';
import type { Catalog } from '../../catalog/catalog-types.ts';
import { snapshotsById } from '../../catalog/metadata/time-travel.ts';
import type { StoredTable } from '../../catalog/store/catalog-store.ts';
import { isServiceError } from '../../core/errors.ts';
import { formatTable, parseNamespace } from '../../core/identifier.ts';
import { type EmbeddedOptions, withDataDir, withEmbedded } from '../embedded-command.ts';
import { interruptSignal } from '../interrupt.ts';
import { alignTable, printResult } from '../output.ts';

export function define(command: Command): void {
  withDataDir(command)
    .argument('[namespace]', 'only the tables of this namespace')
    .addHelpText('after', '\nExamples:\n  headrace tables\n  headrace tables silver --json')
    .action((namespace: string | undefined, options: EmbeddedOptions) => list(namespace, options));
}

interface ListedTable {
  readonly table: string;
  readonly namespace: readonly string[];
  readonly name: string;
  readonly uuid: string;
  readonly metadata_location: string;
  readonly format_version: number | null;
  readonly snapshot_id: string | null;
  /** Of the current snapshot; null where its writer did not say. */
  readonly rows: number | null;
  /** Why the metadata cannot be read. */
  readonly error?: string;
}

async function list(name: string | undefined, options: EmbeddedOptions): Promise<void> {
  const namespace = name === undefined ? null : parseNamespace(name);
  await withEmbedded(options, 'refuse', async ({ catalog }) => {
    const tables: ListedTable[] = [];
    for (const stored of await catalog.listTables(namespace)) {
      const listed = await describe(stored, catalog, interruptSignal());
      if (listed !== null) tables.push(listed);
    }
    const rows = tables.map((one) => [
      one.table,
      one.format_version === null ? null : `v${one.format_version}`,
      one.snapshot_id,
      one.rows,
      one.error ?? one.metadata_location,
    ]);
    const lines = alignTable(['TABLE', 'FORMAT', 'SNAPSHOT', 'ROWS', 'METADATA'], rows);
    await printResult(options.json === true, tables, tables.length === 0 ? ['no tables'] : lines);
  });
}

/** Null for a table that was dropped meanwhile. One that cannot be read is listed with the reason. */
async function describe(stored: StoredTable, catalog: Catalog, signal: AbortSignal): Promise<ListedTable | null> {
  const { identifier } = stored;
  const known = {
    table: formatTable(identifier),
    namespace: identifier.namespace,
    name: identifier.name,
    uuid: stored.uuid,
  };
  try {
    const { metadata, metadataLocation } = await catalog.loadTable(identifier, signal);
    const { currentSnapshotId, formatVersion } = metadata;
    const current = currentSnapshotId === null ? undefined : snapshotsById(metadata).get(currentSnapshotId);
    const total = current?.summary.get('total-records');
    return {
      ...known,
      metadata_location: metadataLocation,
      format_version: formatVersion,
      snapshot_id: currentSnapshotId === null ? null : `${currentSnapshotId}`,
      rows: currentSnapshotId === null ? 0 : total === undefined ? null : Number(total),
    };
  } catch (error) {
    if (!isServiceError(error) || error.code === 'CANCELLED') throw error;
    if (!(await catalog.tableExists(identifier))) return null;
    const unknown = { format_version: null, snapshot_id: null, rows: null };
    return {
      ...known,
      metadata_location: stored.metadataLocation,
      ...unknown,
      error: `${error.code}: ${error.message}`,
    };
  }
}
