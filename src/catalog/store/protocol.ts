import type { ErrorCode } from '../../core/errors.ts';
import type { CatalogStore } from './catalog-store.ts';

/** The store's methods, each a call that crosses to the worker by name; its answer crosses back. */
export type StoreMethods = Omit<CatalogStore, typeof Symbol.asyncDispose>;
export type StoreMethodName = keyof StoreMethods;
export type StoreArguments<Name extends StoreMethodName> = Parameters<StoreMethods[Name]>;
export type StoreResult<Name extends StoreMethodName> = Awaited<ReturnType<StoreMethods[Name]>>;

export interface StoreCall {
  readonly id: number;
  readonly method: StoreMethodName;
  readonly args: readonly unknown[];
}

/** An error without a code is none of ours: its text is for the log alone. */
export type StoreReply =
  | { readonly id: number; readonly kind: 'result'; readonly value: unknown }
  | { readonly id: number; readonly kind: 'error'; readonly error: StoreFailure };

export interface StoreFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly cause: string;
}

export interface StoreWorkerData {
  readonly path: string;
  /** How long a write waits for another process's transaction, in ms. */
  readonly busyMs: number;
  readonly batchMax: number;
  readonly listMax: number;
  readonly idempotencyKeepMs: number;
}

export type WorkerReady = { readonly kind: 'ready' } | { readonly kind: 'failed'; readonly error: StoreFailure };

/** Calls that change nothing: they need no write transaction and never wait for another process. */
export const readMethods: ReadonlySet<StoreMethodName> = new Set<StoreMethodName>([
  'listNamespaces',
  'namespaceProperties',
  'listTables',
  'table',
  'tableByUuid',
  'replay',
  'listTags',
  'entry',
  'listEntries',
  'changes',
]);
