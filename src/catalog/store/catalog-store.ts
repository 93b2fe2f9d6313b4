import type { Namespace, TableIdentifier } from '../../core/identifier.ts';
import type { TableUuid } from '../../core/ids.ts';

/** Where the catalog keeps its pointers: an embedded SQLite file, or a shared database. Every method is one transaction. */
export interface CatalogStore extends AsyncDisposable {
  /** ALREADY_EXISTS; NOT_FOUND where the parent namespace is absent. */
  createNamespace(namespace: Namespace, properties: ReadonlyMap<string, string>): Promise<void>;
  /** NOT_FOUND; INVALID_REQUEST while the namespace holds tables or namespaces. */
  dropNamespace(namespace: Namespace): Promise<void>;
  /** Direct children in the order of their names; null = the outermost ones. Empty for an absent parent. */
  listNamespaces(parent: Namespace | null): Promise<Namespace[]>;
  /** Null where there is no such namespace. */
  namespaceProperties(namespace: Namespace): Promise<ReadonlyMap<string, string> | null>;
  /** NOT_FOUND; says which of the removals were not there. */
  updateNamespaceProperties(namespace: Namespace, change: PropertyChange): Promise<PropertyChangeResult>;

  /** In the order of their names; null = the tables of all namespaces. */
  listTables(namespace: Namespace | null): Promise<StoredTable[]>;
  table(identifier: TableIdentifier): Promise<StoredTable | null>;
  tableByUuid(uuid: TableUuid): Promise<StoredTable | null>;
  /**
   * Moves every pointer and records the idempotency key, or does nothing: COMMIT_CONFLICT where a pointer moved, ALREADY_EXISTS
   * where a new table's name or uuid is taken or the key was used for something else, NOT_FOUND for an absent table or namespace,
   * COMMIT_UNKNOWN where it cannot be told whether the transaction happened.
   */
  commit(transaction: StoreTransaction): Promise<StoreCommit>;
  /**
   * Keeps other holders from committing to the tables for `ttlMs`, or until the holder's next commit: for a process that keeps
   * losing to faster ones. All tables or none; false where another holder has one of them.
   */
  reserve(tables: readonly TableUuid[], holder: string, ttlMs: number): Promise<boolean>;
  /** Gives a holder's reservations back. */
  release(holder: string): Promise<void>;
  /** NOT_FOUND; COMMIT_CONFLICT where the name belongs to another table by now. The table's tags go with it. */
  dropTable(identifier: TableIdentifier, uuid: TableUuid): Promise<void>;
  /** NOT_FOUND for an absent table or target namespace, ALREADY_EXISTS for a taken name. */
  renameTable(from: TableIdentifier, to: TableIdentifier): Promise<void>;
  /** What was recorded under the key; null for a new one. ALREADY_EXISTS for another principal's or another request's key. */
  replay(key: IdempotencyKey): Promise<string | null>;

  /** All tags, or those of one target. */
  listTags(target: TagTarget | null): Promise<TagEntry[]>;
  /** True where the tag was not there before. */
  addTag(target: TagTarget, tag: string): Promise<boolean>;
  /** True where the tag was there. */
  removeTag(target: TagTarget, tag: string): Promise<boolean>;

  /** Small values of other modules, each under a prefix of its own (`policy-binding/…`). */
  entry(key: string): Promise<string | null>;
  listEntries(prefix: string): Promise<StoreEntry[]>;
  putEntries(entries: readonly StoreEntry[]): Promise<void>;
  deleteEntries(keys: readonly string[]): Promise<void>;

  /** Counters that grow with every change, by this or any other process. */
  changes(): Promise<StoreChanges>;
}

export interface StoredTable {
  readonly identifier: TableIdentifier;
  readonly uuid: TableUuid;
  readonly metadataLocation: string;
  readonly previousMetadataLocation: string | null;
}

export interface PropertyChange {
  readonly set: ReadonlyMap<string, string>;
  readonly remove: readonly string[];
}

export interface PropertyChangeResult {
  readonly updated: readonly string[];
  readonly removed: readonly string[];
  readonly missing: readonly string[];
}

export interface StoreTransaction {
  readonly swaps: readonly PointerSwap[];
  /** As in `reserve`; a commit to a table that another holder reserved is COMMIT_CONFLICT. */
  readonly holder?: string;
  readonly idempotency?: IdempotencyRecord | null;
}

export interface PointerSwap {
  readonly identifier: TableIdentifier;
  /** Null: the table is new. */
  readonly expectedMetadataLocation: string | null;
  readonly newMetadataLocation: string;
  readonly uuid: TableUuid;
  /**
   * The `folderKey` of the table's location where the table is new or moves; absent where it stays. INVALID_REQUEST where another table
   * lies in that folder or around it.
   */
  readonly folder?: string;
}

/** A caller's key for one request; the digest tells one request from another. */
export interface IdempotencyKey {
  readonly key: string;
  readonly principal: string;
  readonly digest: string;
}

export interface IdempotencyRecord extends IdempotencyKey {
  readonly response: string;
}

/** Committed now, or found committed under the same key, with what was recorded then. */
export type StoreCommit = { readonly kind: 'committed' } | { readonly kind: 'replayed'; readonly response: string };

export type TagTarget =
  | { readonly kind: 'namespace'; readonly namespace: Namespace }
  | { readonly kind: 'table'; readonly uuid: TableUuid }
  | { readonly kind: 'field'; readonly uuid: TableUuid; readonly fieldId: number };

export interface TagEntry {
  readonly target: TagTarget;
  readonly tag: string;
}

export interface StoreEntry {
  readonly key: string;
  readonly value: string;
}

export interface StoreChanges {
  readonly namespaces: number;
  readonly tables: number;
  readonly tags: number;
  readonly entries: number;
}
