import type { BuiltCommit, Catalog, CommitOptions, CommittedTable, Table } from '../catalog/catalog-types.ts';
import type { TableUpdate } from '../catalog/metadata/commit-types.ts';
import type { TableMetadata } from '../catalog/metadata/types.ts';
import type { TableIdentifier } from '../core/identifier.ts';

/** What a write learns of its commit. */
export type IngestCommit = Pick<CommittedTable, 'replayed' | 'result'>;

/** What a write asks of the {@link Catalog}, which another thread may answer. */
export interface IngestCatalog
  extends Pick<Catalog, 'objects' | 'tableExists' | 'loadTable' | 'stageTable' | 'isKeyUsed'> {
  recallCommit(options: CommitOptions): Promise<IngestCommit | null>;
  createStaged(
    identifier: TableIdentifier,
    staged: TableMetadata,
    updates: readonly TableUpdate[],
    options: CommitOptions,
  ): Promise<IngestCommit>;
  retryCommit(
    identifier: TableIdentifier,
    build: (table: Table) => Promise<BuiltCommit>,
    options: CommitOptions,
  ): Promise<IngestCommit>;
}
