import { openLocalStore } from './local.ts';
import { parseLocation, unsupportedScheme } from './locations.ts';
import type { ObjectStore } from './object-store.ts';

export interface StoreConfig {
  /** Where new tables go, as an absolute location. Its scheme chooses the store. */
  readonly warehouse: string;
  /** A local folder that no location may leave. Absent: any file of this machine, as the command line may name. */
  readonly root?: string;
}

/** The store of a warehouse. Throws UNSUPPORTED_FEATURE, naming the scheme, for one that is not a local folder. */
export function openStore(config: StoreConfig): ObjectStore & AsyncDisposable {
  const { scheme } = parseLocation(config.warehouse);
  if (scheme !== 'file') throw unsupportedScheme(scheme);
  return openLocalStore(config.root === undefined ? {} : { root: config.root });
}
