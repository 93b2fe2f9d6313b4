import type { Namespace, TableIdentifier } from '../core/identifier.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { TableDefinition } from './commit/new-table.ts';
import type { CommitRequest, TableRequirement, TableUpdate } from './metadata/commit-types.ts';
import type { TableMetadata } from './metadata/types.ts';
import type { CatalogStore, PropertyChange, PropertyChangeResult, StoredTable } from './store/catalog-store.ts';

/** A table as one metadata file describes it. */
export interface Table {
  readonly identifier: TableIdentifier;
  readonly metadataLocation: string;
  readonly metadata: TableMetadata;
}

/** A table as a commit left it. */
export interface CommittedTable extends Table {
  /** The idempotency key had been used for this very request: nothing was committed now. */
  readonly replayed: boolean;
  /** What the commit that was acknowledged recorded under the key. */
  readonly result: string | null;
}

export interface CommitOptions {
  readonly signal: AbortSignal;
  /** With it, the same request commits once; `principal` and `digest` tell other requests under the same key from it. */
  readonly idempotencyKey?: string | undefined;
  readonly principal?: string | undefined;
  readonly digest?: string | undefined;
  /** Recorded with the key and given back to every later call with it. */
  readonly result?: string | undefined;
}

/** What a caller of `retryCommit` derives from the table that it finds. */
export interface BuiltCommit {
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
  /** Instead of `options.result`, where the outcome depends on the table. */
  readonly result?: string | undefined;
  /** Removes the files written for this attempt; called once it certainly failed, never where the outcome is unknown. */
  readonly cleanup?: (() => Promise<void>) | undefined;
}

export type CommitChanges = Pick<CommitRequest, 'requirements' | 'updates'>;
export type TableCommit = CommitChanges & { readonly identifier: TableIdentifier };

/** What a caller derives from a table that is about to be created, its first snapshot among it. */
export interface NewTable extends TableDefinition {
  readonly snapshotUpdates?: readonly TableUpdate[] | undefined;
}

/** Namespaces, tables and their commits, over one catalog store and one object store. Knows no policy: its callers decide. */
export interface Catalog {
  readonly store: CatalogStore;
  readonly objects: ObjectStore;
  /** The location below which new tables lie. */
  readonly warehouse: string;

  createNamespace(namespace: Namespace, properties?: ReadonlyMap<string, string>): Promise<void>;
  dropNamespace(namespace: Namespace): Promise<void>;
  /** Direct children; null = the outermost namespaces. NOT_FOUND for an absent parent. */
  listNamespaces(parent: Namespace | null): Promise<Namespace[]>;
  namespaceExists(namespace: Namespace): Promise<boolean>;
  namespaceProperties(namespace: Namespace): Promise<ReadonlyMap<string, string>>;
  updateNamespaceProperties(namespace: Namespace, change: PropertyChange): Promise<PropertyChangeResult>;

  /** Null = the tables of every namespace. NOT_FOUND for an absent namespace. */
  listTables(namespace: Namespace | null): Promise<StoredTable[]>;
  tableExists(identifier: TableIdentifier): Promise<boolean>;
  loadTable(identifier: TableIdentifier, signal: AbortSignal): Promise<Table>;

  /**
   * A new table's metadata with its uuid and location, of which no one knows yet: files may be written below the location, and
   * `createStaged` makes it a table.
   */
  stageTable(identifier: TableIdentifier, definition: TableDefinition): Promise<TableMetadata>;
  createStaged(
    identifier: TableIdentifier,
    staged: TableMetadata,
    updates: readonly TableUpdate[],
    options: CommitOptions,
  ): Promise<CommittedTable>;
  /** Both at once. ALREADY_EXISTS, NOT_FOUND for the namespace. */
  createTable(identifier: TableIdentifier, table: NewTable, options: CommitOptions): Promise<CommittedTable>;

  /**
   * Commits where the requirements hold, on top of whatever else changed in the meantime. A request with `assert-create` makes a new
   * table. COMMIT_CONFLICT where a requirement fails, COMMIT_UNKNOWN where the outcome is.
   */
  commitTable(identifier: TableIdentifier, changes: CommitChanges, options: CommitOptions): Promise<CommittedTable>;
  /** Several tables in one transaction: all or none. */
  commitTables(commits: readonly TableCommit[], options: CommitOptions): Promise<CommittedTable[]>;
  /**
   * Builds a commit from the table as it is, and again from what another commit made of it, a bounded number of times. `build` may
   * throw COMMIT_CONFLICT itself where the newer table no longer admits the change. It must not commit to the same table.
   */
  retryCommit(
    identifier: TableIdentifier,
    build: (table: Table) => Promise<BuiltCommit>,
    options: CommitOptions,
  ): Promise<CommittedTable>;

  /** Whether any commit was recorded under the key, and not yet forgotten. */
  isKeyUsed(idempotencyKey: string): Promise<boolean>;
  /** The table as the commit under the options' key left it; null where the key is new. ALREADY_EXISTS for another request's key. */
  recallCommit(options: CommitOptions): Promise<CommittedTable | null>;

  /** Takes in a table that another engine wrote, where it lies. */
  registerTable(identifier: TableIdentifier, metadataLocation: string, signal: AbortSignal): Promise<Table>;
  /** `purge` deletes the table's files too, below its own location only. */
  dropTable(
    identifier: TableIdentifier,
    options: { readonly purge: boolean; readonly signal: AbortSignal },
  ): Promise<void>;
  renameTable(from: TableIdentifier, to: TableIdentifier): Promise<void>;
}
