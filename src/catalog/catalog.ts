import { isServiceError, ServiceError } from '../core/errors.ts';
import { formatNamespace, formatTable, type Namespace, type TableIdentifier } from '../core/identifier.ts';
import { defaultLimits, type Limits } from '../core/limits.ts';
import { folderKey, parseLocation } from '../storage/locations.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type {
  BuiltCommit,
  Catalog,
  CommitChanges,
  CommitOptions,
  CommittedTable,
  NewTable,
  Table,
  TableCommit,
} from './catalog-types.ts';
import { purgeTable } from './cleanup.ts';
import { Committer, noTable } from './commit/committer.ts';
import { checkNoOverlap, checkTableLocation, checkUpdateLocations } from './commit/location-rules.ts';
import { newTableMetadata, type TableDefinition } from './commit/new-table.ts';
import { TableMetadataFiles } from './commit/table-metadata-files.ts';
import { applyUpdates } from './metadata/apply.ts';
import type { TableUpdate } from './metadata/commit-types.ts';
import type { TableMetadata } from './metadata/types.ts';
import type { SnapshotLimits } from './snapshot/read.ts';
import type { CatalogStore, PropertyChange, PropertyChangeResult, StoredTable } from './store/catalog-store.ts';

export type * from './catalog-types.ts';

export type CatalogLimits = Pick<
  Limits,
  'commitRetriesMax' | 'commitQueueMax' | 'metadataBytesMax' | 'metadataCacheBytesMax'
> &
  SnapshotLimits;

export interface CatalogOptions {
  readonly store: CatalogStore;
  readonly objects: ObjectStore;
  /** An absolute location; new tables lie below it. */
  readonly warehouse: string;
  readonly limits?: CatalogLimits;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
}

/** The catalog over stores that its caller opened and closes. Throws INVALID_REQUEST for a warehouse that is not absolute. */
export function openCatalog(options: CatalogOptions): Catalog {
  parseLocation(options.warehouse);
  return new StoreCatalog(options);
}

class StoreCatalog implements Catalog {
  readonly store: CatalogStore;
  readonly objects: ObjectStore;
  readonly warehouse: string;
  readonly #limits: CatalogLimits;
  readonly #clock: () => number;
  readonly #files: TableMetadataFiles;
  readonly #committer: Committer;

  constructor({ store, objects, warehouse, limits = defaultLimits, clock = Date.now }: CatalogOptions) {
    this.store = store;
    this.objects = objects;
    this.warehouse = warehouse.replace(/(?<=.)\/+$/, '');
    this.#limits = limits;
    this.#clock = clock;
    this.#files = new TableMetadataFiles(objects, limits);
    this.#committer = new Committer({ store, files: this.#files, warehouse: this.warehouse, limits, clock });
  }

  createNamespace(namespace: Namespace, properties: ReadonlyMap<string, string> = new Map()): Promise<void> {
    return this.store.createNamespace(namespace, properties);
  }

  dropNamespace(namespace: Namespace): Promise<void> {
    return this.store.dropNamespace(namespace);
  }

  async listNamespaces(parent: Namespace | null): Promise<Namespace[]> {
    if (parent !== null) await this.#requireNamespace(parent);
    return await this.store.listNamespaces(parent);
  }

  async namespaceExists(namespace: Namespace): Promise<boolean> {
    return (await this.store.namespaceProperties(namespace)) !== null;
  }

  namespaceProperties(namespace: Namespace): Promise<ReadonlyMap<string, string>> {
    return this.#requireNamespace(namespace);
  }

  updateNamespaceProperties(namespace: Namespace, change: PropertyChange): Promise<PropertyChangeResult> {
    const both = change.remove.find((name) => change.set.has(name));
    if (both !== undefined) {
      throw new ServiceError('INVALID_REQUEST', `the property ${both} cannot be set and removed at once`);
    }
    return this.store.updateNamespaceProperties(namespace, change);
  }

  async listTables(namespace: Namespace | null): Promise<StoredTable[]> {
    if (namespace !== null) await this.#requireNamespace(namespace);
    return await this.store.listTables(namespace);
  }

  async tableExists(identifier: TableIdentifier): Promise<boolean> {
    return (await this.store.table(identifier)) !== null;
  }

  async loadTable(identifier: TableIdentifier, signal: AbortSignal): Promise<Table> {
    const table = await this.#committer.load(identifier, signal);
    if (table === null) throw noTable(identifier);
    return table;
  }

  async stageTable(identifier: TableIdentifier, definition: TableDefinition): Promise<TableMetadata> {
    await this.#requireNamespace(identifier.namespace);
    if (await this.tableExists(identifier)) {
      throw new ServiceError('ALREADY_EXISTS', `the table ${formatTable(identifier)} already exists`);
    }
    const context = { warehouse: this.warehouse, nowMs: this.#clock() };
    const metadata = newTableMetadata(identifier, definition, context);
    // A place chosen here too: a table may have moved to a folder around it.
    checkTableLocation(metadata.location, this.warehouse, await this.#metadataLocations());
    return metadata;
  }

  createStaged(
    identifier: TableIdentifier,
    staged: TableMetadata,
    updates: readonly TableUpdate[],
    options: CommitOptions,
  ): Promise<CommittedTable> {
    checkUpdateLocations(staged.location, updates);
    return this.#committer.create(identifier, applyUpdates(staged, updates, { nowMs: this.#clock() }), options);
  }

  async createTable(identifier: TableIdentifier, table: NewTable, options: CommitOptions): Promise<CommittedTable> {
    const replayed = await this.#committer.recall(options);
    if (replayed !== null) return replayed[0]!;
    const staged = await this.stageTable(identifier, table);
    return await this.createStaged(identifier, staged, table.snapshotUpdates ?? [], options);
  }

  async commitTable(
    identifier: TableIdentifier,
    changes: CommitChanges,
    options: CommitOptions,
  ): Promise<CommittedTable> {
    const [committed] = await this.commitTables([{ identifier, ...changes }], options);
    return committed!;
  }

  commitTables(commits: readonly TableCommit[], options: CommitOptions): Promise<CommittedTable[]> {
    return this.#committer.commit(commits, options);
  }

  retryCommit(
    identifier: TableIdentifier,
    build: (table: Table) => Promise<BuiltCommit>,
    options: CommitOptions,
  ): Promise<CommittedTable> {
    return this.#committer.retry(identifier, build, options);
  }

  async isKeyUsed(idempotencyKey: string): Promise<boolean> {
    try {
      return (await this.store.replay({ key: idempotencyKey, principal: '', digest: '' })) !== null;
    } catch (error) {
      if (isServiceError(error, 'ALREADY_EXISTS')) return true;
      throw error;
    }
  }

  async recallCommit(options: CommitOptions): Promise<CommittedTable | null> {
    return (await this.#committer.recall(options))?.[0] ?? null;
  }

  async registerTable(identifier: TableIdentifier, metadataLocation: string, signal: AbortSignal): Promise<Table> {
    parseLocation(metadataLocation);
    const metadata = await this.#files.load(metadataLocation, signal);
    parseLocation(metadata.location);
    checkNoOverlap(metadata.location, await this.#metadataLocations());
    const swap = { identifier, expectedMetadataLocation: null, newMetadataLocation: metadataLocation };
    await this.store.commit({
      swaps: [{ ...swap, uuid: metadata.tableUuid, folder: folderKey(metadata.location) }],
    });
    return { identifier, metadataLocation, metadata };
  }

  async dropTable(
    identifier: TableIdentifier,
    { purge, signal }: { readonly purge: boolean; readonly signal: AbortSignal },
  ): Promise<void> {
    const stored = await this.store.table(identifier);
    if (stored === null) throw noTable(identifier);
    // A table whose metadata cannot be read can still be dropped, but not purged: nobody knows what is its own.
    const table = purge ? await this.loadTable(identifier, signal) : null;
    if (table?.metadata.properties.get('gc.enabled') === 'false') {
      throw new ServiceError(
        'INVALID_REQUEST',
        `${formatTable(identifier)} has gc.enabled=false: drop it without purge`,
      );
    }
    await this.store.dropTable(identifier, stored.uuid);
    if (table !== null) await purgeTable(this, table, this.#limits);
  }

  renameTable(from: TableIdentifier, to: TableIdentifier): Promise<void> {
    return this.store.renameTable(from, to);
  }

  async #requireNamespace(namespace: Namespace): Promise<ReadonlyMap<string, string>> {
    const properties = await this.store.namespaceProperties(namespace);
    if (properties === null) {
      throw new ServiceError('NOT_FOUND', `the namespace ${formatNamespace(namespace)} does not exist`);
    }
    return properties;
  }

  async #metadataLocations(): Promise<string[]> {
    return (await this.store.listTables(null)).map((table) => table.metadataLocation);
  }
}
