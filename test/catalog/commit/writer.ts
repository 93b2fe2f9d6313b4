import { writeSync } from 'node:fs';
import { appendUpdates, flights, openTemporaryCatalog, signal } from '../../support/temporary-catalog.ts';

/**
 * A process of its own that appends snapshots `first`, `first + 1`, … to the table of a catalog folder: `count` of them, or until it
 * is killed. Each is printed once it is acknowledged, synchronously, so that a kill cannot swallow an acknowledgement.
 */
const [folder, first, count] = [process.argv[2]!, BigInt(process.argv[3]!), Number(process.argv[4]!)];
await using temporary = await openTemporaryCatalog({ folder });
for (let index = 0; index < count; index++) {
  const id = first + BigInt(index);
  await temporary.catalog.retryCommit(
    flights,
    async ({ metadata }) => ({
      requirements: [{ kind: 'assert-ref-snapshot-id', ref: 'main', snapshotId: metadata.currentSnapshotId }],
      updates: appendUpdates(metadata, id),
    }),
    { signal },
  );
  writeSync(1, `${id}\n`);
}
