import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type LocalIssuer, openLocalIssuer } from '../auth/authenticate/local-issuer.ts';
import { openRevocations, type RevocationStore } from '../auth/authenticate/revocations.ts';
import { openPolicyStore, type PolicyStore, type PolicyStoreOptions } from '../auth/policy/reload.ts';
import { type Catalog, openCatalog } from '../catalog/catalog.ts';
import { openSqliteStore } from '../catalog/store/sqlite-store.ts';
import type { TableFacts } from '../core/access.ts';
import type { Config } from '../core/config.ts';
import { isServiceError } from '../core/errors.ts';
import type { KeyValueStore } from '../core/key-value.ts';
import { createFooterCache, type FooterCache } from '../scan/footers.ts';
import { localPath } from '../storage/locations.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { openStore } from '../storage/stores.ts';
import { createFactsSource, type FactsSource } from './facts-source.ts';
import { keyValuesOf } from './key-values.ts';

/** The state below one data directory: what the server serves from and what the command line works on. */
export interface Embedded extends AsyncDisposable {
  readonly config: Config;
  readonly catalog: Catalog;
  readonly objects: ObjectStore;
  readonly kv: KeyValueStore;
  readonly facts: FactsSource;
  readonly footers: FooterCache;
  readonly revocations: RevocationStore;
  /** Null where tokens come from an issuer of the configuration. */
  readonly issuer: LocalIssuer | null;
  /** What policy may know of every table that exists. */
  tableFacts(): Promise<readonly TableFacts[]>;
  /** Loads the policies' folder; the caller closes what it gets. INVALID_POLICY for a broken set. */
  openPolicies(hooks?: Pick<PolicyStoreOptions, 'onError' | 'onWarnings'>): Promise<PolicyStore>;
}

/** Opens (and makes, where absent) the data directory's catalog, warehouse and keys. Several processes may do so at once. */
export async function openEmbedded(config: Config): Promise<Embedded> {
  await using resources = new AsyncDisposableStack();
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  await mkdir(localPath(config.warehouse), { recursive: true });
  const { limits } = config;
  const store = resources.use(await openSqliteStore({ path: join(config.dataDir, 'catalog.db'), limits }));
  const objects = resources.use(openStore({ warehouse: config.warehouse }));
  const catalog = openCatalog({ store, objects, warehouse: config.warehouse, limits });
  const kv = keyValuesOf(store);
  const revocations = resources.use(await openRevocations({ kv }));
  const issuer = config.auth.issuer === null ? await openLocalIssuer({ dataDir: config.dataDir }) : null;
  const facts = createFactsSource(catalog);
  const tableFacts = (): Promise<readonly TableFacts[]> => factsOfAll(catalog, facts);
  const owned = resources.move();
  return {
    config,
    catalog,
    objects,
    kv,
    facts,
    footers: createFooterCache({ objects, limits }),
    revocations,
    issuer,
    tableFacts,
    openPolicies: (hooks = {}) =>
      openPolicyStore({ directory: config.policies, tables: tableFacts, kv, limits, ...hooks }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function factsOfAll(catalog: Catalog, facts: FactsSource): Promise<readonly TableFacts[]> {
  const all: TableFacts[] = [];
  const { signal } = new AbortController();
  for (const { identifier } of await catalog.listTables(null)) {
    try {
      all.push(await facts.ofTable(await catalog.loadTable(identifier, signal)));
    } catch (error) {
      // A table that was dropped meanwhile or cannot be read must not keep policies from being loaded for the others.
      if (!isServiceError(error)) throw error;
    }
  }
  return all;
}
