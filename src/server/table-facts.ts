import type { TableMetadata } from '../catalog/metadata/types.ts';
import { indexSchema } from '../catalog/schema/lookup.ts';
import { isPrimitive } from '../catalog/schema/types.ts';
import type { ColumnFacts, NamespaceFacts, TableFacts } from '../core/access.ts';
import { formatColumnPath } from '../core/column-path.ts';
import type { TableIdentifier } from '../core/identifier.ts';
import type { FieldId } from '../core/ids.ts';

export const layerProperty = 'headrace.layer';

/** The tags of one table: on itself, on its fields, on its namespaces from the outermost inwards. */
export interface TableTags {
  readonly table: readonly string[];
  readonly fields: ReadonlyMap<FieldId, readonly string[]>;
}

/**
 * What policy may know of a table. Fields of all schemas are listed, since a snapshot may be read with any of them; a field is
 * called as the newest schema that has it calls it, and the current schema wins.
 */
export function tableFacts(
  identifier: TableIdentifier,
  metadata: TableMetadata,
  tags: TableTags,
  namespaces: readonly NamespaceFacts[],
): TableFacts {
  const inherited = namespaces.findLast((namespace) => namespace.layer !== null)?.layer ?? null;
  return {
    uuid: metadata.tableUuid,
    identifier,
    layer: metadata.properties.get(layerProperty) ?? inherited,
    tags: tags.table,
    namespaces,
    columns: columnFacts(metadata, tags.fields),
  };
}

function columnFacts(metadata: TableMetadata, tags: TableTags['fields']): ColumnFacts[] {
  const facts = new Map<FieldId, ColumnFacts>();
  const isCurrent = (schemaId: number): boolean => schemaId === metadata.currentSchemaId;
  const oldestFirst = [...metadata.schemas].sort(
    (a, b) => Number(isCurrent(a.schemaId)) - Number(isCurrent(b.schemaId)) || a.schemaId - b.schemaId,
  );
  for (const schema of oldestFirst) {
    for (const { field, path, parent } of indexSchema(schema).entries) {
      facts.set(field.id, {
        fieldId: field.id,
        path: formatColumnPath(path),
        parent: parent?.field.id ?? null,
        current: isCurrent(schema.schemaId),
        leaf: isPrimitive(field.type),
        tags: tags.get(field.id) ?? [],
      });
    }
  }
  return parentsFirst(facts);
}

function parentsFirst(facts: ReadonlyMap<FieldId, ColumnFacts>): ColumnFacts[] {
  const ordered = new Map<FieldId, ColumnFacts>();
  const add = (fact: ColumnFacts): void => {
    if (ordered.has(fact.fieldId)) return;
    if (fact.parent !== null) add(facts.get(fact.parent)!);
    ordered.set(fact.fieldId, fact);
  };
  for (const fact of facts.values()) add(fact);
  return [...ordered.values()];
}
