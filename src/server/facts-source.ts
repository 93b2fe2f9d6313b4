import type { Catalog, Table } from '../catalog/catalog-types.ts';
import type { TableMetadata } from '../catalog/metadata/types.ts';
import type { TagEntry } from '../catalog/store/catalog-store.ts';
import type { NamespaceFacts, TableFacts } from '../core/access.ts';
import { formatNamespace, formatTable, type Namespace } from '../core/identifier.ts';
import type { FieldId } from '../core/ids.ts';
import { layerProperty, tableFacts } from './table-facts.ts';

/** What policy may know of the catalog's tables and namespaces: tags and layers as they are now. */
export interface FactsSource {
  ofTable(table: Table): Promise<TableFacts>;
  /** From the outermost namespace inwards; absent ones are left out. */
  ofNamespace(namespace: Namespace): Promise<readonly NamespaceFacts[]>;
}

/** All tags and namespace properties, read again whenever the store says that some changed. */
interface Snapshot {
  readonly version: string;
  readonly tables: ReadonlyMap<string, readonly string[]>;
  readonly fields: ReadonlyMap<string, ReadonlyMap<FieldId, readonly string[]>>;
  readonly namespaceTags: ReadonlyMap<string, readonly string[]>;
  readonly namespaces: Map<string, NamespaceFacts | null>;
}

/** The same object while nothing changed: policy recognizes facts by identity. */
interface CachedFacts {
  readonly version: string;
  readonly facts: TableFacts;
}

export function createFactsSource(catalog: Catalog): FactsSource {
  const { store } = catalog;
  let snapshot: Snapshot | null = null;

  const current = async (): Promise<Snapshot> => {
    const { namespaces, tags } = await store.changes();
    const version = `${namespaces}/${tags}`;
    if (snapshot?.version !== version) snapshot = readTags(version, await store.listTags(null));
    return snapshot;
  };

  const ofNamespace = async (namespace: Namespace): Promise<readonly NamespaceFacts[]> => {
    const known = await current();
    const facts: NamespaceFacts[] = [];
    for (let depth = 1; depth <= namespace.length; depth++) {
      const name = formatNamespace(namespace.slice(0, depth));
      let fact = known.namespaces.get(name);
      if (fact === undefined) {
        const properties = await store.namespaceProperties(namespace.slice(0, depth));
        const tags = known.namespaceTags.get(name) ?? [];
        fact = properties === null ? null : { name, layer: properties.get(layerProperty) ?? null, tags };
        known.namespaces.set(name, fact);
      }
      if (fact !== null) facts.push(fact);
    }
    return facts;
  };

  const cached = new WeakMap<TableMetadata, CachedFacts>();
  return {
    ofNamespace,
    async ofTable({ identifier, metadata }) {
      const known = await current();
      const last = cached.get(metadata);
      if (last?.version === known.version && formatTable(last.facts.identifier) === formatTable(identifier))
        return last.facts;
      const tags = {
        table: known.tables.get(metadata.tableUuid) ?? [],
        fields: known.fields.get(metadata.tableUuid) ?? new Map(),
      };
      const facts = tableFacts(identifier, metadata, tags, await ofNamespace(identifier.namespace));
      cached.set(metadata, { version: known.version, facts });
      return facts;
    },
  };
}

function readTags(version: string, entries: readonly TagEntry[]): Snapshot {
  const tables = new Map<string, string[]>();
  const fields = new Map<string, Map<FieldId, string[]>>();
  const namespaceTags = new Map<string, string[]>();
  for (const { target, tag } of entries) {
    if (target.kind === 'namespace') push(namespaceTags, formatNamespace(target.namespace), tag);
    else if (target.kind === 'table') push(tables, target.uuid, tag);
    else {
      const ofTable = fields.get(target.uuid) ?? new Map<FieldId, string[]>();
      fields.set(target.uuid, ofTable);
      push(ofTable, target.fieldId as FieldId, tag);
    }
  }
  return { version, tables, fields, namespaceTags, namespaces: new Map() };
}

function push<Key>(map: Map<Key, string[]>, key: Key, tag: string): void {
  const tags = map.get(key);
  if (tags === undefined) map.set(key, [tag]);
  else tags.push(tag);
}
