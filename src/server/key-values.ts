import type { CatalogStore } from '../catalog/store/catalog-store.ts';
import type { KeyValueStore } from '../core/key-value.ts';

/** The catalog store's small values, as the modules that know nothing of catalogs see them. */
export const keyValuesOf = (store: CatalogStore): KeyValueStore => ({
  get: (key) => store.entry(key),
  set: (key, value) => store.putEntries([{ key, value }]),
  delete: (key) => store.deleteEntries([key]),
  list: (prefix) => store.listEntries(prefix),
  version: async () => (await store.changes()).entries,
});
