import type { Command } from 'commander';
import type { Snapshot, TableMetadata } from '../../catalog/metadata/types.ts';
import { loadNamedTable } from '../catalog-names.ts';
import { type EmbeddedOptions, withDataDir, withEmbedded } from '../embedded-command.ts';
import { interruptSignal } from '../interrupt.ts';
import { alignTable, printResult } from '../output.ts';

export function define(command: Command): void {
  withDataDir(command)
    .argument('<table>')
    .addHelpText('after', '\nExample:\n  headrace snapshots bronze.flights')
    .action((table: string, options: EmbeddedOptions) => list(table, options));
}

async function list(name: string, options: EmbeddedOptions): Promise<void> {
  await withEmbedded(options, 'refuse', async ({ catalog }) => {
    const { metadata } = await loadNamedTable(name, catalog, interruptSignal());
    const snapshots = metadata.snapshots.map((snapshot) => describe(snapshot, metadata));
    const rows = snapshots.map((one) => [
      one.snapshot_id,
      one.timestamp,
      one.operation,
      one.added_rows,
      one.rows,
      one.refs.join(', '),
    ]);
    const lines = alignTable(['SNAPSHOT', 'TIME', 'OPERATION', 'ADDED', 'ROWS', 'REFS'], rows);
    await printResult(options.json === true, snapshots, snapshots.length === 0 ? ['no snapshots'] : lines);
  });
}

function describe(snapshot: Snapshot, metadata: TableMetadata) {
  const { snapshotId, parentSnapshotId, summary } = snapshot;
  const count = (name: string): number | null => (summary.has(name) ? Number(summary.get(name)) : null);
  return {
    snapshot_id: `${snapshotId}`,
    parent_snapshot_id: parentSnapshotId === null ? null : `${parentSnapshotId}`,
    sequence_number: Number(snapshot.sequenceNumber),
    timestamp: isoTime(snapshot.timestampMs),
    timestamp_ms: snapshot.timestampMs,
    operation: summary.get('operation') ?? null,
    schema_id: snapshot.schemaId,
    added_rows: count('added-records') ?? (summary.has('operation') ? 0 : null),
    rows: count('total-records'),
    refs: [...metadata.refs].filter(([, ref]) => ref.snapshotId === snapshotId).map(([ref]) => ref),
    current: metadata.currentSnapshotId === snapshotId,
    summary: Object.fromEntries(summary),
  };
}

/** A foreign writer's clock may be beyond what a date can hold. */
const isoTime = (ms: number): string => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`);
