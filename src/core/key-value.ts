/**
 * Small durable state that several processes share: revocations, policy bindings, tags. Keys are paths (`revocation/token/…`),
 * values are JSON text. The catalog's store implements it; a change by one process is seen by the next call of any other.
 */
export interface KeyValueStore {
  /** Null where there is no such key. */
  get(key: string): Promise<string | null>;
  /** Durable when it resolves. */
  set(key: string, value: string): Promise<void>;
  /** An absent key is no error. */
  delete(key: string): Promise<void>;
  /** Every key that starts with `prefix`, in key order. */
  list(prefix: string): Promise<readonly KeyValue[]>;
  /** Grows with every change of any key, so that a reader can tell cheaply whether its copy still holds. */
  version(): Promise<number>;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** A store of this process alone, for checks that must leave no trace. */
export function openMemoryKeyValueStore(entries: Iterable<readonly [string, string]> = []): KeyValueStore {
  const values = new Map(entries);
  let version = values.size;
  return {
    get: async (key) => values.get(key) ?? null,
    set: async (key, value) => {
      values.set(key, value);
      version++;
    },
    delete: async (key) => {
      if (values.delete(key)) version++;
    },
    list: async (prefix) =>
      [...values]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, value]) => ({ key, value }))
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
    version: async () => version,
  };
}
